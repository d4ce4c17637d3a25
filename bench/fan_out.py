"""FanOut: how long after a write each of many watchers knows of it.

In: a collection, the version to watch from, a number of watchers. Out: seconds from sending a write to its line at each
watcher; and when all of them have seen a number of lines. Each watcher has a connection of its own, as every client of
a cluster has.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec

from bench.errors import BenchError
from bench.wire import BOOKMARK, Wire


class _Meta(msgspec.Struct, frozen=True):
    version: str = msgspec.field(name="resourceVersion")


class _Object(msgspec.Struct, frozen=True):
    metadata: _Meta


class _Event(msgspec.Struct, frozen=True):
    object: _Object


_object = msgspec.json.Decoder(_Object)
_event = msgspec.json.Decoder(_Event)


@dataclass
class FanOut:
    """The watchers of one collection. To be used inside `watched`."""

    watchers: int
    arrivals: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # by resourceVersion
    lines: int = 0  # at all watchers together
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, ask: Callable[[], Awaitable[bytes]]) -> tuple[float, list[float]]:
        """Seconds to the write's answer, and to its line at each watcher. Returns when all have it."""
        sent = time.monotonic()
        version = _object.decode(await ask()).metadata.version
        answered = time.monotonic()
        await self._until(lambda: len(self.arrivals[version]) >= self.watchers)
        return answered - sent, [arrived - sent for arrived in self.arrivals[version]]

    async def seen(self, lines: int) -> None:
        """Return when the watchers have got so many more lines, all together."""
        wanted = self.lines + lines
        await self._until(lambda: self.lines >= wanted)

    async def follow(self, wire: Wire, path: str, version: str) -> None:
        """One watcher, until cancelled. Raises BenchError where the server ends it."""
        async for line in wire.watch(path, version):
            if not line.startswith(BOOKMARK):
                self.arrivals[_event.decode(line).object.metadata.version].append(time.monotonic())
                self.lines += 1
                self._came.set()
        raise BenchError(
            f"a watch of {path} ended while it was measured: the server does not keep up with its watchers"
        )

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._came.clear()
            await self._came.wait()


@asynccontextmanager
async def watched(wire: Wire, path: str, version: str, watchers: int) -> AsyncIterator[FanOut]:
    """So many watchers of a collection, from a version on; all end with the block."""
    fan_out = FanOut(watchers)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(fan_out.follow(wire, path, version)) for _ in range(watchers)]
        try:
            yield fan_out
        finally:
            for task in tasks:
                task.cancel()
