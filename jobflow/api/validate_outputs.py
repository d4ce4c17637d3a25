"""Rules of a step's outputs and of the placeholders that use them, as far as the spec alone shows it.

In: a parsed spec. Out: Problems: outputs that are declared twice, without a source or with a path that is none;
placeholders of outputs that no step declares; outputs that would decide on what runs and with which rights. What only
shows in the template (which task says it, where a parameter goes) lint tells where the files have it, and the step
when it starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from jobflow.api.guarded import guarded_field
from jobflow.api.jobflow import FlowStep, JobFlowSpec
from jobflow.api.outputs import MAX_OUTPUT_BYTES, StepOutput, path_parts
from jobflow.api.placeholders import STEPS, Path, PlaceholderProblem, Reference, references, written
from jobflow.api.problems import Problem, suggestion_or_list


def output_problems(spec: JobFlowSpec) -> list[Problem]:
    """What is wrong with the outputs of a flow, declared and used."""
    declared = {step.name: {output.name for output in step.outputs or ()} for _, step in spec.every_step}
    problems: list[Problem] = []
    for path, step in spec.every_step:
        problems += _declared(step.outputs or (), f"{path}.outputs")
        problems += _used(step, path, declared)
    return problems


def read_steps(step: FlowStep) -> frozenset[str]:
    """The steps whose outputs this one uses."""
    try:
        return frozenset(reference.name for _, reference in used_outputs(step))
    except PlaceholderProblem:
        return frozenset()  # told by the rules of placeholders; such a flow does not start


def used_outputs(step: FlowStep) -> Iterator[tuple[Path, Reference]]:
    """The placeholders of outputs in what a step gives its Job, with their places in the step."""
    for path, reference in references(written_by(step)):
        if reference.root == STEPS:
            yield path, reference


def written_by(step: FlowStep) -> dict[str, Any]:
    """The part of a step whose strings may hold placeholders of outputs."""
    tree: dict[str, Any] = {}
    if step.arguments:
        tree["arguments"] = [{"value": argument.value} for argument in step.arguments]
    if step.patch:
        tree["patch"] = {"spec": step.patch.spec or {}, "jobSpec": step.patch.job_spec or {}}
        if metadata := step.patch.metadata:
            tree["patch"]["metadata"] = {"labels": metadata.labels or {}, "annotations": metadata.annotations or {}}
    return tree


def guarded_part(path: Path) -> str | None:
    """The field on the way to a place that no Job's output may decide on."""
    return guarded_field(path)


def _declared(outputs: Iterable[StepOutput], path: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, output in enumerate(outputs):
        at = f"{path}[{index}]"
        if output.name in seen:
            yield Problem(f"{at}.name", f'output "{output.name}" is declared twice; give each a name of its own')
        seen.add(output.name)
        yield from _source(output, f"{at}.from")
        if output.default is not None and len(msgspec.json.encode(output.default)) > MAX_OUTPUT_BYTES:
            yield Problem(f"{at}.default", f"it has more than the {MAX_OUTPUT_BYTES} bytes that an output may have")


def _source(output: StepOutput, path: str) -> Iterator[Problem]:
    said, field = output.source.termination_message, output.source.path
    if (said is None) == (field is None):
        more = "; take one of them away" if said is not None else "; add one"
        yield Problem(path, f"either terminationMessage or path says where the value stands{more}")
    elif field is not None:
        try:
            path_parts(field)
        except ValueError as problem:
            yield Problem(f"{path}.path", str(problem))


def _used(step: FlowStep, path: str, declared: Mapping[str, set[str]]) -> Iterator[Problem]:
    """References to steps that are not there, or are no targets, are told with all other placeholders."""
    try:
        used = list(used_outputs(step))
    except PlaceholderProblem:
        return
    for place, reference in used:
        at = f"{path}.{written(place)}"
        known = declared.get(reference.name)
        output = reference.path[2]
        if known is not None and output not in known:
            hint = suggestion_or_list(output, sorted(known), "its outputs are") or "; it declares none"
            yield Problem(at, f"{reference.text}: step {reference.name} has no output {output}{hint}")
        elif place[0] == "patch" and (guarded := guarded_part(place)):
            said = f"{reference.text} comes out of a Job, and what comes out of a Job may not decide on {guarded}"
            yield Problem(at, said)
