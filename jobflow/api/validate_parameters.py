"""Rules of a flow's parameters, and of the placeholders in the arguments and patches of its steps.

In: a parsed flow. Out: Problems with field paths. What its templates say to the arguments is in
`validate_arguments.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jobflow.api.condition_params import condition_params
from jobflow.api.jobflow import FlowStep, JobFlowSpec, Patch
from jobflow.api.parameters import TEMPLATE_FIELD as FIELD
from jobflow.api.parameters import Argument
from jobflow.api.placeholder_rules import TOO_DEEP, below, declarations, judged, known, narrow, too_large
from jobflow.api.placeholders import (
    CONTEXT_NAMES,
    EXIT_NAMES,
    PARAMS,
    STEPS,
    PlaceholderProblem,
    Reference,
    mentions,
    references,
)
from jobflow.api.problems import Problem
from jobflow.api.reach import Reach
from jobflow.api.trees import too_deep


def flow_parameter_problems(spec: JobFlowSpec) -> list[Problem]:
    """What is wrong with a flow's parameters, and with the placeholders and arguments of its steps."""
    declared = spec.parameters or []
    problems = list(declarations(declared, "spec.parameters")) if declared else []
    names = [parameter.name for parameter in declared]
    steps = [(path, step) for path, step in spec.every_step if step.arguments or step.patch]
    if steps:
        reach = Reach(spec)
        for path, step in steps:
            problems += _step(step, path, names, reach)
    return problems


def unset_problems(spec: JobFlowSpec) -> list[Problem]:
    """Parameters that steps use and that have no value: such a flow runs only where one is given to it."""
    if not spec.parameters:
        return []
    used = _used(spec)
    return [
        Problem(f"spec.parameters[{index}]", f"parameter {parameter.name} has no value; {_how_to_give(parameter.name)}")
        for index, parameter in enumerate(spec.parameters)
        if parameter.name in used and parameter.value is None and parameter.value_from is None
    ]


def unused_problems(spec: JobFlowSpec) -> list[Problem]:
    """Parameters that no step uses."""
    if not spec.parameters:
        return []
    used = _used(spec)
    said = "no argument, patch or condition uses this parameter: $(params.{0})"
    return [
        Problem(f"spec.parameters[{index}].name", said.format(parameter.name))
        for index, parameter in enumerate(spec.parameters)
        if parameter.name not in used
    ]


def _used(spec: JobFlowSpec) -> set[str]:
    """The parameters that something in the flow names."""
    named = {ref.name for _, step in spec.every_step for _, ref in step_references(step) if ref.root == PARAMS}
    return named | condition_params(spec)


def step_references(step: FlowStep) -> Iterator[tuple[str, Reference]]:
    """The placeholders of a step, with where they stand in it; those that are none in form are left out."""
    for path, tree, _ in _trees(step):
        try:
            for at, reference in references(tree):
                yield below(path, at), reference
        except PlaceholderProblem:
            continue


def has_mentions(step: FlowStep) -> bool:
    """Whether one of our prefixes stands in the step at all, also escaped: then its text is not what it is sent as."""
    return any(next(mentions(tree), None) for _, tree, _ in _trees(step))


def is_filled(step: FlowStep, template: Mapping[str, Any]) -> bool:
    """Whether values are put into the step's Job before it is made."""
    return bool(template.get(FIELD)) or has_mentions(step)


def _step(step: FlowStep, path: str, names: Sequence[str], reach: Reach) -> Iterator[Problem]:
    deep = [index for index, argument in enumerate(step.arguments or ()) if too_deep(argument.value)]
    if deep:
        yield Problem(f"{path}.arguments[{deep[0]}].value", TOO_DEEP)
        return
    yield from _arguments(step.arguments or (), f"{path}.arguments")
    if step.patch and FIELD in step.patch.partial[1]:
        said = "no Job has parameters; give values to those of the template with the step's arguments"
        yield Problem(f"{path}.patch.{step.patch.partial[0]}.{FIELD}", said)

    def judge(reference: Reference) -> str:
        return refused_placeholder(reference, step.name, names, reach)

    for part, tree, typed in _trees(step):
        yield from judged(f"{path}.{part}", tree, judge)
        if typed:
            yield from narrow(f"{path}.{part}", tree, "jobSpec")


def refused_placeholder(reference: Reference, step: str, names: Sequence[str], reach: Reach) -> str:
    """What is wrong with a placeholder in the step, or nothing; `names` are the flow's parameters."""
    if reference.root == STEPS:
        return reach.refused(step, reference.name)
    context = (*CONTEXT_NAMES, *EXIT_NAMES) if step in reach.on_exit else CONTEXT_NAMES
    return known(reference, names, ("the flow has no parameter", "the flow's parameters are"), context)


def _trees(step: FlowStep) -> Iterator[tuple[str, Any, bool]]:
    """What of a step may hold placeholders: its path, the tree, and whether its types are Volcano's."""
    for index, argument in enumerate(step.arguments or ()):
        yield f"arguments[{index}].value", argument.value, False
    if step.patch is None:
        return
    yield from _patch_trees(step.patch)


def _patch_trees(patch: Patch) -> Iterator[tuple[str, Any, bool]]:
    if patch.spec is not None:
        yield "patch.spec", patch.spec, False
    if patch.job_spec is not None:
        yield "patch.jobSpec", patch.job_spec, True
    if patch.metadata is not None:
        yield "patch.metadata.labels", patch.metadata.labels or {}, False
        yield "patch.metadata.annotations", patch.metadata.annotations or {}, False


def _arguments(arguments: Sequence[Argument], path: str) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, argument in enumerate(arguments):
        if first.setdefault(argument.name, index) != index:
            said = f"argument {argument.name} is already given at {path}[{first[argument.name]}]"
            yield Problem(f"{path}[{index}].name", said)
        if argument.value is None:
            yield Problem(f"{path}[{index}].value", "null is no value; leave the argument out to use the default")
    yield from too_large([(argument.name, argument.value) for argument in arguments], path, "the arguments have")


def _how_to_give(name: str) -> str:
    return f"write value or valueFrom, or give one with -p {name}=..."
