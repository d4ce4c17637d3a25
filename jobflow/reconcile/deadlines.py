"""Deadlines: what is counted of a flow's time, and which steps have passed what they were given.

In: a snapshot, where its steps stand. Out: for `jobflow.snapshots`, what is to be counted and since when; for
`flow.py`, where the steps stand whose time is up, and the seconds until the next deadline passes.

Beginnings are committed times, of other machines' clocks: the flow's start, a Job's creation, the moment it first ran.
How much has passed since is asked of the wall clock once, when this process first sees a beginning, and counted by its
monotonic clock from then on (`Snapshot.elapsed`). So a wall clock that is set neither fires a deadline nor delays it,
and a restarted controller goes on where the committed times say. At that first look two clocks are asked, ours as it is
and ours as it would be had nobody set it since the process began: a beginning was stamped by somebody else's clock,
which may have been set with ours or may not, and a deadline must not pass early for either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from jobflow.api.children import ChildPhase, ChildView
from jobflow.api.status import FlowStatus, Reason
from jobflow.reconcile.attempts import failures, left_of
from jobflow.reconcile.graph import Graph, Step
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.snapshot import Counted, Flow, Since, Snapshot

ROUNDING_SECONDS = 1.0  # stamps are cut to whole seconds: rather a second late than early


class Due(NamedTuple):
    """Seconds until a deadline; none are left where it has passed."""

    left: float
    reason: Reason
    message: str


def beginnings(flow: Flow, children: Iterable[ChildView], now: datetime) -> dict[Since, datetime]:
    """What is to be counted of a flow, and since when."""
    found: dict[Since, datetime] = {}
    committed, compiled = flow.committed, flow.compiled
    if compiled.ttl is not None and committed.completionTime is not None:
        found[Since(flow.uid, Counted.FINISHED)] = committed.completionTime
    if committed.completionTime is not None:
        return found
    if compiled.active_deadline is not None and committed.startTime is not None:
        found[Since(flow.uid, Counted.STARTED)] = committed.startTime
    if compiled.graph.timed:
        records = {record.jobUID: record for record in committed.flowStatuses}
        for child in children:
            if child.flow_uid == flow.uid and not child.phase.terminal:
                ran = first_ran(child, records.get(child.uid), now)
                found[_since(child, ran)] = ran or child.created
    if compiled.graph.retried:
        found |= failures(flow, children, now)
    return found


def passed(since: datetime, now: datetime) -> float:
    """Seconds that have surely passed; none where the clock that wrote `since` is ahead of ours."""
    return max((now - since).total_seconds() - ROUNDING_SECONDS, 0.0)


def first_ran(child: ChildView, record: FlowStatus | None, now: datetime) -> datetime | None:
    """When the child first ran, in whole seconds; None where it has not. What is committed of it stands."""
    if record is not None and record.jobUID == child.uid and record.runningTime is not None:
        return record.runningTime
    if child.phase is ChildPhase.PENDING or child.phase.terminal:
        return None
    return max(min(child.changed or now, now), child.created).replace(microsecond=0)


def end_overdue(snapshot: Snapshot, graph: Graph, standings: dict[str, Standing]) -> None:
    """Put in place where the steps stand whose own time is up."""
    for step in graph.timed:
        standing = standings[step.name]
        due = _due(snapshot, step, standing)
        if due is not None and due.left <= 0:
            standings[step.name] = replace(standing, reason=due.reason, message=due.message)


def next_due(snapshot: Snapshot, standings: Mapping[str, Standing]) -> float | None:
    """Seconds until the first deadline that is yet to pass, or until the first attempt that waits, if any."""
    compiled = snapshot.flow.compiled
    if not compiled.timed:
        return None
    timed = [step for step in compiled.graph.timed if step.name in standings]
    dues = [flow_due(snapshot), *(_due(snapshot, step, standings[step.name]) for step in timed)]
    left = [due.left for due in dues if due is not None]
    left += [left_of(snapshot, standings[step.name]) for step in compiled.graph.retried if step.name in standings]
    return min((seconds for seconds in left if seconds > 0), default=None)


def flow_due(snapshot: Snapshot) -> Due | None:
    """The deadline of the flow as a whole; None where it has none, or has not begun."""
    seconds = snapshot.flow.compiled.active_deadline
    if seconds is None:
        return None
    elapsed = snapshot.elapsed.get(Since(snapshot.flow.uid, Counted.STARTED))
    if elapsed is None:
        return None
    said = f"the flow has run for its activeDeadlineSeconds, {seconds} s"
    return Due(seconds - elapsed, Reason.DEADLINE_EXCEEDED, said)


def kept_for(snapshot: Snapshot) -> float | None:
    """Seconds until a flow that has ended is to be deleted; None where it is to be kept, or is going already."""
    ttl = snapshot.flow.compiled.ttl
    elapsed = snapshot.elapsed.get(Since(snapshot.flow.uid, Counted.FINISHED))
    if ttl is None or elapsed is None or snapshot.flow.deleting:
        return None
    return ttl - elapsed


def _due(snapshot: Snapshot, step: Step, standing: Standing) -> Due | None:
    """The deadline that counts for the step's Job now: none once it has ended, or is being ended."""
    child, given = standing.child, step.deadlines
    if given is None or child is None or child.phase.terminal or not standing.phase.live or standing.ending:
        return None
    ran = first_ran(child, standing.record, snapshot.now)
    seconds = given.pending if ran is None else given.active
    elapsed = snapshot.elapsed.get(_since(child, ran))
    if seconds is None or elapsed is None:
        return None
    if ran is None:
        said = f"Job {child.name} has been pending for its pendingDeadlineSeconds, {seconds} s"
        return Due(seconds - elapsed, Reason.PENDING_DEADLINE_EXCEEDED, said)
    said = f"Job {child.name} has run for its activeDeadlineSeconds, {seconds} s"
    return Due(seconds - elapsed, Reason.DEADLINE_EXCEEDED, said)


def _since(child: ChildView, ran: datetime | None) -> Since:
    return Since(child.uid, Counted.WAITS if ran is None else Counted.RUNS)
