"""Extraction: the fields of a value, by its schema.

In: a JSON value, and the Node that says which lists are maps or sets and which objects are atomic; no Node for what no
schema describes (objects are maps then, and lists atomic). Out: sets of fields, and how list items are named in them.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec

from jobflow.local.apiserver.ownership.fieldsets import LEAF, MEMBER, Fields, branch
from jobflow.local.apiserver.schema.nodes import Node


class Shape(Enum):
    """How a value is owned: as a whole, field by field, or item by item."""

    WHOLE = 0
    MAP = 1
    LIST = 2


class NotMergeable(ValueError):
    """A list that shall merge by its items has one without a name; the message says which and why."""


def shape_of(value: Any, node: Node | None) -> Shape:
    """How the value is owned."""
    if type(value) is dict:
        return Shape.WHOLE if node is not None and node.map_type == "atomic" else Shape.MAP
    if type(value) is list and node is not None and (node.is_set or node.associative_keys):
        return Shape.LIST
    return Shape.WHOLE


def node_below(node: Node | None, name: str) -> Node | None:
    """The schema of one field."""
    return (node.properties.get(name) or node.additional) if node is not None else None


def is_named(node: Node | None, name: str) -> bool:
    """Whether the schema knows the field by its name, so that it is there because what is below it is."""
    return node is not None and name in node.properties


def item_name(item: Any, node: Node) -> str:
    """How an item of a list that merges is named. Raises NotMergeable."""
    keys = node.associative_keys
    if not keys:
        if item is None or isinstance(item, (dict, list)):
            raise NotMergeable("associative list without keys has an element that's " + _what(item))
        return "v:" + msgspec.json.encode(item).decode()
    if not isinstance(item, dict):
        what = "a null element" if item is None else "non-map elements"
        raise NotMergeable(f"associative list with keys may not have {what}")
    found = {}
    for key in sorted(keys):
        if key in item:
            found[key] = item[key]
        elif node.items is not None and (known := node.items.properties.get(key)) is not None and known.has_default:
            found[key] = known.default
    if not found:
        told = " ".join(f'"{key}"' for key in keys)
        raise NotMergeable(
            f"associative list with keys has an element that omits all key fields [{told}] "
            "(and doesn't have default values for any key fields)"
        )
    return "k:" + msgspec.json.encode(found).decode()


def _what(item: Any) -> str:
    return "an explicit null" if item is None else "a map type" if isinstance(item, dict) else "a list"


def items_by_name(items: list[Any], node: Node) -> dict[str, list[Any]]:
    """The items of a list that merges, by name; more than one under a name are duplicates."""
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(item_name(item, node), []).append(item)
    return found


def all_fields(value: Any, node: Node | None) -> Fields:
    """The tree of a value that has just come: it and everything below it is a member."""
    if type(value) is dict:
        if not value or (node is not None and node.map_type == "atomic"):
            return LEAF
        found: Fields = {MEMBER: LEAF}
        for name, one in value.items():
            kind = type(one)
            if kind is dict or kind is list:
                found["f:" + name] = all_fields(one, node_below(node, name))
            else:
                found["f:" + name] = LEAF
        return found
    if value and shape_of(value, node) is Shape.LIST:
        assert node is not None
        found = {MEMBER: LEAF}
        for name, items in items_by_name(value, node).items():
            found[name] = all_fields(items[0], node.items) if len(items) == 1 else LEAF
        return found
    return LEAF


def given_fields(value: Any, node: Node | None) -> Fields:
    """The fields that a configuration gives: objects that the schema names are told by what is in them."""
    match shape_of(value, node):
        case Shape.MAP:
            return _given_in_map(value, node)
        case Shape.LIST:
            assert node is not None
            found: Fields = {}
            for name, items in items_by_name(value, node).items():
                children = given_fields(items[0], node.items) if len(items) == 1 else LEAF
                found[name] = branch(True, children) or LEAF
            return found
    return LEAF


def _given_in_map(value: dict[str, Any], node: Node | None) -> Fields:
    found: Fields = {}
    for name, one in value.items():
        under = node_below(node, name)
        empty = one is None or one == {}
        whole = shape_of(one, under) is Shape.WHOLE
        member = empty or whole or not is_named(node, name)
        tree = branch(member, LEAF if whole else given_fields(one, under))
        if tree is not None:
            found["f:" + name] = tree
    return found


def with_named(fields: Fields, node: Node | None) -> Fields:
    """The set with those fields as members that are named in the schema and have members below them."""
    found: Fields = {}
    for name, tree in fields.items():
        if name == MEMBER or not tree:
            found[name] = tree
            continue
        under = node_below(node, name[2:]) if name[0] == "f" else (node.items if node is not None else None)
        children = with_named({key: one for key, one in tree.items() if key != MEMBER}, under)
        member = MEMBER in tree or (name[0] == "f" and is_named(node, name[2:]))
        found[name] = branch(member, children) or LEAF
    return found
