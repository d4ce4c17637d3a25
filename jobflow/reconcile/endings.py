"""Endings: which Jobs that still run are to be ended, and why.

In: a snapshot, where its steps stand, how the flow ends if that is decided. Out: where the steps stand whose Jobs are
not to go on, and the Jobs to be ended now. Three things end a Job: a deadline of its step (`deadlines.py`), the
deadline of the flow, and the end of a flow whose failurePolicy is FailFast. The steps of onExit are ended by their own
deadlines only.

First why is committed, as the reason of a step that is still live; then the Job is ended (`jobflow.act.endings`); and
what the Job comes to after that is the step's result: Completed if it was faster, else Failed for the committed reason,
also where the Job is gone. So a crash at any moment leads to another try at the same end, for the same reason.
"""

from __future__ import annotations

from msgspec.structs import replace

from jobflow.api.children import ChildView
from jobflow.api.status import FlowStatus, Outcome, Reason
from jobflow.reconcile.deadlines import flow_due
from jobflow.reconcile.observe import ENDINGS, Standing
from jobflow.reconcile.outcome import Decision
from jobflow.reconcile.plan import EndChild
from jobflow.reconcile.snapshot import Flow, Snapshot

ON_THE_WAY = frozenset({"Terminating", "Aborting", "Completing"})  # phases of a Job that will end without us


def too_late(snapshot: Snapshot) -> Decision | None:
    """What comes of a flow whose deadline has passed, where nothing else decides its end."""
    due = flow_due(snapshot)
    return Decision(Outcome.FAILED, due.reason, due.message) if due is not None and due.left <= 0 else None


def end_the_rest(snapshot: Snapshot, standings: dict[str, Standing], decision: Decision | None) -> None:
    """Put in place where the steps stand that may not go on for the sake of the flow as a whole."""
    why = _why(snapshot, decision)
    if why is None:
        return
    for name, standing in standings.items():
        if standing.step.on_exit or not standing.phase.live or standing.ending:
            continue
        if standing.child is not None and not standing.child.phase.terminal:
            standings[name] = replace(standing, reason=why.reason, message=why.message)


def ends(snapshot: Snapshot) -> tuple[EndChild, ...]:
    """The Jobs to be ended now: for a reason that is committed, and not on their way already."""
    flow = snapshot.flow
    if flow.deleting or not (flow.compiled.timed or flow.committed.outcome is not None):
        return ()
    doomed = {record.jobUID: record for record in flow.committed.flowStatuses if _is_doomed(record)}
    if not doomed:
        return ()
    return tuple(
        EndChild(child.name, child.uid, record.reason, record.message)
        for child in snapshot.children
        if (record := doomed.get(child.uid)) is not None and _goes_on(flow, child)
    )


def _why(snapshot: Snapshot, decision: Decision | None) -> Decision | None:
    """The deadline of the flow, also where its end was decided before; else FailFast."""
    late = too_late(snapshot)
    if late is not None or decision is None or not snapshot.flow.compiled.ends.fail_fast:
        return late
    how = "has succeeded" if decision.outcome is Outcome.SUCCEEDED else "has failed"
    return Decision(decision.outcome, Reason.FAIL_FAST, f"the flow {how}, and its failurePolicy is FailFast")


def _is_doomed(record: FlowStatus) -> bool:
    return record.reason in ENDINGS and record.phase.live


def _goes_on(flow: Flow, child: ChildView) -> bool:
    mine = child.flow_uid == flow.uid
    return mine and not child.phase.terminal and not child.deleting and child.state not in ON_THE_WAY
