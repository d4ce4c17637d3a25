"""Lifecycle policies: which action does what happened to the pods call for?

In: a Job, what happened to its pods and its gang, now. Out: a Choice: the action, what it is about, and when to look
again because of a `timeout`. Volcano raises events as pods change; here the pods are looked at as they stand
(`occurrences.py`), so a runtime that was down misses nothing. An event of an earlier run (the pod's job-version
annotation is older than the Job's status.version) counts no more, as in Volcano.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobflow.api.durations import parse_duration
from jobflow.api.policies import ANY_EVENT, EVENT_ALIASES
from jobflow.local.volcano.objects import Job, PolicyObject, TaskSpec
from jobflow.local.volcano.occurrences import Occurrence, PodEvent
from jobflow.local.volcano.phases import Action
from jobflow.local.volcano.pod_objects import PodView


@dataclass(frozen=True, slots=True)
class Choice:
    """The action to take now. `cause` is None where it is only to keep the pods in shape."""

    action: Action = Action.SYNC_JOB
    cause: Occurrence | None = None
    wake_at: datetime | None = None


def choose(job: Job, happened: Iterable[Occurrence], now: datetime) -> Choice:
    """The first action that is due; where only delayed ones wait, when the first of them will be."""
    tasks = {task.name: task for task in job.spec.tasks}
    wake_at: datetime | None = None
    for occurrence in happened:
        policy = _policy(job, tasks, occurrence)
        if policy is None or policy.action == Action.RESUME_JOB:
            continue  # a Job that is up needs no resuming: in Volcano that is a plain sync
        due = occurrence.since + timedelta(seconds=parse_duration(policy.timeout or "0"))
        if not policy.timeout or due <= now:
            return Choice(Action(policy.action), occurrence)
        wake_at = min(wake_at or due, due)
    return Choice(wake_at=wake_at)


def targets(choice: Choice, pods: Sequence[PodView]) -> list[PodView]:
    """The pods that an action on a part of the Job is about."""
    about = choice.cause.pod if choice.cause else None
    if about is None:
        return []
    if choice.action is Action.RESTART_POD:
        return [pod for pod in pods if pod.name == about.name]
    if choice.action is Action.RESTART_PARTITION and about.partition:
        return [pod for pod in pods if (pod.task, pod.partition) == (about.task, about.partition)]
    return [pod for pod in pods if pod.task == about.task]


def _policy(job: Job, tasks: Mapping[str, TaskSpec], occurrence: Occurrence) -> PolicyObject | None:
    """The task's policies go before the Job's; of what is no pod's only the Job's are asked."""
    if occurrence.pod is None:
        return _first_match(job.spec.policies, occurrence)
    task = tasks.get(occurrence.pod.task)
    if task is None or occurrence.pod.version < job.status.version:
        return None
    return _first_match(task.policies, occurrence) or _first_match(job.spec.policies, occurrence)


def _first_match(policies: Sequence[PolicyObject], occurrence: Occurrence) -> PolicyObject | None:
    return next((policy for policy in policies if _matches(policy, occurrence)), None)


def _matches(policy: PolicyObject, occurrence: Occurrence) -> bool:
    if policy.exit_code is not None:
        return (
            occurrence.event is PodEvent.POD_FAILED
            and policy.exit_code != 0
            and occurrence.pod is not None
            and policy.exit_code == occurrence.pod.exit_code
        )
    if occurrence.event is PodEvent.POD_PENDING and not policy.timeout:
        return False  # every pod is pending at first
    named = (EVENT_ALIASES.get(event, event) for event in (*policy.events, policy.event))
    return any(event in (ANY_EVENT, occurrence.event) for event in named)
