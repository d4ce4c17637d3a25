"""Garbage: objects whose owners are gone are deleted, and owners that wait for their dependents are let go.

In: every change of the store, as it happens. Out: deletes and small updates, one object at a time, from a queue that
changes fill; nothing is scanned and nothing polls. The rules are those of kube-controller-manager's garbage collector:
background, foreground (`blockOwnerDeletion` dependents first) and orphan. An owner that never existed counts as gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from jobflow.local.apiserver.ownership.owners import disown
from jobflow.local.apiserver.registry import Registry
from jobflow.local.apiserver.statuses import StatusError
from jobflow.local.apiserver.storage.store import Collection, Event, Stored
from jobflow.local.apiserver.types import ServedType
from jobflow.local.apiserver.writes.metadata import FOREGROUND, ORPHAN, Object
from jobflow.local.apiserver.writes.objects import DeleteOptions, Objects

_log = logging.getLogger(__name__)


class Place(NamedTuple):
    """Where an object is."""

    collection: Collection
    namespace: str
    name: str


class _Meta(msgspec.Struct, gc=False):
    deletionTimestamp: str | None = None
    finalizers: list[str] | None = None


class _Head(msgspec.Struct, gc=False):
    metadata: _Meta


class GarbageCollector:
    """Knows who owns whom, and works off what changes leave to do."""

    def __init__(self, objects: Objects, registry: Registry) -> None:
        self._objects = objects
        self._registry = registry
        self._live: dict[str, Place] = {}  # by UID
        self._dependents: dict[str, dict[Place, None]] = {}  # by owner's UID, also of owners that are gone
        self._due: dict[Place, None] = {}
        self._work = asyncio.Event()

    def load(self) -> None:
        """Index what the store holds, then look at whatever has an owner or waits for its dependents."""
        store = self._objects.store
        for collection in store.collections():
            for obj in store.shelf(collection).objects.values():
                self._index(Place(collection, *obj.key), None, obj)
        for collection in store.collections():
            for obj in store.shelf(collection).objects.values():
                if obj.owners or _waits(obj):
                    self._add(Place(collection, *obj.key))

    def saw(self, collection: Collection, event: Event) -> None:
        """Take note of a change; called for each, in the writer's own step."""
        place = Place(collection, *event.object.key)
        if event.type == "DELETED":
            self._forget(place, event.object)
            return
        self._index(place, event.before, event.object)
        before = event.before
        if event.object.owners and (before is None or before.owners != event.object.owners):
            self._add(place)
        if _waits(event.object):
            self._add(place)
            if before is None or not _waits(before):
                for dependent in self._dependents.get(event.object.uid, ()):
                    self._add(dependent)

    def _index(self, place: Place, before: Stored | None, obj: Stored) -> None:
        self._live[obj.uid] = place
        if before is not None and before.owners != obj.owners:
            self._unlink(place, before)
        for owner in obj.owners:
            self._dependents.setdefault(owner, {})[place] = None

    def _forget(self, place: Place, obj: Stored) -> None:
        self._live.pop(obj.uid, None)
        self._due.pop(place, None)
        self._unlink(place, obj)
        for dependent in self._dependents.get(obj.uid, ()):
            self._add(dependent)

    def _unlink(self, place: Place, obj: Stored) -> None:
        for owner in obj.owners:
            dependents = self._dependents.get(owner, {})
            dependents.pop(place, None)
            if not dependents:
                self._dependents.pop(owner, None)
            holder = self._live.get(owner)
            if holder is None:
                continue
            held = self._objects.store.get(*holder)
            if held is not None and _waits(held):
                self._add(holder)  # perhaps for this one

    def _add(self, place: Place) -> None:
        self._due[place] = None
        self._work.set()

    async def run(self) -> None:
        """Work off what is due, for ever, giving others a turn after each object."""
        while True:
            while self._due:
                place = next(iter(self._due))
                del self._due[place]
                try:
                    self.collect(place)
                except StatusError as error:  # such as an object at the limit of its size: others go on
                    _log.warning("%s %s/%s was not collected: %s", *place, error)
                await self._objects.clock.sleep(0)
            self._work.clear()
            await self._work.wait()

    def collect(self, place: Place) -> None:
        """Do what is to be done about one object now; level-triggered, so once too often does no harm."""
        stored = self._objects.store.get(*place)
        served = self._registry.storage(place.collection)
        if stored is None or served is None:
            return
        obj = self._objects.read(served, stored)
        if _waits(stored):
            self._release(served, stored, obj)
            return
        if obj["metadata"].get("deletionTimestamp") is None and stored.owners:
            self._judge(served, stored, obj)

    def _release(self, served: ServedType, stored: Stored, obj: Object) -> None:
        """An object in foreground or orphaning deletion: let it go once no dependent holds it.

        In foreground its dependents were put in the queue when its deletion began, and delete themselves there.
        """
        if ORPHAN in obj["metadata"]["finalizers"]:
            for kind, dependent, content in list(self._dependents_of(stored.uid)):
                self._drop_owners(kind, dependent, content, {stored.uid})
            self._drop_finalizer(served, obj, stored, ORPHAN)
        elif not any(_blocks(content, stored.uid) for _, _, content in self._dependents_of(stored.uid)):
            self._drop_finalizer(served, obj, stored, FOREGROUND)

    def _judge(self, served: ServedType, stored: Stored, obj: Object) -> None:
        """Delete an object that no owner keeps; take off references to owners that are gone or going."""
        solid, gone, waiting = self._owners(obj)
        if not gone and not waiting:
            return
        if solid:
            self._drop_owners(served, stored, obj, gone | waiting)
            return
        finalizers = obj["metadata"].get("finalizers") or ()
        if waiting and self._dependents.get(stored.uid):
            propagation = "Foreground"
        elif ORPHAN in finalizers:
            propagation = "Orphan"
        else:
            propagation = "Foreground" if FOREGROUND in finalizers else "Background"
        self._objects.delete(served, stored, DeleteOptions(propagation, uid=stored.uid))

    def _owners(self, obj: Object) -> tuple[set[str], set[str], set[str]]:
        """UIDs of the owners that keep the object, that are gone, and that wait for it to go."""
        solid, gone, waiting = set(), set(), set()
        for reference in obj["metadata"].get("ownerReferences") or ():
            owner = self._owner(reference, obj["metadata"].get("namespace", ""))
            if owner is None:
                gone.add(reference["uid"])
            elif _waits(owner, FOREGROUND):
                waiting.add(reference["uid"])
            else:
                solid.add(reference["uid"])
        return solid, gone, waiting

    def _owner(self, reference: dict[str, Any], namespace: str) -> Stored | None:
        place = self._live.get(reference["uid"])
        if place is None or place.name != reference["name"] or place.namespace not in ("", namespace):
            return None
        return self._objects.store.get(*place)

    def _dependents_of(self, uid: str) -> Iterator[tuple[ServedType, Stored, Object]]:
        for place in self._dependents.get(uid, ()):
            stored = self._objects.store.get(*place)
            served = self._registry.storage(place.collection)
            if stored is not None and served is not None:
                yield served, stored, self._objects.read(served, stored)

    def _drop_owners(self, served: ServedType, stored: Stored, obj: Object, uids: set[str]) -> None:
        metadata = obj["metadata"]
        kept = [owner for owner in metadata["ownerReferences"] if owner["uid"] not in uids]
        if kept:
            metadata["ownerReferences"] = kept
        else:
            del metadata["ownerReferences"]
        disown(served, obj, self._objects.read(served, stored))
        self._objects.replace(served, obj, stored)

    def _drop_finalizer(self, served: ServedType, obj: Object, stored: Stored, finalizer: str) -> None:
        metadata = obj["metadata"]
        metadata["finalizers"] = [name for name in metadata["finalizers"] if name != finalizer]
        if not metadata["finalizers"]:
            del metadata["finalizers"]
        disown(served, obj, self._objects.read(served, stored))
        self._objects.replace(served, obj, stored)


def _waits(obj: Stored, *finalizers: str) -> bool:
    """Whether the object's delete has begun and waits for what is to become of its dependents."""
    if b'"deletionTimestamp"' not in obj.data:
        return False
    metadata = msgspec.json.decode(obj.data, type=_Head).metadata
    wanted = finalizers or (FOREGROUND, ORPHAN)
    return metadata.deletionTimestamp is not None and any(name in wanted for name in metadata.finalizers or ())


def _blocks(obj: Object, owner: str) -> bool:
    return any(
        one["uid"] == owner and one.get("blockOwnerDeletion") for one in obj["metadata"].get("ownerReferences") or ()
    )
