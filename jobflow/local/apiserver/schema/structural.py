"""StructuralSchema: what an object of a kind may look like.

In: the `openAPIV3Schema` of a CRD (or of a row of `builtin`), then objects as they arrive. Out: the object
with defaults filled in and unknown fields taken off, and what is wrong with it, worded as kube-apiserver
words it. The order in which a server calls them: prune, default, validate. Fields of `metadata`, `apiVersion`
and `kind` belong to every object and are left to the server.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from jobflow.local.apiserver.schema.nodes import Node, Schema, read
from jobflow.local.apiserver.schema.object_meta import OBJECT_META
from jobflow.local.apiserver.schema.rules import Verdict, judge
from jobflow.local.apiserver.schema.validation import FieldError, errors_of, validate

__all__ = ["FieldError", "StructuralSchema"]

ROOT_FIELDS = frozenset(("apiVersion", "kind", "metadata"))


class StructuralSchema:
    """A schema, read once. Raises ValueError, with the path of the field, where it is not structural."""

    def __init__(self, schema: Schema, path: str = "openAPIV3Schema") -> None:
        if not schema.get("type"):
            raise ValueError(f"{path}.type: Required value: must not be empty at the root")
        if schema.get("type") != "object":
            raise ValueError(f'{path}.type: Invalid value: "{schema.get("type", "")}": must be object at the root')
        if schema.get("additionalProperties"):
            raise ValueError(f"{path}.additionalProperties: Forbidden: must not be used at the root")
        self.root: Node = read(schema, path)
        _check_defaults(self.root, path)
        properties = {**self.root.properties, "metadata": _METADATA}
        self.with_metadata: Node = dataclasses.replace(self.root, properties=properties)

    def default(self, obj: dict[str, Any], *, keep_nulls: bool = False) -> None:
        """Fill in defaults and (unless they shall be judged) take off nulls where null is not allowed, in place."""
        _default_object(obj, self.root, skip=ROOT_FIELDS, keep_nulls=keep_nulls)

    def prune(self, obj: dict[str, Any]) -> list[str]:
        """Take off unknown fields, in place; their paths, such as `spec.flows[0].nane`, in the object's order."""
        unknown: list[str] = []
        _prune_object(obj, self.root, "", unknown, keep=ROOT_FIELDS)
        return unknown

    def validate(self, obj: dict[str, Any]) -> list[FieldError]:
        """What is wrong with the object, in the order of the schema; nothing where it is valid."""
        return validate(obj, self.root)

    def judge(self, obj: dict[str, Any], old: dict[str, Any] | None) -> Verdict:
        """What its rules in CEL say of an object that is otherwise valid, and of its change."""
        return judge(obj, old, self.root)


_METADATA = read(OBJECT_META)
_EMBEDDED_FIELDS = frozenset(("apiVersion", "kind", "metadata"))


def _check_defaults(node: Node, path: str) -> None:
    """A default that its own schema refuses would make every object invalid that leaves the field out."""
    if node.has_default and (errors := errors_of(node.default, node, f"{path}.default")):
        raise ValueError("; ".join(map(str, errors)))
    for name, below in node.properties.items():
        _check_defaults(below, f"{path}.properties[{name}]")
    for name, one in (("items", node.items), ("additionalProperties", node.additional)):
        if one is not None:
            _check_defaults(one, f"{path}.{name}")


def _default(value: Any, node: Node, keep_nulls: bool = False) -> None:
    if isinstance(value, dict):
        _default_object(value, node, keep_nulls=keep_nulls)
    elif isinstance(value, list) and node.items is not None:
        for index, item in enumerate(value):
            if item is None and node.items.drops(item) and node.items.has_default:
                value[index] = copy.deepcopy(node.items.default)
            _default(value[index], node.items, keep_nulls)


def _default_object(
    obj: dict[str, Any], node: Node, skip: frozenset[str] = frozenset(), keep_nulls: bool = False
) -> None:
    """Nulls of named fields count as absent: Go clients send them for times and lists that are not set."""
    for name, absent in node.defaulted:
        if name not in obj and name not in skip:
            obj[name] = copy.deepcopy(absent.default)
    properties, additional = node.properties, node.additional
    nulls: list[str] = []
    for name, value in obj.items():
        if value is None:
            nulls.append(name)
        elif isinstance(value, (dict, list)) and name not in skip:
            below = properties.get(name) or additional
            if below is not None:
                _default(value, below, keep_nulls)
    for name in nulls:
        known = properties.get(name)
        below = known or additional
        if below is None or name in skip or below.nullable:
            continue
        if below.has_default:
            obj[name] = copy.deepcopy(below.default)
            _default(obj[name], below)
        elif known is not None and not keep_nulls:
            del obj[name]


def _prune(value: Any, node: Node, path: str, unknown: list[str]) -> None:
    if isinstance(value, dict):
        _prune_object(value, node, path, unknown, _EMBEDDED_FIELDS if node.embedded else frozenset())
    elif isinstance(value, list) and node.items is not None:
        for index, item in enumerate(value):
            _prune(item, node.items, f"{path}[{index}]", unknown)


def _prune_object(obj: dict[str, Any], node: Node, path: str, unknown: list[str], keep: frozenset[str]) -> None:
    for name, value in list(obj.items()):
        if name in keep:
            continue
        below = node.properties.get(name, node.additional)
        if below is not None:
            if isinstance(value, (dict, list)):
                _prune(value, below, f"{path}.{name}" if path else name, unknown)
        elif not (node.preserve or node.any_property):
            del obj[name]
            unknown.append(f"{path}.{name}" if path else name)
