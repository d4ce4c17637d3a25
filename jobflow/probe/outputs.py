"""Outputs of a Job that has ended, read: fields of the Job, and what its containers said at their end.

In: an OutputsOf question. Out: a reading for each of its sources, and why not all of them could be read yet. One GET of
the Job where a field of it is asked; one LIST of its pods where a message is, of that pod alone where it is only one.
What is read is passed on and never logged. The rights to it are declared where Jobs are created (`act/children.py`)
and where pods are watched (`jobflow.watches`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct

from jobflow.api.metadata import ObjectMeta
from jobflow.api.output_values import at_path
from jobflow.api.outputs import (
    Absent,
    Counts,
    OfMessage,
    OfPath,
    OutputsFound,
    OutputsOf,
    PathParts,
    Reading,
    Said,
    Seen,
)
from jobflow.api.resources import POD, VOLCANO_JOB
from jobflow.kinds.pod import JOB_NAME
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.errors import ApiError, KindNotFound, NotFound

# What Volcano sets to zero when it has cleared away after a Job's end, and the pod phases that it counts.
COUNTED = {
    "pending": "Pending",
    "running": "Running",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "unknown": "Unknown",
}
TASK_COUNTS = "taskStatusCount"


class _Terminated(Struct, frozen=True):
    message: str = ""


class _State(Struct, frozen=True):
    terminated: _Terminated | None = None


class _ContainerStatus(Struct, frozen=True):
    name: str
    state: _State = _State()


class _Container(Struct, frozen=True):
    name: str


class _Spec(Struct, frozen=True):
    containers: tuple[_Container, ...] = ()


class _Status(Struct, frozen=True):
    containerStatuses: tuple[_ContainerStatus, ...] = ()
    initContainerStatuses: tuple[_ContainerStatus, ...] = ()


class _Pod(Struct, frozen=True):
    """As much of a pod as says how its containers ended."""

    metadata: ObjectMeta
    spec: _Spec = _Spec()
    status: _Status = _Status()


@dataclass(frozen=True, slots=True)
class _Unread:
    """An answer that there is none yet, and why."""

    why: str


async def read_outputs(client: Client, question: OutputsOf) -> OutputsFound:
    """What the Job left. Does not raise. Where one of the two requests fails, what the other brought is kept."""
    job = await _job(client, question)
    pods = await _pods(client, question)
    readings = [
        _field(question, source, job) if isinstance(source, OfPath) else _message(question, source, pods)
        for source in question.sources
    ]
    problems = [one.why for one in (job, pods) if isinstance(one, _Unread)]
    return OutputsFound(tuple(readings), "; ".join(problems))


async def _job(client: Client, question: OutputsOf) -> Mapping[str, Any] | _Unread | None:
    """The Job in this incarnation; None where it is gone."""
    if not any(isinstance(one, OfPath) for one in question.sources):
        return None
    try:
        job: Mapping[str, Any] = msgspec.json.decode(await client.get(VOLCANO_JOB, question.namespace, question.job))
    except KindNotFound as error:
        return _Unread(f"Job {question.job} cannot be read: {error.message}")
    except NotFound:
        return None
    except ApiError as error:
        return _Unread(f"Job {question.job} cannot be read: {error.message}")
    except msgspec.MsgspecError as error:
        return _Unread(f"Job {question.job} cannot be read: {error}")
    return job if job["metadata"].get("uid") == question.job_uid else None


async def _pods(client: Client, question: OutputsOf) -> dict[str, _Pod] | _Unread:
    """Those pods of the Job that are asked, by name."""
    try:
        return await _pods_asked(client, question)
    except ApiError as error:
        return _Unread(f"the pods of Job {question.job} cannot be listed: {error.message}")
    except msgspec.MsgspecError as error:
        return _Unread(f"the pods of Job {question.job} cannot be read: {error}")


async def _pods_asked(client: Client, question: OutputsOf) -> dict[str, _Pod]:
    names = {_pod_name(question, one) for one in question.sources if isinstance(one, OfMessage)} - {""}
    if not names:
        return {}
    only = f"metadata.name={next(iter(names))}" if len(names) == 1 else ""
    codec: Codec[_Pod] = Codec(_Pod, lambda pod: pod)
    found: list[_Pod] = []
    selector = f"{JOB_NAME}={question.job}"
    async for page in client.list(POD, question.namespace, label_selector=selector, field_selector=only):
        found += codec.page(page).items
    return {pod.metadata.name: pod for pod in found if pod.metadata.name in names and _is_of(pod, question)}


def _is_of(pod: _Pod, question: OutputsOf) -> bool:
    owner = pod.metadata.controller
    return owner is None or owner.uid == question.job_uid


def _pod_name(question: OutputsOf, source: OfMessage) -> str:
    """As Volcano names pods; nothing where there is no such task."""
    task = source.task or (question.tasks[0] if len(question.tasks) == 1 else "")
    return f"{question.job}-{task}-{source.index}" if task in question.tasks else ""


def _field(question: OutputsOf, source: OfPath, job: Mapping[str, Any] | _Unread | None) -> Reading:
    if isinstance(job, _Unread):
        return Absent(job.why)
    if job is None:
        return Absent(f"Job {question.job} was gone before it could be read")
    if source.parts[0] == "status" and source.parts[1:2] and source.parts[1] in (*COUNTED, TASK_COUNTS):
        status = job.get("status") or {}
        if not any(status.get(name) for name in COUNTED):
            if not question.counts:
                return Absent(f"how the pods of Job {question.job} ended was not seen before Volcano set it to zero")
            job = {"status": _counted(question.counts)}
    tree = at_path(job, source.parts)
    if tree is None and _is_count(question, source.parts):
        return Seen(0)
    return Absent(f"Job {question.job} has no {source.path}") if tree is None else Seen(tree)


def _is_count(question: OutputsOf, parts: PathParts) -> bool:
    """Whether the field is a number of pods: of a status that has others, Volcano leaves out those that are 0."""
    match parts:
        case ("status", count):
            return count in COUNTED
        case ("status", "taskStatusCount", task, "phase", phase):
            return task in question.tasks and phase in COUNTED.values()
    return False


def _counted(counts: Counts) -> dict[str, Any]:
    """The counts of a Job's status as they were when it ended."""
    totals = {name: sum(phases.get(phase, 0) for phases in counts.values()) for name, phase in COUNTED.items()}
    return {**totals, TASK_COUNTS: {task: {"phase": dict(phases)} for task, phases in counts.items()}}


def _message(question: OutputsOf, source: OfMessage, pods: Mapping[str, _Pod] | _Unread) -> Reading:
    name = _pod_name(question, source)
    if not name:
        tasks = ", ".join(question.tasks)
        if source.task:
            return Absent(f"Job {question.job} has no task {source.task}; its tasks are {tasks}")
        return Absent(f"Job {question.job} has several tasks ({tasks}), and `task` does not say whose message is meant")
    if isinstance(pods, _Unread):
        return Absent(pods.why)
    pod = pods.get(name)
    if pod is None:
        return Absent(f"pod {name} was not there any more when it was to be read")
    container = source.container or next((one.name for one in pod.spec.containers), "")
    statuses = {one.name: one for one in (*pod.status.initContainerStatuses, *pod.status.containerStatuses)}
    if source.container and container not in {one.name for one in pod.spec.containers} | statuses.keys():
        return Absent(f"pod {name} has no container {container}")
    status = statuses.get(container)
    ended = status.state.terminated if status else None
    if ended is None:
        return Absent(f"container {container} of pod {name} has not ended by itself")
    if not ended.message.strip():
        return Absent(f"container {container} of pod {name} left no termination message")
    return Said(ended.message)
