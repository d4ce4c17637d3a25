"""Retain: which children are deleted, and when.

In: the committed status, the children that exist, the time. Out: deletions, and when the next falls due.
Two policies: `jobRetainPolicy: delete` deletes all children once the flow's success is committed (as upstream: the
Jobs of a failed flow are evidence); a template's `ttlSecondsAfterFinished` deletes its child that long after its
end, once the step's result is committed, whatever the retain policy. Nothing is deleted before that commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from jobflow.api.children import ChildView
from jobflow.api.jobflow import RetainPolicy
from jobflow.api.status import FlowPhase, FlowStatus, JobFlowStatus
from jobflow.api.validate_template import TTL_SECONDS
from jobflow.reconcile.history import end_of
from jobflow.reconcile.observe import upstream_record
from jobflow.reconcile.plan import DeleteChild
from jobflow.reconcile.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Deletions:
    """Children to delete now, and when to look again."""

    now: tuple[DeleteChild, ...] = ()
    next_due: datetime | None = None


def deletions(snapshot: Snapshot) -> Deletions:
    """Children whose time has come."""
    flow = snapshot.flow
    mine = [child for child in snapshot.children if child.flow_uid == flow.uid and not child.deleting]
    succeeded = flow.committed.state.phase is FlowPhase.SUCCEED
    if succeeded and flow.compiled.retain is RetainPolicy.DELETE:
        return Deletions(tuple(DeleteChild(c.name, c.uid, "the flow succeeded, policy delete") for c in mine))
    mine = [child for child in mine if child.owned_ttl is not None]
    settled = _settled(flow.committed) if mine else {}
    timed = [(_expiry(child, settled.get(child.uid) or settled.get(child.name), snapshot.now), child) for child in mine]
    due = [child for expiry, child in timed if expiry is not None and expiry <= snapshot.now]
    later = [expiry for expiry, _ in timed if expiry is not None and expiry > snapshot.now]
    return Deletions(
        tuple(DeleteChild(c.name, c.uid, f"{c.owned_ttl} s after it finished") for c in due),
        min(later, default=None),
    )


def _settled(committed: JobFlowStatus) -> dict[str, FlowStatus]:
    """Committed results by the UID of the child; by its name where only upstream's fields were stored of it."""
    told = {record.jobName for record in committed.flowStatuses}
    entries = (upstream_record("", entry) for entry in committed.jobStatusList if entry.name not in told)
    by_name = {record.jobName: record for record in entries if record.phase.settled}
    ours = (record for record in committed.flowStatuses if record.phase.settled)
    return by_name | {record.jobUID or record.jobName: record for record in ours}


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
