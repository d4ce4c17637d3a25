"""Store: every object, as bytes, under one revision that only grows; and what happened, for those who watch.

In: committed changes (put, remove) of one event loop. Out: objects by key, lists in key order at a revision,
and per collection a bounded history of events from which watchers read at their own pace. Bytes are encoded
once, by whoever writes; nothing here is parsed again, and nothing handed out can be changed.

An optional journal makes changes durable. They are visible to the next write at once, but events are
published, and replies sent (`settled`), only when the journal has them, so that nobody learns of a change
that a crash could undo.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from jobflow.local.apiserver.statuses import internal, too_old
from jobflow.local.apiserver.storage.shelf import Collection, Event, Shelf, Stored

__all__ = ["Change", "Collection", "Event", "Journal", "Shelf", "Store", "Stored"]


class Change(NamedTuple):
    """One write as the journal keeps it; `data` is None for a removal."""

    collection: Collection
    obj: Stored
    removed: bool


class Journal(Protocol):
    """What makes changes durable."""

    def append(self, change: Change) -> None:
        """Take a change for the next commit; `Store.published` is called with its revision afterwards."""


Listener = Callable[[Collection, Event], None]


class Store:
    """All collections under one revision. One event loop writes; every method that does not wait is atomic."""

    def __init__(self, journal: Journal | None = None, revision: int = 0) -> None:
        self.revision = revision  # of the newest change
        self.published = revision  # of the newest change that is durable
        self.closing = False  # the server ends, and all watches with it
        self.listeners: list[Listener] = []  # told of each change at once, in the writer's own step
        self._opened_at = revision
        self._journal = journal
        self._shelves: dict[Collection, Shelf] = {}
        self._dirty: dict[Shelf, None] = {}  # changed since the last publication
        self._settling: list[tuple[int, asyncio.Future[None]]] = []
        self._failure: str | None = None

    def shelf(self, collection: Collection) -> Shelf:
        """The collection's objects and history; made when first asked for."""
        shelf = self._shelves.get(collection)
        if shelf is None:
            shelf = self._shelves[collection] = Shelf(self._opened_at)
        return shelf

    def collections(self) -> list[Collection]:
        """Collections that hold something."""
        return [collection for collection, shelf in self._shelves.items() if len(shelf)]

    def get(self, collection: Collection, namespace: str, name: str) -> Stored | None:
        """The object under a key, or None."""
        return self.shelf(collection).objects.get((namespace, name))

    def load(self, collection: Collection, obj: Stored) -> None:
        """Take an object as the journal kept it, before anything is served."""
        self.shelf(collection).put(obj)

    def put(self, collection: Collection, obj: Stored) -> Stored:
        """Write an object whose `revision` is `self.revision + 1`, the number it was encoded with."""
        self._check_next(obj)
        shelf = self.shelf(collection)
        before = shelf.objects.get(obj.key)
        shelf.put(obj)
        event = Event("MODIFIED" if before else "ADDED", obj.revision, obj, before)
        self._commit(collection, shelf, event, removed=False)
        return obj

    def remove(self, collection: Collection, last: Stored) -> None:
        """Take an object away; `last` is its final state, encoded with `self.revision + 1`."""
        self._check_next(last)
        shelf = self.shelf(collection)
        before = shelf.objects[last.key]
        shelf.remove(before)
        self._commit(collection, shelf, Event("DELETED", last.revision, last, before), removed=True)

    def close(self, collection: Collection) -> None:
        """End the watches of a kind that is no longer served, and forget its history."""
        shelf = self._shelves.pop(collection, None)
        if shelf is not None:
            shelf.closed = True
            shelf.wake()
            self._shelves[collection] = fresh = Shelf(self.revision)
            for obj in shelf.objects.values():
                fresh.put(obj)

    def close_all(self) -> None:
        """End all watches."""
        self.closing = True
        for shelf in self._shelves.values():
            shelf.wake()

    def publish(self, revision: int) -> None:
        """Everything up to `revision` is durable: let watchers and waiting replies go."""
        self.published = revision
        for shelf in self._dirty:
            shelf.wake()
        if self.published == self.revision:
            self._dirty.clear()
        waiting = self._settling
        self._settling = [(wanted, reply) for wanted, reply in waiting if wanted > revision]
        for wanted, reply in waiting:
            if wanted <= revision and not reply.done():
                reply.set_result(None)

    def fail(self, why: str) -> None:
        """The journal cannot write any more: every reply that waits, and every later one, says so."""
        self._failure = why
        waiting, self._settling = self._settling, []
        for _, reply in waiting:
            if not reply.done():
                reply.set_exception(internal(why))

    async def settled(self) -> None:
        """Return once everything that this step saw or wrote is durable. Without a journal that is at once."""
        if self._failure is not None:
            raise internal(self._failure)
        if self.published < self.revision:
            reply: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._settling.append((self.revision, reply))
            await reply

    def list(
        self, collection: Collection, namespace: str | None, after: tuple[str, str] | None, at: int
    ) -> Iterator[Stored]:
        """Objects in key order beyond `after`, as they were at revision `at`.

        The past is the present with the younger events undone. Raises 410 where those are no longer known.
        """
        shelf = self.shelf(collection)
        if at >= min(self.revision, shelf.last_revision):
            return (shelf.objects[key] for key in shelf.keys(namespace, after))
        if at < shelf.floor:
            raise too_old(at, shelf.floor)
        past: dict[tuple[str, str], Stored | None] = {}
        for event in shelf.events_after(at, self.revision):
            past.setdefault(event.object.key, event.before)
        keys = set(shelf.keys(namespace, after)) | {
            key for key in past if (namespace is None or key[0] == namespace) and (after is None or key > after)
        }
        found = (past[key] if key in past else shelf.objects[key] for key in sorted(keys))
        return (obj for obj in found if obj is not None)

    def _check_next(self, obj: Stored) -> None:
        if self._failure is not None:
            raise internal(self._failure)
        if obj.revision != self.revision + 1:
            raise internal(f"revision {obj.revision} written after {self.revision}")

    def _commit(self, collection: Collection, shelf: Shelf, event: Event, *, removed: bool) -> None:
        self.revision = event.revision
        shelf.record(event)
        for listener in self.listeners:
            listener(collection, event)
        self._dirty[shelf] = None
        if self._journal is None:
            self.publish(event.revision)
        else:
            self._journal.append(Change(collection, event.object, removed))
