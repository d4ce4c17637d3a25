"""Phase: how a flow stands as a whole.

In: where its steps stand, how the flow ends if that is decided (`outcome.py`). Out: `status.state`. Rules: a flow is
Pending until a child of it has run (upstream); one whose end is decided is Succeed or Failed at once, and what runs
beside it finishes and is still observed; where it has `onExit` steps it stays Running, reason Finalizing, until they
have ended; a flow that is being deleted is Terminating; a final phase that is committed never changes, whatever else
fails or is deleted.
"""

from __future__ import annotations

from collections.abc import Collection

from jobflow.api.status import FlowPhase, FlowState, JobFlowStatus, Outcome, Reason, StepPhase
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.outcome import Decision
from jobflow.reconcile.snapshot import Flow

FINAL_PHASES = frozenset({FlowPhase.SUCCEED, FlowPhase.FAILED})
PROBING = (Reason.PROBE, Reason.PROBE_FAILING)

# What a user has to do something about; a step that merely waits its turn is no reason of the flow.
TELLING = frozenset(
    {
        Reason.TEMPLATE_NOT_FOUND,
        Reason.TEMPLATE_UNREADABLE,
        Reason.PARAMETER_NOT_FOUND,
        Reason.CRD_OUTDATED,
        Reason.CHILD_REJECTED,
        Reason.NAME_CONFLICT,
        Reason.PREVIOUS_CHILD_TERMINATING,
        Reason.COLLECTING_OUTPUTS,  # with a message: why they cannot be read
        Reason.READING_EXIT_CODE,  # the same; or which parameter a condition waits for
    }
)


def is_finished(committed: JobFlowStatus) -> bool:
    """The end is committed, by us or by another controller: such a status is never filled in afterwards."""
    if committed.completionTime is not None:
        return True
    return committed.state.phase in FINAL_PHASES and not committed.flowStatuses and committed.outcome is None


def flow_state(flow: Flow, standings: Collection[Standing], decision: Decision | None) -> FlowState:
    """`status.state`: phase, reason and message."""
    if flow.committed.state.phase in FINAL_PHASES:
        return flow.committed.state
    if flow.deleting:
        return FlowState(FlowPhase.TERMINATING, message="the JobFlow is being deleted")
    if decision is not None:
        phase = FlowPhase.SUCCEED if decision.outcome is Outcome.SUCCEEDED else FlowPhase.FAILED
        return FlowState(phase, decision.reason, decision.message)
    phase = FlowPhase.RUNNING if _has_run(flow, standings) else FlowPhase.PENDING
    told = next((standing for standing in standings if standing.reason in TELLING and standing.message), None)
    told = told or next((standing for standing in standings if standing.reason in PROBING), None)
    if told is None:
        return FlowState(phase)
    reason = Reason.PROBE if told.reason in PROBING else told.reason
    return FlowState(phase, reason, f"step {told.step.name}: {told.message}")


def _has_run(flow: Flow, standings: Collection[Standing]) -> bool:
    if flow.committed.state.phase is FlowPhase.RUNNING:
        return True
    return any(standing.phase in (StepPhase.RUNNING, StepPhase.SUCCEEDED) for standing in standings)
