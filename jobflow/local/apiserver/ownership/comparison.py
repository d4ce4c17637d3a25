"""Comparison: the fields in which two values of one schema differ.

In: a value before and after, and their schema. Out: three sets of fields: added, removed, modified. What is equal is
passed by without a look inside, so that a small change of a large object costs little.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from jobflow.local.apiserver.ownership.extraction import Shape, all_fields, items_by_name, node_below, shape_of
from jobflow.local.apiserver.ownership.fieldsets import LEAF, MEMBER, Fields, union, without
from jobflow.local.apiserver.schema.nodes import Node

ABSENT = object()


class Comparison(NamedTuple):
    """How two values differ; no field is in more than one of the sets."""

    added: Fields
    removed: Fields
    modified: Fields

    @property
    def changed(self) -> Fields:
        """What is there now and was not, or was otherwise."""
        return union(self.added, self.modified)

    def leaving_out(self, excluded: Fields) -> Comparison:
        """The same but for some fields and all below them."""
        return Comparison(*(without(fields, excluded) for fields in self))


_Differences = tuple[Fields | None, Fields | None, Fields | None]
_SAME: _Differences = (None, None, None)
_MODIFIED: _Differences = (None, None, LEAF)


def compare(before: Any, after: Any, node: Node | None) -> Comparison:
    """The differences between two objects."""
    return Comparison(*(fields or {} for fields in _compare(before, after, node)))


def added(after: dict[str, Any], node: Node | None) -> Comparison:
    """The comparison of an object with nothing."""
    fields = dict(all_fields(after, node))
    fields.pop(MEMBER, None)
    return Comparison(fields, {}, {})


def _compare(before: Any, after: Any, node: Node | None) -> _Differences:
    if before is ABSENT:
        return all_fields(after, node), None, None
    if after is ABSENT:
        return None, all_fields(before, node), None
    if type(before) is type(after) and before == after:
        return _SAME
    shapes = {shape_of(value, node) for value in (before, after) if value is not None}
    if (not before and not after) or len(shapes) != 1 or Shape.WHOLE in shapes:
        return _MODIFIED
    if shapes == {Shape.MAP}:
        return _compare_maps(before or {}, after or {}, node)
    assert node is not None
    return _compare_lists(before or [], after or [], node)


def _compare_maps(before: dict[str, Any], after: dict[str, Any], node: Node | None) -> _Differences:
    found: tuple[Fields, Fields, Fields] = ({}, {}, {})
    for name in (*after, *(name for name in before if name not in after)):
        one, other = before.get(name, ABSENT), after.get(name, ABSENT)
        if one is not other:
            _note(found, "f:" + name, _compare(one, other, node_below(node, name)))
    return _found(found)


def _compare_lists(before: list[Any], after: list[Any], node: Node) -> _Differences:
    found: tuple[Fields, Fields, Fields] = ({}, {}, {})
    old, new = items_by_name(before, node), items_by_name(after, node)
    for name in {**new, **old}:
        were, are = old.get(name, []), new.get(name, [])
        if len(were) <= 1 and len(are) <= 1:
            one, other = (were or [ABSENT])[0], (are or [ABSENT])[0]
            _note(found, name, _compare(one, other, node.items))
        elif len(were) > 1 and len(are) > 1:
            _note(found, name, _SAME if were == are else _MODIFIED)
        elif len(were) > 1:  # duplicates are owned as a whole; what stays of them comes anew
            _note(found, name, (all_fields(are[0], node.items) if are else None, None if are else LEAF, None))
        else:
            _note(found, name, (LEAF, all_fields(were[0], node.items) if were else None, None))
    return _found(found)


def _note(found: tuple[Fields, Fields, Fields], name: str, differences: _Differences) -> None:
    for fields, tree in zip(found, differences, strict=True):
        if tree is not None:
            fields[name] = tree


def _found(found: tuple[Fields, Fields, Fields]) -> _Differences:
    return found[0] or None, found[1] or None, found[2] or None
