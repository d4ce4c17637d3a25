"""Events: what a change of status is worth telling in `kubectl describe`.

In: the committed status and the one that is about to be. Out: Events with stable reasons, few of them: one for the
flow's end, one for each failed step, two for the probes of a step, one for each Job that is to be ended, one when a
flow gets stuck on something a user can mend, one when its onExit steps may start. Created is told by `act`, once for
all children of a pass. They are emitted after the status is committed, so a pass that is repeated does not tell twice.
"""

from __future__ import annotations

from jobflow.api.status import FlowPhase, FlowStatus, JobFlowStatus, Reason, StepPhase
from jobflow.reconcile.observe import ENDINGS
from jobflow.reconcile.phase import PROBING, TELLING
from jobflow.reconcile.plan import EmitEvent

NORMAL = "Normal"
WARNING = "Warning"


def events(committed: JobFlowStatus, desired: JobFlowStatus) -> tuple[EmitEvent, ...]:
    """What is new in `desired`."""
    return (
        *_step_events(committed, desired),
        *_retry_events(committed, desired),
        *_probe_events(committed, desired),
        *_ending_events(committed, desired),
        *_flow_events(committed, desired),
        *_stuck_events(committed, desired),
    )


def _flow_events(committed: JobFlowStatus, desired: JobFlowStatus) -> list[EmitEvent]:
    state = desired.state
    if (state.phase, state.reason) == (committed.state.phase, committed.state.reason):
        return []
    match state.phase:
        case FlowPhase.SUCCEED:
            return [EmitEvent(NORMAL, "Succeeded", _success(desired))]
        case FlowPhase.FAILED:
            return [EmitEvent(WARNING, "Failed", f"{state.reason}: {state.message}")]
        case _ if state.reason in TELLING:
            return [EmitEvent(WARNING, state.reason, state.message)]
        case _ if state.reason == Reason.FINALIZING:
            return [EmitEvent(NORMAL, Reason.FINALIZING, state.message)]
    return []


def _stuck_events(committed: JobFlowStatus, desired: JobFlowStatus) -> list[EmitEvent]:
    """What keeps a step of onExit: of other steps the state says it, which says Finalizing then."""
    if desired.state.reason != Reason.FINALIZING:
        return []
    before = {entry.name: entry.reason for entry in committed.flowStatuses}
    return [
        EmitEvent(WARNING, entry.reason, f"step {entry.name}: {entry.message}")
        for entry in desired.flowStatuses
        if entry.reason in TELLING and entry.message and before.get(entry.name) != entry.reason
    ]


def _success(desired: JobFlowStatus) -> str:
    steps = len(desired.flowStatuses)
    done = sum(entry.phase is StepPhase.SUCCEEDED for entry in desired.flowStatuses)
    told = f"all {steps} steps succeeded" if done == steps else f"{done} of {steps} steps succeeded"
    return f"{told}; {desired.state.message}" if desired.state.message else told


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


def _ending_events(committed: JobFlowStatus, desired: JobFlowStatus) -> list[EmitEvent]:
    """Why a Job is to be ended that still runs."""
    found = [entry for entry in desired.flowStatuses if entry.phase.live and entry.reason in ENDINGS]
    if not found:
        return []
    before = {entry.name for entry in committed.flowStatuses if entry.reason in ENDINGS}
    return [
        EmitEvent(WARNING, entry.reason, f"step {entry.name}: {entry.message}")
        for entry in found
        if entry.name not in before
    ]


def _retry_events(committed: JobFlowStatus, desired: JobFlowStatus) -> list[EmitEvent]:
    """An attempt that failed, and when the next one begins."""
    waiting = [entry for entry in desired.flowStatuses if entry.reason == Reason.RETRY_BACKOFF]
    if not waiting:
        return []
    before = {entry.name: entry.attempt for entry in committed.flowStatuses}
    return [
        EmitEvent(WARNING, "Retrying", f"step {entry.name}: {_last(entry)}; {entry.message}")
        for entry in waiting
        if entry.attempt > before.get(entry.name, 0)
    ]


def _last(entry: FlowStatus) -> str:
    """Why its last attempt failed, in a word or two."""
    last = entry.attempts[-1]
    return last.reason if last.exitCode is None else f"{last.reason} with exit code {last.exitCode}"


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
