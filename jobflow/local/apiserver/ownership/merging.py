"""Merging: an applied configuration into an object, and fields out of an object.

In: parsed objects and their schema. Out: a new object; arguments stay as they are, and the result shares parts with
them. Lists that are maps or sets merge by their items, in the order of the configuration where both name an item;
everything atomic is replaced.
"""

from __future__ import annotations

from typing import Any

from jobflow.local.apiserver.ownership.extraction import (
    NotMergeable,
    Shape,
    item_name,
    items_by_name,
    node_below,
    shape_of,
)
from jobflow.local.apiserver.ownership.fieldsets import LEAF, Fields, below, is_member, paths
from jobflow.local.apiserver.schema.nodes import Node


def merge(live: Any, given: Any, node: Node | None) -> Any:
    """What is there, with what is given. Raises NotMergeable."""
    shape = shape_of(given, node)
    if shape is Shape.WHOLE or shape_of(live, node) is not shape:
        return given
    if not live or not given:
        return given or live
    if shape is Shape.MAP:
        merged = dict(live)
        for name, value in given.items():
            merged[name] = merge(live[name], value, node_below(node, name)) if name in live else value
        return merged
    assert node is not None
    return _merge_lists(live, given, node)


def _merge_lists(live: list[Any], given: list[Any], node: Node) -> list[Any]:
    """Both lists' orders are kept where they agree; the items of the live one alone stand where they stood."""
    named = items_by_name(given, node)
    held = items_by_name(live, node)
    order = [item_name(item, node) for item in live]
    shared = [name for name in named if name in held]
    merged: list[Any] = []
    done: set[str] = set()
    place = 0

    def take(name: str) -> None:
        done.add(name)
        item = named[name][0]
        merged.append(merge(held[name][0], item, node.items) if len(held.get(name, ())) == 1 else item)

    for name in named:
        upcoming = next((one for one in shared if one not in done), None)
        while place < len(order) and order[place] != name:
            here = order[place]
            if here in named and (here in done or here != upcoming):
                place += 1  # the configuration says where it stands
            elif here not in named:
                merged.append(live[place])
                place += 1
            else:
                break
        take(name)
        if place < len(order) and order[place] == name:
            place += 1
    merged += [live[at] for at in range(place, len(order)) if order[at] not in named]
    return merged


def check_unique(given: Any, node: Node | None, path: str = "") -> None:
    """Refuse a configuration in which two items of a list have one name, or one has none. Raises NotMergeable."""
    shape = shape_of(given, node)
    if shape is Shape.MAP:
        for name, value in given.items():
            if type(value) is dict or type(value) is list:
                check_unique(value, node_below(node, name), f"{path}.{name}")
    elif shape is Shape.LIST:
        assert node is not None
        seen: set[str] = set()
        for index, item in enumerate(given):
            try:
                name = item_name(item, node)
            except NotMergeable as error:
                raise NotMergeable(f"{path}: element {index}: {error}") from error
            if name in seen:
                raise NotMergeable(f"{path}: duplicate entries for key {_told(name)}")
            seen.add(name)
            check_unique(item, node.items, f"{path}{_told(name)}")


def _told(name: str) -> str:
    return next(paths({name: LEAF}))


def remove(value: Any, fields: Fields, node: Node | None) -> Any:
    """The value without some of its fields; a map or list that this empties is null."""
    if not fields or not value:
        return value
    match shape_of(value, node):
        case Shape.MAP:
            kept: dict[str, Any] = {}
            for name, one in value.items():
                tree = fields.get("f:" + name)
                if tree is None:
                    kept[name] = one
                elif not is_member(tree):
                    kept[name] = remove(one, below(tree), node_below(node, name))
            return kept or None
        case Shape.LIST:
            assert node is not None
            items = []
            for item in value:
                tree = fields.get(item_name(item, node))
                if tree is None:
                    items.append(item)
                elif not is_member(tree):
                    items.append(remove(item, below(tree), node.items))
            return items or None
    return value
