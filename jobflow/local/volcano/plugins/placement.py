"""Placement: one pod about to be created, as plugins see it, and the names by which pods of a Job reach each other.

In: a Job, a task, an index, the pod as a dict. Out: hosts as `<pod>.<job>`, and the few ways in which plugins change a
pod.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from jobflow.local.volcano.objects import Job, TaskSpec
from jobflow.local.volcano.plugins.flags import Value

Body = dict[str, Any]


class _PodSpec(msgspec.Struct, frozen=True):
    hostname: str = ""
    subdomain: str = ""


class _Template(msgspec.Struct, frozen=True):
    spec: _PodSpec = _PodSpec()


@dataclass(frozen=True, slots=True)
class Placement:
    """A pod about to be created. Plugins change `pod` in place."""

    job: Job
    task: TaskSpec
    index: int
    pod: Body
    flags: dict[str, Value]

    @property
    def containers(self) -> list[Body]:
        """The main containers."""
        found: list[Body] = self.pod["spec"].get("containers") or []
        return found

    @property
    def all_containers(self) -> list[Body]:
        """Init containers too."""
        return [*(self.pod["spec"].get("initContainers") or []), *self.containers]

    def text(self, flag: str) -> str:
        """The value of a flag."""
        return str(self.flags[flag])


def pod_name(job: str, task: str, index: int) -> str:
    """`<job>-<task>-<index>`; a name in the template is not looked at."""
    return f"{job}-{task}-{index}"


def hosts(job: Job, task: TaskSpec) -> list[str]:
    """Where the pods of a task are reached; one alone where the template names the host."""
    try:
        given = msgspec.json.decode(task.template, type=_Template).spec
    except msgspec.MsgspecError:
        given = _PodSpec()
    domain = given.subdomain or job.name
    if given.hostname:
        return [f"{given.hostname}.{domain}"] if task.replicas else []
    return [f"{pod_name(job.name, task.name, index)}.{domain}" for index in range(task.replicas)]


def task_named(job: Job, name: str) -> TaskSpec | None:
    """The task of that name."""
    return next((task for task in job.spec.tasks if task.name == name), None)


def add_variables(containers: Iterable[Body], variables: Iterable[Body]) -> None:
    """Append variables to each container's own, which they do not replace: the last of a name counts."""
    added = list(variables)
    for container in containers:
        container["env"] = [*(container.get("env") or ()), *added]


def variable(name: str, value: object) -> Body:
    """A variable with a value."""
    return {"name": name, "value": str(value)}


def add_volume(pod: Body, volume: Body, containers: Iterable[Body], mount: Body) -> None:
    """Give the pod a volume, and containers a mount of it."""
    spec = pod["spec"]
    spec["volumes"] = [*(spec.get("volumes") or ()), volume]
    for container in containers:
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), dict(mount)]


def open_port(container: Body, name: str, number: int) -> None:
    """Tell a port of the container, where it does not tell it itself."""
    ports = container.get("ports") or []
    if not any(port.get("containerPort") == number for port in ports):
        container["ports"] = [*ports, {"name": name, "containerPort": number, "protocol": "TCP"}]
