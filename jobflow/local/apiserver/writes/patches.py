"""Patches: what becomes of an object when a client sends a part of it.

In: the object as it is stored, and the body of a PATCH. Out: the object as it should be; neither argument is
changed, but the result may share parts with both. Three kinds, by content type:

    application/merge-patch+json             merge_patch      RFC 7396
    application/json-patch+json              json_patch       RFC 6902
    application/strategic-merge-patch+json   strategic_merge  built-in kinds; lists merge by key, $patch directives

The last one is told by the kind's schema which lists are maps in disguise, and by which key. The fifth kind,
application/apply-patch+yaml, is `ownership`'s.
"""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import jsonpointer

from jobflow.local.apiserver.writes.patch_errors import PatchError
from jobflow.local.apiserver.writes.strategic import strategic_merge

__all__ = ["PatchError", "json_patch", "merge_patch", "strategic_merge"]

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
