"""Rules of a flow's parameters, and of the placeholders in the arguments and patches of its steps.

In: a parsed flow. Out: Problems with field paths. What its templates say to the arguments is in
`validate_arguments.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jobflow.api.jobflow import FlowStep, JobFlowSpec, Patch
from jobflow.api.parameters import TEMPLATE_FIELD as FIELD
from jobflow.api.parameters import Argument
from jobflow.api.placeholder_rules import TOO_DEEP, below, declarations, judged, known, narrow, too_large
from jobflow.api.placeholders import PARAMS, STEPS, PlaceholderProblem, Reference, mentions, references
from jobflow.api.problems import Problem, suggestion_or_list
from jobflow.api.trees import too_deep


def flow_parameter_problems(spec: JobFlowSpec) -> list[Problem]:
    """What is wrong with a flow's parameters, and with the placeholders and arguments of its steps."""
    declared = spec.parameters or []
    problems = list(declarations(declared, "spec.parameters")) if declared else []
    names = [parameter.name for parameter in declared]
    steps = [(index, step) for index, step in enumerate(spec.flows) if step.arguments or step.patch]
    reach = _Reach(spec.flows) if steps else _Reach(())
    for index, step in steps:
        problems += _step(step, f"spec.flows[{index}]", names, reach)
    return problems


def unset_problems(spec: JobFlowSpec) -> list[Problem]:
    """Parameters that steps use and that have no value: such a flow runs only where one is given to it."""
    if not spec.parameters:
        return []
    used = {ref.name for step in spec.flows for _, ref in step_references(step) if ref.root == PARAMS}
    return [
        Problem(f"spec.parameters[{index}]", f"parameter {parameter.name} has no value; {_how_to_give(parameter.name)}")
        for index, parameter in enumerate(spec.parameters)
        if parameter.name in used and parameter.value is None and parameter.value_from is None
    ]


def unused_problems(spec: JobFlowSpec) -> list[Problem]:
    """Parameters that no step uses."""
    if not spec.parameters:
        return []
    used = {ref.name for step in spec.flows for _, ref in step_references(step) if ref.root == PARAMS}
    said = "no argument and no patch uses this parameter: $(params.{0})"
    return [
        Problem(f"spec.parameters[{index}].name", said.format(parameter.name))
        for index, parameter in enumerate(spec.parameters)
        if parameter.name not in used
    ]


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


class _Reach:
    """Which steps a step waits for, directly or through others; told for the few steps that ask."""

    def __init__(self, steps: Iterable[FlowStep]) -> None:
        self._targets = {step.name: step.targets for step in steps}

    def __contains__(self, step: str) -> bool:
        return step in self._targets

    @property
    def names(self) -> list[str]:
        return list(self._targets)

    def of(self, step: str) -> set[str]:
        """The transitive targets."""
        found: set[str] = set()
        todo = list(self._targets.get(step, ()))
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self._targets.get(name, ())
        return found


def _step(step: FlowStep, path: str, names: Sequence[str], reach: _Reach) -> Iterator[Problem]:
    deep = [index for index, argument in enumerate(step.arguments or ()) if too_deep(argument.value)]
    if deep:
        yield Problem(f"{path}.arguments[{deep[0]}].value", TOO_DEEP)
        return
    yield from _arguments(step.arguments or (), f"{path}.arguments")
    if step.patch and FIELD in step.patch.partial[1]:
        said = "no Job has parameters; give values to those of the template with the step's arguments"
        yield Problem(f"{path}.patch.{step.patch.partial[0]}.{FIELD}", said)
    targets: set[str] | None = None

    def judge(reference: Reference) -> str:
        nonlocal targets
        if reference.root != STEPS:
            return known(reference, names, "the flow has no parameter", "the flow's parameters are")
        targets = reach.of(step.name) if targets is None else targets
        if reference.name in targets:
            return ""
        if reference.name == step.name:
            return "a step cannot use its own outputs"
        if reference.name not in reach:
            hint = suggestion_or_list(reference.name, (n for n in reach.names if n != step.name), "the other steps are")
            return f'"{reference.name}" is not a step of this flow{hint}'
        return f"step {step.name} does not wait for {reference.name}; add {reference.name} to its dependsOn.targets"

    for part, tree, typed in _trees(step):
        yield from judged(f"{path}.{part}", tree, judge)
        if typed:
            yield from narrow(f"{path}.{part}", tree, "jobSpec")


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
