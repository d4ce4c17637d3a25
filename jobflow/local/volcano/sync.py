"""sync: what should happen to a Job now?

In: World (the Job with its pods as the watches last told them, pods that strangers deleted, pods we are
creating) and now. Out: a Decision: pods to create and to delete, the whole status, what to tell the user,
when to look again. Pure: the same world gives the same decision, and a decision carried out twice does
nothing the second time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from jobflow.local.volcano import admission, policies, status
from jobflow.local.volcano.objects import Job, JobPhase, JobStatus, PodView, TaskSpec
from jobflow.local.volcano.phases import Action, Facts, Operation, Order, order
from jobflow.local.volcano.pods import build, pod_name
from jobflow.local.volcano.policies import Choice, Occurrence


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All that a decision about one Job depends on, but the time."""

    job: Job
    pods: Sequence[PodView]
    evicted: Sequence[Occurrence] = ()
    creating: frozenset[str] = frozenset()  # names of pods created that the watch has not brought yet
    command: Action | None = None  # an action that goes before all policies


@dataclass(frozen=True, slots=True)
class Notice:
    """An Event for the Job."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, in this order: delete pods, create pods, write the status; or delete the Job itself."""

    status: JobStatus
    delete: tuple[PodView, ...] = ()
    create: tuple[dict[str, Any], ...] = ()
    notices: tuple[Notice, ...] = ()
    cause: Occurrence | None = None  # what the action taken answers
    wake_at: datetime | None = None
    expired: bool = False


@dataclass(slots=True)
class _Work:
    """Pods as an order leaves them."""

    delete: list[PodView] = field(default_factory=list)
    create: list[tuple[TaskSpec, int]] = field(default_factory=list)
    counts: status.Counts = field(default_factory=status.Counts)


def sync(world: World, now: datetime) -> Decision:
    """The decision about a Job that is not being deleted."""
    job = replace(world.job, spec=admission.defaulted(world.job.spec))
    world = dataclasses.replace(world, job=job)
    if not job.status.phase.finished:
        complaints = admission.problems(job) or _unbuildable(job)
        if complaints:
            return _refuse(job, world.pods, " ".join(complaints), now)
    expiry = _expiry(job)
    if expiry is not None and expiry <= now:
        return Decision(status=job.status, expired=True)
    choice = _choose(world, now)
    todo = order(job.status.phase, choice.action)
    retries = job.status.retry_count + todo.spends_retry
    work = _carry_out(todo, choice, world)
    facts = status.facts(job, work.counts, retries)
    phase = todo.then(facts)
    after = _status(world, todo, work, phase, now)
    notices = _notices(choice)
    if choice.cause is None and job.status.phase is JobPhase.RESTARTING and phase is JobPhase.FAILED:
        notices = (*notices, _retries_spent(facts))
    return Decision(
        status=after,
        delete=tuple(work.delete),
        create=tuple(build(job, task, index) for task, index in work.create),
        notices=notices,
        cause=choice.cause,
        wake_at=_earliest(choice.wake_at, _expiry(replace(job, status=after))),
    )


def _refuse(job: Job, pods: Sequence[PodView], message: str, now: datetime) -> Decision:
    live = tuple(pod for pod in pods if not pod.deleting and not pod.phase.finished)
    notice = Notice("Warning", "InvalidJob", message)
    return Decision(status=status.refused(job, message, now), delete=live, notices=(notice,))


def _unbuildable(job: Job) -> list[str]:
    """Templates that no pod can be made of, found before the first pod is created."""
    complaints = []
    for position, task in enumerate(job.spec.tasks):
        try:
            containers = build(job, task, 0)["spec"].get("containers")
        except (msgspec.MsgspecError, AttributeError, TypeError, ValueError) as error:
            complaints.append(f"spec.task[{position}].template: not a pod template: {error}.")
            continue
        if not containers:
            complaints.append(f"spec.task[{position}].template.spec.containers: Required value.")
    return complaints


