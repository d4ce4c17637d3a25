"""Pace: how many probes may be under way, in all and against one host, and how many connections begin in a second.

In: a host. Out: a turn, for as long as the block lasts. A host that swallows connections takes only its own turns, so
that it delays nobody who asks another. An event loop that wakes its sleepers late has more to do than it can: fewer
connections begin then, because flows that wait for no probe share it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from jobflow.clock import Clock

LATE_SECONDS = 0.01  # on the average: flows feel this; a loop that only handles what comes is late by less
ONE_OF = 0.02  # weight of one sleeper in that average: a single late moment is no reason
MOST_SECONDS = 1.0  # that one sleeper may count for
CATCH_UP_SECONDS = 0.1  # of turns that were missed by waking late
SLOWER = 2.0
FASTER_PER_SECOND = 0.1  # of a loop in time: twice as many connections in seven seconds
SETTLE_SECONDS = 1.0  # at most one step down in this time: sleepers of one late moment tell the same story


@dataclass(frozen=True)
class Limits:
    """Of one controller."""

    at_once: int = 1024  # sockets; more than the probes of thousands of dead hosts need, whose period stretches
    at_once_per_host: int = 8
    per_second: float = 500.0  # after a restart all probes are due at once
    least_per_second: float = 50.0  # beside work that never ends: probes are not given up


class Pace:
    """Hands out turns."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self.waiting: Callable[[], int] = lambda: 0  # how many flows wait for a worker
        self._clock = clock
        self._limits = limits
        self._all = asyncio.Semaphore(limits.at_once)
        self._hosts: dict[str, tuple[asyncio.Semaphore, int]] = {}
        self._starting = asyncio.Lock()
        self._next_start = float("-inf")
        self._apart = 1.0 / limits.per_second
        self._late = 0.0
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
        """One sleeper at a time, in the order in which they came: whoever follows starts at the pace of then."""
        async with self._starting:
            now = self._clock.monotonic()
            due = self._next_start
            if due > now:
                await self._clock.sleep(due - now)
                now = self._clock.monotonic()
                self._learn(now, due)
            apart = 1.0 / self._limits.least_per_second if self.waiting() else self._apart
            self._next_start = (due if now - due <= CATCH_UP_SECONDS else now) + apart

    def _learn(self, now: float, due: float) -> None:
        """Somebody who was to wake at `due` woke `now`."""
        self._late += ONE_OF * (min(now - due, MOST_SECONDS) - self._late)
        if self._late <= LATE_SECONDS:
            self._apart = max(self._apart * (1.0 - FASTER_PER_SECOND * self._apart), 1.0 / self._limits.per_second)
        elif now - self._slowed_at >= SETTLE_SECONDS:
            self._slowed_at = now
            self._apart = min(self._apart * SLOWER, 1.0 / self._limits.least_per_second)
