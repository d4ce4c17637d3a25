"""The env plugin: every container learns the index of its pod within the task."""

from __future__ import annotations

from jobflow.local.volcano.plugins.flags import Flags
from jobflow.local.volcano.plugins.placement import Placement, add_variables, variable

FLAGS: Flags = {}
INDEX_VARIABLES = ("VK_TASK_INDEX", "VC_TASK_INDEX")  # Volcano sets both: the first is its older spelling


def on_pod(placement: Placement) -> None:
    """Append the variables to all containers and init containers."""
    add_variables(placement.all_containers, [variable(name, placement.index) for name in INDEX_VARIABLES])
