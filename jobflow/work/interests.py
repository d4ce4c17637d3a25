"""Interests: which flows wait for which objects.

In: the objects that each flow's last plan awaits. Out: the flows to look at when one of them changes. So a template
that a thousand flows use wakes only those that it keeps waiting.
"""

from __future__ import annotations

from collections.abc import Iterable

from jobflow.api.resources import Key


class Interests:
    """A many-to-many relation, looked up from either side."""

    def __init__(self) -> None:
        self._awaited: dict[Key, frozenset[Key]] = {}
        self._waiting: dict[Key, set[Key]] = {}

    def __len__(self) -> int:
        return len(self._awaited)

    def set(self, flow: Key, awaits: frozenset[Key]) -> None:
        """From now on `flow` waits for exactly these."""
        before = self._awaited.get(flow, frozenset())
        if awaits == before:
            return
        for key in before - awaits:
            self._waiting[key].discard(flow)
            if not self._waiting[key]:
                del self._waiting[key]
        for key in awaits - before:
            self._waiting.setdefault(key, set()).add(flow)
        if awaits:
            self._awaited[flow] = awaits
        else:
            self._awaited.pop(flow, None)

    def of(self, key: Key) -> Iterable[Key]:
        """The flows that wait for `key`, in a stable order."""
        return sorted(self._waiting.get(key, ()))
