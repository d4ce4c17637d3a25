"""Environment: what the pods of a step are told of where they are.

In: a Job's spec, its flow's name and its node. Out: the same spec with JOBFLOW_NAME, JOBFLOW_STEP, JOBFLOW_INDEX and
JOBFLOW_ATTEMPT in the environment of every container that does not set them itself. Only steps that use something
which Volcano's own controller does not know get them: the children of all others are what they would be under that
one. What is not of the type it should be is left as it is: the API server refuses it, in words of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jobflow.api.children import Node

CONTAINERS = ("containers", "initContainers")


def tell(spec: dict[str, Any], flow: str, node: Node) -> None:
    """Add the variables, in place."""
    told = {
        "JOBFLOW_NAME": flow,
        "JOBFLOW_STEP": node.step,
        "JOBFLOW_INDEX": str(node.item or 0),
        "JOBFLOW_ATTEMPT": str(node.attempt),
    }
    for container in _containers(spec):
        own = container.get("env") or []
        if not isinstance(own, list):
            continue
        set_already = [variable.get("name") for variable in own if isinstance(variable, dict)]
        more = [{"name": name, "value": value} for name, value in told.items() if name not in set_already]
        container["env"] = [*more, *own]  # first, so that the container's own variables may refer to them


def _containers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for task in _mappings(spec.get("tasks")):
        for template in _mappings([task.get("template")]):
            for pod in _mappings([template.get("spec")]):
                for kind in CONTAINERS:
                    yield from _mappings(pod.get(kind))


def _mappings(items: Any) -> list[dict[str, Any]]:
    """Those of a list; none where it is no list."""
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
