"""Volcano's objects that jobflow does not write by hand: a Job's status, Queue, PodGroup and Command.

In: parsed JSON. Out: the source of the schemas by which the embedded API server serves these kinds, with the
fields that schedulers, `kubectl` columns and jobflow read. In a cluster Volcano's own definitions of them are
installed.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from jobflow.api.volcano import Count, NetworkTopology, VolcanoModel

QUANTITIES: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
        r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
        "x-kubernetes-int-or-string": True,
    },
}
Quantities = Annotated[dict[str, str | int], WithJsonSchema(QUANTITIES)]
Int32 = Annotated[int, Field(json_schema_extra={"format": "int32"})]


class JobPhase(StrEnum):
    """The phases of a Volcano Job."""

    PENDING = "Pending"
    ABORTING = "Aborting"
    ABORTED = "Aborted"
    RUNNING = "Running"
    RESTARTING = "Restarting"
    COMPLETING = "Completing"
    COMPLETED = "Completed"
    TERMINATING = "Terminating"
    TERMINATED = "Terminated"
    FAILED = "Failed"


class JobState(VolcanoModel):
    """The phase of a Job and since when."""

    phase: Annotated[JobPhase | None, Field(description="The phase.")] = None
    reason: Annotated[str | None, Field(description="One CamelCase word that says why.")] = None
    message: Annotated[str | None, Field(description="The reason as a sentence.")] = None
    last_transition_time: Annotated[
        datetime | None, Field(description="When the status last changed, in its phase or in a count.")
    ] = None


class JobPhaseCondition(VolcanoModel):
    """One phase that a Job went through."""

    status: Annotated[str, Field(description="The phase.")]
    last_transition_time: Annotated[
        datetime | None, Field(description="When the Job last changed while in this phase.")
    ] = None


class TaskPods(VolcanoModel):
    """Pods of one task."""

    phase: Annotated[dict[str, Int32] | None, Field(description="Number of pods by pod phase.")] = None


class JobStatus(VolcanoModel):
    """What became of a Job so far."""

    state: Annotated[JobState | None, Field(description="The phase of the Job and since when.")] = None
    min_available: Annotated[Count | None, Field(description="spec.minAvailable as last seen.")] = None
    pending: Annotated[Count | None, Field(description="Pods that are pending.")] = None
    running: Annotated[Count | None, Field(description="Pods that run.")] = None
    succeeded: Annotated[Count | None, Field(description="Pods that succeeded.")] = None
    failed: Annotated[Count | None, Field(description="Pods that failed.")] = None
    terminating: Annotated[Count | None, Field(description="Pods that are being deleted.")] = None
    unknown: Annotated[Count | None, Field(description="Pods in phase Unknown.")] = None
    task_status_count: Annotated[dict[str, TaskPods] | None, Field(description="Pods by task and phase.")] = None
    version: Annotated[Count | None, Field(description="Raised by one each time all pods are killed.")] = None
    retry_count: Annotated[Count | None, Field(description="How often the Job was restarted.")] = None
    running_duration: Annotated[
        str | None, Field(description="From creation to end, as a Go duration; set when the Job ended.")
    ] = None
    controlled_resources: Annotated[
        dict[str, str] | None, Field(description="Objects made for the Job by plugins and volumes.")
    ] = None
    conditions: Annotated[
        list[JobPhaseCondition] | None, Field(description="The phases the Job went through, oldest first.")
    ] = None


class Guarantee(VolcanoModel):
    """Resources kept for a queue."""

    resource: Annotated[Quantities | None, Field(description="Amounts by resource name.")] = None


class NodeGroups(VolcanoModel):
    """Node groups that are demanded or preferred."""

    required_during_scheduling_ignored_during_execution: Annotated[
        list[str] | None, Field(description="Names of the node groups that are demanded.")
    ] = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[str] | None, Field(description="Names of the node groups that are preferred.")
    ] = None


class QueueAffinity(VolcanoModel):
    """Node groups that the pods of a queue go to or stay away from."""

    node_group_affinity: Annotated[NodeGroups | None, Field(description="Node groups to use.")] = None
    node_group_anti_affinity: Annotated[NodeGroups | None, Field(description="Node groups to avoid.")] = None


class ClusterShare(VolcanoModel):
    """A cluster that jobs of a queue are sent to."""

    name: Annotated[str | None, Field(description="Name of the cluster.")] = None
    weight: Annotated[Int32 | None, Field(description="Its share.")] = None
    capacity: Annotated[Quantities | None, Field(description="What it may take, by resource name.")] = None


class QueueSpec(VolcanoModel):
    """What jobs of a queue may use."""

    weight: Annotated[Int32 | None, Field(description="Share of the cluster against other queues.")] = None
    capability: Annotated[Quantities | None, Field(description="Upper limits by resource name.")] = None
    deserved: Annotated[
        Quantities | None, Field(description="Amounts by resource name beyond which others may reclaim.")
    ] = None
    guarantee: Annotated[Guarantee | None, Field(description="Resources kept for the queue.")] = None
    reclaimable: Annotated[bool | None, Field(description="Whether other queues may take back what it uses.")] = None
    parent: Annotated[str | None, Field(description="Name of the queue above it.")] = None
    priority: Annotated[Int32 | None, Field(description="Order among queues; higher goes first.")] = None
    type: Annotated[str | None, Field(description="Kind of queue.")] = None
    dequeue_strategy: Annotated[
        str | None,
        Field(description="fifo: a job that does not fit holds up the queue. traverse: later ones may pass."),
    ] = None
    affinity: Annotated[QueueAffinity | None, Field(description="Node groups of its pods.")] = None
    extend_clusters: Annotated[list[ClusterShare] | None, Field(description="Other clusters to use.")] = None


class QueueStatus(VolcanoModel):
    """What a queue holds now."""

    state: Annotated[str | None, Field(description="Open, Closed, Closing or Unknown.")] = None
    pending: Annotated[Int32 | None, Field(description="PodGroups that are pending.")] = None
    inqueue: Annotated[Int32 | None, Field(description="PodGroups that were let in and wait for nodes.")] = None
    running: Annotated[Int32 | None, Field(description="PodGroups that run.")] = None
    completed: Annotated[Int32 | None, Field(description="PodGroups that completed.")] = None
    unknown: Annotated[Int32 | None, Field(description="PodGroups in phase Unknown.")] = None
    allocated: Annotated[Quantities | None, Field(description="What is in use, by resource name.")] = None


class PodGroupSpec(VolcanoModel):
    """Pods that are placed together or not at all."""

    min_member: Annotated[Int32 | None, Field(description="Number of pods that must fit at once.")] = None
    min_task_member: Annotated[
        dict[str, Int32] | None, Field(description="Number of pods of each task that must fit at once.")
    ] = None
    min_resources: Annotated[Quantities | None, Field(description="Resources that must be free, by resource name.")] = (
        None
    )
    queue: Annotated[str | None, Field(description="The queue it waits in.")] = None
    priority_class_name: Annotated[str | None, Field(description="The PriorityClass of the pods.")] = None
    network_topology: Annotated[
        NetworkTopology | None, Field(description="How near to each other in the network the pods must be.")
    ] = None


class PodGroupCondition(VolcanoModel):
    """Something the scheduler says of a PodGroup."""

    type: Annotated[str | None, Field(description="What is told of.")] = None
    status: Annotated[str | None, Field(description="True, False or Unknown.")] = None
    reason: Annotated[str | None, Field(description="One CamelCase word that says why.")] = None
    message: Annotated[str | None, Field(description="The reason as a sentence.")] = None
    transition_id: Annotated[
        str | None, Field(alias="transitionID", description="Identifies the scheduling session.")
    ] = None
    last_transition_time: Annotated[datetime | None, Field(description="When it last changed.")] = None


class PodGroupStatus(VolcanoModel):
    """Where a PodGroup stands."""

    phase: Annotated[str | None, Field(description="Pending, Inqueue, Running, Completed or Unknown.")] = None
    running: Annotated[Int32 | None, Field(description="Pods that run.")] = None
    succeeded: Annotated[Int32 | None, Field(description="Pods that succeeded.")] = None
    failed: Annotated[Int32 | None, Field(description="Pods that failed.")] = None
    conditions: Annotated[list[PodGroupCondition] | None, Field(description="What the scheduler says of it.")] = None


class CommandTarget(VolcanoModel):
    """The object that a Command is for."""

    api_version: Annotated[str, Field(description="apiVersion of the object.")]
    kind: Annotated[str, Field(description="Kind of the object.")]
    name: Annotated[str, Field(description="Name of the object.")]
    uid: Annotated[str, Field(description="UID of the object.")]
    controller: Annotated[bool | None, Field(description="As in an owner reference.")] = None
    block_owner_deletion: Annotated[bool | None, Field(description="As in an owner reference.")] = None


class CommandFields(VolcanoModel):
    """The fields of a Command, which has no spec."""

    action: Annotated[str | None, Field(description="What to do, such as AbortJob or ResumeJob.")] = None
    target: Annotated[
        CommandTarget | None,
        Field(description="The object to do it to.", json_schema_extra={"x-kubernetes-map-type": "atomic"}),
    ] = None
    reason: Annotated[str | None, Field(description="One CamelCase word that says why.")] = None
    message: Annotated[str | None, Field(description="The reason as a sentence.")] = None
