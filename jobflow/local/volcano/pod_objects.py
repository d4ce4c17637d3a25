"""PodView: one pod of a Volcano Job, as the Job runtime keeps it.

In: the pod as it travels (PodObject). Out: a frozen view: whose it is, how far it got, and what it asks of the node.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct, field

from jobflow.api.metadata import ObjectMeta
from jobflow.local.volcano.amounts import Amounts, Container, requests_of
from jobflow.local.volcano.objects import (
    EPOCH,
    GROUP_NAME,
    JOB_NAME,
    JOB_VERSION,
    PARTITION_ID,
    TASK_INDEX,
    TASK_SPEC,
)


class PodPhase(StrEnum):
    """`status.phase` of a pod."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    UNKNOWN = "Unknown"

    @property
    def finished(self) -> bool:
        """No container of it will run again."""
        return self in (PodPhase.SUCCEEDED, PodPhase.FAILED)


class Terminated(Struct, frozen=True, gc=False, rename="camel"):
    """How a container ended."""

    exit_code: int = 0
    finished_at: datetime | None = None


class ContainerState(Struct, frozen=True, gc=False):
    """What a container is doing; only its end is read."""

    terminated: Terminated | None = None


class ContainerStatus(Struct, frozen=True, gc=False, rename="camel"):
    """The part of a container's status that policies read."""

    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()

    @property
    def finished_at(self) -> datetime | None:
        """When it last ended."""
        ends = (self.state.terminated, self.last_state.terminated)
        return next((end.finished_at for end in ends if end and end.finished_at), None)


class PodCondition(Struct, frozen=True, gc=False):
    """One aspect of a pod's state."""

    type: str = ""
    status: str = ""
    reason: str = ""


UNSCHEDULABLE = PodCondition("PodScheduled", "False", "Unschedulable")


class PodStatus(Struct, frozen=True, gc=False, rename="camel"):
    """The part of a pod's status that the Job runtime reads."""

    phase: str = "Pending"
    conditions: tuple[PodCondition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class PodSpec(Struct, frozen=True, gc=False, rename="camel"):
    """The part of a pod's spec that tells what it takes of a node."""

    node_name: str = ""
    containers: tuple[Container, ...] = ()


class PodObject(Struct, frozen=True, gc=False):
    """A pod on the wire."""

    metadata: ObjectMeta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class PodView(Struct, frozen=True, gc=False, kw_only=True):
    """A Job's pod as the runtime keeps it."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    created: datetime
    deleting: bool
    job: str
    job_uid: str
    task: str
    index: int
    version: int
    phase: PodPhase
    exit_code: int = 0
    restarts: int = 0
    finished_at: datetime | None = None
    ready: bool = False
    partition: str = ""
    group: str = ""
    requests: Amounts = field(default_factory=dict)
    unschedulable: bool = False


def pod_view(pod: PodObject) -> PodView:
    """What the runtime keeps of a pod."""
    meta, status = pod.metadata, pod.status
    owner = next((ref for ref in meta.ownerReferences if ref.controller), None)
    containers = status.container_statuses
    first = containers[0].state.terminated if containers else None
    ends = [end for container in containers if (end := container.finished_at)]
    return PodView(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        created=meta.creationTimestamp or EPOCH,
        deleting=meta.deletionTimestamp is not None,
        job=meta.labels.get(JOB_NAME, ""),
        job_uid=owner.uid if owner else "",
        task=meta.annotations.get(TASK_SPEC, ""),
        index=_number(meta.annotations.get(TASK_INDEX)),
        version=_number(meta.annotations.get(JOB_VERSION)),
        phase=PodPhase(status.phase) if status.phase in list(PodPhase) else PodPhase.UNKNOWN,
        exit_code=first.exit_code if first else 0,
        restarts=sum(status.restart_count for status in (*containers, *status.init_container_statuses)),
        finished_at=max(ends, default=None),
        ready=bool(containers) and all(container.ready for container in containers),
        partition=meta.labels.get(PARTITION_ID, ""),
        group=meta.annotations.get(GROUP_NAME, ""),
        requests=requests_of(pod.spec.containers),
        unschedulable=any(
            (one.type, one.status, one.reason) == ("PodScheduled", "False", "Unschedulable")
            for one in status.conditions
        ),
    )


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0
