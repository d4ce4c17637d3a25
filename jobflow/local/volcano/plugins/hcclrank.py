"""The hcclrank plugin: each pod's rank as annotation `hccl/rankIndex`; masters first, then workers.

A rank that the pod has already stands: as the annotation, or as variable RANK of a container.
"""

from __future__ import annotations

from jobflow.local.volcano.plugins.flags import Flags
from jobflow.local.volcano.plugins.placement import Placement, task_named

FLAGS: Flags = {"master": "master", "worker": "worker"}
RANK_INDEX = "hccl/rankIndex"


def on_pod(placement: Placement) -> None:
    """Add the annotation."""
    annotations = placement.pod["metadata"].setdefault("annotations", {})
    if annotations.get(RANK_INDEX):
        return
    given = (
        str(variable["value"])
        for container in placement.containers
        for variable in container.get("env") or ()
        if variable.get("name") == "RANK" and variable.get("value")
    )
    rank = next(given, None) or _rank(placement)
    if rank is not None:
        annotations[RANK_INDEX] = rank


def _rank(placement: Placement) -> str | None:
    master = placement.text("master")
    if placement.task.name == master:
        return str(placement.index)
    if placement.task.name != placement.text("worker"):
        return None
    masters = task_named(placement.job, master)
    return str((masters.replicas if masters else 0) + placement.index)
