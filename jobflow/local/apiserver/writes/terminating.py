"""Terminating: a namespace, or a kind, whose delete has begun goes once everything in it has gone.

In: every change of the store. Out: deletes of what is in a terminating namespace or of a terminating
CustomResourceDefinition, and the finalizer taken off when nothing is left. Waits for finalizers and for kubelets as any
delete does, and is woken by each object that goes.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import islice

from jobflow.local.apiserver.builtin.strategies import CRD_CLEANUP
from jobflow.local.apiserver.registry import CRDS, NAMESPACES, Registry
from jobflow.local.apiserver.statuses import StatusError
from jobflow.local.apiserver.storage.store import Collection, Event, Stored
from jobflow.local.apiserver.writes.objects import DeleteOptions, Objects

_log = logging.getLogger(__name__)


class Terminator:
    """Empties what ends."""

    def __init__(self, objects: Objects, registry: Registry) -> None:
        self._objects = objects
        self._registry = registry
        self._ending: dict[tuple[Collection, str], None] = {}  # namespaces and CRDs, by collection and name
        self._due: dict[tuple[Collection, str], None] = {}
        self._work = asyncio.Event()

    def load(self) -> None:
        """Go on with what had begun before a restart."""
        for holder in (NAMESPACES, CRDS):
            for obj in self._objects.store.shelf(holder).objects.values():
                self._note(holder, obj)

    def saw(self, collection: Collection, event: Event) -> None:
        """Take note of a change; called for each, in the writer's own step."""
        obj = event.object
        if collection in (NAMESPACES, CRDS):
            if event.type == "DELETED":
                self._ending.pop((collection, obj.name), None)
                self._due.pop((collection, obj.name), None)
            else:
                self._note(collection, obj)
        elif event.type == "DELETED":
            for holder in ((NAMESPACES, obj.namespace), (CRDS, str(collection))):
                if holder in self._ending and not self._content(*holder, most=1):
                    self._add(holder)

    def _note(self, collection: Collection, obj: Stored) -> None:
        holder = (collection, obj.name)
        if holder not in self._ending and obj.deleting:
            self._ending[holder] = None
            self._add(holder)

    def _add(self, holder: tuple[Collection, str]) -> None:
        self._due[holder] = None
        self._work.set()

    async def run(self) -> None:
        """Empty what ends, for ever, giving others a turn after each object."""
        while True:
            while self._due:
                holder = next(iter(self._due))
                del self._due[holder]
                await self._empty(*holder)
            self._work.clear()
            await self._work.wait()

    async def _empty(self, holder: Collection, name: str) -> None:
        store = self._objects.store
        for collection, obj in self._content(holder, name):
            now = store.get(collection, *obj.key)
            served = self._registry.storage(collection)
            if now is not None and served is not None and not now.deleting:
                try:
                    self._objects.delete(served, now, DeleteOptions("Background"))
                except StatusError as error:  # such as an object at the limit of its size: others go on
                    _log.warning("%s %s was not deleted with %s: %s", collection, obj.name, name, error)
                await self._objects.clock.sleep(0)
        stored = store.get(holder, "", name)
        if stored is not None and stored.deleting and not self._content(holder, name, most=1):
            self._let_go(holder, stored)

    def _content(self, holder: Collection, name: str, most: int | None = None) -> list[tuple[Collection, Stored]]:
        """What is in a namespace or of a kind: all of it, or as many as tell whether there is any."""
        store = self._objects.store
        if holder == NAMESPACES:
            within: str | None = name
            served = [one for one in store.collections() if self._registry.storage(one) is not None]
        else:
            plural, _, group = name.partition(".")
            within, served = None, [Collection(group, plural)]
        found = (
            (collection, obj) for collection in served for obj in store.list(collection, within, None, store.revision)
        )
        return list(islice(found, most))

    def _let_go(self, holder: Collection, stored: Stored) -> None:
        served = self._registry.storage(holder)
        if served is None:
            return
        obj = self._objects.read(served, stored)
        if holder == NAMESPACES:
            obj["spec"] = {}
        else:
            finalizers = obj["metadata"].get("finalizers") or ()
            obj["metadata"]["finalizers"] = [name for name in finalizers if name != CRD_CLEANUP]
        self._objects.replace(served, obj, stored)
