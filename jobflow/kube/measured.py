"""MeasuredTransport: counts and times what is asked of the API server.

In: requests and streams. Out: the same, and a report of each: verb, kind, status, seconds. It stands right above the
wire, so that repeated requests count each time and what is never sent does not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jobflow.clock import Clock
from jobflow.kube.errors import ApiError
from jobflow.kube.transport import APPLY_PATCH, Request, Response, Stream, Transport
from jobflow.obs.measures import Measures

NO_ANSWER = "none"  # in place of a status

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class MeasuredTransport(Transport):
    """A transport whose use is reported."""

    def __init__(self, inner: Transport, clock: Clock, measures: Measures) -> None:
        self._inner = inner
        self._clock = clock
        self._measures = measures

    async def request(self, request: Request, timeout: float) -> Response:
        """Send it and report it."""
        started = self._clock.monotonic()
        code = NO_ANSWER
        try:
            response = await self._inner.request(request, timeout)
            code = str(response.status)
            return response
        finally:
            verb, resource = verb_and_resource(request)
            self._measures.called(verb, resource, code, self._clock.monotonic() - started)

    @asynccontextmanager
    async def stream(self, request: Request, silence: float) -> AsyncIterator[Stream]:
        """Open it and report that."""
        _, resource = verb_and_resource(request)
        opened = False
        try:
            async with self._inner.stream(request, silence) as stream:
                opened = True
                self._measures.watch_began(resource, str(stream.status))
                yield stream
        except ApiError:
            if not opened:
                self._measures.watch_began(resource, NO_ANSWER)
            raise

    async def close(self) -> None:
        """Close what is under it."""
        await self._inner.close()


def verb_and_resource(request: Request) -> tuple[str, str]:
    """Kubernetes' verb, and the kind as `plural.group` or `plural.group/subresource`."""
    parts = request.path.split("/")
    if parts[1:2] == ["openapi"]:
        return "get", "openapi"
    if len(parts) > 2 and parts[1] == "apis":
        group, rest = parts[2], parts[4:]
    else:
        group, rest = "", parts[3:]
    if rest[0:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    if not rest:
        return request.method.lower(), ""
    resource = f"{rest[0]}.{group}" if group else rest[0]
    if len(rest) > 2:
        resource = f"{resource}/{rest[2]}"
    if request.method == "GET":
        return ("get" if len(rest) > 1 else "list"), resource
    if request.method == "PATCH" and request.content_type == APPLY_PATCH:
        return "apply", resource
    return VERBS.get(request.method, request.method.lower()), resource
