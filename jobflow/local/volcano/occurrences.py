"""Occurrences: what has happened to the pods of a Job and to its gang, told from how they stand now.

In: a Job's tasks, its pods, pods that strangers deleted, its PodGroup. Out: Occurrences in the order in which policies
are asked about them. Pods that are on their way out raise nothing, and our own deletes are no evictions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jobflow.local.volcano.objects import TaskSpec
from jobflow.local.volcano.pod_objects import PodPhase, PodView
from jobflow.local.volcano.scheduling_objects import UNKNOWN, Group

NEVER_FAILED_BY_RESTARTS = -1  # a task's maxRetry that lets its containers restart for ever


class PodEvent(StrEnum):
    """What can happen to a Job's pods."""

    POD_FAILED = "PodFailed"
    POD_EVICTED = "PodEvicted"
    POD_PENDING = "PodPending"
    UNKNOWN = "Unknown"
    TASK_COMPLETED = "TaskCompleted"
    TASK_FAILED = "TaskFailed"
    JOB_UPDATED = "JobUpdated"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that happened to a pod, and since when."""

    event: PodEvent
    pod: PodView | None  # None where it is about the gang
    since: datetime

    def __str__(self) -> str:
        about = f"pod {self.pod.name}" if self.pod else "the Job's PodGroup"
        return f"{self.event} of {about}"


def occurrences(
    tasks: Mapping[str, TaskSpec], pods: Sequence[PodView], evicted: Sequence[Occurrence], group: Group | None
) -> Iterator[Occurrence]:
    """All that has happened and was not answered yet."""
    yield from _standing(tasks, pods)
    yield from _still_missing(pods, evicted)
    if group is not None and group.phase == UNKNOWN:
        times = [one.last_transition_time for one in group.status.conditions if one.last_transition_time]
        yield Occurrence(PodEvent.UNKNOWN, None, max(times, default=group.created))


def _standing(tasks: Mapping[str, TaskSpec], pods: Sequence[PodView]) -> Iterator[Occurrence]:
    """What the pods' present state tells. Pods that are on their way out raise nothing."""
    present = [pod for pod in pods if not pod.deleting]
    for pod in present:
        if pod.phase is PodPhase.FAILED:
            yield Occurrence(PodEvent.POD_FAILED, pod, pod.finished_at or pod.created)
        elif pod.phase is PodPhase.PENDING:
            yield Occurrence(PodEvent.POD_PENDING, pod, pod.created)
    for task in tasks.values():
        of_task = [pod for pod in present if pod.task == task.name]
        yield from _of_task(task, of_task)


def _of_task(task: TaskSpec, pods: list[PodView]) -> Iterator[Occurrence]:
    succeeded = [pod for pod in pods if pod.phase is PodPhase.SUCCEEDED]
    if task.replicas and len(succeeded) == task.replicas:
        last = max(succeeded, key=lambda pod: pod.finished_at or pod.created)
        yield Occurrence(PodEvent.TASK_COMPLETED, last, last.finished_at or last.created)
    alive = [pod for pod in pods if pod.phase in (PodPhase.PENDING, PodPhase.RUNNING)]
    restarts = sum(pod.restarts for pod in alive)
    if task.max_retry != NEVER_FAILED_BY_RESTARTS and restarts >= task.max_retry > 0:
        last = max(alive, key=lambda pod: pod.finished_at or pod.created)
        yield Occurrence(PodEvent.TASK_FAILED, last, last.finished_at or last.created)


def _still_missing(pods: Sequence[PodView], evicted: Sequence[Occurrence]) -> Iterator[Occurrence]:
    """An eviction is made good, and a delayed action on it off, once a pod of the same name runs."""
    running = {pod.name for pod in pods if pod.phase is PodPhase.RUNNING and not pod.deleting}
    return (occurrence for occurrence in evicted if occurrence.pod and occurrence.pod.name not in running)
