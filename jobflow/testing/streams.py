"""DisturbedStream: a watch whose lines come twice, late, in another order, or not at all.

In: a watch of the API server, the plan. Out: its lines as a worse network would bring them. Nothing is done here that
a correct API server may not do: inside one stream no event is lost, and events of one object keep their order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

import msgspec

from jobflow.clock import Clock
from jobflow.kube.errors import SilentStream, TruncatedStream
from jobflow.kube.transport import Stream
from jobflow.local.apiserver.statuses import expired
from jobflow.testing.faults import Cut, Delay, Duplicate, Reorder
from jobflow.testing.injection import Injection, Lag
from jobflow.testing.recorder import now

BOOKMARK_SECONDS = 60.0  # as API servers do
REORDER_SECONDS = 1.0  # how long an event waits for the next one


class _Meta(msgspec.Struct):
    uid: str = ""
    resourceVersion: str = "0"


class _Object(msgspec.Struct):
    metadata: _Meta


class _Line(msgspec.Struct):
    type: str
    object: _Object


class Told(NamedTuple):
    """One line; `number` is the event's among its kind, 0 for bookmarks and what was before the history."""

    line: bytes
    number: int
    uid: str
    version: str


_LINE = msgspec.json.Decoder(_Line)


class DisturbedStream:
    """A Stream under the plan."""

    def __init__(self, inner: Stream, kind: str, injection: Injection, clock: Clock, silence: float) -> None:
        self._inner = inner
        self._lines = inner.lines()
        self._kind = kind
        self._injection = injection
        self._clock = clock
        self._silence = silence
        self._waiting: deque[Told] = deque()  # read from the server, and not delivered
        self._version = ""  # last delivered
        self._ended = False

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._inner.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers."""
        return self._inner.headers

    async def body(self) -> bytes:
        """The Status of a refusal."""
        return await self._inner.body()

    def lines(self) -> AsyncIterator[bytes]:
        """The lines, disturbed."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            await self._read()
        told = self._waiting[0]
        until = self._injection.held_until(self._kind, told.number)
        if now() < until:
            await self._clock.sleep(min(BOOKMARK_SECONDS, until - now()))
            if now() < until and self._version:
                return self._bookmark()
            return await self.__anext__()
        self._waiting.popleft()
        self._version = told.version
        return told.line

    async def _read(self) -> None:
        """Take one line of the server, or several where the plan says so. Raises what ends the stream."""
        told = await self._next()
        kind, number, injection = self._kind, told.number, self._injection
        if number == 0:
            self._waiting.append(told)
            return
        if cut := injection.take(Cut, lambda cut: (cut.kind, cut.event) == (kind, number)):
            await self._cut(cut)
            return
        if injection.drop_from(kind, number):
            self._ended = True
            raise StopAsyncIteration
        if delay := injection.take(Delay, lambda delay: (delay.kind, delay.event) == (kind, number)):
            injection.lags[kind] = Lag(number, injection.lasts(delay.seconds))
        self._waiting.append(told)
        if injection.take(Duplicate, lambda twice: (twice.kind, twice.event) == (kind, number)):
            self._waiting.append(told)
        if injection.take(Reorder, lambda swap: (swap.kind, swap.event) == (kind, number)):
            await self._swap(told)

    async def _next(self) -> Told:
        line = await anext(self._lines)
        decoded = _LINE.decode(line)
        meta = decoded.object.metadata
        version = int(meta.resourceVersion) if meta.resourceVersion.isdigit() else 0
        number = 0 if decoded.type == "BOOKMARK" else self._injection.recorder.event_number(self._kind, version)
        return Told(line, number, meta.uid, meta.resourceVersion)

    async def _cut(self, cut: Cut) -> None:
        self._ended = True
        match cut.how:
            case "eof":
                raise StopAsyncIteration
            case "truncated":
                raise TruncatedStream("the stream ended in the middle of a line")
            case "silence":
                await self._clock.sleep(self._silence)
                raise SilentStream(f"nothing came for {self._silence:g} s")
        error = expired("The resourceVersion for the provided watch is too old.").body
        self._waiting.append(Told(b'{"type":"ERROR","object":' + error + b"}", 0, "", ""))

    async def _swap(self, told: Told) -> None:
        """Let the next event go first, if it comes soon and is about another object."""
        try:
            async with asyncio.timeout(REORDER_SECONDS):
                following = await self._next()
        except (TimeoutError, StopAsyncIteration) as error:
            self._ended = isinstance(error, StopAsyncIteration)
            return
        if following.number and following.uid != told.uid:
            self._waiting.appendleft(following)
        else:
            self._waiting.append(following)

    def _bookmark(self) -> bytes:
        meta = {"resourceVersion": self._version, "creationTimestamp": None}
        return msgspec.json.encode({"type": "BOOKMARK", "object": {"kind": self._kind, "metadata": meta}})
