"""Conditions: does a step run, or is it skipped, now that what it waits for has come?

In: a step with conditions (its own `when`, and those that switches lay on it), the facts of its flow. Out: Open where
all of them hold; Skip at the first that does not; Closed where a value has to be read first; Broken where one cannot be
evaluated. Asked when the gate is open, before the probes, and never of a step that has had a Job: a skip is committed
as soon as it is decided. Values may be secret, so messages repeat conditions as they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jobflow.api.children import Node
from jobflow.api.conditions import Condition, Operator
from jobflow.api.parameter_values import same
from jobflow.api.placeholders import CONTEXT, PlaceholderProblem, Value, as_text, evaluated
from jobflow.api.status import Reason, StepPhase
from jobflow.reconcile.arguments import CannotFill, Unread, context_of, how_it_ended, parameter_value
from jobflow.reconcile.facts import Facts
from jobflow.reconcile.gate import Broken, Closed, Gate, Open, Skip
from jobflow.reconcile.graph import Step
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.outputs import committed_outputs
from jobflow.reconcile.scope import Scope

if TYPE_CHECKING:
    from jobflow.api.expressions import Expression

Standings = Mapping[str, Standing]

DECIDED = (StepPhase.SKIPPED, StepPhase.FAILED, StepPhase.UNREACHABLE)


def conditions(step: Step, standings: Standings, facts: Facts) -> Gate:
    """Whether all conditions of the step hold."""
    for condition in step.when:
        try:
            if not _holds(condition, step, standings, facts):
                return Skip(Reason.WHEN_FALSE, f"skipped: {_told(condition, step, facts)}")
        except Unread as unread:
            return Closed(unread.reason, unread.message, unread.asks)
        except CannotFill as problem:
            if open_yet := _unsettled(condition, standings):
                return Closed(Reason.DEPENDENCY, f"its condition waits for {', '.join(open_yet)}")
            return Broken(Reason.EXPRESSION_ERROR, f"its condition cannot be evaluated: {condition.told}: {problem}")
    return Open()


def unsure(step: Step, standings: Standings) -> list[str]:
    """The steps whose end lets this one start and is not committed yet, where it may come out otherwise after a crash.

    That is what was decided here and not by a Job, with a ConfigMap that has changed since; and what a Job left, where
    an expression asks for it and its pods may be gone. What then runs would be two branches. That a Job has ended
    stays so, whoever looks at it.
    """
    decided = [
        name
        for name in step.edges
        if (target := standings[name]).phase in DECIDED and not target.frozen and target.child is None
    ]
    if step.needs is None and not step.when:
        return decided
    asked = [(one.facts, standings[name]) for one in _expressions(step) for name in one.steps if name in standings]
    read = {target.step.name for facts, target in asked if _is_read(target, facts) and not target.frozen}
    return [*decided, *sorted(read.difference(decided))]


def _is_read(target: Standing, facts: frozenset[str]) -> bool:
    """Facts of it are read once, when its Job has ended; that of a success the exit code is 0 needs no reading."""
    if "outputs" in facts and target.step.outputs:
        return target.phase.settled
    return "exitCode" in facts and target.phase is StepPhase.FAILED


def _expressions(step: Step) -> list[Expression]:
    waits = [step.needs.expression] if step.needs is not None else []
    return [one for one in (*waits, *(condition.expression for condition in step.when)) if one is not None]


def _holds(condition: Condition, step: Step, standings: Standings, facts: Facts) -> bool:
    """Raises Unread, CannotFill."""
    if condition.expression is not None:
        return facts.holds(condition.expression, step, standings)
    scope = _scope(condition, step, facts)
    try:
        value = evaluated(condition.input, scope.resolve)
        found = any(_equal(value, evaluated(one, scope.resolve)) for one in condition.values)
    except PlaceholderProblem as problem:
        raise CannotFill(problem.reason, str(problem)) from problem
    return found is (condition.operator is Operator.IN)


def _scope(condition: Condition, step: Step, facts: Facts) -> Scope:
    """What the placeholders of a condition stand for. Raises Unread, CannotFill."""
    flow = facts.flow
    if flow is None:
        return Scope()
    declared = flow.compiled.parameters
    params = {name: parameter_value(flow, declared[name], facts.answers) for name in sorted(condition.params)}
    context = {**context_of(flow, Node(step.name)), **how_it_ended(flow, step)}
    return Scope(params, committed_outputs(flow, step), context)


def _equal(one: Value, other: Value) -> bool:
    """As JSON, or as it is written: who writes 8 and who writes "8" means the same."""
    return same(one.tree, other.tree) or (_is_plain(one.tree) and _is_plain(other.tree) and one.text == other.text)


def _is_plain(tree: Any) -> bool:
    return isinstance(tree, str | int | float)


def _told(condition: Condition, step: Step, facts: Facts) -> str:
    """The condition as it is written; and its input where nobody's value is in it."""
    said = f"its condition does not hold: {condition.told}"
    roots = {reference.root for reference in condition.placeholders}
    if condition.expression is not None or roots != {CONTEXT}:
        return said
    return (
        f"{said}, where the input is {as_text(evaluated(condition.input, _scope(condition, step, facts).resolve).tree)}"
    )


def _unsettled(condition: Condition, standings: Standings) -> list[str]:
    return sorted(name for name in condition.steps if name in standings and not standings[name].phase.settled)
