"""Strategy: the rules that every kind follows, and what a kind may add of its own.

In: an object about to be created, changed or deleted. Out: the same object with what its kind adds, and for deletes
what holds it back. `strategies` says which kind has which.
"""

from __future__ import annotations

from typing import Any

from jobflow.local.apiserver.types import ServedType

Object = dict[str, Any]


class Strategy:
    """The general rules: no additions, no grace."""

    returns_deleted = False  # whether a delete answers with the object rather than with a Status
    holds_others = False  # a namespace, a kind: it ends when what is in it has gone, and has no grace of its own
    graceful = False  # whether a delete that takes it away at once is told in it, as one of no seconds

    def default(self, obj: Object) -> None:
        """Fill in what Go's decoder of the kind fills in, beyond the schema; the writer owns it."""

    def created(self, served: ServedType, obj: Object, now: str) -> None:
        """Complete a new object that is valid, its metadata and defaults in place."""

    def replaced(self, served: ServedType, obj: Object, old: Object, now: str) -> None:
        """Complete a replacement that is valid."""

    def status_replaced(self, served: ServedType, obj: Object, old: Object) -> Object:
        """What a write to `status` makes of the object: of a custom kind, its status and nothing else."""
        new = dict(old)
        take("status", new, obj)
        return new

    def holding(self, finalizers: list[str]) -> list[str]:
        """The finalizers that an object has once its delete begins."""
        return finalizers

    def grace(self, obj: Object, asked: int | None) -> int:
        """Seconds that a delete leaves the object."""
        return 0

    def terminating(self, obj: Object) -> None:
        """Tell in the object that its delete has begun."""

    def held(self, obj: Object) -> bool:
        """Whether something other than metadata.finalizers keeps a deleted object."""
        return False


def take(field: str, into: Object, source: Object) -> None:
    """Give one object a field as another has it, absence included."""
    if field in source:
        into[field] = source[field]
    else:
        into.pop(field, None)


class BuiltinStrategy(Strategy):
    """Built-in kinds: a write to `status` may change labels, annotations and finalizers too."""

    def status_replaced(self, served: ServedType, obj: Object, old: Object) -> Object:
        """The new status and metadata, but for the owners; the old spec."""
        metadata = {**obj["metadata"]}
        take("ownerReferences", metadata, old["metadata"])
        new = {**old, "metadata": metadata}
        take("status", new, obj)
        return new


class ReturningStrategy(BuiltinStrategy):
    """Kinds whose delete answers with the object."""

    returns_deleted = True
