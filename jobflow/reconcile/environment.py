"""Environment: what the pods of a step are told of where they are.

In: a Job's spec, its flow's name and its node. Out: the same spec with JOBFLOW_NAME, JOBFLOW_STEP, JOBFLOW_INDEX and
JOBFLOW_ATTEMPT in the environment of every container that does not set them itself. Only steps that use something
which Volcano's own controller does not know get them: the children of all others are what they would be under that
one.
"""

from __future__ import annotations

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
    for task in spec.get("tasks") or ():
        pod = ((task.get("template") or {}).get("spec")) or {}
        for container in (one for kind in CONTAINERS for one in pod.get(kind) or ()):
            own = container.get("env") or []
            set_already = {variable.get("name") for variable in own}
            more = [{"name": name, "value": value} for name, value in told.items() if name not in set_already]
            container["env"] = [*more, *own]  # first, so that the container's own variables may refer to them
