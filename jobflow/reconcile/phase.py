"""Phase: how a flow stands as a whole, and whether its end is decided.

In: where its steps stand. Out: the outcome (None while open) and `status.state`. Rules: a step that failed, or that
can no longer start, decides Failed at once, and what runs beside it finishes and is still observed; all steps
succeeded decides Succeeded, so a flow without steps succeeds at once; a flow is Pending until a child of it has run
(upstream); a flow that is being deleted is Terminating; a final phase that is committed never changes, whatever else
fails or is deleted.
"""

from __future__ import annotations

from collections.abc import Collection

from jobflow.api.status import FlowPhase, FlowState, Outcome, Reason, StepPhase
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.snapshot import Flow

FINAL_PHASES = frozenset({FlowPhase.SUCCEED, FlowPhase.FAILED})
LOST_PHASES = (StepPhase.FAILED, StepPhase.UNREACHABLE)  # the first is the better reason to tell
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
    }
)


def outcome(standings: Collection[Standing]) -> Outcome | None:
    """How the flow ended, as soon as that is decided."""
    if any(standing.phase in LOST_PHASES for standing in standings):
        return Outcome.FAILED
    if all(standing.phase is StepPhase.SUCCEEDED for standing in standings):
        return Outcome.SUCCEEDED
    return None


def flow_state(flow: Flow, standings: Collection[Standing], decided: Outcome | None) -> FlowState:
    """`status.state`: phase, reason and message."""
    if flow.committed.state.phase in FINAL_PHASES:
        return flow.committed.state
    if flow.deleting:
        return FlowState(FlowPhase.TERMINATING, message="the JobFlow is being deleted")
    if decided is Outcome.SUCCEEDED:
        return FlowState(FlowPhase.SUCCEED)
    if decided is Outcome.FAILED:
        failed = min(
            (standing for standing in standings if standing.phase in LOST_PHASES),
            key=lambda standing: LOST_PHASES.index(standing.phase),
        )
        return FlowState(FlowPhase.FAILED, Reason.STEP_FAILED, f"step {failed.step.name}: {failed.message}")
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
