"""Attempts: a step of which one has failed and the next one has not begun.

In: where the step stands, and what is committed of it. Out: when the next attempt is due, and what is said meanwhile;
what else keeps it from starting (`start.py` asks); and what becomes of the step where the end of the flow comes first
(`advance.py`). That an attempt is followed by another is decided in `retry.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from jobflow.api.children import ChildPhase, ChildView
from jobflow.api.retry import Retry
from jobflow.api.status import FlowStatus, StepPhase
from jobflow.reconcile.history import end_of
from jobflow.reconcile.observe import Standing, attempt_of
from jobflow.reconcile.snapshot import Counted, Flow, Since, Snapshot

WHOLE_SECONDS = timedelta(seconds=1)  # what `deadlines.passed` takes off for stamps that are cut to them


def due(flow_uid: str, standing: Standing) -> datetime | None:
    """When the next attempt of a step is due; None where none is waited for."""
    record, retry = standing.record, standing.step.retry
    if record is None or not between(record) or retry is None:
        return None
    ended = record.attempts[-1].completionTime
    delay = retry.delay(flow_uid, standing.step.name, record.attempt)
    return ended + timedelta(seconds=delay) if ended is not None else None


def failures(flow: Flow, children: Iterable[ChildView], now: datetime) -> dict[Since, datetime]:
    """Of the steps between two attempts: since when they wait, to be counted as deadlines are (`deadlines.py`).

    It is counted from when a Job is seen to have failed, before that is committed: the clock may be set meanwhile.
    That is the end as it is told, and not a second later for its being cut to whole ones: users are told when that is.
    """
    found = {
        Since(child.uid, Counted.FAILED): end_of(child, now) - WHOLE_SECONDS
        for child in children
        if child.phase is ChildPhase.FAILED and child.flow_uid == flow.uid
    }
    for record in flow.committed.flowStatuses:
        if between(record) and (ended := record.attempts[-1].completionTime) is not None:
            found[Since(record.attempts[-1].jobUID, Counted.FAILED)] = ended - WHOLE_SECONDS
    return found


def left_of(snapshot: Snapshot, standing: Standing) -> float:
    """Seconds that the next attempt of a step has yet to wait; 0 where none waits for its time.

    They are counted by the monotonic clock from when the end of the last one was first seen.
    """
    record = standing.record
    at = due(snapshot.flow.uid, standing) if standing.phase is StepPhase.WAITING else None
    if record is None or at is None:
        return 0.0
    last = record.attempts[-1]
    elapsed = snapshot.elapsed.get(Since(last.jobUID, Counted.FAILED))
    if elapsed is None or last.completionTime is None:
        return 0.0
    return max((at - last.completionTime).total_seconds() - elapsed, 0.0)


def waits(retry: Retry | None, record: FlowStatus, at: datetime | None) -> str:
    """What is said of a step between two attempts."""
    last = record.attempts[-1]
    number = f"attempt {record.attempt + 1}" + (f" of {retry.attempts}" if retry else "")
    when = f"is due at {_told(at)}" if at is not None and at != last.completionTime else "follows"
    return f"{number} {when}; {last.message or last.reason}"


def between(record: FlowStatus | None) -> bool:
    """An attempt has failed and the next one has not begun, as far as is committed."""
    return record is not None and record.attempt > 0 and not record.jobName and bool(record.attempts)


def still_live(snapshot: Snapshot, standing: Standing) -> str:
    """A Job of an earlier attempt that lives: somebody resumed it, and two must not run at once."""
    attempt = standing.record.attempt if standing.record else 0
    if not attempt:
        return ""
    name, uid = standing.step.name, snapshot.flow.uid
    earlier = (c for c in snapshot.children if c.node is not None and c.node.step == name and c.flow_uid == uid)
    return next((c.name for c in earlier if attempt_of(c) < attempt and not c.phase.terminal), "")


def given_up(standing: Standing) -> Standing | None:
    """Of a step between two attempts, once the end of the flow is decided: its last attempt is its result."""
    record = standing.becomes or standing.record
    if record is None or not between(record):
        return None
    last = record.attempts[-1]
    message = f"{last.message or last.reason}; not tried again: the end of the flow is decided"
    settled = FlowStatus(
        name=record.name,
        phase=StepPhase.FAILED,
        reason=last.reason,
        message=message,
        attempt=last.attempt,
        recreations=record.recreations,
        jobName=last.jobName,
        jobUID=last.jobUID,
        startTime=last.startTime,
        completionTime=last.completionTime,
        exitCode=last.exitCode,
        attempts=record.attempts[:-1],
    )
    return replace(standing, phase=StepPhase.FAILED, reason=last.reason, message=message, becomes=settled)


def _told(at: datetime) -> str:
    """In whole seconds, rounded up: it does not start before."""
    late = at.astimezone(UTC) + timedelta(microseconds=999_999)
    return late.strftime("%Y-%m-%dT%H:%M:%SZ")
