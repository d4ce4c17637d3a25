"""Shelf: the objects of one collection in key order, and what happened to them lately.

In: objects as the store puts and removes them. Out: objects by key, keys in order, and events after a revision. The
history is bounded; `floor` says up to where it is forgotten.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from msgspec import Struct

EVENTS_KEPT = 10_000  # per collection: an hour of a busy laptop, at most a few tens of megabytes
TRIM_AT_ONCE = 2_500  # events dropped in one go, so that dropping costs nothing per event


class Collection(NamedTuple):
    """Where objects of one kind are kept, whatever version they are asked for in."""

    group: str
    plural: str

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


class Stored(Struct, frozen=True, gc=False):
    """One object: its bytes, and the few facts that selectors and indexes need without parsing them."""

    namespace: str
    name: str
    uid: str
    revision: int
    api_version: str
    data: bytes
    labels: dict[str, str] = {}
    owners: tuple[str, ...] = ()  # UIDs
    deleting: bool = False  # its delete has begun

    @property
    def key(self) -> tuple[str, str]:
        """Namespace ("" for cluster-wide kinds) and name."""
        return self.namespace, self.name


class Event(Struct, frozen=True, gc=False):
    """One change. `before` is what a watcher with a selector needs to tell a change from an arrival."""

    type: str  # ADDED, MODIFIED, DELETED
    revision: int
    object: Stored
    before: Stored | None


class Shelf:
    """The objects and the history of one collection."""

    def __init__(self, floor: int) -> None:
        self.objects: dict[tuple[str, str], Stored] = {}
        self.floor = floor  # events up to this revision are no longer known
        self.closed = False  # the kind has gone; its watches end
        self._names: dict[str, list[str]] = {}  # namespace -> names in order
        self._namespaces: list[str] = []
        self._events: list[Event] = []
        self._watchers: dict[asyncio.Event, None] = {}

    def __len__(self) -> int:
        return len(self.objects)

    def put(self, obj: Stored) -> None:
        """Hold an object, in place of the one under its key."""
        if obj.key not in self.objects:
            names = self._names.get(obj.namespace)
            if names is None:
                names = self._names[obj.namespace] = []
                insort(self._namespaces, obj.namespace)
            insort(names, obj.name)
        self.objects[obj.key] = obj

    def remove(self, obj: Stored) -> None:
        """Hold it no more."""
        del self.objects[obj.key]
        names = self._names[obj.namespace]
        del names[bisect_left(names, obj.name)]
        if not names:
            del self._names[obj.namespace]
            del self._namespaces[bisect_left(self._namespaces, obj.namespace)]

    def record(self, event: Event) -> None:
        """Add to the history, and drop the oldest of it where it is long enough."""
        self._events.append(event)
        if len(self._events) >= EVENTS_KEPT + TRIM_AT_ONCE:
            self.floor = self._events[TRIM_AT_ONCE - 1].revision
            del self._events[:TRIM_AT_ONCE]

    def forget_events(self, revision: int) -> None:
        """Drop the history up to a revision: who asks for older is told that it is expired."""
        cut = bisect_right(self._events, revision, key=_revision)
        del self._events[:cut]
        self.floor = max(self.floor, revision)

    @property
    def last_revision(self) -> int:
        """Of the newest event, or of the floor where there is none."""
        return self._events[-1].revision if self._events else self.floor

    def events_after(self, revision: int, until: int) -> list[Event]:
        """Events in (revision, until], oldest first."""
        first = bisect_right(self._events, revision, key=_revision)
        events = self._events[first:]
        while events and events[-1].revision > until:
            events.pop()
        return events

    def keys(self, namespace: str | None, after: tuple[str, str] | None) -> Iterator[tuple[str, str]]:
        """Keys in order, of one namespace or of all, beyond `after`."""
        if namespace is not None:
            spaces = [namespace] if namespace in self._names else []
        else:
            start = bisect_left(self._namespaces, after[0]) if after else 0
            spaces = self._namespaces[start:]
        for space in spaces:
            names = self._names[space]
            first = bisect_right(names, after[1]) if after and after[0] == space else 0
            for name in islice(names, first, None):
                yield space, name

    def watched_by(self, wake: asyncio.Event) -> None:
        """Set `wake` whenever something is published."""
        self._watchers[wake] = None

    def unwatched_by(self, wake: asyncio.Event) -> None:
        """Leave it alone from now on."""
        self._watchers.pop(wake, None)

    def wake(self) -> None:
        """Wake all watchers."""
        for watcher in self._watchers:
            watcher.set()


def _revision(event: Event) -> int:
    return event.revision
