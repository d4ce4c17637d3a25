"""WorkQueue: which keys are due, each once, to one worker at a time.

In: keys, at once, after a delay, or after a failure. Out: the next key, taken in turn from the namespaces that have
any, by rank within one (`turns.py`), so that a namespace with ten thousand flows cannot starve its neighbour. Items
are keys, never events: whoever gets a key looks at the world as it is then. A key added while a worker holds it is
handed out again after `done`. The vocabulary is client-go's workqueue.

A key may also be due for news only: to tell users something that nobody acts on. News waits behind all that somebody
waits for, but not for ever, and only a few workers at once are busy with it.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from jobflow.clock import Clock
from jobflow.work.lane import Lane
from jobflow.work.timers import Timers
from jobflow.work.turns import Rank

K = TypeVar("K", bound=Hashable)

FIRST_BACK_OFF_SECONDS = 0.1  # a conflict is usually over when the watch has caught up
LAST_BACK_OFF_SECONDS = 60.0  # a quota or a missing kind that is mended is noticed within a minute
TICK_SECONDS = 0.001  # a loop's clock is coarser than a float: a shorter sleep might not pass any time
NEWS_EVERY = 16  # of so many keys one is news, however many others are due: it comes late rather than never
NEWS_AT_ONCE = 4  # of 32 workers: the writes of ten thousand flows must leave the API server to the others
UNRANKED: Rank = (0.0, "")


class QueueClosed(Exception):
    """The queue was closed: workers end."""


class WorkQueue(Generic[K]):
    """A queue of keys: deduplicated, delayed, with back-off by key and turns between namespaces."""

    def __init__(
        self,
        clock: Clock,
        namespace: Callable[[K], str],
        jitter: random.Random | None = None,
        rank: Callable[[K], Rank] = lambda key: UNRANKED,
    ) -> None:
        """Without ranks, whoever was added first comes first."""
        self._clock = clock
        self._jitter = jitter or random.Random()
        self._ready = Lane(namespace, rank)
        self._news = Lane(namespace, rank)
        self._held: set[K] = set()
        self._held_for_news: set[K] = set()
        self._again: set[K] = set()
        self._again_for_news: set[K] = set()
        self._timers = Timers[K]()
        self._news_timers = Timers[K]()
        self._failures: dict[K, int] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = float("inf")
        self._closed = False
        self.taken = 0  # keys handed out since the start

    def __len__(self) -> int:
        """Keys that are due now and not held by a worker."""
        return len(self._ready) + len(self._news)

    @property
    def waiting(self) -> int:
        """Keys that are due for more than news, and that no worker has taken yet."""
        return len(self._ready)

    @property
    def held(self) -> int:
        """Keys that workers hold now."""
        return len(self._held)

    @property
    def delayed(self) -> int:
        """Keys that will be due later."""
        return len(self._timers) + len(self._news_timers)

    @property
    def next_due(self) -> float | None:
        """Monotonic time of the earliest delayed key, or None."""
        found = (self._timers.earliest, self._news_timers.earliest)
        return min((due for due in found if due is not None), default=None)

    def add(self, key: K) -> None:
        """The key is due now. A timer set for it earlier is dropped: whoever handles it sets the next."""
        self._timers.drop(key)
        self._news_timers.drop(key)
        self._news.discard(key)
        if key in self._held:
            self._again.add(key)
        elif key not in self._ready:
            self._ready.add(key)
            self._wake_one()

    def add_news(self, key: K) -> None:
        """The key is due, but nobody waits for what it has to tell."""
        self._news_timers.drop(key)
        if key in self._ready or key in self._news:
            return
        if key not in self._held:
            self._news.add(key)
            if self._has_any():
                self._wake_one()
        else:
            self._again_for_news.add(key)

    def add_after(self, key: K, seconds: float) -> None:
        """The key is due in `seconds`; the earliest of several delays wins."""
        if seconds <= 0:
            self.add(key)
        else:
            self._timers.put(key, self._clock.monotonic() + seconds)
            self._set_alarm()

    def add_news_after(self, key: K, seconds: float) -> None:
        """The key is due in `seconds`, for news only; beside another delay, which is for more than news."""
        if seconds <= 0:
            self.add_news(key)
        else:
            self._news_timers.put(key, self._clock.monotonic() + seconds)
            self._set_alarm()

    def retry(self, key: K, at_least: float = 0.0) -> float:
        """The key failed: due again after a back-off that doubles with each failure. Returns the seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        back_off = min(FIRST_BACK_OFF_SECONDS * 2.0 ** min(failures, 30), LAST_BACK_OFF_SECONDS)
        seconds = max(back_off * self._jitter.uniform(0.5, 1.0), at_least)
        self.add_after(key, seconds)
        return seconds

    def forget(self, key: K) -> None:
        """The key succeeded: its next failure starts from the first back-off again."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key that is due; the caller holds it until `done`. Raises QueueClosed."""
        while not self._has_any():
            if self._closed:
                raise QueueClosed
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                elif self._has_any():
                    self._wake_one()  # this worker was woken for a key that it will not take
                raise
        if self._closed:
            raise QueueClosed
        return self._take()

    def done(self, key: K) -> None:
        """The caller is through with the key."""
        self._held.discard(key)
        if key in self._held_for_news:
            self._held_for_news.discard(key)
            if self._news:
                self._wake_one()  # there was one of these too many
        for_news = key in self._again_for_news
        self._again_for_news.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        elif for_news:
            self.add_news(key)

    def close(self) -> None:
        """No more keys are handed out; every waiting worker gets QueueClosed."""
        self._closed = True
        if self._alarm:
            self._alarm.cancel()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
        self._ready.clear()
        self._news.clear()

    def _has_any(self) -> bool:
        return bool(self._ready) or self._has_news()

    def _has_news(self) -> bool:
        return bool(self._news) and len(self._held_for_news) < NEWS_AT_ONCE

    def _take(self) -> K:
        self.taken += 1
        if self._has_news() and (not self._ready or self.taken % NEWS_EVERY == 0):
            key = self._news.take()
            self._held_for_news.add(key)
        else:
            key = self._ready.take()
        self._held.add(key)
        return key

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _set_alarm(self) -> None:
        """One sleeping task for the earliest timer; a timer that comes before it takes its place."""
        at = min(self._timers.next_ring, self._news_timers.next_ring)
        if at >= self._alarm_at or self._closed:
            return
        if self._alarm:
            self._alarm.cancel()
        self._alarm_at = at
        self._alarm = asyncio.create_task(self._ring(at), name="work queue alarm")

    async def _ring(self, due: float) -> None:
        await self._clock.sleep(max(due - self._clock.monotonic(), TICK_SECONDS))
        self._alarm, self._alarm_at = None, float("inf")
        now = self._clock.monotonic()
        for key in self._timers.take(now):
            self.add(key)
        for key in self._news_timers.take(now):
            self.add_news(key)
        self._set_alarm()
