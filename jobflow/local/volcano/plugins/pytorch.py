"""The pytorch plugin: the environment that `torch.distributed` starts from.

MASTER_ADDR and MASTER_PORT for every pod, WORLD_SIZE over the master and worker tasks, and RANK: 0 for the master, 1
and on for workers. A Job without the master task gets nothing.
"""

from __future__ import annotations

from jobflow.local.volcano.plugins.flags import Flags
from jobflow.local.volcano.plugins.placement import (
    Placement,
    add_variables,
    hosts,
    open_port,
    task_named,
    variable,
)

FLAGS: Flags = {"master": "master", "worker": "worker", "port": 23456}


def on_pod(placement: Placement) -> None:
    """Append the variables to the main containers, and tell the port."""
    job, port = placement.job, int(placement.flags["port"])
    roles = placement.text("master"), placement.text("worker")
    master = task_named(job, roles[0])
    found = hosts(job, master) if master else []
    if not found:
        return
    size = sum(task.replicas for task in job.spec.tasks if task.name in roles)
    variables = [variable("MASTER_ADDR", found[0]), variable("MASTER_PORT", port), variable("WORLD_SIZE", size)]
    if placement.task.name in roles:
        rank = 0 if placement.task.name == roles[0] else placement.index + 1
        variables.append(variable("RANK", rank))
    add_variables(placement.containers, variables)
    for container in placement.containers:
        open_port(container, "pytorchjob-port", port)
