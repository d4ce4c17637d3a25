"""The status of a Job: counted from its pods, and written as a patch of what differs.

In: the Job, its pods as an order leaves them, the phase that follows, now. Out: the whole status as it should
be, and the merge patch that makes the stored one so. Two departures from Volcano, both so that a finished Job
can be read: its last counts are kept (Volcano zeroes them), and runningDuration comes in the same write as
the final phase.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from jobflow.api.durations import format_duration
from jobflow.local.volcano.objects import (
    Condition,
    Job,
    JobPhase,
    JobStatus,
    State,
    TaskState,
)
from jobflow.local.volcano.phases import Facts, TaskFacts
from jobflow.local.volcano.pod_objects import PodPhase, PodView


class Counts:
    """A Job's pods by task and phase. Pods on their way out are counted as terminating and nowhere else."""

    def __init__(self) -> None:
        self.by_task: defaultdict[str, Counter[PodPhase]] = defaultdict(Counter)
        self.terminating = 0

    def add(self, pods: Iterable[PodView]) -> None:
        """Count pods that exist."""
        for pod in pods:
            if pod.deleting:
                self.terminating += 1
            else:
                self.by_task[pod.task][pod.phase] += 1

    def add_pending(self, task: str, pods: int) -> None:
        """Count pods of a task that are being created."""
        if pods:
            self.by_task[task][PodPhase.PENDING] += pods

    def total(self, phase: PodPhase) -> int:
        """Pods in a phase, over all tasks."""
        return sum(counts[phase] for counts in self.by_task.values())


def facts(job: Job, counts: Counts, retry_count: int) -> Facts:
    """What the phase machine judges by."""
    spec = job.spec
    present = [task for task in spec.tasks if task.name in counts.by_task]
    return Facts(
        pending=counts.total(PodPhase.PENDING),
        running=counts.total(PodPhase.RUNNING),
        succeeded=counts.total(PodPhase.SUCCEEDED),
        failed=counts.total(PodPhase.FAILED),
        terminating=counts.terminating,
        replicas=spec.replicas,
        min_available=spec.min_available,
        min_success=spec.min_success,
        needed_by_tasks=sum(task.needed for task in spec.tasks),
        tasks=tuple(
            TaskFacts(task.name, counts.by_task[task.name][PodPhase.SUCCEEDED], task.needed) for task in present
        ),
        retry_count=retry_count,
        max_retry=spec.max_retry,
    )


def next_status(job: Job, phase: JobPhase, counts: Counts, now: datetime) -> JobStatus:
    """The status with these counts and this phase; version, retries and reason are the caller's.

    As in Volcano any difference, not only another phase, renews lastTransitionTime; but once a Job is
    finished its time stands, since it is when the Job ended.
    """
    old = job.status
    if old.phase.finished:
        counts = _kept(old, counts)
    new = replace(
        old,
        min_available=job.spec.min_available,
        pending=counts.total(PodPhase.PENDING),
        running=counts.total(PodPhase.RUNNING),
        succeeded=counts.total(PodPhase.SUCCEEDED),
        failed=counts.total(PodPhase.FAILED),
        unknown=counts.total(PodPhase.UNKNOWN),
        terminating=counts.terminating,
        task_status_count={
            task: TaskState({str(phase): number for phase, number in sorted(by_phase.items()) if number})
            for task, by_phase in sorted(counts.by_task.items())
        },
    )
    if old.phase.finished or (new == old and phase == old.state.phase):
        return new
    return _in_phase(job, new, phase, now)


def _in_phase(job: Job, status: JobStatus, phase: JobPhase, now: datetime) -> JobStatus:
    moment = now.replace(microsecond=0)  # metav1.Time has whole seconds
    others = tuple(condition for condition in status.conditions if condition.status != phase)
    ended = phase.finished or phase is JobPhase.ABORTED
    lasted = (now - job.created).total_seconds()
    return replace(
        status,
        state=replace(status.state, phase=str(phase), last_transition_time=moment),
        running_duration=format_duration(max(lasted, 0.0)) if ended else None,
        conditions=(*others, Condition(str(phase), moment)),
    )


def refused(job: Job, reason: str, message: str, now: datetime) -> JobStatus:
    """The status of a Job that can never run: admission would not have let it in, or the machine has no room for it."""
    status = replace(job.status, state=State(reason=reason, message=message))
    return _in_phase(job, status, JobPhase.FAILED, now)


def _kept(old: JobStatus, counts: Counts) -> Counts:
    """Counts of a finished Job: pods deleted since are still counted as they ended."""
    kept = Counts()
    kept.terminating = counts.terminating
    for task, by_phase in counts.by_task.items():
        kept.by_task[task].update(by_phase)
    for task, state in old.task_status_count.items():
        for phase in (PodPhase.SUCCEEDED, PodPhase.FAILED):
            kept.by_task[task][phase] = max(kept.by_task[task][phase], state.phase.get(phase, 0))
    return kept


def patch(old: JobStatus, new: JobStatus) -> dict[str, Any]:
    """The merge patch (RFC 7396) that turns the stored status into the new one;

    empty where they are equal.
    """
    return _difference(msgspec.to_builtins(old), msgspec.to_builtins(new))


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            inner = _difference(before, value)
            if inner:
                changes[name] = inner
        elif value != before:
            changes[name] = value
    return changes
