"""Job and PodView: a Volcano Job and one of its pods, as the Job runtime keeps them.

In: the objects as they travel (Structs named ...Object). Out: frozen views. Pod templates stay bytes until a
pod is built from them, so that thousands of Jobs stay small.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Raw, Struct

from jobflow.api.metadata import ObjectMeta

JOB_NAME = "volcano.sh/job-name"
JOB_NAMESPACE = "volcano.sh/job-namespace"
TASK_SPEC = "volcano.sh/task-spec"
TASK_INDEX = "volcano.sh/task-index"
QUEUE_NAME = "volcano.sh/queue-name"
JOB_VERSION = "volcano.sh/job-version"
JOB_RETRY_COUNT = "volcano.sh/job-retry-count"
TEMPLATE_UID = "volcano.sh/template-uid"
GROUP_NAME = "scheduling.k8s.io/group-name"

EPOCH = datetime.fromtimestamp(0, UTC)  # of an object without a creationTimestamp, which no API server sends


class JobPhase(StrEnum):
    """`status.state.phase` of a Job."""

    PENDING = "Pending"
    RUNNING = "Running"
    RESTARTING = "Restarting"
    ABORTING = "Aborting"
    ABORTED = "Aborted"
    COMPLETING = "Completing"
    COMPLETED = "Completed"
    TERMINATING = "Terminating"
    TERMINATED = "Terminated"
    FAILED = "Failed"

    @property
    def finished(self) -> bool:
        """Nothing, not even ResumeJob, changes it any more."""
        return self in (JobPhase.COMPLETED, JobPhase.FAILED, JobPhase.TERMINATED)


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


class PolicyObject(Struct, frozen=True, gc=False, rename="camel"):
    """A lifecycle policy as written: on an event or an exit code, an action."""

    action: str = ""
    event: str = ""
    events: tuple[str, ...] = ()
    exit_code: int | None = None
    timeout: str | None = None


class TaskSpec(Struct, frozen=True, gc=False, rename="camel"):
    """One task of a Job: so many replicas of a pod template."""

    name: str = ""
    replicas: int = 0
    template: Raw = Raw(b"{}")
    min_available: int | None = None
    max_retry: int = 0
    policies: tuple[PolicyObject, ...] = ()
    depends_on: Any = None  # kept only to refuse it
    partition_policy: Any = None  # likewise

    @property
    def needed(self) -> int:
        """Its `minAvailable`, which is all replicas where none is given."""
        return self.replicas if self.min_available is None else self.min_available


class JobSpec(Struct, frozen=True, gc=False, rename="camel"):
    """A Job's spec."""

    tasks: tuple[TaskSpec, ...] = ()
    min_available: int = 0
    min_success: int | None = None
    max_retry: int = 0
    queue: str = ""
    scheduler_name: str = ""
    priority_class_name: str = ""
    policies: tuple[PolicyObject, ...] = ()
    plugins: dict[str, list[str]] = {}
    volumes: tuple[Any, ...] = ()
    ttl_seconds_after_finished: int | None = None

    @property
    def replicas(self) -> int:
        """Pods that the Job should have."""
        return sum(task.replicas for task in self.tasks)


class State(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """`status.state`. Volcano never sets reason and message; the runtime does where it refuses a Job."""

    phase: str = ""
    last_transition_time: datetime | None = None
    reason: str = ""
    message: str = ""


class Condition(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """When a phase was last seen; one entry a phase, the newest at the end."""

    status: str
    last_transition_time: datetime | None = None


class TaskState(Struct, frozen=True, gc=False):
    """Pods of one task by phase."""

    phase: dict[str, int] = {}


class JobStatus(Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """A Job's status, field by field as Volcano writes it."""

    state: State = State()
    min_available: int = 0
    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    terminating: int = 0
    unknown: int = 0
    task_status_count: dict[str, TaskState] = {}
    version: int = 0
    retry_count: int = 0
    running_duration: str | None = None
    conditions: tuple[Condition, ...] = ()

    @property
    def phase(self) -> JobPhase:
        """A new Job has no phase yet and counts as Pending."""
        return JobPhase(self.state.phase or "Pending")


class JobObject(Struct, frozen=True, gc=False):
    """A Job on the wire."""

    metadata: ObjectMeta
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class Job(Struct, frozen=True, gc=False, kw_only=True):
    """A Job as the runtime keeps it."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    created: datetime
    deleting: bool
    spec: JobSpec
    status: JobStatus


class Terminated(Struct, frozen=True, gc=False, rename="camel"):
    """How a container ended."""

    exit_code: int = 0
    finished_at: datetime | None = None


class ContainerState(Struct, frozen=True, gc=False):
    """What a container is doing; only its end is read."""

    terminated: Terminated | None = None


class ContainerStatus(Struct, frozen=True, gc=False, rename="camel"):
    """The part of a container's status that policies read."""

    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()

    @property
    def finished_at(self) -> datetime | None:
        """When it last ended."""
        ends = (self.state.terminated, self.last_state.terminated)
        return next((end.finished_at for end in ends if end and end.finished_at), None)


class PodStatus(Struct, frozen=True, gc=False, rename="camel"):
    """The part of a pod's status that the Job runtime reads."""

    phase: str = "Pending"
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class PodObject(Struct, frozen=True, gc=False):
    """A pod on the wire."""

    metadata: ObjectMeta
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


def job_view(job: JobObject) -> Job:
    """What the runtime keeps of a Job.

    Templates are copied out of the message, which would else stay in memory.
    """
    meta = job.metadata
    tasks = tuple(msgspec.structs.replace(task, template=task.template.copy()) for task in job.spec.tasks)
    return Job(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        created=meta.creationTimestamp or EPOCH,
        deleting=meta.deletionTimestamp is not None,
        spec=msgspec.structs.replace(job.spec, tasks=tasks),
        status=job.status,
    )


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
    )


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0
