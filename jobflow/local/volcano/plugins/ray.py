"""The ray plugin: the head and worker containers start a Ray cluster in place of their own commands.

For the head there is a Service of the Job's name that the svc plugin would make as well; which of the two comes first
keeps it, as in Volcano.
"""

from __future__ import annotations

from jobflow.api.resources import SERVICE
from jobflow.local.volcano.objects import JOB_NAME, JOB_NAMESPACE, TASK_SPEC, Job, owner_reference
from jobflow.local.volcano.plugins.flags import Flags, Value
from jobflow.local.volcano.plugins.placement import Body, Placement, hosts, open_port, task_named

PORTS = {"gcs": "port", "dashboard": "dashboardPort", "client-server": "clientPort"}  # by name, the flag
FLAGS: Flags = {
    "head": "head",
    "headContainer": "head",
    "worker": "worker",
    "workerContainer": "worker",
    "port": 6379,
    "dashboardPort": 8265,
    "clientPort": 10001,
}


def on_pod(placement: Placement) -> None:
    """Replace the commands of the containers that the flags name."""
    head = task_named(placement.job, placement.text("head"))
    addresses = hosts(placement.job, head) if head else []
    for container in placement.containers:
        if placement.task.name == placement.text("head") and container.get("name") == placement.text("headContainer"):
            for name, flag in PORTS.items():
                open_port(container, name, int(placement.flags[flag]))
            container["command"] = ["sh", "-c", _head_command(placement)]
        elif (
            placement.task.name == placement.text("worker")
            and container.get("name") == placement.text("workerContainer")
            and addresses
        ):
            start = f"ray start --block --address={addresses[0]}:{placement.flags['port']}"
            container["command"] = ["sh", "-c", start]


def _head_command(placement: Placement) -> str:
    return (
        f"ray start --head --block --dashboard-host=0.0.0.0 --port={placement.flags['port']} "
        f"--dashboard-port={placement.flags['dashboardPort']} --ray-client-server-port={placement.flags['clientPort']}"
    )


def objects(job: Job, flags: dict[str, Value]) -> list[Body]:
    """The Service of the head."""
    service = {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.kind,
        "metadata": {"name": job.name, "namespace": job.namespace, "ownerReferences": [owner_reference(job)]},
        "spec": {
            "selector": {JOB_NAME: job.name, JOB_NAMESPACE: job.namespace, TASK_SPEC: str(flags["head"])},
            "ports": [
                {"name": name, "port": flags[flag], "targetPort": name, "protocol": "TCP"}
                for name, flag in PORTS.items()
            ],
        },
    }
    return [service]
