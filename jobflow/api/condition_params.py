"""Condition parameters: which parameters of a flow its conditions and expressions speak of.

In: a parsed flow. Out: their names, for the rules that a parameter which is used has a value, and that one which
nothing uses is told. What is no good as an expression names nothing; its own rules tell that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jobflow.api.conditions import references_in
from jobflow.api.jobflow import FlowStep, JobFlowSpec
from jobflow.api.placeholders import PARAMS


def condition_params(spec: JobFlowSpec) -> set[str]:
    """The parameters that `when`, `switch`, `retry.when` and `dependsOn.expression` name."""
    steps = [step for _, step in spec.every_step]
    texts = [text for step in steps for text in _texts(step)]
    texts += [condition.cel for condition in (spec.retry.when or () if spec.retry else ())]
    trees = [tree for step in steps for when in step.when or () for tree in (when.input, when.values)]
    trees += [[switch.input, *(case.values for case in switch.cases)] for switch in spec.switch or ()]
    return {name for text in texts for name in _of_expression(text)} | {name for tree in trees for name in _of(tree)}


def _texts(step: FlowStep) -> Iterator[str]:
    """The expressions of a step."""
    if step.depends_on and step.depends_on.expression:
        yield step.depends_on.expression
    for when in step.when or ():
        if when.cel:
            yield when.cel
    for one in (step.retry, step.retry_policy):
        yield from (condition.cel for condition in (one.when or () if one else ()))


def _of(tree: Any) -> Iterator[str]:
    return (reference.name for reference in references_in(tree) if reference.root == PARAMS)


def _of_expression(text: str) -> frozenset[str]:
    from jobflow.api.expressions import ExpressionProblem, compile_expression  # only where there is one

    try:
        return compile_expression(text).params
    except ExpressionProblem:
        return frozenset()
