"""ObjectMeta, OwnerReference, ObjectReference: what every Kubernetes object says of itself and of others.

In: nothing. Out: the fields of `metadata` that jobflow reads, as msgspec Structs that decode with the object
they stand in; unknown fields (managedFields above all, the largest part of many objects) are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from jobflow.api.resources import Resource


class OwnerReference(Struct, frozen=True, gc=False, omit_defaults=True):
    """Who an object belongs to; the garbage collector deletes it after its last owner."""

    apiVersion: str
    kind: str
    name: str
    uid: str
    controller: bool = False
    blockOwnerDeletion: bool = False


class ObjectMeta(Struct, frozen=True, gc=False, omit_defaults=True):
    """metav1.ObjectMeta, as far as jobflow needs it. Treat the dictionaries as frozen too."""

    name: str
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""
    generation: int = 0
    creationTimestamp: datetime | None = None
    deletionTimestamp: datetime | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    ownerReferences: tuple[OwnerReference, ...] = ()

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that manages the object: Kubernetes allows one at most."""
        return next((owner for owner in self.ownerReferences if owner.controller), None)


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """One incarnation of an object: what an Event is about. `namespace` is empty where the kind has none."""

    resource: Resource
    namespace: str
    name: str
    uid: str
