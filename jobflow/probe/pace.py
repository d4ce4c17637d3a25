"""Pace: how many probes may be under way, in all and against one host, and how many connections begin in a second.

In: a host. Out: a turn, for as long as the block lasts. A host that swallows connections takes only its own turns, so
that it delays nobody who asks another. An event loop that wakes its sleepers late has more to do than it can: fewer
connections begin then, because flows that wait for no probe share it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from jobflow.clock import Clock

LATE_SECONDS = 0.1  # flows feel this; a loop that only handles what comes is late by a few milliseconds
SLOWER = 2.0
FASTER = 0.99  # for each connection in time: from the least to the most in some seconds
SETTLE_SECONDS = 1.0  # at most one step down in this time: sleepers of one late moment tell the same story


@dataclass(frozen=True)
class Limits:
    """Of one controller."""

    at_once: int = 1024  # sockets; more than the probes of thousands of dead hosts need, whose period stretches
    at_once_per_host: int = 8
    per_second: float = 500.0  # after a restart all probes are due at once
    least_per_second: float = 20.0  # of an event loop that is always late: probes are not given up


class Pace:
    """Hands out turns."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._all = asyncio.Semaphore(limits.at_once)
        self._hosts: dict[str, tuple[asyncio.Semaphore, int]] = {}
        self._next_start = 0.0
        self._apart = 1.0 / limits.per_second
        self._slowed_at = float("-inf")

    @property
    def per_second(self) -> float:
        """How many connections may begin in a second now."""
        return 1.0 / self._apart

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait for one; the host's own queue first, so that who waits for a slow host holds no place of another."""
        semaphore, users = self._hosts.get(host) or (asyncio.Semaphore(self._limits.at_once_per_host), 0)
        self._hosts[host] = (semaphore, users + 1)
        try:
            async with semaphore, self._all:
                await self._start()
                yield
        finally:
            semaphore, users = self._hosts.pop(host)
            if users > 1:
                self._hosts[host] = (semaphore, users - 1)

    async def _start(self) -> None:
        now = self._clock.monotonic()
        start = max(now, self._next_start)
        self._next_start = start + self._apart
        if start > now:
            await self._clock.sleep(start - now)
            self._learn(self._clock.monotonic(), start)

    def _learn(self, now: float, due: float) -> None:
        """Somebody who was to wake at `due` woke `now`."""
        if now - due <= LATE_SECONDS:
            self._apart = max(self._apart * FASTER, 1.0 / self._limits.per_second)
        elif now - self._slowed_at >= SETTLE_SECONDS:
            self._slowed_at = now
            self._apart = min(self._apart * SLOWER, 1.0 / self._limits.least_per_second)
