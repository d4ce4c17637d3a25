"""Timers: which keys are due later, each at the earliest of the times that were set for it.

In: keys with times. Out: those whose time has come. No clock and no sleeping in here: the queue does both.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

STALE_TIMERS = 256  # void timers that are cheaper to keep than to look for


class Timers(Generic[K]):
    """Monotonic times by key."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._number = 0

    def __len__(self) -> int:
        return len(self._due)

    @property
    def next_ring(self) -> float:
        """When to look again: no timer comes before it, and it may be that of one that was dropped."""
        return self._heap[0][0] if self._heap else float("inf")

    @property
    def earliest(self) -> float | None:
        """Of the timers that stand; looks at all of them."""
        return min(self._due.values(), default=None)

    def put(self, key: K, due: float) -> None:
        """The key is due then, unless it is earlier already."""
        if due >= self._due.get(key, float("inf")):
            return
        self._due[key] = due
        self._number += 1
        heapq.heappush(self._heap, (due, self._number, key))
        self._drop_stale()

    def drop(self, key: K) -> None:
        """Nothing is set for the key any more."""
        self._due.pop(key, None)

    def take(self, now: float) -> list[K]:
        """The keys whose time has come, in the order of their times; nothing is set for them any more."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                found.append(key)
        return found

    def _drop_stale(self) -> None:
        """Void timers stay in the heap until there are too many: some would stay for days."""
        if len(self._heap) > 2 * len(self._due) + STALE_TIMERS:
            self._heap = [(due, number, key) for number, (key, due) in enumerate(self._due.items())]
            heapq.heapify(self._heap)
