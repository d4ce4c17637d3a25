"""A way to the API server on which something is forbidden, for tests of what the controller does without rights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from jobflow.kube.transport import Request, Response, Stream, Transport
from jobflow.local.apiserver.wire.streams import Answer

FORBIDDEN = msgspec.json.encode({"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no rights here"})


class NarrowRights(Transport):
    """Refuses what is asked of some paths, and keeps what was asked, method and path, in its order."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.forbidden = ""  # a part of the paths, `?watch` behind it where only watches are meant; "" for nothing
        self.asked: list[tuple[str, str]] = []

    @property
    def paths(self) -> list[str]:
        """What was asked of, in its order."""
        return [path for _, path in self.asked]

    async def request(self, request: Request, timeout: float) -> Response:
        if self._refuses(request):
            return Response(403, FORBIDDEN)
        return await self._inner.request(request, timeout)

    @asynccontextmanager
    async def stream(self, request: Request, silence: float) -> AsyncIterator[Stream]:
        if self._refuses(request):
            yield Answer.whole(Response(403, FORBIDDEN))
            return
        async with self._inner.stream(request, silence) as stream:
            yield stream

    async def close(self) -> None:
        await self._inner.close()

    def _refuses(self, request: Request) -> bool:
        self.asked.append((request.method, request.path))
        path, _, only = self.forbidden.partition("?")
        return bool(path) and path in request.path and (not only or (only, "true") in request.query)
