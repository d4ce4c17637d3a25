"""Volcano's Job: its wire form and what its status means to a flow.

In: a Job as the API server sends it, decoded to a Struct that keeps only what is read. Out: a ChildView.
Sources: Volcano's Job controller for the phases; upstream's JobFlow controller for which status list names a Job.
Where upstream leaves a phase out of every list (Completing, Terminating) or in a list that hangs the flow
(Restarting, Aborted) docs/coming-from-volcano.md says what we do instead.
"""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct, field

from jobflow.api import names
from jobflow.api.children import ChildPhase, ChildView, Node, StatusList
from jobflow.api.metadata import ObjectMeta, OwnerReference
from jobflow.api.resources import JOB_FLOW, VOLCANO_JOB, Resource

RESOURCE: Resource = VOLCANO_JOB

EPOCH = datetime.fromtimestamp(0, UTC)  # of an object without a creationTimestamp, which no API server sends


class State(Struct, frozen=True, gc=False):
    """`status.state` of a Job."""

    phase: str = ""
    lastTransitionTime: datetime | None = None


class TaskState(Struct, frozen=True, gc=False):
    """Pods of one task by phase."""

    phase: dict[str, int] = field(default_factory=dict)


class Status(Struct, frozen=True, gc=False):
    """The part of a Job's status that a flow reads."""

    state: State = State()
    failed: int = 0
    retryCount: int = 0
    runningDuration: str | None = None
    taskStatusCount: dict[str, TaskState] | None = None


class Task(Struct, frozen=True, gc=False):
    """The part of a task that a flow reads."""

    name: str = ""  # where it has none Volcano calls it default<index>
    replicas: int = 1


class Spec(Struct, frozen=True, gc=False):
    """The part of a Job's spec that a flow reads."""

    tasks: tuple[Task, ...] = ()


class Job(Struct, frozen=True, gc=False):
    """A Job on the wire."""

    metadata: ObjectMeta
    spec: Spec = Spec()
    status: Status = Status()


MEANING: dict[str, tuple[ChildPhase, StatusList]] = {
    "": (ChildPhase.PENDING, StatusList.PENDING),  # created, and Volcano has not looked at it yet
    "Pending": (ChildPhase.PENDING, StatusList.PENDING),
    "Running": (ChildPhase.RUNNING, StatusList.RUNNING),
    "Restarting": (ChildPhase.RUNNING, StatusList.RUNNING),
    "Completing": (ChildPhase.RUNNING, StatusList.RUNNING),
    "Terminating": (ChildPhase.RUNNING, StatusList.TERMINATED),
    "Aborting": (ChildPhase.RUNNING, StatusList.FAILED),
    "Completed": (ChildPhase.SUCCEEDED, StatusList.COMPLETED),
    "Failed": (ChildPhase.FAILED, StatusList.FAILED),
    "Terminated": (ChildPhase.FAILED, StatusList.TERMINATED),
    "Aborted": (ChildPhase.FAILED, StatusList.FAILED),
}


def view(job: Job) -> ChildView:
    """What the engine keeps of a Job."""
    meta, status = job.metadata, job.status
    state = status.state.phase
    phase, listed = MEANING.get(state, (ChildPhase.UNKNOWN, StatusList.UNKNOWN))
    owner = _flow(meta)
    return ChildView(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        flow=owner.name if owner else "",
        flow_uid=owner.uid if owner else "",
        node=_node(meta),
        template=_template(meta),
        phase=phase,
        state=state or "Pending",
        listed=listed,
        created=meta.creationTimestamp or EPOCH,
        changed=status.state.lastTransitionTime,
        running_duration=status.runningDuration,
        restarts=status.retryCount,
        tasks=tuple((task.name or f"default{index}", task.replicas) for index, task in enumerate(job.spec.tasks)),
        pods=sum(task.replicas for task in job.spec.tasks),
        failed_pods=status.failed,
        task_counts={task: counts.phase for task, counts in (status.taskStatusCount or {}).items()},
        owned_ttl=_integer(meta.annotations.get(names.OWNED_TTL)),
        deleting=meta.deletionTimestamp is not None,
    )


def _flow(meta: ObjectMeta) -> OwnerReference | None:
    """Its controller owner, where that is a JobFlow: a label alone makes no child."""
    owner = meta.controller
    ours = owner is not None and owner.kind == JOB_FLOW.kind and owner.apiVersion.startswith(f"{JOB_FLOW.group}/")
    return owner if ours else None


def _template(meta: ObjectMeta) -> str:
    """`<namespace>.<name>`, of a ClusterJobTemplate `.<name>`: the annotation, which is whole; else the label.

    The label may have been cut.
    """
    key = names.CREATED_BY_JOB_TEMPLATE
    found = meta.annotations.get(key) or meta.labels.get(key, "")
    if found:
        return found
    name = meta.annotations.get(names.CLUSTER_TEMPLATE)
    return names.owner_text("", name) if name else ""


def _node(meta: ObjectMeta) -> Node | None:
    """The node its annotations name; the step's name is an annotation because a label may have been cut."""
    step = meta.annotations.get(names.STEP_NAME)
    if step is None:
        return None
    return Node(step, _integer(meta.annotations.get(names.ITEM)), _integer(meta.annotations.get(names.ATTEMPT)) or 0)


def _integer(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None  # an annotation somebody edited: as good as absent
