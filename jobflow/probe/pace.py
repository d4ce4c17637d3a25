"""Pace: how many probes may be under way, in all and against one host, and how many connections begin in a second.

In: a host. Out: a turn, for as long as the block lasts. A host that swallows connections takes only its own turns, so
that it delays nobody who asks another.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from jobflow.clock import Clock


@dataclass(frozen=True)
class Limits:
    """Of one controller."""

    at_once: int = 1024  # sockets; more than the probes of thousands of dead hosts need, whose period stretches
    at_once_per_host: int = 8
    per_second: float = 500.0  # after a restart all probes are due at once


class Pace:
    """Hands out turns."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self._limits = limits
        self._all = asyncio.Semaphore(limits.at_once)
        self._hosts: dict[str, tuple[asyncio.Semaphore, int]] = {}
        self._next_start = 0.0

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
        self._next_start = start + 1.0 / self._limits.per_second
        if start > now:
            await self._clock.sleep(start - now)
