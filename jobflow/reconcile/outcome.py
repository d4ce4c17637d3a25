"""Outcome: how does a flow end, and is that decided?

In: where its steps stand, its success and failure policies. Out: a Decision, or None while the end is open. Asked once
a pass, by flow.py, after the waiting steps were advanced. A step that failed, or whose probes can no longer hold, is a
loss, except where the failure is good (`continueOnFail`) or handled: where another step waits for how it ends, and may
start all the same, or has. A step that can no longer start only because of its targets decides nothing; what became of
the targets does.

| policy | met | lost |
| --- | --- | --- |
| All (default) | every step has settled, and none is a loss | one is a loss |
| Any | a step that no other waits for is good, or all of them were skipped | none of them can be any more |
| Critical | each critical step is good, skipped, or has failed and was handled | one of them is a loss |

Lost decides Failed at once, under `failurePolicy: RunIndependent` when all has settled. Met decides Succeeded when all
has settled, under `failurePolicy: FailFast` at once. Both decide at the flow's deadline. A flow without steps succeeds
at once. `onExit` steps have no say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from jobflow.api.dependencies import TargetPhase
from jobflow.api.ends import Ends, FailurePolicy, SuccessType
from jobflow.api.status import Outcome, Reason, StepPhase
from jobflow.reconcile.arguments import CannotFill
from jobflow.reconcile.facts import NO_FACTS, Facts
from jobflow.reconcile.gate import Closed, Open, gate
from jobflow.reconcile.graph import Graph, Step
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.snapshot import Flow

Standings = Mapping[str, Standing]

LOST_PHASES = (StepPhase.FAILED, StepPhase.UNREACHABLE)  # the first is the better reason to tell
BY_OTHERS = frozenset({Reason.DEPENDENCY_FAILED, Reason.FLOW_FAILED, Reason.FLOW_SUCCEEDED})
PASSING = (TargetPhase.PENDING, TargetPhase.RUNNING)  # who waits for these does not ask how a step ends
NAMED_STEPS = 3  # as many as fit a line of `kubectl describe`


@dataclass(frozen=True, slots=True)
class Decision:
    """How the flow ends, and why where it fails."""

    outcome: Outcome
    reason: str = ""
    message: str = ""


SUCCESS = Decision(Outcome.SUCCEEDED)


def decide(
    flow: Flow, graph: Graph, standings: Standings, facts: Facts = NO_FACTS, late: Decision | None = None
) -> Decision | None:
    """How the flow ends, as soon as that is decided. What is committed of it stands for ever.

    `facts` are for gates that are expressions. `late` is what comes of a flow whose deadline has passed: what is met or
    lost by then decides, and otherwise that.
    """
    committed, seen = flow.committed, Seen(graph, standings, facts, flow.compiled.ends)
    if committed.outcome is not None:
        if committed.outcomeReason or committed.outcome is Outcome.SUCCEEDED:
            return Decision(committed.outcome, committed.outcomeReason, committed.outcomeMessage)
        return Decision(committed.outcome, Reason.STEP_FAILED, _told(_lost(seen)))
    found = POLICIES[seen.ends.success](seen)
    over = late is not None or seen.settled
    if isinstance(found, Decision):
        return None if seen.ends.failure is FailurePolicy.RUN_INDEPENDENT and not over else found
    return SUCCESS if found and (seen.ends.fail_fast or over) else late


@dataclass(frozen=True, slots=True)
class Seen:
    """What the policies decide on."""

    graph: Graph
    standings: Standings
    facts: Facts
    ends: Ends

    @property
    def main(self) -> Collection[Standing]:
        """Where the steps stand that have a say, in the order of the spec."""
        if not self.graph.on_exit:
            return self.standings.values()
        return [self.standings[step.name] for step in self.graph.main]

    @property
    def settled(self) -> bool:
        """Nothing of it goes on."""
        return all(standing.phase.settled for standing in self.main)

    def is_handled(self, lost: Step) -> bool:
        """Whether another step is there for the loss of this one."""
        return any(
            self._bears(other, self.standings[other.name])
            for other in self.graph.dependents.get(lost.name, ())
            if not other.on_exit and _asks_how_it_ends(other, lost.name)
        )

    def _bears(self, step: Step, standing: Standing) -> bool:
        if standing.phase in (StepPhase.SKIPPED, StepPhase.UNREACHABLE):
            return False
        found = gate(step, self.standings, self.facts)
        if standing.phase is StepPhase.WAITING and not standing.had_child:
            return isinstance(found, Open | Closed)
        if not isinstance(found, Closed):
            return isinstance(found, Open)
        return self._may_hold(step) if found.asks else any(map(self._is_between, step.edges))

    def _is_between(self, name: str) -> bool:
        """An attempt of the step has failed, and another one follows: what ran because of it still has a reason."""
        standing = self.standings[name]
        return not standing.phase.settled and (standing.becomes is not None or standing.attempt > 0)

    def _may_hold(self, step: Step) -> bool:
        """Of a step that has started: whether its expression may be true, whatever the parameters are that are unread.

        It was true with their values, which a controller that starts anew has not read yet.
        """
        if step.needs is None or step.needs.expression is None:
            return False
        try:
            return replace(self.facts, partly=True).holds(step.needs.expression, step, self.standings)
        except CannotFill:
            return True


def _asks_how_it_ends(step: Step, name: str) -> bool:
    if step.needs is None or step.needs.expression is not None:
        return True
    groups = (step.needs.base, *step.needs.others)
    return any(
        name in group.targets or any(other == name and phase not in PASSING for other, phase in group.statuses)
        for group in groups
    )


def _lost(seen: Seen) -> list[Standing]:
    """The losses, in the order of the spec."""
    return [
        standing
        for standing in seen.main
        if standing.phase in LOST_PHASES
        and not standing.good
        and standing.reason not in BY_OTHERS
        and not seen.is_handled(standing.step)
    ]


def _all(seen: Seen) -> Decision | bool:
    if any(standing.phase in LOST_PHASES for standing in seen.main) and (lost := _lost(seen)):
        return _failed(_told(lost))
    return seen.settled


def _any(seen: Seen) -> Decision | bool:
    waited_for = frozenset[str]().union(*(step.edges for step in seen.graph.main))
    last = [standing for standing in seen.main if standing.step.name not in waited_for]
    if any(standing.good for standing in last):
        return True
    if not all(standing.phase.settled for standing in last):
        return False
    lost = [standing for standing in last if standing.phase is not StepPhase.SKIPPED]
    if not lost:
        return True
    named = ", ".join(f"{standing.step.name} ({standing.phase})" for standing in lost[:NAMED_STEPS])
    more = f" and {len(lost) - NAMED_STEPS} more" if len(lost) > NAMED_STEPS else ""
    return _failed(f"of the steps that no other waits for none has succeeded: {named}{more}")


def _critical(seen: Seen) -> Decision | bool:
    met = True
    for standing in seen.main:
        if standing.step.name not in seen.ends.critical or standing.good or standing.phase is StepPhase.SKIPPED:
            continue
        handled = standing.phase is StepPhase.FAILED and seen.is_handled(standing.step)
        if standing.phase in LOST_PHASES and not handled:
            return _failed(f"critical step {standing.step.name}: {standing.message}")
        met = met and handled and seen.settled  # not sooner: the step that is there for it may yet be lost
    return met


POLICIES: Mapping[SuccessType, Callable[[Seen], Decision | bool]] = {
    SuccessType.ALL: _all,
    SuccessType.ANY: _any,
    SuccessType.CRITICAL: _critical,
}


def _failed(message: str) -> Decision:
    return Decision(Outcome.FAILED, Reason.STEP_FAILED, message)


def _told(lost: Sequence[Standing]) -> str:
    if not lost:
        return ""
    told = min(lost, key=lambda standing: LOST_PHASES.index(standing.phase))
    return f"step {told.step.name}: {told.message}"
