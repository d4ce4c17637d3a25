"""Expansion: inserted text that the kubelet would read as more than text.

In: a value that takes the place of a placeholder, and where in a Job's spec. Out: the value, with every `$` of its
texts doubled where the kubelet expands: a container's `env[].value`, `command` and `args`, the command of its probes,
and the `subPathExpr` of its mounts. There `$(NAME)` becomes the variable of that name and `$$` becomes `$`, so what is
doubled comes out as it was: no inserted value can refer to a variable of the container. What a template writes itself
is not passed through here and keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobflow.api.places import Path

CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
COMMAND_LINE = ("command", "args")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_CONTAINER_PARTS = 6  # tasks, 0, template, spec, containers, 0


def literal(value: Any, at: Path) -> Any:
    """A tree of its own that means, at this place of a Job's spec, the value and nothing else."""
    if isinstance(value, str):
        return value.replace("$", "$$") if is_expanded(at) else value
    if isinstance(value, Mapping):
        return {name: literal(below, (*at, name)) for name, below in value.items()}
    if isinstance(value, list | tuple):
        return [literal(below, (*at, index)) for index, below in enumerate(value)]
    return value


def is_expanded(at: Path) -> bool:
    """Whether the kubelet expands the text at this place. It expands no command of a lifecycle hook."""
    if len(at) <= _CONTAINER_PARTS or (at[0], *at[2:4]) != ("tasks", "template", "spec") or at[4] not in CONTAINERS:
        return False
    match at[_CONTAINER_PARTS:]:
        case ("env", int(), "value"):
            return True
        case ("volumeMounts", int(), "subPathExpr"):
            return True
        case (str() as name, int()):
            return name in COMMAND_LINE
        case (str() as name, "exec", "command", int()):
            return name in PROBES
    return False
