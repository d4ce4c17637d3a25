"""Server time: the API server's wall clock, as far as its answers tell it.

In: our machine's clock, and the Date header of each answer. Out: a Clock whose `now` can be compared with what is
stored: a Job's end, a flow's start. Clocks of nodes that are hours apart are rare and happen; a Job that is to be
deleted a minute after its end must not go at once, nor stay for hours. A Date has whole seconds and travels: where
the clocks agree within a few seconds ours is used as it is. Waiting and durations are by the monotonic clock in any
case.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache

import structlog

from jobflow.clock import Clock
from jobflow.kube.transport import Request, Response, Stream, Transport

AGREEMENT_SECONDS = 5.0  # what NTP keeps is far better; a Date is rounded, and an answer may take a while
HALF_A_SECOND = timedelta(seconds=0.5)  # a Date is cut to seconds: the middle of what it may mean

log = structlog.get_logger(__name__)
_moment = lru_cache(maxsize=1)(parsedate_to_datetime)  # many answers come within the second of one Date


class ServerClock(Clock):
    """`inner`, but for `now`, which is the server's where the two disagree."""

    def __init__(self, inner: Clock) -> None:
        self._inner = inner
        self._ahead = timedelta()  # the server, of us

    def now(self) -> datetime:
        """The server's wall clock, UTC."""
        return self._inner.now() + self._ahead

    def monotonic(self) -> float:
        """Our own: durations have nothing to do with anybody's wall clock."""
        return self._inner.monotonic()

    async def sleep(self, seconds: float) -> None:
        """As ever."""
        await self._inner.sleep(seconds)

    def heard(self, date: str) -> None:
        """The Date header of an answer that has just come."""
        try:
            there = _moment(date)
        except ValueError:
            return  # a proxy's, perhaps; the next answer has another
        if there.tzinfo is None:
            there = there.replace(tzinfo=UTC)
        ahead = there + HALF_A_SECOND - self._inner.now()
        if abs((ahead - self._ahead).total_seconds()) <= AGREEMENT_SECONDS:
            return
        self._ahead = ahead if abs(ahead.total_seconds()) > AGREEMENT_SECONDS else timedelta()
        log.warning(
            "this machine's clock is not the API server's: the API server's is used",
            ahead_seconds=-round(self._ahead.total_seconds()),
        )


class TimedTransport(Transport):
    """Tells a ServerClock of each answer."""

    def __init__(self, inner: Transport, clock: ServerClock) -> None:
        self._inner = inner
        self._clock = clock

    async def request(self, request: Request, timeout: float) -> Response:
        """Send it; look at the Date of the answer."""
        response = await self._inner.request(request, timeout)
        if date := response.headers.get("date"):
            self._clock.heard(date)
        return response

    @asynccontextmanager
    async def stream(self, request: Request, silence: float) -> AsyncIterator[Stream]:
        """Open it; look at the Date of its beginning."""
        async with self._inner.stream(request, silence) as stream:
            if date := stream.headers.get("date"):
                self._clock.heard(date)
            yield stream

    async def close(self) -> None:
        """Close what is under it."""
        await self._inner.close()
