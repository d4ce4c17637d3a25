"""TimelyBody: a request's body that is not written once the request's time is over.

In: the bytes, and for how many seconds from now they may be sent. Out: the same bytes, or TimeoutError before any of
them. aiohttp's own timeout cannot promise that: a process that was frozen (SIGSTOP, a paused machine, swapping) first
finishes what it was about to do, such as sending, and then finds its timers overdue. Fetching credentials and waiting
for a connection take time as well. That no write leaves late is what a lease relies on (`fenced.py`). Every write has a
body, and aiohttp sends the headers together with its first bytes: a request that is too late leaves nothing behind.
"""

from __future__ import annotations

from typing import Any

import aiohttp

from jobflow.clock import Clock
from jobflow.kube.leadership import Sent


class TimelyBody(aiohttp.BytesPayload):
    """`seconds` count from now, by whichever of the clock's two times goes further."""

    def __init__(self, body: bytes, content_type: str, seconds: float, clock: Clock) -> None:
        super().__init__(body, content_type=content_type)
        self._begun = Sent.now(clock)
        self._seconds = seconds
        self._clock = clock

    async def write_with_length(self, writer: Any, content_length: int | None) -> None:
        """Write it, at the last moment at which it can be kept back."""
        if self._begun.elapsed(self._clock) >= self._seconds:
            raise TimeoutError
        await super().write_with_length(writer, content_length)
