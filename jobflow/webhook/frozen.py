"""Frozen: which field an update changes that is fixed from the flow's creation.

In: the spec before and after. Out: the first such field, by its path, with what to do; nothing where only control
fields differ (jobRetainPolicy, successPolicy, deadlines and the like). The order of steps says nothing, since the list
is a map by name; what a parameter's description says decides nothing. The CRD has the same rule as CEL, where the
cluster knows ours; this one names the field, and holds under Volcano's CRD too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobflow.api.problems import Problem

BY_NAME = ("flows", "onExit", "parameters")
WHOLE = ("switch",)
FREE = {"parameters": frozenset({"description"})}
WHAT = {"flows": "the steps", "onExit": "the onExit steps", "parameters": "the parameters", "switch": "the switches"}

Fields = Mapping[str, Any]


def frozen_change(old: Any, new: Any) -> Problem | None:
    """The first frozen field that is not as it was."""
    before = old if isinstance(old, Mapping) else {}
    after = new if isinstance(new, Mapping) else {}
    for field in BY_NAME:
        if path := next(_by_name(before.get(field), after.get(field), field), None):
            return _problem(path, field)
    for field in WHOLE:
        if path := _difference(before.get(field), after.get(field), f"spec.{field}"):
            return _problem(path, field)
    return None


def _problem(path: str, field: str) -> Problem:
    said = f"{WHAT[field]} of a flow are frozen from its creation; delete the JobFlow and create it again"
    return Problem(path, said)


def _by_name(old: Any, new: Any, field: str) -> Iterator[str]:
    """Where items of a list differ that belong together by their names."""
    path = f"spec.{field}"
    before, after = _named(old), _named(new)
    if before is None or after is None:  # names that are missing, or used twice
        if found := _difference(old, new, path):
            yield found
        return
    for name, (index, item) in after.items():
        if name not in before:
            yield f"{path}[{index}]"
        else:
            free = FREE.get(field, frozenset())
            was, now = ({key: one for key, one in each.items() if key not in free} for each in (before[name][1], item))
            if found := _difference(was, now, f"{path}[{index}]"):
                yield found
    if gone := [name for name in before if name not in after]:
        yield f'{path} (without "{gone[0]}")'


def _named(items: Any) -> dict[str, tuple[int, Fields]] | None:
    found: dict[str, tuple[int, Fields]] = {}
    for index, item in enumerate(items or ()):
        name = item.get("name") if isinstance(item, Mapping) else None
        if not isinstance(name, str) or name in found:
            return None
        found[name] = index, item
    return found


def _difference(old: Any, new: Any, path: str) -> str | None:
    """The path of the first place where two trees differ; null and absent are the same."""
    if old == new:
        return None
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in (*new, *(key for key in old if key not in new)):
            if found := _difference(old.get(key), new.get(key), f"{path}.{key}"):
                return found
        return None
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            if found := _difference(before, after, f"{path}[{index}]"):
                return found
        return None
    return path
