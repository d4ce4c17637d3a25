"""InProcessTransport: the embedded API server without a socket, for tests, simulations and `jobflow run`.

In: Requests. Out: Responses and Streams of the server in the same event loop. Both directions are bytes, so nothing
that can be changed is shared; and each request lets other tasks run before and after it, as a network would.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from jobflow.clock import Clock
from jobflow.kube.errors import SilentStream, Unavailable
from jobflow.kube.transport import Request, Response, Stream, Transport
from jobflow.local.apiserver.wire.streams import Answer


class Server(Protocol):
    """What answers."""

    async def handle(self, request: Request) -> Response:
        """Answer a request whole."""

    def open(self, request: Request) -> AbstractAsyncContextManager[Answer]:
        """Answer a request as a stream."""


class InProcessTransport(Transport):
    """A Transport that calls the server."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._closed = False

    async def request(self, request: Request, timeout: float) -> Response:
        """Hand the request over; `timeout` bounds what may wait, which is the commit of a server with a disk."""
        self._check_open()
        await self._clock.sleep(0)
        try:
            async with asyncio.timeout(timeout):
                response = await self._server.handle(request)
        except TimeoutError as error:
            raise Unavailable(f"the embedded API server did not answer within {timeout:g} s") from error
        await self._clock.sleep(0)
        self._check_open()
        return response

    @asynccontextmanager
    async def stream(self, request: Request, silence: float) -> AsyncIterator[Stream]:
        """Open a watch or a followed log."""
        self._check_open()
        await self._clock.sleep(0)
        async with self._server.open(request) as answer:
            guarded = GuardedStream(answer, self._clock, silence)
            guard = asyncio.create_task(guarded.guard(), name="in-process stream: silence")
            try:
                yield guarded
            finally:
                guard.cancel()
                await asyncio.gather(guard, return_exceptions=True)

    async def close(self) -> None:
        """Refuse what comes after; the answers of requests under way are dropped."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the transport is closed")


class GuardedStream:
    """An answer whose reader is interrupted with SilentStream when no line has come for too long."""

    def __init__(self, answer: Answer, clock: Clock, silence: float) -> None:
        self._answer = answer
        self._lines = answer.lines()
        self._clock = clock
        self._silence = silence
        self._heard = clock.monotonic()
        self._reader: asyncio.Task[object] | None = None  # the task that waits for a line now
        self._interrupted = False

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers."""
        return self._answer.headers

    async def body(self) -> bytes:
        """The Status of a refusal."""
        return await self._answer.body()

    def lines(self) -> AsyncIterator[bytes]:
        """The lines, under guard."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self._reader = asyncio.current_task()
        try:
            line = await anext(self._lines)
        except asyncio.CancelledError:
            if self._interrupted and self._reader is not None and self._reader.uncancel() == 0:
                raise SilentStream(f"nothing came for {self._silence:g} s") from None
            raise
        finally:
            self._reader = None
        self._heard = self._clock.monotonic()
        return line

    async def guard(self) -> None:
        """Wait until nothing has come for too long, then interrupt whoever waits for a line."""
        while True:
            quiet = self._clock.monotonic() - self._heard
            if quiet < self._silence:
                await self._clock.sleep(self._silence - quiet)
            elif self._reader is None:  # the reader is busy with what it has
                await self._clock.sleep(self._silence)
            else:
                self._interrupted = True
                self._reader.cancel()
                return
