"""Patches: what becomes of an object when a client sends a part of it.

In: the object as it is stored, and the body of a PATCH. Out: the object as it should be; neither argument is
changed, but the result may share parts with both. Four kinds, by content type:

    application/merge-patch+json             merge_patch      RFC 7396
    application/json-patch+json              json_patch       RFC 6902
    application/strategic-merge-patch+json   strategic_merge  built-in kinds; lists merge by key, $patch directives
    application/apply-patch+yaml             apply_patch      server-side apply, without field ownership

The last two are told by the kind's schema which lists are maps in disguise, and by which key.
"""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import jsonpointer

from jobflow.local.apiserver.patch_errors import PatchError
from jobflow.local.apiserver.schema import StructuralSchema
from jobflow.local.apiserver.schema_nodes import Node
from jobflow.local.apiserver.strategic import strategic_merge

__all__ = ["PatchError", "apply_patch", "json_patch", "merge_patch", "strategic_merge"]

MAX_OPERATIONS = 10_000  # of one JSON patch, as kube-apiserver has it


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396: objects merge, null removes, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def json_patch(target: Any, ops: list[Any]) -> Any:
    """RFC 6902: operations in order, all or nothing. Raises PatchError that names the operation and its path."""
    if not isinstance(ops, list):
        raise PatchError("a JSON patch is a list of operations")
    if len(ops) > MAX_OPERATIONS:
        raise PatchError(f"the allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(ops)}")
    patched = copy.deepcopy(target)
    for index, op in enumerate(ops):
        patched = _one_operation(patched, op, index)
    return patched


def _one_operation(document: Any, op: Any, index: int) -> Any:
    if not isinstance(op, dict):
        raise PatchError(f"operation {index}: must be an object with op and path")
    told = f"operation {index} ({op.get('op')} {op.get('path')})"
    for name in ("path", "from"):
        if name in op and not isinstance(op[name], str):
            raise PatchError(f"{told}: {name} must be a string")
    try:
        return jsonpatch.JsonPatch([copy.deepcopy(op)]).apply(document, in_place=True)
    except jsonpatch.JsonPatchTestFailed as error:
        raise PatchError(f"{told}: testing value failed") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise PatchError(f"{told}: {error}") from error
    except (TypeError, KeyError, IndexError, AttributeError, ValueError) as error:
        raise PatchError(f"{told}: the path leads through a value that is not an object or a list") from error


def apply_patch(target: Any | None, patch: Any, schema: StructuralSchema | None = None) -> Any:
    """Merge an applied configuration into what is there: what it names is set, what it leaves out stays.

    Lists of type `map` merge by their keys and lists of type `set` by value; other lists are replaced.
    Without a schema all lists are replaced. Raises PatchError where an item of a map list lacks its key.
    """
    if not isinstance(patch, dict):
        raise PatchError("an applied configuration must be an object")
    return _apply(target or {}, patch, schema.with_metadata if schema else None, "")


def _apply(target: Any, patch: Any, node: Node | None, path: str) -> Any:
    if isinstance(patch, dict):
        if node is not None and node.map_type == "atomic":
            return patch
        merged = dict(target) if isinstance(target, dict) else {}
        for name, value in patch.items():
            below = (node.properties.get(name) or node.additional) if node else None
            merged[name] = _apply(merged.get(name), value, below, f"{path}.{name}" if path else name)
        return merged
    if isinstance(patch, list) and isinstance(target, list) and node is not None:
        if node.is_set:
            return target + [item for item in patch if item not in target]
        if keys := node.associative_keys:
            return _apply_map_list(target, patch, node, keys, path)
    return patch


def _apply_map_list(target: list[Any], patch: list[Any], node: Node, keys: tuple[str, ...], path: str) -> list[Any]:
    places = {_key_of(item, keys, node, f"{path}[{i}]"): i for i, item in enumerate(target)}
    merged = list(target)
    for index, item in enumerate(patch):
        key = _key_of(item, keys, node, f"{path}[{index}]")
        if key in places:
            merged[places[key]] = _apply(merged[places[key]], item, node.items, f"{path}[{index}]")
        else:
            places[key] = len(merged)
            merged.append(_apply({}, item, node.items, f"{path}[{index}]"))
    return merged


def _key_of(item: Any, keys: tuple[str, ...], node: Node, path: str) -> tuple[Any, ...]:
    if not isinstance(item, dict):
        raise PatchError(f"{path}: must be an object with {', '.join(keys)}")
    return tuple(_key_value(item, key, node, path) for key in keys)


def _key_value(item: dict[str, Any], key: str, node: Node, path: str) -> Any:
    known = node.items.properties.get(key) if node.items else None
    if key in item:
        value = item[key]
    elif known is not None and known.has_default:
        value = known.default
    elif len(node.associative_keys) > 1:
        value = None  # of several keys, some may be left out, as a port's protocol
    else:
        raise PatchError(f"{path}: associative list with keys has an element that omits key field {key!r}")
    if isinstance(value, (dict, list)):
        raise PatchError(f"{path}.{key}: must be a plain value: it is a key of the list")
    return value
