"""The phase machine of a Volcano Job: what an action does in each phase, and which phase follows.

In: the Job's phase and an action; then, once the action's pods are dealt with, the counts of what is left
(Facts). Out: an Order (keep the pods in shape, or kill some of them; is a retry spent?) and the phase after
it. The rules are those of Volcano's Job controller, quirks included: `maxRetry` counts runs, not restarts,
and a Job whose pods failed without a policy fails at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from jobflow.local.volcano.objects import JobPhase


class Action(StrEnum):
    """What a policy or a command asks for."""

    SYNC_JOB = "SyncJob"
    ABORT_JOB = "AbortJob"
    RESTART_JOB = "RestartJob"
    RESTART_TASK = "RestartTask"
    RESTART_POD = "RestartPod"
    RESTART_PARTITION = "RestartPartition"
    TERMINATE_JOB = "TerminateJob"
    COMPLETE_JOB = "CompleteJob"
    RESUME_JOB = "ResumeJob"


RESTARTS_OF_A_PART = (Action.RESTART_TASK, Action.RESTART_POD, Action.RESTART_PARTITION)


class Operation(Enum):
    """What an order does to the Job's pods."""

    SYNC = auto()  # create what is missing, delete what is too many
    KILL_ALL = auto()  # delete every pod
    KILL_LIVE = auto()  # delete the pods that have not ended; the others keep their logs
    KILL_TARGET = auto()  # delete the pods of the task, or the one pod, that the action is about


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """One task that has pods: how many succeeded, how many must."""

    name: str
    succeeded: int
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A Job's pods once an order was carried out, and the limits they are judged by."""

    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    terminating: int = 0
    replicas: int
    min_available: int
    min_success: int | None = None
    needed_by_tasks: int = 0
    tasks: tuple[TaskFacts, ...] = ()
    retry_count: int = 0
    max_retry: int = 3

    @property
    def alive(self) -> int:
        """Pods that have not ended."""
        return self.terminating + self.pending + self.running


@dataclass(frozen=True, slots=True)
class Order:
    """What to do to the pods, whether that spends a retry, and how the next phase follows from the facts."""

    operation: Operation
    then: Callable[[Facts], JobPhase]
    spends_retry: bool = False


def order(phase: JobPhase, action: Action) -> Order:
    """The order for an action in a phase."""
    match phase:
        case JobPhase.PENDING | JobPhase.RUNNING:
            return _while_up(phase, action)
        case JobPhase.RESTARTING:
            return _while_restarting(action)
        case JobPhase.ABORTING | JobPhase.ABORTED if action is Action.RESUME_JOB:
            return Order(Operation.KILL_LIVE, _stay(JobPhase.RESTARTING), spends_retry=True)
        case JobPhase.ABORTING:
            return Order(Operation.KILL_LIVE, _once_quiet(JobPhase.ABORTING, JobPhase.ABORTED))
        case JobPhase.COMPLETING:
            return Order(Operation.KILL_LIVE, _once_quiet(JobPhase.COMPLETING, JobPhase.COMPLETED))
        case JobPhase.TERMINATING:
            return Order(Operation.KILL_LIVE, _once_quiet(JobPhase.TERMINATING, JobPhase.TERMINATED))
    return Order(Operation.KILL_LIVE, _stay(phase))  # Aborted, Completed, Failed, Terminated


def _while_up(phase: JobPhase, action: Action) -> Order:
    match action:
        case Action.RESTART_JOB:
            return Order(Operation.KILL_ALL, _stay(JobPhase.RESTARTING), spends_retry=True)
        case Action.RESTART_TASK | Action.RESTART_POD | Action.RESTART_PARTITION:
            return Order(Operation.KILL_TARGET, _stay(JobPhase.RESTARTING), spends_retry=True)
        case Action.ABORT_JOB:
            return Order(Operation.KILL_LIVE, _stay(JobPhase.ABORTING))
        case Action.TERMINATE_JOB:
            return Order(Operation.KILL_LIVE, _stay(JobPhase.TERMINATING))
        case Action.COMPLETE_JOB:
            return Order(Operation.KILL_LIVE, _stay(JobPhase.COMPLETING))
    return Order(Operation.SYNC, _gang_starts if phase is JobPhase.PENDING else _while_running)


def _while_restarting(action: Action) -> Order:
    """Every whole-Job action is taken for RestartJob here; upstream loses an AbortJob the same way."""
    if action is Action.SYNC_JOB:
        return Order(Operation.SYNC, _restarted)
    if action in RESTARTS_OF_A_PART:
        return Order(Operation.KILL_TARGET, _restarted)
    return Order(Operation.KILL_ALL, _restarted)


def _stay(phase: JobPhase) -> Callable[[Facts], JobPhase]:
    return lambda facts: phase


def _once_quiet(before: JobPhase, after: JobPhase) -> Callable[[Facts], JobPhase]:
    return lambda facts: before if facts.alive else after


def _gang_starts(facts: Facts) -> JobPhase:
    started = facts.running + facts.succeeded + facts.failed
    return JobPhase.RUNNING if started >= facts.min_available else JobPhase.PENDING


def _restarted(facts: Facts) -> JobPhase:
    if facts.retry_count >= facts.max_retry:
        return JobPhase.FAILED
    if facts.replicas - facts.terminating >= facts.min_available:
        return JobPhase.PENDING
    return JobPhase.RESTARTING


def _while_running(facts: Facts) -> JobPhase:
    """Rules in Volcano's order; the first that applies decides."""
    if facts.replicas == 0:
        return JobPhase.RUNNING
    if facts.min_success is not None and facts.succeeded >= facts.min_success:
        return JobPhase.COMPLETED
    if facts.succeeded + facts.failed == facts.replicas:
        return _outcome(facts)
    if facts.pending > facts.replicas - facts.min_available:
        return JobPhase.PENDING
    return JobPhase.RUNNING


def _outcome(facts: Facts) -> JobPhase:
    """All pods have ended.

    Without `minSuccess` it is `minAvailable`, of each task and of the Job, that decides.
    """
    if facts.min_available >= facts.needed_by_tasks and any(task.succeeded < task.needed for task in facts.tasks):
        return JobPhase.FAILED
    if facts.min_success is not None:
        return JobPhase.FAILED  # _while_running has seen that too few succeeded
    return JobPhase.COMPLETED if facts.succeeded >= facts.min_available else JobPhase.FAILED
