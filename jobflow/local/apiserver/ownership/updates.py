"""Updates: who owns what after a create, a replace or a patch.

In: the object before and after, the entries so far, and who writes. Out: the entries: what changed is now the
writer's and nobody else's, what went is nobody's. Nothing here refuses anything: only an apply meets conflicts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from jobflow.local.apiserver.ownership.comparison import Comparison
from jobflow.local.apiserver.ownership.entries import Entries, Entry, Identity, cap
from jobflow.local.apiserver.ownership.fieldsets import LEAF, MEMBER, Fields, difference, intersection, union, without

Object = dict[str, Any]

_NEVER = ("name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields")
UNOWNED: Fields = {  # what names an object and what the server keeps is nobody's
    "f:apiVersion": LEAF,
    "f:kind": LEAF,
    "f:metadata": {MEMBER: LEAF, **{f"f:{name}": LEAF for name in (*_NEVER, "resourceVersion")}},
}


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, when, and which fields its endpoint does not write (those of the status, or all but those)."""

    who: Identity
    api_version: str
    time: str
    ignored: Fields


def after_update(comparison: Comparison, entries: Entries, writer: Writer) -> Entries:
    """The entries after a change that is not an apply."""
    seen = comparison.leaving_out(writer.ignored)
    changed = seen.changed
    left = reassigned(entries, changed, seen.removed)
    mine = difference(without(comparison.changed, writer.ignored), UNOWNED)
    if not mine:
        return cap(left)
    held = left.get(writer.who)
    fields = union(mine, held.fields) if held else mine
    left[writer.who] = Entry(writer.api_version, fields, writer.time)
    return cap(left)


def reassigned(entries: Entries, changed: Fields, removed: Fields) -> Entries:
    """The entries without what somebody else has changed or taken away; those that own nothing are dropped."""
    if not changed and not removed:
        return dict(entries)
    gone = union(changed, removed)
    left: Entries = {}
    for who, entry in entries.items():
        fields = difference(entry.fields, gone)
        if fields:
            left[who] = entry if fields is entry.fields else replace(entry, fields=fields)
    return left


def conflicts(entries: Entries, changed: Fields) -> dict[Identity, Fields]:
    """What others own of the fields that a change would set."""
    found = {who: intersection(entry.fields, changed) for who, entry in entries.items()}
    return {who: fields for who, fields in found.items() if fields}
