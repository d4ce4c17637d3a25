"""The mpi plugin: the master learns the hosts of the workers, as MPI_HOST; all pods tell the port of sshd."""

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

FLAGS: Flags = {"master": "master", "worker": "worker", "port": 22}


def on_pod(placement: Placement) -> None:
    """Append the variable to the master's containers; a Job without workers has no hosts to tell."""
    workers = task_named(placement.job, placement.text("worker"))
    if placement.task.name == placement.text("master") and workers is not None:
        add_variables(placement.all_containers, [variable("MPI_HOST", ",".join(hosts(placement.job, workers)))])
    for container in placement.all_containers:
        open_port(container, "mpijob-port", int(placement.flags["port"]))
