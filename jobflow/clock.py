"""Clock: the only way to ask for the time or to wait.

Everything that needs either is handed a Clock, so that tests and simulations run hours in milliseconds
and a replayed history is the same to the second. `now` is for what users read (timestamps in status);
`monotonic` is for durations, since a node's wall clock may jump.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time, monotonic time and waiting, as one thing that can be replaced."""

    def now(self) -> datetime:
        """The wall clock, timezone-aware, UTC."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less yields to the event loop once."""


class SystemClock:
    """The machine's wall clock, and the running event loop's own monotonic time."""

    def now(self) -> datetime:
        """The machine's wall clock, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """The event loop's time: what its timers are measured by, so virtual loops need no other clock."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """asyncio.sleep."""
        await asyncio.sleep(max(0.0, seconds))
