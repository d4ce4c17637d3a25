"""Advance: ask gate, evidence and start of each waiting step, and say where it stands then.

In: a snapshot, its graph, where the steps stand by their children. Out: an Advance: where they stand now, the children
to create, what to ask, when to look again and what to wait for. Targets come first, so that one pass carries what
became of a step to the last one after it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from jobflow.api.probes import Question
from jobflow.api.resources import Key
from jobflow.api.status import Outcome, Reason, StepPhase
from jobflow.reconcile.arguments import has_values
from jobflow.reconcile.attempts import given_up
from jobflow.reconcile.conditions import conditions, unsure
from jobflow.reconcile.evidence import evidence
from jobflow.reconcile.facts import Facts
from jobflow.reconcile.gate import Broken, Closed, Gate, Never, Open, Skip, by_groups, either, gate
from jobflow.reconcile.graph import Graph, Step
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.outcome import Decision
from jobflow.reconcile.outputs import uncommitted
from jobflow.reconcile.plan import CreateChild
from jobflow.reconcile.snapshot import Snapshot
from jobflow.reconcile.start import Held, Impossible, Ready, start


@dataclass
class Advance:
    """Where the steps stand once gates and starts were asked, and what came of it."""

    standings: dict[str, Standing]
    creates: list[CreateChild] = field(default_factory=list)
    retries: list[datetime] = field(default_factory=list)
    awaits: set[Key] = field(default_factory=set)
    questions: set[Question] = field(default_factory=set)


def advance_steps(snapshot: Snapshot, graph: Graph, advance: Advance, *, on_exit: bool = False) -> None:
    """Ask gate and start of each waiting step, targets first, so that one pass carries a loss to the last step.

    Of the steps that make the flow; or of those that are `on_exit`, whose time `finalize.py` knows.
    """
    for step in graph.order:
        standing = advance.standings[step.name]
        if standing.phase is not StepPhase.WAITING or step.on_exit is not on_exit:
            continue
        if standing.becomes is not None:
            continue  # the next attempt begins when it is committed that the last one is over
        match Open() if standing.had_child else _gate(snapshot, step, advance):
            case Open():
                advance.standings[step.name] = _start(snapshot, standing, advance)
            case Closed(reason, message, asks):
                advance.questions |= {asks} if asks else set()
                advance.standings[step.name] = replace(standing, reason=reason, message=message)
            case Never(reason, message):
                advance.standings[step.name] = replace(
                    standing, phase=StepPhase.UNREACHABLE, reason=reason, message=message
                )
            case Skip(reason, message):
                advance.standings[step.name] = replace(
                    standing, phase=StepPhase.SKIPPED, reason=reason, message=message
                )
            case Broken(reason, message):
                advance.standings[step.name] = replace(standing, phase=StepPhase.FAILED, reason=reason, message=message)


def _gate(snapshot: Snapshot, step: Step, advance: Advance) -> Gate:
    """Its targets first, then its conditions; what its probes say only where all else would let it start."""
    facts = Facts(snapshot.flow, snapshot.answers)
    by_targets = gate(step, advance.standings, facts)
    if not isinstance(by_targets, Open):
        return by_targets
    if unread := uncommitted(snapshot.flow, step):
        return Closed(Reason.DEPENDENCY, f"waits for the outputs of {', '.join(unread)}")
    if undecided := unsure(step, advance.standings):
        return Closed(Reason.DEPENDENCY, f"waits until it is written down what became of {', '.join(undecided)}")
    if step.when and not isinstance(by_conditions := conditions(step, advance.standings, facts), Open):
        return by_conditions
    return _probed(snapshot, step, advance)


def _probed(snapshot: Snapshot, step: Step, advance: Advance) -> Gate:
    """What the probes say. They belong to its own targets: an orGroup that holds does not need them."""
    other_ways = by_groups(step, advance.standings)
    if isinstance(other_ways, Open):
        return other_ways
    found = evidence(snapshot, step, advance.standings)
    advance.awaits |= found.awaits
    advance.questions |= found.questions
    return found.gate if other_ways is None else either(found.gate, other_ways)


def _start(snapshot: Snapshot, standing: Standing, advance: Advance) -> Standing:
    match start(snapshot, standing):
        case Ready(create):
            private = has_values(standing.step, snapshot.template(standing.step))
            advance.creates.append(dataclasses.replace(create, private=private))
            return replace(standing, reason=Reason.CREATING, message=f"Job {create.name} is being created")
        case Held(reason, message, retry_at, awaits, asks):
            advance.retries += [retry_at] if retry_at else []
            advance.questions |= {asks} if asks else set()
            advance.awaits |= {awaits} if awaits else set()
            return replace(standing, reason=reason, message=message)
        case Impossible(reason, message):
            return replace(standing, phase=StepPhase.FAILED, reason=reason, message=message)


def close(standings: dict[str, Standing], decision: Decision | None) -> dict[str, Standing]:
    """Once the end is decided nothing new starts, save the onExit steps: what still waits never will."""
    if decision is None:
        return standings
    return {
        name: standing
        if standing.phase is not StepPhase.WAITING or standing.step.on_exit
        else given_up(standing) or _closed(standing, decision)
        for name, standing in standings.items()
    }


def _closed(standing: Standing, decision: Decision) -> Standing:
    if decision.outcome is Outcome.SUCCEEDED:
        reason, why = Reason.FLOW_SUCCEEDED, "the flow has succeeded"
    elif decision.reason == Reason.DEADLINE_EXCEEDED:
        reason, why = Reason.FLOW_FAILED, "the flow's deadline has passed"
    else:
        reason, why = Reason.FLOW_FAILED, "another step has failed" if standing.had_child else "another step failed"
    said = (
        f"its unfinished Job was deleted, and {why} since"
        if standing.had_child
        else f"{why} before this one could start"
    )
    return replace(standing, phase=StepPhase.UNREACHABLE, reason=reason, message=said)
