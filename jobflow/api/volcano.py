"""Volcano's Job as people write it: pydantic models of `spec`, as far as jobflow or its Job runtime read it.

In: parsed YAML or JSON of a Job, or of a JobTemplate, whose `spec` is a Job's. Out: validated specs, and the
source of the schemas of both kinds. Fields, JSON types, limits and defaults are Volcano's; the words are
ours. Pod templates are kept as they are: only what names their parts is typed, so that lists merge by name.
Queue, PodGroup, Command and a Job's status are in `volcano_objects.py`; rules that span fields in
`validate_template.py`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from jobflow.api.jobflow import SpecModel
from jobflow.api.parameters import TemplateParameter
from jobflow.api.pod_template import POD_TEMPLATE, VOLUME_CLAIM

DNS_LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"

Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})]
Positive = Annotated[int, Field(ge=1, json_schema_extra={"format": "int32"})]
SubdomainName = Annotated[str, Field(max_length=253, pattern=DNS_SUBDOMAIN_PATTERN)]
GoDuration = Annotated[str, Field(examples=["5m", "1h30m"])]


class VolcanoModel(SpecModel):
    """Base: field names as Volcano writes them, in camel case."""

    model_config = ConfigDict(alias_generator=to_camel)


class PolicyEvent(StrEnum):
    """What may happen to a pod, a task or a Job, as a policy names it."""

    ANY = "*"
    POD_PENDING = "PodPending"
    POD_RUNNING = "PodRunning"
    POD_FAILED = "PodFailed"
    POD_EVICTED = "PodEvicted"
    UNKNOWN = "Unknown"
    TASK_COMPLETED = "TaskCompleted"
    OUT_OF_SYNC = "OutOfSync"
    COMMAND_ISSUED = "CommandIssued"
    JOB_UPDATED = "JobUpdated"
    TASK_FAILED = "TaskFailed"
    JOB_UNKNOWN = "JobUnknown"  # what Volcano's guide calls Unknown; its API does not know the word


class TopologyPolicy(StrEnum):
    """How the pods of a task must fit the NUMA nodes of a machine."""

    NONE = "none"
    BEST_EFFORT = "best-effort"
    RESTRICTED = "restricted"
    SINGLE_NUMA_NODE = "single-numa-node"


class NetworkMode(StrEnum):
    """Whether a network topology is demanded or only preferred."""

    HARD = "hard"
    SOFT = "soft"


class Policy(VolcanoModel):
    """What Volcano does when something happens to a pod of the Job or task."""

    action: Annotated[
        str | None,
        Field(
            description=(
                "What to do: AbortJob, RestartJob, RestartTask, RestartPod, RestartPartition, "
                "TerminateJob, CompleteJob or ResumeJob."
            )
        ),
    ] = None
    event: Annotated[
        PolicyEvent | None,
        Field(description="The event to act on, * for any; JobUnknown is accepted for Unknown. Not beside exitCode."),
    ] = None
    events: Annotated[list[PolicyEvent] | None, Field(description="Several events to act on, each as in event.")] = None
    exit_code: Annotated[
        int | None,
        Field(
            description="The exit code of a pod's first container to act on, not 0. Not beside event or events.",
            json_schema_extra={"format": "int32"},
        ),
    ] = None
    timeout: Annotated[
        GoDuration | None,
        Field(description="How long to wait before acting, as a Go duration such as 5m. Default at once."),
    ] = None


class NetworkTopology(VolcanoModel):
    """How near to each other in the network the pods must be."""

    mode: Annotated[
        NetworkMode,
        Field(
            description="hard places the pods only within the tier allowed; soft prefers it.",
            json_schema_extra={"x-crd-default": "hard"},
        ),
    ] = NetworkMode.HARD
    highest_tier_allowed: Annotated[
        int | None,
        Field(ge=0, description="The highest tier of the network that the pods may span, as a number."),
    ] = None
    highest_tier_name: Annotated[
        str | None,
        Field(max_length=253, description="The same by the tier's name. Not beside highestTierAllowed."),
    ] = None


class PartitionPolicy(VolcanoModel):
    """The pods of a task in partitions of equal size, each placed as a whole."""

    total_partitions: Annotated[
        Positive, Field(description="Number of partitions; times partitionSize it is the task's replicas.")
    ]
    partition_size: Annotated[Positive, Field(description="Number of pods in each partition.")]
    min_partitions: Annotated[
        Count,
        Field(
            description="Number of partitions that must be placed before the task starts.",
            json_schema_extra={"x-crd-default": 0},
        ),
    ] = 0
    network_topology: Annotated[
        NetworkTopology | None, Field(description="How near to each other the pods of one partition must be.")
    ] = None


class TaskDependency(VolcanoModel):
    """The tasks of the same Job that must run before this one starts."""

    name: Annotated[
        list[str] | None,
        Field(description="Names of the tasks; each holds once enough of its pods run and are ready."),
    ] = None
    iteration: Annotated[
        str | None,
        Field(description="any: one of the tasks is enough. all: every one must hold. Default all."),
    ] = None


class Task(VolcanoModel):
    """Pods of one kind within a Job."""

    name: Annotated[
        str | None,
        Field(
            max_length=63,
            pattern=DNS_LABEL_PATTERN,
            description="Name of the task, unique in the Job and part of its pods' names. Default default<position>.",
        ),
    ] = None
    replicas: Annotated[Count | None, Field(description="Number of pods.")] = None
    min_available: Annotated[
        Count | None,
        Field(description="Number of pods that must be placed before the task starts. Default the replicas."),
    ] = None
    template: Annotated[
        dict[str, Any] | None,
        WithJsonSchema(POD_TEMPLATE),
        Field(description="The pod, as Kubernetes knows it: metadata and spec."),
    ] = None
    policies: Annotated[
        list[Policy] | None, Field(description="Policies of this task; they are looked at before the Job's.")
    ] = None
    topology_policy: Annotated[
        TopologyPolicy | None,
        Field(description="How the pods must fit the NUMA nodes of a machine. Default none."),
    ] = None
    max_retry: Annotated[
        Count | None,
        Field(description="Restarts of the pods' containers after which the task counts as failed. Default 3."),
    ] = None
    depends_on: Annotated[
        TaskDependency | None, Field(description="Tasks of this Job that must run before this one starts.")
    ] = None
    partition_policy: Annotated[
        PartitionPolicy | None, Field(description="Places the pods in partitions of equal size.")
    ] = None


class Volume(VolcanoModel):
    """A volume that every container of every pod of the Job mounts."""

    mount_path: Annotated[
        str,
        Field(
            min_length=1,
            pattern=r"^[^:]+$",
            description="Where the containers see the volume; without a colon.",
        ),
    ]
    volume_claim_name: Annotated[
        str | None, Field(max_length=253, description="Name of a PersistentVolumeClaim that exists.")
    ] = None
    volume_claim: Annotated[
        dict[str, Any] | None,
        WithJsonSchema(VOLUME_CLAIM),
        Field(description="The spec of a PersistentVolumeClaim to make for the Job. Not beside volumeClaimName."),
    ] = None


class JobSpec(VolcanoModel):
    """A Volcano Job: tasks of pods that are placed together, and what happens when some of them end."""

    scheduler_name: Annotated[
        str | None, Field(max_length=63, description="The scheduler that places the pods. Default volcano.")
    ] = None
    min_available: Annotated[
        Count | None,
        Field(description="Number of pods that must be placed before the Job starts. Default the sum over its tasks."),
    ] = None
    min_success: Annotated[
        Positive | None, Field(description="Number of succeeded pods at which the Job counts as completed.")
    ] = None
    max_retry: Annotated[
        Count,
        Field(
            description="Number of runs after which a Job that keeps restarting fails.",
            json_schema_extra={"x-crd-default": 3},
        ),
    ] = 3
    queue: Annotated[
        SubdomainName,
        Field(
            description="The Volcano queue that the Job waits in.",
            json_schema_extra={"x-crd-default": "default"},
        ),
    ] = "default"
    priority_class_name: Annotated[
        SubdomainName | None, Field(description="The PriorityClass of the Job and of its pods.")
    ] = None
    ttl_seconds_after_finished: Annotated[
        Count | None, Field(description="Seconds after its end at which the Job is deleted. Absent: never.")
    ] = None
    running_estimate: Annotated[
        GoDuration | None,
        Field(description="How long the Job is expected to run, as a Go duration; for the scheduler."),
    ] = None
    tasks: Annotated[list[Task] | None, Field(min_length=1, description="The tasks; at least one.")] = None
    policies: Annotated[
        list[Policy] | None, Field(description="What to do when something happens to a pod of any task.")
    ] = None
    plugins: Annotated[
        dict[str, list[str]] | None,
        Field(
            description=(
                "Volcano plugins by name, each with its arguments: env, svc, ssh, pytorch, "
                "tensorflow, mpi, ray, hcclrank."
            )
        ),
    ] = None
    volumes: Annotated[list[Volume] | None, Field(description="Volumes that every container of the Job mounts.")] = None
    network_topology: Annotated[
        NetworkTopology | None, Field(description="How near to each other in the network the pods must be.")
    ] = None


class JobTemplateSpec(JobSpec):
    """The spec of a JobTemplate: a Volcano Job's, and the parameters that are left open in it."""

    parameters: Annotated[
        list[TemplateParameter] | None,
        Field(
            description="Values that are left open: $(params.<name>) in the texts of the spec stands for them. Without "
            "this list the spec is taken as it is.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = None
