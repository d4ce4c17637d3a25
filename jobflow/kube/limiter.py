"""AdaptiveLimiter: how many requests may be in flight at once, found out rather than configured.

In: how long each request took and whether the server said 429. Out: a turn to send, first come first served.
Additive increase, multiplicative decrease, as in TCP. Work beyond what the server can do at once then waits
on our side, where the work queue still decides what comes next, instead of in the server, where nothing does.
"""

from __future__ import annotations

import asyncio
from collections import deque

from jobflow.clock import Clock

MIN_IN_FLIGHT = 2  # a limiter that closes wholly could not find out that the server has recovered
THROTTLED_FACTOR = 0.5  # 429: the server said so
SLOW_FACTOR = 0.9  # latency: our own guess, so gentler
SETTLE_SECONDS = 1.0  # at most one decrease in this time: answers to older requests tell the same story again
SLOW_SHARE = 4  # latency shrinks the limit to a quarter and no further: a server that others keep busy is slow as well
BUSY_SHARE = 4  # with a quarter of all turns taken there is work that Events should not hold up
SLOW_SECONDS = 0.25  # shorter answers are fast enough whatever the baseline
SLOW_RATIO = 4.0  # slower than this many times the baseline is a queue in the server
SMOOTHING = 0.1  # weight of one answer in the current latency
BASELINE_DRIFT = 1.001  # per answer: an old best time is forgotten, a server may have become slower for good


class AdaptiveLimiter:
    """At most `limit` requests at once; `limit` moves between 2 and `maximum`."""

    def __init__(self, clock: Clock, maximum: int) -> None:
        self._clock = clock
        self._maximum = max(maximum, MIN_IN_FLIGHT)
        self._limit = float(self._maximum)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._decreased_at = float("-inf")
        self._baseline = 0.0
        self._latency = 0.0
        self.in_flight = 0

    @property
    def limit(self) -> int:
        """How many requests may be in flight now."""
        return int(self._limit)

    @property
    def busy(self) -> bool:
        """Whether so much is in flight that what can wait should."""
        return self.in_flight > self._maximum / BUSY_SHARE or bool(self._waiting)

    async def acquire(self) -> None:
        """Wait for a turn. Each acquire is followed by one release."""
        if self.in_flight < self.limit and not self._waiting:
            self.in_flight += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # the turn had been given while we were being cancelled: pass it on
            raise

    def release(self) -> None:
        """Give the turn back, and hand out what may be in flight now."""
        self.in_flight -= 1
        while self._waiting and self.in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)

    def answered(self, seconds: float) -> None:
        """A request about one object was answered in `seconds`: grow, or shrink where answers became slow."""
        self._latency += SMOOTHING * (seconds - self._latency) if self._latency else seconds
        self._baseline = min(self._baseline * BASELINE_DRIFT, seconds) if self._baseline else seconds
        least = self._maximum / SLOW_SHARE
        if self._limit > least and self._latency > max(SLOW_SECONDS, SLOW_RATIO * self._baseline):
            self._decrease(SLOW_FACTOR, least)
        elif self.in_flight >= self.limit:  # growing a limit that nobody reaches would say nothing
            self._limit = min(self._limit + 1 / self._limit, self._maximum)

    def throttled(self) -> None:
        """The server answered 429."""
        self._decrease(THROTTLED_FACTOR)

    def _decrease(self, factor: float, least: float = MIN_IN_FLIGHT) -> None:
        now = self._clock.monotonic()
        if now - self._decreased_at < SETTLE_SECONDS:
            return
        self._decreased_at = now
        self._limit = max(self._limit * factor, least, MIN_IN_FLIGHT)
