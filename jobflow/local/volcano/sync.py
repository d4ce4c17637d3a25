"""sync: what should happen to a Job now?

In: World (the Job with its pods and its PodGroup as the watches last told them, pods that strangers deleted, pods we
are creating) and now. Out: a Decision: pods to create and to delete, what the Job needs beside them, the whole status,
what to tell the user, when to look again. Pure: the same world gives the same decision, and a decision carried out
twice does nothing the second time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from jobflow.local.volcano import admission, policies, status
from jobflow.local.volcano.attachments import UNCHANGED, Attachments, attach, detach
from jobflow.local.volcano.dependencies import may_start
from jobflow.local.volcano.objects import Job, JobPhase, JobStatus, TaskSpec
from jobflow.local.volcano.occurrences import Occurrence, occurrences
from jobflow.local.volcano.phases import Action, Facts, Operation, Order, order
from jobflow.local.volcano.pod_objects import PodView
from jobflow.local.volcano.pods import build, pod_name
from jobflow.local.volcano.policies import Choice
from jobflow.local.volcano.scheduling_objects import NEVER_ENOUGH, Group

NOTHING = Choice()
WHOLE_JOB = (Operation.KILL_ALL, Operation.KILL_LIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All that a decision about one Job depends on, but the time."""

    job: Job
    pods: Sequence[PodView]
    evicted: Sequence[Occurrence] = ()
    creating: frozenset[str] = frozenset()  # names of pods created that the watch has not brought yet
    group: Group | None = None
    claims: frozenset[str] = frozenset()  # names of the claims of its namespace
    sound: bool = False  # its spec was judged before
    command: Action | None = None  # an action that goes before all policies
    begun: Choice | None = None  # what was chosen before and could not be carried out whole; it goes before a command


@dataclass(frozen=True, slots=True)
class Notice:
    """An Event for the Job."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, in this order: delete pods, see to the attachments, create pods, write the status.

    Or, where it is `expired`, delete the Job itself.
    """

    status: JobStatus
    job: Job | None = None  # with its defaults, for which the attachments are
    attachments: Attachments = UNCHANGED
    delete: tuple[PodView, ...] = ()
    create: tuple[dict[str, Any], ...] = ()
    notices: tuple[Notice, ...] = ()
    choice: Choice = NOTHING  # the action taken, and what it answers
    wake_at: datetime | None = None
    expired: bool = False


@dataclass(slots=True)
class _Work:
    """Pods as an order leaves them, and what else the Job has then."""

    attachments: Attachments
    delete: list[PodView] = field(default_factory=list)
    create: list[tuple[TaskSpec, int]] = field(default_factory=list)
    counts: status.Counts = field(default_factory=status.Counts)


def sync(world: World, now: datetime) -> Decision:
    """The decision about a Job that is not being deleted."""
    job = replace(world.job, spec=admission.defaulted(world.job.spec))
    world = dataclasses.replace(world, job=job)
    if not world.sound and not job.status.phase.finished and (complaints := admission.problems(job)):
        return _refuse(job, world.pods, Notice("Warning", "InvalidJob", " ".join(complaints)), now)
    if world.group is not None and world.group.why_never and not job.status.phase.finished:
        # A cluster may grow by a node; a machine does not.
        return _refuse(job, world.pods, Notice("Warning", NEVER_ENOUGH, world.group.why_never), now)
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
    notices = _notices(choice, work.attachments, world.group)
    if choice.cause is None and job.status.phase is JobPhase.RESTARTING and phase is JobPhase.FAILED:
        notices = (*notices, _retries_spent(facts))
    return Decision(
        status=after,
        job=job,
        attachments=work.attachments,
        delete=tuple(work.delete),
        create=tuple(build(job, task, index) for task, index in work.create),
        notices=notices,
        choice=choice,
        wake_at=_earliest(choice.wake_at, _expiry(replace(job, status=after))),
    )


def _refuse(job: Job, pods: Sequence[PodView], notice: Notice, now: datetime) -> Decision:
    live = tuple(pod for pod in pods if not pod.deleting and not pod.phase.finished)
    told = status.refused(job, notice.reason, notice.message, now)
    return Decision(status=told, delete=live, notices=(notice,))


