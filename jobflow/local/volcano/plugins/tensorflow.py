"""The tensorflow plugin: TF_CONFIG, which tells a process the whole cluster and its own place in it.

A Job of a single pod needs none and gets none.
"""

from __future__ import annotations

import msgspec

from jobflow.local.volcano.plugins.flags import Flags
from jobflow.local.volcano.plugins.placement import Placement, add_variables, hosts, task_named, variable

ROLES = ("ps", "worker", "chief", "evaluator")
FLAGS: Flags = {**{role: role for role in ROLES}, "port": 2222}


def on_pod(placement: Placement) -> None:
    """Append the variable to the main containers."""
    job = placement.job
    if job.spec.replicas == 1 and len(job.spec.tasks) == 1:
        return
    cluster = {}
    role_of = {placement.text(role): role for role in ROLES}
    for role in ROLES:
        task = task_named(job, placement.text(role))
        if task is not None and task.replicas:
            cluster[role] = [f"{host}:{placement.text('port')}" for host in hosts(job, task)]
    own = {"type": role_of.get(placement.task.name, placement.task.name), "index": placement.index}
    config = msgspec.json.encode({"cluster": cluster, "task": own}).decode()
    add_variables(placement.containers, [variable("TF_CONFIG", config)])
