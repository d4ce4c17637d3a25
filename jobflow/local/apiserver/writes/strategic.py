"""Strategic merge patch: the patch `kubectl apply` and `kubectl edit` send for built-in kinds.

In: the object, the patch, and the kind's schema, which says by `x-kubernetes-patch-merge-key` and `-strategy`
which lists merge and by what. Out: the merged object. Directives inside the patch:

    $patch: replace | delete                 this object (or, in a list, the item with this key) is replaced, is deleted
    $retainKeys: [a, b]                      of this object only these keys stay
    $deleteFromPrimitiveList/<list>: [v]     these values leave the list
    $setElementOrder/<list>: [...]           in which order the merged list stands
"""

from __future__ import annotations

from typing import Any

from jobflow.local.apiserver.schema.nodes import Node
from jobflow.local.apiserver.schema.structural import StructuralSchema
from jobflow.local.apiserver.writes.patch_errors import PatchError

Object = dict[str, Any]

PATCH = "$patch"
RETAIN_KEYS = "$retainKeys"
DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
SET_ORDER = "$setElementOrder/"


def strategic_merge(target: Any, patch: Any, schema: StructuralSchema | None) -> Any:
    """The target with the patch merged in; without a schema every list is replaced. Raises PatchError."""
    if not isinstance(patch, dict):
        raise PatchError("a strategic merge patch must be an object")
    root = schema.with_metadata if schema else None
    return _merge_object(target if isinstance(target, dict) else {}, patch, root, "")


def _merge_object(target: Object, patch: Object, node: Node | None, path: str) -> Object:
    match patch.get(PATCH):
        case None:
            pass
        case "replace":
            return {name: _without_directives(value) for name, value in patch.items() if not name.startswith("$")}
        case "delete":
            return {}
        case "merge":
            patch = {name: value for name, value in patch.items() if name != PATCH}
        case other:
            raise PatchError(f"{path or 'the patch'}: unknown $patch {other!r}: replace, delete or merge")
    merged = _retained(target, patch, path)
    for name, value in patch.items():
        if name.startswith(DELETE_PRIMITIVES):
            field = name.removeprefix(DELETE_PRIMITIVES)
            merged[field] = [item for item in _list(merged.get(field), name) if item not in _list(value, name)]
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        below = (node.properties.get(name) or node.additional) if node else None
        _merge_field(merged, name, value, below, f"{path}.{name}" if path else name)
    _order_fields(target, merged, patch, node)
    return merged


def _retained(target: Object, patch: Object, path: str) -> Object:
    if RETAIN_KEYS not in patch:
        return dict(target)
    retained = _list(patch[RETAIN_KEYS], RETAIN_KEYS)
    for name in patch:
        if not name.startswith("$") and patch[name] is not None and name not in retained:
            raise PatchError(f"{path or 'the patch'}: {name} is set but is not in $retainKeys")
    return {name: value for name, value in target.items() if name in retained}


def _merge_field(merged: Object, name: str, value: Any, node: Node | None, path: str) -> None:
    held = merged.get(name)
    replaces = node is not None and "replace" in node.merge_strategy
    if value is None:
        merged.pop(name, None)
    elif isinstance(value, dict) and not replaces:
        merged[name] = _merge_object(held if isinstance(held, dict) else {}, value, node, path)
    elif isinstance(value, list) and node is not None and node.merges:
        merged[name] = _merge_list(held if isinstance(held, list) else [], value, node, path)
    else:
        merged[name] = _without_directives(value)


def _merge_list(target: list[Any], patch: list[Any], node: Node, path: str) -> list[Any]:
    if not node.merge_key:
        return target + [item for item in dict.fromkeys(_plain(patch, path)) if item not in target]
    if any(isinstance(item, dict) and item.get(PATCH) == "replace" for item in patch):
        kept = [item for item in patch if not (isinstance(item, dict) and PATCH in item)]
        return list(_without_directives(kept))
    merged = list(target)
    for index, item in enumerate(patch):
        here = f"{path}[{index}]"
        key = _key(item, node.merge_key, here)
        places = [at for at, one in enumerate(merged) if isinstance(one, dict) and one.get(node.merge_key) == key]
        if item.get(PATCH) == "delete":
            merged = [one for at, one in enumerate(merged) if at not in places]
        elif places:
            merged[places[0]] = _merge_object(merged[places[0]], item, node.items, here)
        else:
            merged.append(_merge_object({}, item, node.items, here))
    return merged


def _plain(items: list[Any], path: str) -> list[Any]:
    for item in items:
        if isinstance(item, (dict, list)):
            raise PatchError(f"{path}: only plain values can be merged here")
    return items


def _key(item: Any, merge_key: str, path: str) -> Any:
    if not isinstance(item, dict):
        raise PatchError(f"{path}: must be an object")
    if merge_key not in item:
        raise PatchError(f"{path}: map does not contain declared merge key: {merge_key}")
    return item[merge_key]


def _order_fields(target: Object, merged: Object, patch: Object, node: Node | None) -> None:
    for name, order in patch.items():
        if not name.startswith(SET_ORDER):
            continue
        field = name.removeprefix(SET_ORDER)
        below = node.properties.get(field) if node else None
        if isinstance(merged.get(field), list) and below is not None:
            merge_key = below.merge_key
            wanted = [_identity(item, merge_key) for item in _list(order, name)]
            was = [_identity(item, merge_key) for item in _list(target.get(field), name)]
            merged[field] = _ordered(merged[field], merge_key, wanted, was)


def _ordered(items: list[Any], merge_key: str, wanted: list[Any], was: list[Any]) -> list[Any]:
    """Items the patch names stand as it says; the server's own are woven in by where they stood before."""
    named = [item for item in items if _identity(item, merge_key) in wanted]
    named.sort(key=lambda item: wanted.index(_identity(item, merge_key)))
    own = [item for item in items if _identity(item, merge_key) not in wanted]
    woven: list[Any] = []
    for item in named:
        place = _identity(item, merge_key)
        while own and place in was and _place(own[0], merge_key, was) < was.index(place):
            woven.append(own.pop(0))
        woven.append(item)
    return woven + own


def _place(item: Any, merge_key: str, was: list[Any]) -> int:
    identity = _identity(item, merge_key)
    return was.index(identity) if identity in was else len(was)


def _identity(item: Any, merge_key: str) -> Any:
    return item.get(merge_key) if merge_key and isinstance(item, dict) else item


def _list(value: Any, name: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise PatchError(f"{name}: must be a list")
    return value


def _without_directives(value: Any) -> Any:
    """A value that is set as a whole: no directive and no null may stay in what is stored."""
    if isinstance(value, dict):
        return {
            name: _without_directives(one)
            for name, one in value.items()
            if one is not None and not name.startswith("$")
        }
    if isinstance(value, list):
        return [_without_directives(one) for one in value if not (isinstance(one, dict) and one.get(PATCH) == "delete")]
    return value
