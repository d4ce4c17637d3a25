"""Retain: which children are deleted, and when.

In: the committed status, the children that exist, the time. Out: deletions, and when the next falls due.
`jobRetainPolicy: delete`, and `delete-on-success`, which says it outright, delete all children once the flow's success
is committed (as upstream: the Jobs of a failed flow are evidence); `delete-always` deletes those of a failed flow as
well, once none of them is live; `retain` deletes none. A template's `ttlSecondsAfterFinished` deletes its child that
long after its end, once the step's result is committed, whatever the retain policy. Nothing is deleted before that
commit; and with `onExit` steps the end is committed when those have ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobflow.api.children import ChildView
from jobflow.api.ends import RetainPolicy
from jobflow.api.status import FlowPhase, FlowStatus, JobFlowStatus, StepPhase
from jobflow.api.validate_template import TTL_SECONDS
from jobflow.reconcile.history import end_of
from jobflow.reconcile.observe import attempt_of, upstream_record
from jobflow.reconcile.phase import is_finished
from jobflow.reconcile.plan import DeleteChild
from jobflow.reconcile.snapshot import Flow, Snapshot


@dataclass(frozen=True, slots=True)
class Deletions:
    """Children to delete now, and when to look again."""

    now: tuple[DeleteChild, ...] = ()
    next_due: datetime | None = None


def deletions(snapshot: Snapshot) -> Deletions:
    """Children whose time has come."""
    flow = snapshot.flow
    mine = [child for child in snapshot.children if child.flow_uid == flow.uid and not child.deleting]
    policy = flow.compiled.retain
    if policy is not RetainPolicy.RETAIN and mine and _is_over(flow):
        how = "succeeded" if flow.committed.state.phase is FlowPhase.SUCCEED else "failed"
        return Deletions(tuple(DeleteChild(c.name, c.uid, f"the flow {how}, policy {policy}") for c in mine))
    mine = [child for child in mine if child.owned_ttl is not None]
    settled = _settled(flow.committed) if mine else {}
    retried = {record.name: record for record in flow.committed.flowStatuses if record.attempt} if mine else {}

    def result(child: ChildView) -> FlowStatus | None:
        return settled.get(child.uid) or settled.get(child.name) or _of_earlier_attempt(child, retried)

    timed = [(_expiry(child, result(child), snapshot.now), child) for child in mine]
    due = [child for expiry, child in timed if expiry is not None and expiry <= snapshot.now]
    later = [expiry for expiry, _ in timed if expiry is not None and expiry > snapshot.now]
    return Deletions(
        tuple(DeleteChild(c.name, c.uid, f"{c.owned_ttl} s after it finished") for c in due),
        min(later, default=None),
    )


def _is_over(flow: Flow) -> bool:
    """Whether the flow has ended as its policy means it, and the result of each of its children is committed.

    A flow that succeeds while some of its Jobs run (`failurePolicy: FailFast`) and one that failed have ended when
    those have; of all others success says that they have.
    """
    if flow.committed.state.phase is FlowPhase.SUCCEED:
        return not flow.compiled.ends.fail_fast or is_finished(flow.committed)
    return flow.compiled.retain is RetainPolicy.DELETE_ALWAYS and is_finished(flow.committed)


def _settled(committed: JobFlowStatus) -> dict[str, FlowStatus]:
    """Committed results by the UID of the child; by its name where only upstream's fields were stored of it."""
    told = {record.jobName for record in committed.flowStatuses}
    entries = (upstream_record("", entry) for entry in committed.jobStatusList if entry.name not in told)
    by_name = {record.jobName: record for record in entries if record.phase.settled}
    ours = (record for record in committed.flowStatuses if record.phase.settled)
    return by_name | {record.jobUID or record.jobName: record for record in ours}


def _of_earlier_attempt(child: ChildView, retried: Mapping[str, FlowStatus]) -> FlowStatus | None:
    """That a later attempt of its step is committed says that this one is over; the child itself says since when."""
    record = retried.get(child.node.step) if child.node is not None else None
    if record is None or attempt_of(child) >= record.attempt:
        return None
    return FlowStatus(record.name, StepPhase.FAILED)


def _expiry(child: ChildView, record: FlowStatus | None, now: datetime) -> datetime | None:
    """None also where the annotation, which anybody may write, says what Volcano takes for no time to live."""
    ttl = child.owned_ttl
    if record is None or ttl is None or ttl not in TTL_SECONDS or not child.phase.terminal:
        return None
    ended = record.completionTime or end_of(child, now)
    try:
        return ended + timedelta(seconds=ttl)
    except OverflowError:
        return None  # beyond the year 9999
