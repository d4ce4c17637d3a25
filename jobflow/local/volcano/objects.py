"""Job: a Volcano Job as the Job runtime keeps it.

In: the object as it travels (JobObject). Out: a frozen view. Pod templates stay bytes until a pod is built from them,
so that thousands of Jobs stay small. Its pods are in `pod_objects.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from msgspec import Raw, Struct
from msgspec.structs import replace

from jobflow.api.metadata import ObjectMeta
from jobflow.api.resources import VOLCANO_JOB

JOB_NAME = "volcano.sh/job-name"
JOB_NAMESPACE = "volcano.sh/job-namespace"
TASK_SPEC = "volcano.sh/task-spec"
TASK_INDEX = "volcano.sh/task-index"
QUEUE_NAME = "volcano.sh/queue-name"
PARTITION_ID = "volcano.sh/partition-id"
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


class PolicyObject(Struct, frozen=True, gc=False, rename="camel"):
    """A lifecycle policy as written: on an event or an exit code, an action."""

    action: str = ""
    event: str = ""
    events: tuple[str, ...] = ()
    exit_code: int | None = None
    timeout: str | None = None


class Dependency(Struct, frozen=True, gc=False):
    """What a task waits for: all of the tasks named, or any of them."""

    name: tuple[str, ...] = ()
    iteration: str = ""


class NetworkTopology(Struct, frozen=True, gc=False, rename="camel"):
    """How near to each other pods must be; only that it is not said twice is looked at."""

    highest_tier_allowed: int | None = None
    highest_tier_name: str = ""


class PartitionPolicy(Struct, frozen=True, gc=False, rename="camel"):
    """The replicas of a task in parts of equal size."""

    total_partitions: int = 0
    partition_size: int = 0
    min_partitions: int = 0
    network_topology: NetworkTopology | None = None


class TaskSpec(Struct, frozen=True, gc=False, rename="camel"):
    """One task of a Job: so many replicas of a pod template."""

    name: str = ""
    replicas: int = 0
    template: Raw = Raw(b"{}")
    min_available: int | None = None
    max_retry: int = 0
    policies: tuple[PolicyObject, ...] = ()
    topology_policy: str = ""
    depends_on: Dependency | None = None
    partition_policy: PartitionPolicy | None = None

    @property
    def needed(self) -> int:
        """Its `minAvailable`; where none is given, its least partitions, or all replicas."""
        if self.min_available is not None:
            return self.min_available
        parts = self.partition_policy
        return parts.min_partitions * parts.partition_size if parts and parts.min_partitions else self.replicas


class Volume(Struct, frozen=True, gc=False, rename="camel"):
    """A volume that every main container of the Job mounts: a claim that exists, or one to make."""

    mount_path: str = ""
    volume_claim_name: str = ""
    volume_claim: Raw = Raw(b"null")

    @property
    def described(self) -> bool:
        """Whether there is a claim to make."""
        return bytes(self.volume_claim) != b"null"


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
    volumes: tuple[Volume, ...] = ()
    network_topology: NetworkTopology | None = None
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
    controlled_resources: dict[str, str] = {}
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
    generation: int = 0
    created: datetime
    deleting: bool
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    spec: JobSpec
    status: JobStatus


def job_view(job: JobObject) -> Job:
    """What the runtime keeps of a Job.

    Templates and claims are copied out of the message, which would else stay in memory.
    """
    meta = job.metadata
    tasks = tuple(replace(task, template=task.template.copy()) for task in job.spec.tasks)
    volumes = tuple(replace(volume, volume_claim=volume.volume_claim.copy()) for volume in job.spec.volumes)
    return Job(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        generation=meta.generation,
        created=meta.creationTimestamp or EPOCH,
        deleting=meta.deletionTimestamp is not None,
        labels=meta.labels,
        annotations=meta.annotations,
        spec=replace(job.spec, tasks=tasks, volumes=volumes),
        status=job.status,
    )


def owner_reference(job: Job) -> dict[str, Any]:
    """What makes an object the Job's: it goes when the Job goes."""
    return {
        "apiVersion": VOLCANO_JOB.api_version,
        "kind": VOLCANO_JOB.kind,
        "name": job.name,
        "uid": job.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
