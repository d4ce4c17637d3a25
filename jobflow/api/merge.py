"""Merge: a partial Job spec laid over a whole one, as Kubernetes merges a strategic patch.

In: a base and a patch, as trees of dict and list. Out: a new tree. Neither is touched, and nothing in it is the
patch's; what the patch does not reach is the base's own: who changes the result in place gives a base that is nobody
else's. Maps merge key by key; a null takes a key away; a list is replaced, unless `MERGE_KEYS` names the fields by
which its items are told apart: then items that are in both merge, and new ones go to the end. `$patch: delete` takes an
item (or empties a map), `$patch: replace` puts the patch's in place of all there was. What is written counts, and
nothing else: 0 and false are values, what is left out changes nothing. Sources: the tables of Volcano's JobFlow design
for Job, pod and container; Kubernetes' strategic merge for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jobflow.api.trees import Unknown, is_number, kind

Tree = dict[str, Any]

DIRECTIVE = "$patch"  # a key that is no field: what the merge obeys, as it obeys null
REPLACE, DELETE, MERGE = "replace", "delete", "merge"

_POD = "tasks.template.spec"
_CONTAINERS = tuple(f"{_POD}.{containers}" for containers in ("containers", "initContainers", "ephemeralContainers"))

# Where a list is, below the spec of a Job; and what tells its items apart. All other lists are replaced.
MERGE_KEYS: Mapping[str, tuple[str, ...]] = {
    "tasks": ("name",),
    "volumes": ("mountPath",),
    f"{_POD}.volumes": ("name",),
    f"{_POD}.tolerations": ("key", "effect"),
    f"{_POD}.hostAliases": ("ip",),
    f"{_POD}.imagePullSecrets": ("name",),
    f"{_POD}.topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    f"{_POD}.schedulingGates": ("name",),
    f"{_POD}.resourceClaims": ("name",),
    **{
        f"{containers}{below}": keys
        for containers in _CONTAINERS
        for below, keys in {
            "": ("name",),
            ".env": ("name",),
            ".ports": ("containerPort", "protocol"),
            ".volumeMounts": ("mountPath",),
            ".volumeDevices": ("devicePath",),
            ".resources.claims": ("name",),
        }.items()
    },
}
# Keys that an item need not have: left out, they mean this.
OPTIONAL: Mapping[str, Any] = {"protocol": "TCP", "effect": "", "key": ""}
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?([eE][0-9]+|m|k|[MGTPE]i?|Ki)?")
# Lists whose items are found without a key where there is nothing to choose between.
ONLY_ONE = ("tasks",)


class MergeProblem(ValueError):
    """The patch cannot be laid over the base; `path` is the place in the patch, `rule` as in Problem."""

    def __init__(self, path: str, message: str, rule: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message
        self.rule = rule

    @classmethod
    def plain(cls, path: str, rule: str) -> MergeProblem:
        """One whose message is the rule itself: it tells kinds and keys, and no value."""
        return cls(path, rule, rule)


def merge_spec(base: Mapping[str, Any], patch: Mapping[str, Any]) -> Tree:
    """The Job spec `base` with `patch` laid over it. Raises MergeProblem."""
    return _maps(base, patch, "", "")


def _maps(base: Mapping[str, Any], patch: Mapping[str, Any], place: str, path: str) -> Tree:
    merged: Tree = {}
    match patch.get(DIRECTIVE, MERGE):
        case "merge":
            merged = dict(base)
        case "replace":
            pass
        case "delete":
            return {}
        case other:
            rule = f"is not one of {REPLACE}, {DELETE}, {MERGE}"
            raise MergeProblem(_below(path, DIRECTIVE), f"{other!r} {rule}", rule)
    for key, value in patch.items():
        if key == DIRECTIVE:
            continue
        if value is None:
            merged.pop(key, None)
        else:
            below = f"{place}.{key}" if place else key
            merged[key] = _values(merged.get(key), value, below, _below(path, key))
    return merged


def _values(base: Any, patch: Any, place: str, path: str) -> Any:
    if isinstance(base, Unknown) or isinstance(patch, Unknown):
        return patch  # whether they fit shows when the value is known
    if base is not None and kind(base) != kind(patch) and not (_is_quantity(base) and _is_quantity(patch)):
        raise MergeProblem.plain(path, f"must be {kind(base)}, as in the template, and is {kind(patch)}")
    if isinstance(patch, dict):
        return _maps(base or {}, patch, place, path)
    if isinstance(patch, list):
        keys = MERGE_KEYS.get(place)
        return _plain(patch) if keys is None else _lists(base or [], patch, keys, place, path)
    return patch


def _lists(base: Sequence[Any], patch: Sequence[Any], keys: tuple[str, ...], place: str, path: str) -> list[Any]:
    """Items that both have merge in their place; those that only the patch has go to the end."""
    if any(isinstance(item, dict) and item.get(DIRECTIVE) == REPLACE and len(item) == 1 for item in patch):
        base, patch = [], [item for item in patch if item != {DIRECTIVE: REPLACE}]
    merged = list(base)
    places: dict[tuple[Any, ...], int] = {}
    for index, item in enumerate(merged):
        if known := _identity(item, keys) or _unnamed(place, index):
            places.setdefault(known, index)
    said: set[tuple[Any, ...]] = set()
    for index, item in enumerate(patch):
        here = f"{path}[{index}]"
        if not isinstance(item, dict):
            raise MergeProblem.plain(here, f"must be a mapping, and is {kind(item)}")
        identity = _identity(item, keys) or (next(iter(places)) if place in ONLY_ONE and len(base) == 1 else None)
        if identity is None:
            raise MergeProblem.plain(here, f"{' and '.join(keys)} must say which item is meant")
        if identity in said:
            raise MergeProblem(here, f"{_named(identity, keys)} is there twice", "the same item is there twice")
        said.add(identity)
        found = places.get(identity)
        if item.get(DIRECTIVE) == DELETE:
            if found is not None:
                merged[found] = None
        elif found is None:
            merged.append(_maps({}, item, place, here))
        else:
            merged[found] = _maps(merged[found] or {}, item, place, here)
    return [item for item in merged if item is not None]


def _identity(item: Any, keys: tuple[str, ...]) -> tuple[Any, ...] | None:
    """What tells the item apart; None where it does not say it, or says it with a list or a mapping."""
    if not isinstance(item, dict):
        return None
    if len(keys) == 1:  # the most of all lists, and asked of every item that the template has
        value = item.get(keys[0])
        return None if value is None or isinstance(value, dict | list) else (value,)
    values = tuple(item.get(key, OPTIONAL.get(key)) for key in keys)
    if not any(key in item for key in keys) or any(value is None or isinstance(value, dict | list) for value in values):
        return None
    return values


def _unnamed(place: str, index: int) -> tuple[Any, ...] | None:
    """What Volcano calls a task without a name."""
    return (f"default{index}",) if place == "tasks" else None


def _is_quantity(value: Any) -> bool:
    """A number, or a text such as 500m: Kubernetes takes either for amounts and ports."""
    return is_number(value) or (isinstance(value, str) and QUANTITY.fullmatch(value) is not None)


def _named(identity: tuple[Any, ...], keys: tuple[str, ...]) -> str:
    return " and ".join(f"{key} {value}" for key, value in zip(keys, identity, strict=True))


def _plain(value: Any) -> Any:
    """A value that is set as a whole: no null and no directive stays in it."""
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in value.items() if below is not None and key != DIRECTIVE}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
