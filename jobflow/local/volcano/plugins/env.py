"""The env plugin: every container learns the index of its pod within the task."""

from __future__ import annotations

from typing import Any

from jobflow.local.volcano.objects import Job, TaskSpec

INDEX_VARIABLES = ("VK_TASK_INDEX", "VC_TASK_INDEX")  # Volcano sets both: the first is its older spelling


def add_index(job: Job, task: TaskSpec, index: int, pod: dict[str, Any]) -> None:
    """Append the variables to all containers and init containers."""
    spec = pod["spec"]
    for container in (*spec.get("containers", ()), *spec.get("initContainers", ())):
        variables = [{"name": name, "value": str(index)} for name in INDEX_VARIABLES]
        container["env"] = [*container.get("env", ()), *variables]