def _choose(world: World, now: datetime) -> Choice:
    if world.begun is not None:
        return world.begun
    if world.command is not None:
        return Choice(world.command)
    if world.job.status.phase.finished:
        return Choice()
    tasks = {task.name: task for task in world.job.spec.tasks}
    happened = occurrences(tasks, world.pods, world.evicted, world.group)
    return policies.choose(world.job, happened, now)


def _carry_out(todo: Order, choice: Choice, world: World) -> _Work:
    job = world.job
    last_run = job.status.retry_count >= job.spec.max_retry - 1  # its pods are kept for their logs
    about_to_fail = job.status.phase is JobPhase.RESTARTING and job.status.retry_count >= job.spec.max_retry
    work = _Work(attachments=Attachments(resources=job.status.controlled_resources))
    match todo.operation:
        case Operation.SYNC if about_to_fail:
            work.delete = [pod for pod in world.pods if not pod.phase.finished]
        case Operation.SYNC:
            work.attachments = attach(job, world.group, world.claims)
            _keep_in_shape(world, work)
        case Operation.KILL_ALL:
            work.delete = [pod for pod in world.pods if not (last_run and pod.phase.finished)]
        case Operation.KILL_LIVE:
            work.delete = [pod for pod in world.pods if not pod.phase.finished]
        case Operation.KILL_TARGET:
            about = policies.targets(choice, world.pods)
            work.delete = [pod for pod in about if not (last_run and pod.phase.finished)]
    if todo.operation in WHOLE_JOB:
        work.attachments = detach(job, world.group)
    work.delete = sorted((pod for pod in work.delete if not pod.deleting), key=lambda pod: _is_cause(pod, choice))
    going = {pod.uid for pod in work.delete}
    work.counts.add(replace(pod, deleting=True) if pod.uid in going else pod for pod in world.pods)
    for task in job.spec.tasks:
        fresh = sum(1 for of, index in work.create if of is task)
        work.counts.add_pending(task.name, fresh + _unseen(world, task))
    return work


def _is_cause(pod: PodView, choice: Choice) -> bool:
    """Whether the action is about this pod: it is deleted last, so that what is cut short is chosen again."""
    return choice.cause is not None and choice.cause.pod is not None and pod.uid == choice.cause.pod.uid


def _keep_in_shape(world: World, work: _Work) -> None:
    """A missing index is created, at every sync, where the gang is let in and what its task depends on is up;

    an index past the replicas, or a task that went, is deleted.
    """
    present = {pod.name for pod in world.pods} | world.creating
    tasks = {task.name: task for task in world.job.spec.tasks}
    wanted: set[str] = set()
    for task in tasks.values():
        names = [pod_name(world.job.name, task.name, index) for index in range(task.replicas)]
        wanted.update(names)
        lacking = [index for index, name in enumerate(names) if name not in present]
        if lacking and not work.attachments.blocked and may_start(task, tasks, world.pods):
            work.create += [(task, index) for index in lacking]
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
    whole = todo.operation in WHOLE_JOB
    entered = phase is not job.status.phase
    before = replace(
        job.status,
        controlled_resources=work.attachments.resources,
        retry_count=job.status.retry_count + todo.spends_retry,
        # Pods of an older version raise no events any more. Volcano also counts the kills it repeats; we need
        # not.
        version=job.status.version + (whole and (entered or todo.spends_retry)),
    )
    return status.next_status(replace(job, status=before), phase, work.counts, now)


def _notices(choice: Choice, attachments: Attachments, group: Group | None) -> tuple[Notice, ...]:
    if choice.cause is not None:
        return (Notice("Normal", "ExecuteAction", f"Start to execute action {choice.action} on {choice.cause}"),)
    if choice.action is not Action.SYNC_JOB:
        return (Notice("Normal", "ExecuteAction", f"Start to execute action {choice.action}"),)
    if attachments.lost_claims:
        return (Notice("Warning", "PVCError", attachments.blocked),)
    if attachments.blocked and group is not None and group.why_pending:
        return (Notice("Warning", "PodGroupPending", group.why_pending),)
    return ()


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
