"""Declared: the fields of an applied configuration that its schema does not know.

In: the configuration, and the schema of its kind. Out: the paths of unknown fields. An apply refuses them, for nobody
could own them; other writes drop them.
"""

from __future__ import annotations

from typing import Any

from jobflow.local.apiserver.ownership.extraction import item_name
from jobflow.local.apiserver.ownership.fieldsets import paths
from jobflow.local.apiserver.schema.nodes import Node

_ROOT = frozenset(("apiVersion", "kind"))


def undeclared(given: dict[str, Any], node: Node | None) -> list[str]:
    """The paths of unknown fields, such as `.spec.flowz`."""
    if node is None:
        return []
    return list(_below({name: value for name, value in given.items() if name not in _ROOT}, node, ""))


def _below(value: Any, node: Node, path: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, dict):
        for name, one in value.items():
            below = node.properties.get(name) or node.additional
            if below is not None:
                found += _below(one, below, f"{path}.{name}")
            elif not (node.preserve or node.any_property):
                found.append(f"{path}.{name}")
    elif isinstance(value, list) and node.items is not None:
        for index, item in enumerate(value):
            if isinstance(item, (dict, list)):
                found += _below(item, node.items, path + _named(item, node, index))
    return found


def _named(item: Any, node: Node, index: int) -> str:
    if not node.associative_keys or not isinstance(item, dict):
        return f"[{index}]"
    try:
        return next(paths({item_name(item, node): {}}))
    except ValueError:
        return f"[{index}]"
