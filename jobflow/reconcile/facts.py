"""Facts: what expressions and conditions of a step see of its flow.

In: a flow, the answers to its plan's questions, where the steps stand. Out: whether an expression holds; or Unread,
where a parameter has to be read first, and CannotFill, where no waiting will help. An expression is given what it
mentions and nothing else. A step's outputs are there once it has settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobflow.api.children import Node
from jobflow.api.status import Reason, StepPhase
from jobflow.reconcile.arguments import CannotFill, Unread, context_of, how_it_ended, parameter_value
from jobflow.reconcile.graph import Step
from jobflow.reconcile.observe import Standing, attempt_of
from jobflow.reconcile.snapshot import Flow

if TYPE_CHECKING:
    from jobflow.api.expressions import Expression

NO_EXIT_CODE = -1  # of a step that failed, where no container is known to have ended with an error
DONE_EXIT_CODE = 0  # of a step that succeeded


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one flow; without a flow, its steps only."""

    flow: Flow | None = None
    answers: Mapping[Any, Any] = field(default_factory=dict)
    partly: bool = False  # parameters that are not read yet are left out, and nobody waits for them

    def holds(self, expression: Expression, step: Step, standings: Mapping[str, Standing]) -> bool:
        """Whether an expression of `step` is true. Raises Unread, CannotFill; messages have no values in them."""
        from jobflow.api.expressions import ExpressionError  # CEL is loaded where a flow has an expression

        seen = {
            "steps": {name: step_facts(standings[name]) for name in expression.steps if name in standings},
            "params": self._params(expression),
            "context": self._context(expression, step, standings),
        }
        try:
            return expression.evaluate(seen)
        except ExpressionError as problem:
            raise CannotFill(Reason.EXPRESSION_ERROR, str(problem)) from problem

    def _params(self, expression: Expression) -> dict[str, Any]:
        if self.flow is None or not expression.params:
            return {}
        declared = self.flow.compiled.parameters
        known: dict[str, Any] = {}
        for name in sorted(expression.params):
            try:
                known[name] = parameter_value(self.flow, declared[name], self.answers).tree
            except Unread:
                if not self.partly:
                    raise
        return known

    def _context(self, expression: Expression, step: Step, standings: Mapping[str, Standing]) -> dict[str, Any]:
        if self.flow is None or not expression.context:
            return {}
        attempt = _attempt(standings[step.name]) if step.name in standings else 0
        known = {**context_of(self.flow, Node(step.name, None, attempt)), **how_it_ended(self.flow, step)}
        return {name: value.tree for name, value in known.items()}


NO_FACTS = Facts()


def step_facts(standing: Standing) -> dict[str, Any]:
    """What an expression sees of a step. Its exit code and its outputs are there when it has settled."""
    told: dict[str, Any] = {
        "phase": standing.phase.value,
        "reason": str(standing.reason),
        "attempt": _attempt(standing),
        "outputs": {},
    }
    if not standing.phase.settled:
        return told
    record = standing.record
    outputs = standing.outputs or (record.outputs if record else ())
    told["outputs"] = {entry.name: entry.value for entry in outputs if entry.value is not None}
    if standing.phase is StepPhase.SUCCEEDED:
        told["exitCode"] = DONE_EXIT_CODE
    elif standing.phase is StepPhase.FAILED:
        known = standing.exit_code if standing.exit_code is not None else record.exitCode if record else None
        told["exitCode"] = NO_EXIT_CODE if known is None else known
    return told


def _attempt(standing: Standing) -> int:
    if standing.child is not None:
        return attempt_of(standing.child)
    return standing.record.attempt if standing.record is not None else 0
