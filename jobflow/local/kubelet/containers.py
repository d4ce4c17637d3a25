"""Pods to run and how far they got: the words that the kubelet and its pod runtimes share.

In: a pod as the API server sends it (PodObject). Out: the Pod that a PodRuntime starts, and the PodState that
it reports each time something changed. A runtime knows nothing of the API, the kubelet nothing of processes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from jobflow.api.metadata import ObjectMeta
from jobflow.local.apiserver.logs import LogOptions


class RestartPolicy(StrEnum):
    """Whether containers that end are started again."""

    ALWAYS = "Always"
    ON_FAILURE = "OnFailure"
    NEVER = "Never"


class FieldRef(Struct, frozen=True, gc=False, rename="camel"):
    """A field of the pod itself, as the value of a variable."""

    field_path: str


class EnvSource(Struct, frozen=True, gc=False, rename="camel"):
    """Where a variable's value comes from. Of these only fields of the pod can be had here."""

    field_ref: FieldRef | None = None
    resource_field_ref: dict[str, Any] | None = None
    config_map_key_ref: dict[str, Any] | None = None
    secret_key_ref: dict[str, Any] | None = None


class EnvVar(Struct, frozen=True, gc=False, rename="camel"):
    """One environment variable."""

    name: str
    value: str = ""
    value_from: EnvSource | None = None


class Container(Struct, frozen=True, gc=False, rename="camel"):
    """One container, as far as it can be run as a process."""

    name: str
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[dict[str, Any], ...] = ()
    volume_mounts: tuple[dict[str, Any], ...] = ()
    restart_policy: str | None = None


class PodSpec(Struct, frozen=True, gc=False, rename="camel"):
    """A pod's spec."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    restart_policy: str = "Always"
    termination_grace_period_seconds: int | None = None
    node_name: str = ""
    hostname: str = ""
    service_account_name: str = ""


class StoredStatus(Struct, frozen=True, gc=False, rename="camel"):
    """What of a pod's stored status tells whether it was started before."""

    phase: str = ""
    start_time: datetime | None = None


class PodObject(Struct, frozen=True, gc=False):
    """A pod on the wire."""

    metadata: ObjectMeta
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
    finished_at: datetime | None = None
    reason: str = ""
    message: str = ""


Report = Callable[[Pod, PodState], None]


class PodRuntime(Protocol):
    """Runs pods. Its calls return at once; what comes of them is reported.

    After `stop` the last report of the pod has a finished phase. `forget` frees what it held beside its logs.
    """

    async def run(self, report: Report) -> None:
        """Do the work until cancelled; then nothing of any pod is left running."""

    def start(self, pod: Pod) -> None:
        """Start a pod that was not started before."""

    def stop(self, pod: Pod, grace_seconds: float) -> None:
        """End it: asked politely, after the grace by force."""

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
        labels=meta.labels,
        annotations=meta.annotations,
        spec=pod.spec,
        status=pod.status,
    )
