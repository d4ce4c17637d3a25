"""Clocks for tests: time that passes without anybody waiting.

In: an epoch, so that timestamps are the same in every run. Out: a `jobflow.clock.Clock`. VirtualClock follows the
running event loop, which a virtual loop (looptime) drives; FixedClock stands until it is told to go on, for code that
takes a Clock and never waits.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


class VirtualClock:
    """Wall time and monotonic time from the running loop: an hour asleep on a virtual loop is an hour on both."""

    def __init__(self, epoch: datetime = EPOCH) -> None:
        self._epoch = epoch

    def now(self) -> datetime:
        """The epoch plus the loop's time, UTC."""
        return self._epoch + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """The loop's own seconds."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """asyncio.sleep, which a virtual loop skips over."""
        await asyncio.sleep(max(0.0, seconds))


class FixedClock:
    """Time that stands still until `advance`; a sleep advances it at once."""

    def __init__(self, now: datetime = EPOCH) -> None:
        self._start = now
        self._passed = 0.0

    def now(self) -> datetime:
        """The start plus what has passed."""
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        """Seconds passed since the start."""
        return self._passed

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        if seconds < 0:
            raise ValueError(f"time does not go back ({seconds} s)")
        self._passed += seconds

    async def sleep(self, seconds: float) -> None:
        """Let the seconds pass at once, and yield to the event loop."""
        self.advance(max(0.0, seconds))
        await asyncio.sleep(0)
