"""Lane: keys that are due now, each once, from one namespace after another and by rank within one.

In: keys. Out: the next one. The queue has two of these: for what somebody waits for, and for what is only news.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from jobflow.work.turns import Rank, Turns

K = TypeVar("K", bound=Hashable)


class Lane(Generic[K]):
    """A namespace with ten thousand keys takes one turn, as its neighbour does."""

    def __init__(self, namespace: Callable[[K], str], rank: Callable[[K], Rank]) -> None:
        self._namespace = namespace
        self._rank = rank
        self._turns: OrderedDict[str, Turns[K]] = OrderedDict()
        self._keys: set[K] = set()

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: K) -> bool:
        return key in self._keys

    def add(self, key: K) -> None:
        """The key is due; it must not be in here already."""
        self._keys.add(key)
        self._turns.setdefault(self._namespace(key), Turns()).add(key, self._rank(key))

    def discard(self, key: K) -> None:
        """The key is not due, or no longer in this lane."""
        if key not in self._keys:
            return
        self._keys.discard(key)
        namespace = self._namespace(key)
        turns = self._turns[namespace]
        turns.discard(key)
        if not turns:
            del self._turns[namespace]

    def take(self) -> K:
        """The next one. There must be one."""
        namespace, turns = self._turns.popitem(last=False)
        key = turns.take()
        if turns:
            self._turns[namespace] = turns  # to the back: the next namespace has its turn
        self._keys.discard(key)
        return key

    def clear(self) -> None:
        """Nothing is due."""
        self._turns.clear()
        self._keys.clear()
