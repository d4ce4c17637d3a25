"""Entries: `metadata.managedFields`, read and written.

In: the list as an object carries it. Out: Entries, one a manager, operation, subresource and (of updates) version; and
the list again, in the order in which kube-apiserver tells it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from jobflow.local.apiserver.ownership.fieldsets import Fields, is_fields, union

APPLY, UPDATE = "Apply", "Update"
FIELDS_V1 = "FieldsV1"
MAX_UPDATERS = 10  # entries of operation Update; the oldest beyond are merged into one
ANCIENT = "ancient-changes"  # whose name that one bears


@dataclass(frozen=True, slots=True)
class Identity:
    """Who owns. An applier is the same in every version of the object; an updater is not."""

    manager: str
    operation: str
    api_version: str
    subresource: str = ""

    @property
    def applies(self) -> bool:
        """Whether this is a manager that sends what it wants as a whole."""
        return self.operation == APPLY


@dataclass(frozen=True, slots=True)
class Entry:
    """One manager, its fields, and when it last set one."""

    api_version: str
    fields: Fields
    time: str | None


Entries = dict[Identity, Entry]


def identity(manager: str, operation: str, api_version: str, subresource: str = "") -> Identity:
    """The identity under which a manager's fields are kept."""
    return Identity(manager, operation, "" if operation == APPLY else api_version, subresource)


def read_entries(written: Any) -> Entries | None:
    """The entries of a list; None where one of them makes no sense."""
    entries: Entries = {}
    for one in written or ():
        if not isinstance(one, dict) or one.get("operation") not in (APPLY, UPDATE) or not one.get("apiVersion"):
            return None
        fields = one.get("fieldsV1")
        fields = {} if fields is None else fields
        if one.get("fieldsType") != FIELDS_V1 or not isinstance(fields, dict):
            return None
        who = identity(one.get("manager") or "", one["operation"], one["apiVersion"], one.get("subresource") or "")
        entries[who] = Entry(one["apiVersion"], fields, one.get("time"))
    return entries


def are_sound(written: Any) -> bool:
    """Whether a list that a client sent can be kept: its fields are of the right form."""
    return (
        isinstance(written, list)
        and read_entries(written) is not None
        and all(is_fields(one.get("fieldsV1") or {}) for one in written)
    )


def is_reset(written: Any) -> bool:
    """Whether a client asks to forget all owners: by an empty list, or by one empty entry."""
    return isinstance(written, list) and written in ([], [{}])


def write_entries(entries: Entries) -> list[dict[str, Any]]:
    """The list for the object: appliers first, then by time."""
    return [_written(who, entry) for who, entry in sorted(entries.items(), key=_place)]


def _place(item: tuple[Identity, Entry]) -> tuple[str, str, str, str, str]:
    who, entry = item
    return who.operation, entry.time or "", who.manager, entry.api_version, who.subresource


def _written(who: Identity, entry: Entry) -> dict[str, Any]:
    told: dict[str, Any] = {"manager": who.manager} if who.manager else {}
    told |= {"operation": who.operation, "apiVersion": entry.api_version}
    if entry.time:
        told["time"] = entry.time
    told |= {"fieldsType": FIELDS_V1, "fieldsV1": entry.fields}
    if who.subresource:
        told["subresource"] = who.subresource
    return told


def cap(entries: Entries) -> Entries:
    """Merge the oldest updaters of each version into one, where there are too many."""
    updaters = sorted(
        (who for who in entries if not who.applies), key=lambda who: (entries[who].time or "", who.manager)
    )
    excess = len(updaters) - MAX_UPDATERS
    if excess <= 0:
        return entries
    capped = dict(entries)
    first: dict[str, Identity] = {}
    for who in updaters:
        if excess <= 0:
            break
        version = entries[who].api_version
        if version not in first:
            first[version] = who
            continue
        bucket = identity(ANCIENT, UPDATE, version)
        if bucket not in capped:
            capped[bucket] = capped.pop(first[version])
        entry = capped.pop(who)
        capped[bucket] = replace(entry, fields=union(entry.fields, capped[bucket].fields))
        excess -= 1
    return capped


def total(entries: Iterable[Entry]) -> Fields:
    """All fields that anybody owns."""
    found: Fields = {}
    for entry in entries:
        found = union(found, entry.fields)
    return found
