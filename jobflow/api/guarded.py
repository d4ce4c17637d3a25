"""Guarded: what a value that came out of a Job may not decide on.

In: the path that a placeholder stands at; a tree that came out of a Job and is put in as a tree. Out: the name of what
it would decide on, or None. Otherwise who controls a Job's output would choose what runs, as whom, and with which
rights; or would take away what the template says of it. `placeholders.py` asks for every value that it puts in. Asked
of trees only: a text that is put into a variable decides on nothing, whatever it reads like.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobflow.api.merge import DIRECTIVE
from jobflow.api.places import VALUES, Path

GUARDED = frozenset(
    {
        "image",
        "serviceAccountName",
        "serviceAccount",
        "hostPath",
        "securityContext",
        "hostPID",
        "hostIPC",
        "hostNetwork",
        "hostUsers",
    }
)


def guarded_field(path: Path) -> str | None:
    """The field on the way to a place that no Job's output may decide on; names that users give are no fields."""
    for part in path:
        if part in VALUES:
            return None
        if part in GUARDED:
            return str(part)
    return None


def brought(tree: Any, at: Path) -> str | None:
    """What a tree out of a Job, put in at `at`, brings along and may not."""
    return _brought(tree, users=any(part in VALUES for part in at))


def _brought(tree: Any, *, users: bool) -> str | None:
    """`users` says that the names of the fields here are users' own, as those of labels are."""
    if isinstance(tree, Mapping):
        for name, below in tree.items():
            if name == DIRECTIVE or (name in GUARDED and not users):
                return str(name)
            if below is None:
                return f"{name}, which null would take away"
            if found := _brought(below, users=users or name in VALUES):
                return found
    elif isinstance(tree, list | tuple):
        return next((found for below in tree if (found := _brought(below, users=users))), None)
    return None
