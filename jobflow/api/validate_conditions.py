"""Rules of conditions: `when`, and expressions in `when` and `dependsOn`.

In: a parsed spec. Out: Problems: conditions that are none or two, expressions that cannot be compiled or that speak of
what is not there, placeholders that stand for nothing. A step may speak of the steps that it waits for, directly or
through others: of all others it is not known what became of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jobflow.api.conditions import WhenSpec
from jobflow.api.jobflow import FlowStep, JobFlowSpec
from jobflow.api.placeholder_rules import judged
from jobflow.api.placeholders import CONTEXT_NAMES, EXIT_NAMES, OUTPUTS, STEPS, Reference
from jobflow.api.problems import Problem, suggestion_or_list
from jobflow.api.reach import Reach
from jobflow.api.validate_parameters import refused_placeholder


class Sight:
    """What the conditions of a flow may speak of."""

    def __init__(self, spec: JobFlowSpec) -> None:
        self.reach = Reach(spec)
        self.params = [parameter.name for parameter in spec.parameters or ()]
        self._outputs: Mapping[str, set[str]] = {
            step.name: {output.name for output in step.outputs or ()} for _, step in spec.every_step
        }

    def context(self, step: str) -> Sequence[str]:
        """What of the context the step knows."""
        return (*CONTEXT_NAMES, *EXIT_NAMES) if step in self.reach.on_exit else CONTEXT_NAMES

    def lacks_output(self, step: str, output: str) -> str:
        """Why there is no such output, or nothing."""
        known = self._outputs.get(step)
        if known is None or output in known:
            return ""
        hint = suggestion_or_list(output, sorted(known), "its outputs are") or "; it declares none"
        return f"step {step} has no output {output}{hint}"

    def refused(self, reference: Reference, step: str) -> str:
        """What is wrong with a placeholder in a condition of the step, or nothing."""
        said = refused_placeholder(reference, step, self.params, self.reach)
        if said or reference.root != STEPS:
            return said
        return self.lacks_output(reference.name, reference.path[2])


def condition_problems(spec: JobFlowSpec) -> list[Problem]:
    """What is wrong with the conditions and expressions of the steps."""
    steps = [(path, step) for path, step in spec.every_step if step.when or _expression(step)]
    if not steps:
        return []
    sight = Sight(spec)
    problems: list[Problem] = []
    for path, step in steps:
        if text := _expression(step):
            problems += _waits(text, f"{path}.dependsOn.expression", step.name, sight)
        for index, when in enumerate(step.when or ()):
            problems += _when(when, f"{path}.when[{index}]", step.name, sight)
    return problems


def tree_problems(tree: Any, path: str, step: str, sight: Sight) -> Iterator[Problem]:
    """What is wrong with the placeholders of an input or of values."""
    yield from judged(path, tree, lambda reference: sight.refused(reference, step))


def _expression(step: FlowStep) -> str | None:
    return step.depends_on.expression if step.depends_on else None


def _waits(text: str, path: str, step: str, sight: Sight) -> Iterator[Problem]:
    """An expression in dependsOn waits for the steps that it names: it may name any, but one at least."""
    from jobflow.api.expressions import ExpressionProblem, compile_expression  # only where there is one

    try:
        expression = compile_expression(text)
    except ExpressionProblem as problem:
        yield Problem(path, str(problem))
        return
    if not expression.steps:
        said = "it names no step, so that there is nothing to wait for; whether a step runs at all is said by `when`"
        yield Problem(path, said)
    yield from _mentioned(text, path, step, sight)


def _when(when: WhenSpec, path: str, step: str, sight: Sight) -> Iterator[Problem]:
    compares = [name for name in ("input", "operator", "values") if getattr(when, name) is not None]
    if when.cel is not None:
        if compares:
            said = "cel says the whole condition; take it away, or write another condition"
            yield Problem(f"{path}.{compares[0]}", said)
        yield from _cel(when.cel, f"{path}.cel", step, sight)
        return
    if not compares:
        yield Problem(path, "a condition is either cel, or input with operator and values; add one")
        return
    for name in ("input", "operator"):
        if name not in compares:
            yield Problem(f"{path}.{name}", "a condition that compares has input, operator and values; add it")
    if not when.values:
        yield Problem(f"{path}.values", "there is nothing to compare the input with; add a value")
    yield from tree_problems(when.input, f"{path}.input", step, sight)
    yield from tree_problems(when.values or [], f"{path}.values", step, sight)
    if any(value is None for value in when.values or ()):
        yield Problem(f"{path}.values", "null is no value, and no input is ever null; take it away")


def _cel(text: str, path: str, step: str, sight: Sight) -> Iterator[Problem]:
    """An expression in `when` is asked when what the step waits for has come, and speaks of that."""
    from jobflow.api.expressions import ExpressionProblem, compile_expression  # only where there is one

    try:
        expression = compile_expression(text)
    except ExpressionProblem as problem:
        yield Problem(path, str(problem))
        return
    for name in sorted(expression.steps):
        if said := sight.reach.refused(step, name):
            yield Problem(path, f"steps['{name}']: {said}")
    yield from _mentioned(text, path, step, sight)


def _mentioned(text: str, path: str, step: str, sight: Sight) -> Iterator[Problem]:
    """Parameters, outputs and facts of the context that are not there."""
    from jobflow.api.expressions import compile_expression

    expression = compile_expression(text)
    for name in sorted(expression.params - set(sight.params)):
        hint = suggestion_or_list(name, sight.params, "the flow's parameters are")
        yield Problem(path, f"params.{name}: the flow has no parameter {name}{hint}")
    for target, output in sorted(expression.outputs):
        if said := sight.lacks_output(target, output):
            yield Problem(path, f"steps['{target}'].{OUTPUTS}.{output}: {said}")
    known = sight.context(step)
    for name in sorted(expression.context - set(known)):
        if name in EXIT_NAMES:
            said = "how the flow ended is known to the steps of onExit alone"
        else:
            said = f"the context has no {name}{suggestion_or_list(name, known, 'there are')}"
        yield Problem(path, f"context.{name}: {said}")
