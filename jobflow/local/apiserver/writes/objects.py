"""Objects: the writes that everything ends in, whoever asks: a client, the garbage collector, a namespace that ends.

In: an object as it should be, checked already. Out: a change in the store, or none where nothing differs; and what a
delete means for one object: taken away at once, or marked because a finalizer or a grace period holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import msgspec

from jobflow.api.resources import Resource
from jobflow.clock import Clock
from jobflow.local.apiserver.builtin.strategies import strategy_of
from jobflow.local.apiserver.reads.convert import convert
from jobflow.local.apiserver.registry import collection_of
from jobflow.local.apiserver.statuses import MAX_OBJECT_BYTES, not_found, precondition, too_large
from jobflow.local.apiserver.storage.store import Collection, Store, Stored
from jobflow.local.apiserver.types import ServedType
from jobflow.local.apiserver.writes.hooks import Admission
from jobflow.local.apiserver.writes.metadata import FOREGROUND, ORPHAN, Object, encode, timestamp


@dataclass(frozen=True)
class DeleteOptions:
    """How to delete. `propagation` is Background, Foreground, Orphan, or "" for what the object's finalizers say."""

    propagation: str = ""
    grace_seconds: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class Deletion:
    """What a delete came to: the object's bytes, and whether it is gone."""

    data: bytes
    uid: str
    gone: bool


class Objects:
    """Reads that parse, and writes that encode, over the store."""

    def __init__(self, store: Store, clock: Clock, random: Random, admission: Admission | None = None) -> None:
        self.store = store
        self.clock = clock
        self.random = random
        self.admission = admission

    def find(self, served: ServedType, namespace: str, name: str) -> Stored:
        """The object under a key. Raises 404."""
        stored = self.store.get(collection_of(served), namespace, name)
        if stored is None:
            raise not_found(served.resource, name)
        return stored

    def look(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """The object under a key as it is stored, or None; for those who judge others."""
        stored = self.store.get(Collection(resource.group, resource.plural), namespace, name)
        return msgspec.json.decode(stored.data) if stored is not None else None

    def read(self, served: ServedType, stored: Stored) -> Object:
        """A fresh copy of the object, in the version of `served`."""
        obj: Object = msgspec.json.decode(stored.data)
        return convert(obj, served)

    def create(self, served: ServedType, obj: Object, *, dry_run: bool = False) -> bytes:
        """Add a new object. The caller knows that its name is free."""
        if dry_run:
            return encode(obj, None)
        stored = self._stored(served, obj)
        return self.store.put(collection_of(served), stored).data

    def replace(self, served: ServedType, obj: Object, old: Stored, *, dry_run: bool = False) -> bytes:
        """Put an object in the place of `old`. One that does not differ is not written; one that was only waiting
        for its finalizers is taken away.
        """
        unchanged = encode(obj, old.revision)
        if unchanged == old.data or self._same(obj, old, served):
            return unchanged
        if dry_run:
            return unchanged
        metadata = obj["metadata"]
        waits = metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds")
        last = self._stored(served, obj)
        if metadata.get("deletionTimestamp") and not waits and not strategy_of(served).held(obj):
            self.store.remove(collection_of(served), last)
        else:
            self.store.put(collection_of(served), last)
        return last.data

    def delete(self, served: ServedType, old: Stored, options: DeleteOptions) -> Deletion:
        """Delete an object, or mark it where something holds it. Raises 409 where a precondition does not hold."""
        self._check_preconditions(served, old, options)
        obj = self.read(served, old)
        metadata = obj["metadata"]
        strategy = strategy_of(served)
        finalizers = _finalizers(metadata.get("finalizers") or [], options.propagation)
        if "deletionTimestamp" not in metadata:
            finalizers = strategy.holding(finalizers)
        grace = strategy.grace(obj, options.grace_seconds)
        if "deletionTimestamp" in metadata:
            grace = min(grace, metadata.get("deletionGracePeriodSeconds") or 0)
        if finalizers or grace or strategy.held(obj):
            return self._mark(served, obj, old, (finalizers, grace, options.dry_run))
        if finalizers != (metadata.get("finalizers") or []):
            metadata.pop("finalizers", None)
        if strategy.graceful and "deletionTimestamp" not in metadata:
            metadata |= {"deletionTimestamp": timestamp(self.clock.now()), "deletionGracePeriodSeconds": 0}
            metadata["generation"] = metadata.get("generation", 0) + 1
        if options.dry_run:
            return Deletion(encode(obj, old.revision), old.uid, gone=True)
        last = self._stored(served, obj)
        self.store.remove(collection_of(served), last)
        return Deletion(last.data, old.uid, gone=True)

    def _mark(self, served: ServedType, obj: Object, old: Stored, how: tuple[list[str], int, bool]) -> Deletion:
        finalizers, grace, dry_run = how
        strategy = strategy_of(served)
        metadata = obj["metadata"]
        if finalizers:
            metadata["finalizers"] = finalizers
        else:
            metadata.pop("finalizers", None)
        first = "deletionTimestamp" not in metadata
        if first or grace < (metadata.get("deletionGracePeriodSeconds") or 0):
            metadata["deletionTimestamp"] = timestamp(self.clock.now() + timedelta(seconds=grace))
            if not strategy.holds_others:
                metadata["deletionGracePeriodSeconds"] = grace
        if first:
            if "generation" in metadata and not strategy.holds_others:
                metadata["generation"] += 1
            strategy.terminating(obj)
        return Deletion(self.replace(served, obj, old, dry_run=dry_run), old.uid, gone=False)

    def _check_preconditions(self, served: ServedType, old: Stored, options: DeleteOptions) -> None:
        told = (
            ("UID", options.uid, old.uid, "deleted and then recreated"),
            ("ResourceVersion", options.resource_version, str(old.revision), "modified"),
        )
        for what, wanted, found, happened in told:
            if wanted and wanted != found:
                raise precondition(
                    served.resource,
                    old.name,
                    f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). "
                    f"The object might have been {happened}",
                )

    def _same(self, obj: Object, old: Stored, served: ServedType) -> bool:
        """Whether an object differs from the stored one only in the order of its keys."""
        return bool(msgspec.json.decode(encode(obj, old.revision)) == self.read(served, old))

    def _stored(self, served: ServedType, obj: Object) -> Stored:
        revision = self.store.revision + 1
        data = encode(obj, revision)
        if len(data) > MAX_OBJECT_BYTES:
            raise too_large(len(data), MAX_OBJECT_BYTES)
        metadata = obj["metadata"]
        return Stored(
            namespace=metadata.get("namespace") or "",
            name=metadata["name"],
            uid=metadata["uid"],
            revision=revision,
            api_version=obj["apiVersion"],
            data=data,
            labels=dict(metadata.get("labels") or {}),
            owners=owner_uids(metadata),
            deleting=metadata.get("deletionTimestamp") is not None,
        )


def owner_uids(metadata: dict[str, Any]) -> tuple[str, ...]:
    """UIDs of the owners, for the garbage collector's index."""
    return tuple(owner["uid"] for owner in metadata.get("ownerReferences") or ())


def _finalizers(held: list[str], propagation: str) -> list[str]:
    """The finalizers a delete leaves: Foreground and Orphan are finalizers themselves."""
    others = [name for name in held if name not in (FOREGROUND, ORPHAN)]
    match propagation:
        case "Foreground":
            return [*others, FOREGROUND]
        case "Orphan":
            return [*others, ORPHAN]
        case "Background":
            return others
    return list(held)
