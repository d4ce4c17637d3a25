"""Gate: may this step start now, as far as the steps it waits for are concerned?

In: a step and where the steps it names stand; for an expression also the facts of the flow. Out: Open, Closed(why),
Never(why), Skip(why) or Broken(why). Called once per waiting step, targets first.

| | holds | can no longer hold |
| --- | --- | --- |
| targets, All | each ended well or was skipped, not all skipped | one failed or can never start; all were skipped |
| targets, Any | one has ended well | all have settled otherwise |
| targetsWithStatus | each is, or was, in its phase | one has settled otherwise |
| orGroups | what stands beside them, or one of them | all are lost |
| expression | it is true | all steps that it names have settled, and it is false |

To have ended well is to have succeeded, or to have failed where the failure is borne (`continueOnFail`); with
`waitFor: Running` it is enough to run. A step whose ways to start are all lost because everything was skipped is
skipped too. A target whose Job has failed and whose outputs are being read (`outputs.py`) still counts as running in
the status; it lets nothing start, but is not lost before it is committed as failed. Nor is one between two attempts.
What its conditions and probes say is asked after this (`conditions.py`, `evidence.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jobflow.api.children import ChildPhase
from jobflow.api.config_keys import ConfigKeys
from jobflow.api.dependencies import Group, Needs, Strategy, TargetPhase
from jobflow.api.probes import WaitFor
from jobflow.api.status import Reason, StepPhase
from jobflow.reconcile.arguments import CannotFill, Unread
from jobflow.reconcile.facts import NO_FACTS, Facts
from jobflow.reconcile.graph import Step
from jobflow.reconcile.observe import Standing

LOST = (StepPhase.FAILED, StepPhase.UNREACHABLE)
NAMED_TARGETS = 3  # as many as fit a line of `kubectl describe`; the rest is counted


@dataclass(frozen=True, slots=True)
class Open:
    """The step may start."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Not yet. `asks` is what has to be read first, where that is it."""

    reason: Reason
    message: str
    asks: ConfigKeys | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """It can no longer open."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Skip:
    """It is not to run, which is no failure."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Broken:
    """It did not open in time, or cannot be judged, and the step is to fail for it."""

    reason: Reason
    message: str


Gate = Open | Closed | Never | Skip | Broken
Standings = Mapping[str, Standing]


def gate(step: Step, standings: Standings, facts: Facts = NO_FACTS) -> Gate:
    """Whether `step` may start, given where the steps it names stand."""
    if step.needs is None:
        return _all(step.targets, standings, step.wait_for)
    if step.needs.expression is not None:
        return _expressed(step, step.needs, standings, facts)
    others = [_group(group, standings, WaitFor.COMPLETED) for group in step.needs.others]
    if others and step.needs.base.is_empty and step.probes is None:
        return _either(others)
    return _either([_group(step.needs.base, standings, step.wait_for), *others])


def by_groups(step: Step, standings: Standings) -> Gate | None:
    """Whether one of its orGroups lets the step start, whatever stands beside them; None where it has none."""
    if step.needs is None or not step.needs.others:
        return None
    return _either([_group(group, standings, WaitFor.COMPLETED) for group in step.needs.others])


def either(one: Gate, other: Gate) -> Gate:
    """What two ways to start come to."""
    return _either([one, other])


def _either(ways: Sequence[Gate]) -> Gate:
    """Any that is open opens; lost is what has lost them all, and skipped what was skipped in all of them."""
    for kind in (Open, Closed, Broken, Never):
        found = [way for way in ways if isinstance(way, kind)]
        if found:
            return _joined(found) if kind is Closed else found[0]
    return ways[0]


def _joined(closed: Sequence[Gate]) -> Gate:
    """All that is waited for, where any of it would do."""
    first = closed[0]
    if len(closed) == 1 or not isinstance(first, Closed):
        return first
    rest = [way.message.removeprefix("waits for ") for way in closed[1:] if isinstance(way, Closed)]
    more = f" and {len(rest) - NAMED_TARGETS} more" if len(rest) > NAMED_TARGETS else ""
    return Closed(first.reason, "; or for ".join([first.message, *rest[:NAMED_TARGETS]]) + more, first.asks)


