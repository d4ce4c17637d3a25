"""Events: what a change of status is worth telling in `kubectl describe`.

In: the committed status and the one that is about to be. Out: Events with stable reasons, few of them: one for the
flow's end, one for each failed step, two for the probes of a step, one when a flow gets stuck on something a user can
mend. Created is told by `act`, once for all children of a pass. They are emitted after the status is committed, so a
pass that is repeated does not tell twice.
"""

from __future__ import annotations

from jobflow.api.status import FlowPhase, JobFlowStatus, Reason, StepPhase
from jobflow.reconcile.phase import PROBING, TELLING
from jobflow.reconcile.plan import EmitEvent

NORMAL = "Normal"
WARNING = "Warning"


def events(committed: JobFlowStatus, desired: JobFlowStatus) -> tuple[EmitEvent, ...]:
    """What is new in `desired`."""
    return (
        *_step_events(committed, desired),
        *_probe_events(committed, desired),
        *_flow_events(committed, desired),
    )


def _flow_events(committed: JobFlowStatus, desired: JobFlowStatus) -> list[EmitEvent]:
    state = desired.state
    if (state.phase, state.reason) == (committed.state.phase, committed.state.reason):
        return []
    match state.phase:
        case FlowPhase.SUCCEED:
            return [EmitEvent(NORMAL, "Succeeded", f"all {len(desired.flowStatuses)} steps succeeded")]
        case FlowPhase.FAILED:
            return [EmitEvent(WARNING, "Failed", f"{state.reason}: {state.message}")]
        case _ if state.reason in TELLING:
            return [EmitEvent(WARNING, state.reason, state.message)]
    return []


def _probe_events(committed: JobFlowStatus, desired: JobFlowStatus) -> list[EmitEvent]:
    """The first bad answer to a step's probes, and that they hold at last."""
    before = {entry.name: entry for entry in committed.flowStatuses if entry.reason in PROBING}
    found = []
    for entry in desired.flowStatuses:
        waited = before.get(entry.name)
        if entry.reason == Reason.PROBE_FAILING and (waited is None or waited.reason != Reason.PROBE_FAILING):
            found.append(EmitEvent(WARNING, Reason.PROBE_FAILING, f"step {entry.name}: {entry.message}"))
        elif waited is not None and entry.jobName:
            found.append(EmitEvent(NORMAL, "ProbeSucceeded", f"step {entry.name}: its probes hold"))
    return found


def _step_events(committed: JobFlowStatus, desired: JobFlowStatus) -> list[EmitEvent]:
    before = {entry.name: entry.phase for entry in committed.flowStatuses}
    failed = [
        EmitEvent(WARNING, "StepFailed", f"step {entry.name}: {entry.reason}: {entry.message}")
        for entry in desired.flowStatuses
        if entry.phase is StepPhase.FAILED and before.get(entry.name) is not StepPhase.FAILED
    ]
    recreations = {entry.name: entry.recreations for entry in committed.flowStatuses}
    return failed + [
        EmitEvent(
            WARNING, "Recreated", f"step {entry.name}: its unfinished Job was deleted; created {entry.jobName} again"
        )
        for entry in desired.flowStatuses
        if entry.recreations > recreations.get(entry.name, 0)
    ]
