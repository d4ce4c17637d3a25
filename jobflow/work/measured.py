"""MeasuredQueue: a work queue that reports how long keys waited for a worker.

In and out: as WorkQueue. The wait counts from the moment the key became due, also where it was held then: that is the
delay a user feels. For news nobody waits, so its waits are not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from random import Random
from typing import TypeVar

from jobflow.clock import Clock
from jobflow.obs.measures import Measures
from jobflow.work.queue import UNRANKED, WorkQueue
from jobflow.work.turns import Rank

K = TypeVar("K", bound=Hashable)


class MeasuredQueue(WorkQueue[K]):
    """A WorkQueue under observation."""

    def __init__(
        self,
        clock: Clock,
        namespace: Callable[[K], str],
        measures: Measures,
        jitter: Random | None = None,
        rank: Callable[[K], Rank] = lambda key: UNRANKED,
    ) -> None:
        super().__init__(clock, namespace, jitter, rank)
        self._now = clock.monotonic
        self._measures = measures
        self._due_since: dict[K, float] = {}

    def add(self, key: K) -> None:
        """The key is due now."""
        self._due_since.setdefault(key, self._now())
        super().add(key)

    def _take(self) -> K:
        key = super()._take()
        since = self._due_since.pop(key, None)
        if since is not None:
            self._measures.key_waited(self._now() - since)
        return key
