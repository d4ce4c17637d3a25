"""WorkQueue: which keys are due, each once, to one worker at a time.

In: keys, at once, after a delay, or after a failure. Out: the next key, taken in turn from the namespaces that have
any, by rank within one (`turns.py`), so that a namespace with ten thousand flows cannot starve its neighbour. Items
are keys, never events: whoever gets a key looks at the world as it is then. A key added while a worker holds it is
handed out again after `done`. The vocabulary is client-go's workqueue.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from jobflow.clock import Clock
from jobflow.work.turns import Rank, Turns

K = TypeVar("K", bound=Hashable)

FIRST_BACK_OFF_SECONDS = 0.1  # a conflict is usually over when the watch has caught up
LAST_BACK_OFF_SECONDS = 60.0  # a quota or a missing kind that is mended is noticed within a minute
TICK_SECONDS = 0.001  # a loop's clock is coarser than a float: a shorter sleep might not pass any time
UNRANKED: Rank = (0.0, "")
STALE_TIMERS = 256  # void timers that are cheaper to keep than to look for


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
        self._namespace = namespace
        self._rank = rank
        self._jitter = jitter or random.Random()
        self._ready: OrderedDict[str, Turns[K]] = OrderedDict()
        self._waiting_or_ready: set[K] = set()
        self._held: set[K] = set()
        self._again: set[K] = set()
        self._timers: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._sequence = 0
        self._failures: dict[K, int] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = float("inf")
        self._closed = False
        self.taken = 0  # keys handed out since the start

    def __len__(self) -> int:
        """Keys that are due now and not held by a worker."""
        return len(self._waiting_or_ready)

    @property
    def held(self) -> int:
        """Keys that workers hold now."""
        return len(self._held)

    @property
    def next_due(self) -> float | None:
        """Monotonic time of the earliest delayed key, or None."""
        return min(self._due.values(), default=None)

    def add(self, key: K) -> None:
        """The key is due now. A timer set for it earlier is dropped: whoever handles it sets the next."""
        self._due.pop(key, None)
        if key in self._held:
            self._again.add(key)
        elif key not in self._waiting_or_ready:
            self._waiting_or_ready.add(key)
            self._ready.setdefault(self._namespace(key), Turns()).add(key, self._rank(key))
            self._wake_one()

    def add_after(self, key: K, seconds: float) -> None:
        """The key is due in `seconds`; the earliest of several delays wins."""
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + seconds
        if due >= self._due.get(key, float("inf")):
            return
        self._due[key] = due
        self._sequence += 1
        heapq.heappush(self._timers, (due, self._sequence, key))
        self._drop_stale_timers()
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
        while not self._ready:
            if self._closed:
                raise QueueClosed
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                elif self._ready:
                    self._wake_one()  # this worker was woken for a key that it will not take
                raise
        if self._closed:
            raise QueueClosed
        return self._take()

    def done(self, key: K) -> None:
        """The caller is through with the key."""
        self._held.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

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

    def _take(self) -> K:
        namespace, keys = self._ready.popitem(last=False)
        key = keys.take()
        if keys:
            self._ready[namespace] = keys  # to the back: the next namespace has its turn
        self._waiting_or_ready.discard(key)
        self._held.add(key)
        self.taken += 1
        return key

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _drop_stale_timers(self) -> None:
        """Timers that `add` made void stay in the heap until there are too many: some would stay for days."""
        if len(self._timers) > 2 * len(self._due) + STALE_TIMERS:
            self._timers = [(due, number, key) for number, (key, due) in enumerate(self._due.items())]
            heapq.heapify(self._timers)

    def _set_alarm(self) -> None:
        """One sleeping task for the earliest timer; a timer that comes before it takes its place."""
        if not self._timers or self._timers[0][0] >= self._alarm_at or self._closed:
            return
        if self._alarm:
            self._alarm.cancel()
        self._alarm_at = self._timers[0][0]
        self._alarm = asyncio.create_task(self._ring(self._alarm_at), name="work queue alarm")

    async def _ring(self, due: float) -> None:
        await self._clock.sleep(max(due - self._clock.monotonic(), TICK_SECONDS))
        self._alarm, self._alarm_at = None, float("inf")
        now = self._clock.monotonic()
        while self._timers and self._timers[0][0] <= now:
            due, _, key = heapq.heappop(self._timers)
            if self._due.get(key) == due:
                self.add(key)
        self._set_alarm()
