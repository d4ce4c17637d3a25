"""Fields: which fields a schema has, which of them an object uses, and an object without some of them.

In: structural schemas and objects as JSON has them. Out: paths. An API server drops fields that the installed CRD does
not have, from what is written and from what is read: by these paths we know which of ours it would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Path = tuple[str, ...]  # ("spec", "flows", "[]", "name"): "[]" stands for each item of a list, "{}" for each of a map
Shape = Mapping[str, Any]  # field -> Shape; a leaf has none

ITEM, VALUE = "[]", "{}"
ANYTHING: Shape = {"**": {}}  # whatever is below is kept as it is
OWN = ("spec", "status")  # what a CRD's schema decides on; apiVersion, kind and metadata are kept by every API server


def object_shape(schema: Mapping[str, Any]) -> Shape:
    """The fields of `spec` and `status` in the schema of a whole object."""
    return {name: shape(below) for name, below in schema.get("properties", {}).items() if name in OWN}


def shape(schema: Mapping[str, Any]) -> Shape:
    """The fields of one schema, as an API server would keep them."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return ANYTHING
    if "properties" in schema:
        return {name: shape(below) for name, below in schema["properties"].items()}
    for key, word in (("items", ITEM), ("additionalProperties", VALUE)):
        if isinstance(schema.get(key), Mapping):
            return {word: shape(schema[key])}
    return {}


def paths(ours: Shape, at: Path = ()) -> Iterator[Path]:
    """Every field, outer ones first."""
    for name, below in ours.items():
        if name not in (ITEM, VALUE):
            yield (*at, name)
        yield from paths(below, (*at, name))


def lacking(ours: Shape, theirs: Shape, at: Path = ()) -> Iterator[Path]:
    """The outermost fields of ours that they do not have."""
    if theirs is ANYTHING or theirs == ANYTHING:
        return
    for name, below in ours.items():
        if name in theirs:
            yield from lacking(below, theirs[name], (*at, name))
        else:
            yield (*at, name)


def places(tree: Any, path: Path, at: str = "") -> Iterator[str]:
    """Where an object has the field: `spec.flows[1].name`."""
    if not path:
        yield at
        return
    name, rest = path[0], path[1:]
    if name == ITEM:
        for index, item in enumerate(tree if isinstance(tree, list | tuple) else ()):
            yield from places(item, rest, f"{at}[{index}]")
    elif name == VALUE:
        for key, value in tree.items() if isinstance(tree, dict) else ():
            yield from places(value, rest, f"{at}[{key}]")
    elif isinstance(tree, dict) and name in tree:
        yield from places(tree[name], rest, f"{at}.{name}" if at else name)


def without(tree: Any, gone: Iterable[Path]) -> Any:
    """The object as it is left where these fields are dropped; the one given stays as it is."""
    branches: dict[str, list[Path]] = {}
    for path in gone:
        branches.setdefault(path[0], []).append(path[1:])
    if isinstance(tree, list | tuple):
        return [without(item, branches[ITEM]) for item in tree] if ITEM in branches else tree
    if not isinstance(tree, dict):
        return tree
    if VALUE in branches:
        return {key: without(value, branches[VALUE]) for key, value in tree.items()}
    return {
        key: without(value, branches[key]) if key in branches else value
        for key, value in tree.items()
        if () not in branches.get(key, ())
    }


def words(path: Path) -> str:
    """The path as users read it: `spec.flows[].name`."""
    told = ""
    for part in path:
        told += part if part in (ITEM, VALUE) else f".{part}" if told else part
    return told


def outermost(found: Iterable[Path]) -> frozenset[Path]:
    """Those that are not below another."""
    every = set(found)
    return frozenset(path for path in every if not any(path[:length] in every for length in range(1, len(path))))
