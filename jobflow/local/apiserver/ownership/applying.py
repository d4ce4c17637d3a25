"""Applying: server-side apply. What becomes of the object, and who owns what afterwards.

In: the live object, a manager's whole configuration, and the entries. Out: the object with the configuration merged in
and without what the manager applied before, does not apply now, and nobody else owns; and the entries. Raises
Conflicts where others own fields that would change, unless it is forced.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from jobflow.local.apiserver.ownership.comparison import compare
from jobflow.local.apiserver.ownership.entries import UPDATE, Entries, Entry, Identity, total
from jobflow.local.apiserver.ownership.extraction import given_fields, with_named
from jobflow.local.apiserver.ownership.fieldsets import (
    Fields,
    difference,
    intersection,
    paths,
    union,
    without,
)
from jobflow.local.apiserver.ownership.merging import check_unique, merge, remove
from jobflow.local.apiserver.ownership.updates import UNOWNED, Object, Writer, conflicts, reassigned
from jobflow.local.apiserver.schema.nodes import Node


class Conflict(NamedTuple):
    """One field that somebody else owns. `owner` is in the words of kube-apiserver."""

    owner: str
    path: str


class Conflicts(Exception):
    """An apply that would change what others own; the message is kube-apiserver's."""

    def __init__(self, found: dict[Identity, Fields], entries: Entries) -> None:
        self.found = found
        self.all = [Conflict(_told(who, entries[who]), path) for who, fields in found.items() for path in paths(fields)]
        super().__init__(_message(self.all))


def _told(who: Identity, entry: Entry) -> str:
    told = f'"{who.manager}"'
    if who.subresource:
        told += f' with subresource "{who.subresource}"'
    return f"{told} using {entry.api_version}" if who.operation == UPDATE else told


def _message(all: list[Conflict]) -> str:
    if len(all) == 1:
        return f"Apply failed with 1 conflict: conflict with {all[0].owner}: {all[0].path}"
    lines = []
    for owner in sorted({conflict.owner for conflict in all}):
        lines.append(f"conflicts with {owner}:")
        lines += [f"- {conflict.path}" for conflict in all if conflict.owner == owner]
    return f"Apply failed with {len(all)} conflicts: " + "\n".join(lines)


class Applied(NamedTuple):
    """What an apply comes to."""

    obj: Object
    entries: Entries


def apply(live: Object, given: Object, node: Node | None, entries: Entries, writer: Writer, force: bool) -> Applied:
    """Merge, prune, and find out who owns what. Raises Conflicts, or NotMergeable for lists that cannot merge."""
    check_unique(given, node)
    before = entries.get(writer.who)
    fields = without(given_fields(given, node), writer.ignored)
    held: Entries = {**entries, writer.who: Entry(writer.api_version, fields, before.time if before else None)}
    obj = _pruned(merge(live, given, node), before, held, node)
    seen = compare(live, obj, node).leaving_out(writer.ignored)
    others = {who: entry for who, entry in held.items() if who != writer.who}
    if not force and (found := conflicts(others, seen.changed)):
        raise Conflicts(found, others)
    after = reassigned(others, seen.changed, seen.removed)
    mine = difference(fields, UNOWNED)
    if mine:
        entry = replace(held[writer.who], fields=mine)
        after[writer.who] = entry if obj == live else replace(entry, time=writer.time)
    return Applied(obj, after)


def _pruned(merged: Object, before: Entry | None, entries: Entries, node: Node | None) -> Object:
    """Take off what the manager applied last time and nobody wants now."""
    if before is None or not before.fields:
        return merged
    last = with_named(before.fields, node)
    pruned: Object = remove(merged, last, node) or {}
    there = with_named(given_fields(merged, node), node)
    owned = with_named(total(entries.values()), node)
    kept = union(with_named(given_fields(pruned, node), node), owned)
    pruned = remove(merged, difference(there, kept), node) or {}
    kept = with_named(given_fields(pruned, node), node)
    result: Any = remove(merged, intersection(difference(there, kept), last), node)
    return result or {}
