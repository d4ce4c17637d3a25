"""Turns: which of the keys that are due in one namespace comes next.

In: keys, each with its rank. Out: the lowest rank first, and every fourth time the one that has waited longest. Ranks
are ages: flows that were begun first are finished first, where all of them in step would each be done at the very end
only. The fourth turn is for who would wait for ever behind old flows that are always due.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

Rank = tuple[float, str]  # an age, and what tells equal ages apart

LONGEST_WAIT_EVERY = 4
TAKEN_ENTRIES = 256  # of keys that were taken by the other way: cheaper to keep than to look for


class Turns(Generic[K]):
    """Keys that are due, each once; whoever adds one makes sure of that."""

    def __init__(self) -> None:
        self._ranked: list[tuple[Rank, int, K]] = []
        self._waiting: deque[tuple[int, K]] = deque()
        self._numbers: dict[K, int] = {}  # of the keys that are due: what else the others have has been taken
        self._number = 0
        self._taken = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, key: K, rank: Rank) -> None:
        """The key is due."""
        self._number += 1
        self._numbers[key] = self._number
        heapq.heappush(self._ranked, (rank, self._number, key))
        self._waiting.append((self._number, key))

    def discard(self, key: K) -> None:
        """The key, which is due, is so no longer."""
        del self._numbers[key]
        self._drop_taken()

    def take(self) -> K:
        """The next one. There must be one."""
        self._taken += 1
        longest = self._taken % LONGEST_WAIT_EVERY == 0
        while True:
            number, key = self._waiting.popleft() if longest else heapq.heappop(self._ranked)[1:]
            if self._numbers.get(key) == number:
                del self._numbers[key]
                self._drop_taken()
                return key

    def _drop_taken(self) -> None:
        """A key leaves an entry behind on the way by which it was not taken."""
        if max(len(self._ranked), len(self._waiting)) > 2 * len(self._numbers) + TAKEN_ENTRIES:
            self._ranked = [entry for entry in self._ranked if self._numbers.get(entry[2]) == entry[1]]
            heapq.heapify(self._ranked)
            self._waiting = deque(entry for entry in self._waiting if self._numbers.get(entry[1]) == entry[0])
