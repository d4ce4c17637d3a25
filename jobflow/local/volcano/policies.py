"""Lifecycle policies: which action does what happened to the pods call for?

In: a Job, its pods, pods that strangers deleted, now. Out: a Choice: the action, what it is about, and when
to look again because of a `timeout`. Volcano raises events as pods change; here the pods are looked at as
they stand, so a runtime that was down misses nothing. An event of an earlier run (the pod's job-version
annotation is older than the Job's status.version) counts no more, as in Volcano.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from jobflow.api.durations import parse_duration
from jobflow.local.volcano.objects import Job, PodPhase, PodView, PolicyObject, TaskSpec
from jobflow.local.volcano.phases import Action

ANY_EVENT = "*"
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
    pod: PodView
    since: datetime


@dataclass(frozen=True, slots=True)
class Choice:
    """The action to take now. `cause` is None where it is only to keep the pods in shape."""

    action: Action = Action.SYNC_JOB
    cause: Occurrence | None = None
    wake_at: datetime | None = None


def choose(job: Job, pods: Sequence[PodView], evicted: Sequence[Occurrence], now: datetime) -> Choice:
    """The first action that is due; where only delayed ones wait, when the first of them will be."""
    tasks = {task.name: task for task in job.spec.tasks}
    wake_at: datetime | None = None
    for occurrence in (*_standing(tasks, pods), *_still_missing(pods, evicted)):
        task = tasks.get(occurrence.pod.task)
        if task is None or occurrence.pod.version < job.status.version:
            continue
        policy = _first_match(task.policies, occurrence) or _first_match(job.spec.policies, occurrence)
        if policy is None:
            continue
        due = occurrence.since + timedelta(seconds=parse_duration(policy.timeout or "0"))
        if not policy.timeout or due <= now:
            return Choice(Action(policy.action), occurrence)
        wake_at = min(wake_at or due, due)
    return Choice(wake_at=wake_at)


def targets(choice: Choice, pods: Sequence[PodView]) -> list[PodView]:
    """The pods that an action on a part of the Job is about."""
    if choice.cause is None:
        return []
    about = choice.cause.pod
    if choice.action is Action.RESTART_POD:
        return [pod for pod in pods if pod.name == about.name]
    return [pod for pod in pods if pod.task == about.task]


def _first_match(policies: Sequence[PolicyObject], occurrence: Occurrence) -> PolicyObject | None:
    return next((policy for policy in policies if _matches(policy, occurrence)), None)


def _matches(policy: PolicyObject, occurrence: Occurrence) -> bool:
    if policy.exit_code is not None:
        return (
            occurrence.event is PodEvent.POD_FAILED
            and policy.exit_code != 0
            and policy.exit_code == occurrence.pod.exit_code
        )
    if occurrence.event is PodEvent.POD_PENDING and not policy.timeout:
        return False  # every pod is pending at first
    return any(event in (ANY_EVENT, occurrence.event) for event in (*policy.events, policy.event))


def _standing(tasks: dict[str, TaskSpec], pods: Sequence[PodView]) -> Iterator[Occurrence]:
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
    return (occurrence for occurrence in evicted if occurrence.pod.name not in running)