def _choose(world: World, now: datetime) -> Choice:
    if world.command is not None:
        return Choice(world.command)
    if world.job.status.phase.finished:
        return Choice()
    return policies.choose(world.job, world.pods, world.evicted, now)


def _carry_out(todo: Order, choice: Choice, world: World) -> _Work:
    job = world.job
    last_run = job.status.retry_count >= job.spec.max_retry - 1  # its pods are kept for their logs
    work = _Work()
    match todo.operation:
        case Operation.SYNC if job.status.phase is JobPhase.RESTARTING and (
            job.status.retry_count >= job.spec.max_retry
        ):
            work.delete = [pod for pod in world.pods if not pod.phase.finished]  # it is about to fail
        case Operation.SYNC:
            _keep_in_shape(world, work)
        case Operation.KILL_ALL:
            work.delete = [pod for pod in world.pods if not (last_run and pod.phase.finished)]
        case Operation.KILL_LIVE:
            work.delete = [pod for pod in world.pods if not pod.phase.finished]
        case Operation.KILL_TARGET:
            about = policies.targets(choice, world.pods)
            work.delete = [pod for pod in about if not (last_run and pod.phase.finished)]
    work.delete = [pod for pod in work.delete if not pod.deleting]
    going = {pod.uid for pod in work.delete}
    work.counts.add(replace(pod, deleting=True) if pod.uid in going else pod for pod in world.pods)
    for task in job.spec.tasks:
        fresh = sum(1 for of, index in work.create if of is task)
        work.counts.add_pending(task.name, fresh + _unseen(world, task))
    return work


def _keep_in_shape(world: World, work: _Work) -> None:
    """A missing index is created, at every sync;

    an index past the replicas, or a task that went, is deleted.
    """
    present = {pod.name for pod in world.pods} | world.creating
    wanted: set[str] = set()
    for task in world.job.spec.tasks:
        for index in range(task.replicas):
            name = pod_name(world.job.name, task.name, index)
            wanted.add(name)
            if name not in present:
                work.create.append((task, index))
    work.delete = [pod for pod in world.pods if pod.name not in wanted]


def _unseen(world: World, task: TaskSpec) -> int:
    """Pods of the task that exist, but not yet in the watch."""
    if not world.creating:
        return 0
    seen = {pod.name for pod in world.pods}
    names = (pod_name(world.job.name, task.name, index) for index in range(task.replicas))
    return sum(1 for name in names if name in world.creating and name not in seen)


def _status(world: World, todo: Order, work: _Work, phase: JobPhase, now: datetime) -> JobStatus:
    job = world.job
    whole = todo.operation in (Operation.KILL_ALL, Operation.KILL_LIVE)
    entered = phase is not job.status.phase
    before = replace(
        job.status,
        retry_count=job.status.retry_count + todo.spends_retry,
        # Pods of an older version raise no events any more. Volcano also counts the kills it repeats; we need
        # not.
        version=job.status.version + (whole and (entered or todo.spends_retry)),
    )
    return status.next_status(replace(job, status=before), phase, work.counts, now)


def _notices(choice: Choice) -> tuple[Notice, ...]:
    if choice.cause is None:
        return ()
    what = f"{choice.cause.event} of pod {choice.cause.pod.name}"
    return (Notice("Normal", "ExecuteAction", f"Start to execute action {choice.action} on {what}"),)


def _retries_spent(facts: Facts) -> Notice:
    return Notice(
        "Warning",
        "ExecuteAction",
        f"Job failed: retryCount {facts.retry_count} reached maxRetry {facts.max_retry}",
    )


def _expiry(job: Job) -> datetime | None:
    """When ttlSecondsAfterFinished deletes the Job; None while it runs or where it has none."""
    ttl, ended = job.spec.ttl_seconds_after_finished, job.status.state.last_transition_time
    if ttl is None or ended is None or not job.status.phase.finished:
        return None
    return ended + timedelta(seconds=ttl)


def _earliest(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time is not None), default=None)
