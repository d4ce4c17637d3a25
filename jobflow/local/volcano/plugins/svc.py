"""The svc plugin: the pods of a Job find each other.

Each pod gets a host name and the Job's name as its domain, for which there is a headless Service; a ConfigMap
`<job>-svc`, mounted at /etc/volcano, lists the hosts of each task, and VC_<TASK>_HOSTS and VC_<TASK>_NUM say the same
in the environment. Volcano also makes a NetworkPolicy; pods here are in no network that could enforce one.
"""

from __future__ import annotations

from jobflow.api.resources import CONFIG_MAP, SERVICE
from jobflow.local.volcano.objects import JOB_NAME, JOB_NAMESPACE, Job, owner_reference
from jobflow.local.volcano.plugins.flags import Flags, Value
from jobflow.local.volcano.plugins.placement import Body, Placement, add_variables, add_volume, hosts

FLAGS: Flags = {"publish-not-ready-addresses": False, "disable-network-policy": False, "inject-hosts-env": True}
MOUNT_PATH = "/etc/volcano"


def config_name(job: Job) -> str:
    """The ConfigMap that lists the hosts."""
    return f"{job.name}-svc"


def host_files(job: Job) -> dict[str, str]:
    """What the ConfigMap holds: of each task a file of hosts, and two values for the environment."""
    files: dict[str, str] = {}
    for task in job.spec.tasks:
        key, found = task.name.replace("-", "_"), hosts(job, task)
        files[f"{key}.host"] = "\n".join(found)
        files[f"VC_{key.upper()}_HOSTS"] = ",".join(found)
        files[f"VC_{key.upper()}_NUM"] = str(len(found))
    return files


def on_pod(placement: Placement) -> None:
    """Host name, domain, variables and the mounted list."""
    job, spec = placement.job, placement.pod["spec"]
    spec["hostname"] = spec.get("hostname") or placement.pod["metadata"]["name"]
    spec["subdomain"] = spec.get("subdomain") or job.name
    name = config_name(job)
    if placement.flags["inject-hosts-env"]:
        keys = (
            f"VC_{task.name.replace('-', '_').upper()}_{what}" for task in job.spec.tasks for what in ("HOSTS", "NUM")
        )
        variables = [{"name": key, "valueFrom": {"configMapKeyRef": {"name": name, "key": key}}} for key in keys]
        add_variables(placement.all_containers, variables)
    volume = {"name": name, "configMap": {"name": name}}
    mount = {"name": name, "mountPath": MOUNT_PATH}
    add_volume(placement.pod, volume, placement.all_containers, mount)


def objects(job: Job, flags: dict[str, Value]) -> list[Body]:
    """The ConfigMap and the Service."""
    owner = owner_reference(job)
    hosts_map = {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.kind,
        "metadata": {"name": config_name(job), "namespace": job.namespace, "ownerReferences": [owner]},
        "data": host_files(job),
    }
    service = {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.kind,
        "metadata": {"name": job.name, "namespace": job.namespace, "ownerReferences": [owner]},
        "spec": {
            "clusterIP": "None",
            "selector": {JOB_NAME: job.name, JOB_NAMESPACE: job.namespace},
            "publishNotReadyAddresses": bool(flags["publish-not-ready-addresses"]),
        },
    }
    return [hosts_map, service]
