"""History: one child Job as upstream's `jobStatusList` and `conditions` tell it.

In: where a step stands and the entries committed so far. Out: its new entries. Rules: an entry freezes at the first
observation of the Job's end, because Volcano writes a finished Job a second time with its counts zeroed; the end is
creation + runningDuration where Volcano has said it by then (upstream's rule), else the last transition;
entries of vanished children are kept, as Terminated where nobody saw their end and no other follows; above 200 steps
the phases a finished Job went through are dropped, which keeps a flow of 1,000 steps under etcd's limit.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from jobflow.api.children import ChildView
from jobflow.api.durations import parse_duration
from jobflow.api.status import JobCondition, JobStatus, RunningHistory, TaskState
from jobflow.reconcile.observe import UPSTREAM_RESULTS, Standing

STEPS_WITH_HISTORIES = 200
TERMINATED = "Terminated"


def job_status(standing: Standing, committed: JobStatus | None, now: datetime, many_steps: bool) -> JobStatus | None:
    """The step's entry of jobStatusList; None where it never had a child."""
    child = standing.child
    if committed is not None and _is_lost(standing, committed.state):
        return _terminated(committed, now)
    if child is None or standing.frozen:
        return committed
    if _of_another(standing, child):
        committed = None
    entry = JobStatus(
        name=child.name,
        state=child.state,
        startTimestamp=child.created,
        endTimestamp=end_of(child, now) if child.phase.terminal else None,
        restartCount=child.restarts,
        runningHistories=_extend(committed.runningHistories if committed else (), child),
    )
    return replace(entry, runningHistories=()) if many_steps and child.phase.terminal else entry


def job_condition(standing: Standing, committed: JobCondition | None) -> JobCondition | None:
    """The step's entry of the conditions map; None where it never had a child."""
    child = standing.child
    if committed is not None and _is_lost(standing, committed.phase):
        return replace(committed, phase=TERMINATED)
    if child is None or standing.frozen:
        return committed
    counts = {task: TaskState(phases) for task, phases in sorted(child.task_counts.items())}
    if not counts and child.phase.terminal and committed is not None and not _of_another(standing, child):
        counts = committed.taskStatusCount
    return JobCondition(
        phase=child.state,
        createTime=child.created,
        runningDuration=child.running_duration,
        taskStatusCount=counts,
    )


def end_of(child: ChildView, now: datetime) -> datetime:
    """When a terminal child ended, in whole seconds."""
    if child.running_duration:
        try:
            end = child.created + timedelta(seconds=parse_duration(child.running_duration))
            return end.replace(microsecond=0)
        except ValueError:
            pass  # not Volcano's: the transition's time is as good
    return (child.changed or now).replace(microsecond=0)


def _is_lost(standing: Standing, state: str) -> bool:
    """Its Job went before its end was seen, and there will be no other: now is its end."""
    gone_for_good = standing.child is None and standing.phase.settled and not standing.frozen
    return gone_for_good and state not in UPSTREAM_RESULTS


def _terminated(committed: JobStatus, now: datetime) -> JobStatus:
    closed = tuple(replace(history, endTimestamp=now) for history in committed.runningHistories[-1:])
    histories = (*committed.runningHistories[:-1], *closed)
    return replace(committed, state=TERMINATED, endTimestamp=now, runningHistories=histories)


def _of_another(standing: Standing, child: ChildView) -> bool:
    """Whether the committed entries are of a child that was deleted before it ended."""
    return standing.record is not None and standing.record.jobUID not in ("", child.uid)


def _extend(histories: tuple[RunningHistory, ...], child: ChildView) -> tuple[RunningHistory, ...]:
    if histories and histories[-1].state == child.state:
        return histories
    since = child.changed if histories and child.changed else child.created
    if not histories and child.changed and child.state != "Pending":
        since = child.changed
    closed = (*histories[:-1], replace(histories[-1], endTimestamp=since)) if histories else ()
    return (*closed, RunningHistory(startTimestamp=since, state=child.state))