def _group(group: Group, standings: Standings, wait_for: WaitFor) -> Gate:
    """Its targets and its targets with a phase: both have to hold."""
    count = _all if group.strategy is Strategy.ALL else _any
    found = [count(group.targets, standings, wait_for)] if group.targets else []
    found += [_in_phase(standings[name], phase) for name, phase in group.statuses]
    for kind in (Never, Skip):
        if lost := next((one for one in found if isinstance(one, kind)), None):
            return lost
    return next((one for one in found if isinstance(one, Closed)), Open())


def _all(names: Iterable[str], standings: Standings, wait_for: WaitFor) -> Gate:
    targets = [standings[name] for name in names]
    lost = [t for t in targets if t.phase in LOST and not t.good]
    if lost:
        return Never(Reason.DEPENDENCY_FAILED, _tell("cannot start:", lost))
    missing = [t for t in targets if not _is_well(t, wait_for) and t.phase is not StepPhase.SKIPPED]
    if missing:
        return Closed(Reason.DEPENDENCY, _tell("waits for", missing))
    if targets and all(t.phase is StepPhase.SKIPPED for t in targets):
        return _skipped(targets)
    return Open()


def _any(names: Iterable[str], standings: Standings, wait_for: WaitFor) -> Gate:
    targets = [standings[name] for name in names]
    if any(_is_well(t, wait_for) for t in targets):
        return Open()
    missing = [t for t in targets if not t.phase.settled]
    if missing:
        return Closed(Reason.DEPENDENCY, _tell("waits for any of", missing))
    if all(t.phase is StepPhase.SKIPPED for t in targets):
        return _skipped(targets)
    return Never(Reason.DEPENDENCY_FAILED, _tell("cannot start: none succeeded of", targets))


def _skipped(targets: list[Standing]) -> Skip:
    return Skip(Reason.TARGETS_SKIPPED, _tell("all that it waits for was skipped:", targets))


def _in_phase(target: Standing, phase: TargetPhase) -> Gate:
    """Whether a target is in a phase, or was where that is a phase to be passed through."""
    if _is_in(target, phase):
        return Open()
    if not target.phase.settled:
        return Closed(Reason.DEPENDENCY, f"waits for {_told(target)} to be {phase}")
    return Never(Reason.DEPENDENCY_FAILED, f"cannot start: {_told(target)} can no longer be {phase}")


def _is_in(target: Standing, phase: TargetPhase) -> bool:
    match phase:
        case TargetPhase.PENDING:
            return target.phase.live or target.had_child
        case TargetPhase.RUNNING:
            return _is_well(target, WaitFor.RUNNING)
        case TargetPhase.SUCCEEDED | TargetPhase.COMPLETED:
            return target.good
    return target.phase == phase.value


def _is_well(target: Standing, wait_for: WaitFor) -> bool:
    """It has got as far as is waited for."""
    if target.good:
        return True
    return wait_for is WaitFor.RUNNING and target.phase is StepPhase.RUNNING and not _is_failing(target)


def _expressed(step: Step, needs: Needs, standings: Standings, facts: Facts) -> Gate:
    """What the expression says. While a step that it names has not settled, neither false nor an error is the end."""
    assert needs.expression is not None
    named = [standings[name] for name in needs.edges]
    open_yet = [target for target in named if not target.phase.settled]
    waiting = Closed(Reason.DEPENDENCY, _tell("waits until its expression holds, by now for", open_yet))
    try:
        if facts.holds(needs.expression, step, standings):
            return Open()
    except Unread as unread:
        return Closed(unread.reason, unread.message, unread.asks)
    except CannotFill as problem:
        return waiting if open_yet else Broken(problem.reason, f"dependsOn.expression cannot be evaluated: {problem}")
    if open_yet:
        return waiting
    return Never(Reason.DEPENDENCY_FAILED, _tell("cannot start: its expression does not hold, with", named))


def _is_failing(target: Standing) -> bool:
    """Its Job has failed, and its step will have once it is committed what the Job left; or it is being ended."""
    child = target.child
    return target.phase.live and child is not None and (child.phase is ChildPhase.FAILED or target.ending)


def _tell(beginning: str, targets: list[Standing]) -> str:
    named = ", ".join(map(_told, targets[:NAMED_TARGETS]))
    more = len(targets) - NAMED_TARGETS
    return f"{beginning} {named}" + (f" and {more} more" if more > 0 else "")


def _told(target: Standing) -> str:
    if not _is_failing(target):
        return f"{target.step.name} ({target.phase})"
    return f"{target.step.name} (its Job {'is being ended' if target.ending else 'has failed'})"
