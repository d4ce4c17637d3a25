"""Pods to run and how far they got: the words that the kubelet and its pod runtimes share.

In: a pod as the API server sends it (PodObject). Out: the Pod that a PodRuntime starts, and the PodState that it
reports each time something changed. A runtime knows nothing of the API, the kubelet nothing of processes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, field

from jobflow.api.metadata import ObjectMeta
from jobflow.local.apiserver.reads.logs import LogOptions
from jobflow.local.kubelet.spec import Container, PodSpec

MAX_HOSTNAME = 63


class PodMeta(ObjectMeta, frozen=True, gc=False, omit_defaults=True):
    """A pod's metadata: a delete tells how long its containers have."""

    deletionGracePeriodSeconds: int | None = None


class StoredCondition(Struct, frozen=True, gc=False):
    """A condition as it is stored."""

    type: str
    status: str = ""
    reason: str = ""
    message: str = ""


class StoredContainer(Struct, frozen=True, gc=False, rename="camel"):
    """A container's status as it is stored."""

    state: dict[str, Any] = {}
    restart_count: int = 0


class StoredStatus(Struct, frozen=True, gc=False, rename="camel"):
    """What of a pod's stored status tells what was done with it before."""

    phase: str = ""
    start_time: datetime | None = None
    pod_ip: str = field(default="", name="podIP")
    conditions: tuple[StoredCondition, ...] = ()
    container_statuses: tuple[StoredContainer, ...] = ()
    init_container_statuses: tuple[StoredContainer, ...] = ()

    @property
    def ran(self) -> bool:
        """Something of it was started."""
        containers = self.container_statuses + self.init_container_statuses
        return self.phase == "Running" or any(each.restart_count or "waiting" not in each.state for each in containers)

    def unschedulable(self) -> str:
        """What it was said to wait for; empty where nothing was said."""
        said = (each.message for each in self.conditions if each.type == "PodScheduled" and each.status == "False")
        return next(said, "")


class PodObject(Struct, frozen=True, gc=False):
    """A pod on the wire."""

    metadata: PodMeta
    spec: PodSpec = PodSpec()
    status: StoredStatus = StoredStatus()


class Pod(Struct, frozen=True, gc=False, kw_only=True):
    """A pod as the kubelet keeps it."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    created: datetime | None
    deleting: bool
    grace_seconds: int | None = None  # of the delete
    labels: dict[str, str]
    annotations: dict[str, str]
    spec: PodSpec
    status: StoredStatus

    @property
    def finished(self) -> bool:
        """Its stored status says that it has ended."""
        return self.status.phase in ("Succeeded", "Failed")

    @property
    def containers(self) -> tuple[Container, ...]:
        """All containers in the order they are started."""
        return self.spec.init_containers + self.spec.containers

    @property
    def hostname(self) -> str:
        """What its containers find the machine to be called: at most 63 characters, as in Kubernetes."""
        return (self.spec.hostname or self.name)[:MAX_HOSTNAME].rstrip("-.")


class Waiting(Struct, frozen=True, gc=False):
    """A container that has not started, or waits to be started again."""

    reason: str = "ContainerCreating"
    message: str = ""


class Running(Struct, frozen=True, gc=False):
    """A container that runs."""

    started_at: datetime


class Terminated(Struct, frozen=True, gc=False):
    """A container that has ended."""

    exit_code: int
    reason: str
    finished_at: datetime
    started_at: datetime | None = None
    message: str = ""
    signal: int = 0


class ContainerState(Struct, frozen=True, gc=False):
    """What one container does now, and how it ended before its last restart."""

    now: Waiting | Running | Terminated = Waiting()
    before: Terminated | None = None
    restarts: int = 0
    started: bool = False  # it runs, and its startup probe has passed
    ready: bool = False  # it runs, and its readiness probe passes; an init container: it is through


class PodPhase(StrEnum):
    """`status.phase` of a pod."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def finished(self) -> bool:
        """No container of it will run again."""
        return self in (PodPhase.SUCCEEDED, PodPhase.FAILED)


class PodState(Struct, frozen=True, gc=False, kw_only=True):
    """How far a pod got. `containers` stand in the order of Pod.containers, init containers first."""

    phase: PodPhase
    containers: tuple[ContainerState, ...]
    started_at: datetime
    address: str = ""
    ready_since: datetime | None = None  # when it became ready, or ceased to be
    finished_at: datetime | None = None
    reason: str = ""
    message: str = ""


class Reporter(Protocol):
    """Who is told what comes of pods."""

    def state(self, pod: Pod, state: PodState) -> None:
        """Something changed."""

    def warn(self, pod: Pod, reason: str, message: str) -> None:
        """Something its user should know; shown by `kubectl describe`."""


class PodRuntime(Protocol):
    """Runs pods. Its calls return at once; what comes of them is reported.

    After `stop` the last report of the pod has a finished phase. `forget` frees what it held beside its logs.
    """

    async def run(self, reporter: Reporter) -> None:
        """Do the work until cancelled; then nothing of any pod is left running."""

    def start(self, pod: Pod, address: str) -> None:
        """Start a pod that was not started before; it is reached at this address of the machine."""

    def stop(self, pod: Pod, grace_seconds: float) -> None:
        """End it: asked politely, after the grace by force. Once more, with less grace, when there is a hurry."""

    def forget(self, pod: Pod) -> None:
        """The pod is gone from the API server."""

    def logs(self, pod: Pod, options: LogOptions) -> AsyncIterator[bytes]:
        """What a container printed. Raises LookupError, in the user's words, where there is nothing."""

    def log_path(self, namespace: str, name: str, container: str) -> Path | None:
        """The log file of the newest run of a container, also of a pod that is gone;

        None where there is none.
        """


def pod_view(pod: PodObject) -> Pod:
    """What the kubelet keeps of a pod."""
    meta = pod.metadata
    return Pod(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        created=meta.creationTimestamp,
        deleting=meta.deletionTimestamp is not None,
        grace_seconds=meta.deletionGracePeriodSeconds,
        labels=meta.labels,
        annotations=meta.annotations,
        spec=pod.spec,
        status=pod.status,
    )
