"""Gate: may this step start now, as far as the steps it waits for are concerned?

In: a step and where its targets stand. Out: Open, Closed(why) or Never(why). Called once per waiting step, targets
first. All of `dependsOn.targets` must have succeeded, or must at least run where the step says so (`waitFor`); no
targets means that it is open from the start. What its probes say is asked after that (`evidence.py`). A target whose
Job has failed and whose outputs are being read (`outputs.py`) still counts as running in the status; it lets nothing
start, but is not lost before it is committed as failed, so that no later step is committed as lost for the sake of one
that is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jobflow.api.children import ChildPhase
from jobflow.api.probes import WaitFor
from jobflow.api.status import Reason, StepPhase
from jobflow.reconcile.graph import Step
from jobflow.reconcile.observe import Standing

NAMED_TARGETS = 3  # as many as fit a line of `kubectl describe`; the rest is counted


@dataclass(frozen=True, slots=True)
class Open:
    """The step may start."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Not yet."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Never:
    """It can no longer open."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Broken:
    """It did not open in time, and the step is to fail for it."""

    reason: Reason
    message: str


Gate = Open | Closed | Never | Broken

GOOD_ENOUGH = {
    WaitFor.COMPLETED: (StepPhase.SUCCEEDED,),
    WaitFor.RUNNING: (StepPhase.RUNNING, StepPhase.SUCCEEDED),
}


def gate(step: Step, standings: Mapping[str, Standing]) -> Gate:
    """Whether `step` may start, given where its targets stand."""
    targets = [standings[name] for name in step.targets]
    lost = [t for t in targets if t.phase in (StepPhase.FAILED, StepPhase.UNREACHABLE)]
    if lost:
        return Never(Reason.DEPENDENCY_FAILED, _tell("cannot start:", lost))
    missing = [t for t in targets if t.phase not in GOOD_ENOUGH[step.wait_for] or _is_failing(t)]
    if missing:
        return Closed(Reason.DEPENDENCY, _tell("waits for", missing))
    return Open()


def _is_failing(target: Standing) -> bool:
    """Its Job has failed, and its step will have once it is committed what the Job left."""
    child = target.child
    return target.phase.live and child is not None and child.phase is ChildPhase.FAILED


def _tell(beginning: str, targets: list[Standing]) -> str:
    named = ", ".join(
        f"{t.step.name} ({'its Job has failed' if _is_failing(t) else t.phase})" for t in targets[:NAMED_TARGETS]
    )
    more = len(targets) - NAMED_TARGETS
    return f"{beginning} {named}" + (f" and {more} more" if more > 0 else "")
