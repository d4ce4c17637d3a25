"""Arguments: what a step brings to its template, and what becomes of the template with it.

In: a snapshot, a step that is to start. Out: the step without placeholders (`prepared`), and its template's spec
without any (`filled`); or why not: a value that has to be read first (Unread), or one that no waiting will mend
(CannotFill). Flow and template are substituted each in its own scope, and merged only then: a template never sees the
flow's parameters, and no value is looked into for more placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import msgspec

from jobflow.api.children import Node
from jobflow.api.config_keys import ConfigFound, ConfigKeys, question, reference
from jobflow.api.jobflow import Patch, PatchMetadata
from jobflow.api.names import MAX_LABEL_CHARACTERS
from jobflow.api.objects import TemplateView
from jobflow.api.parameter_values import ParameterProblem, outside_enum, read
from jobflow.api.parameters import TEMPLATE_FIELD, Parameter, TemplateParameter
from jobflow.api.placeholders import (
    CONTEXT_NAMES,
    EXIT_NAMES,
    PlaceholderProblem,
    Value,
    evaluated,
    substituted,
    value_of,
)
from jobflow.api.places import Path, Place, place_of
from jobflow.api.problems import Problem
from jobflow.api.status import Reason
from jobflow.api.trees import Unknown
from jobflow.api.validate_arguments import argument_problems, template_parameter_problems, template_parameters
from jobflow.api.validate_template import template_problems
from jobflow.reconcile.graph import Step
from jobflow.reconcile.outputs import committed_outputs
from jobflow.reconcile.patch import NAMED_PROBLEMS, unquoted
from jobflow.reconcile.scope import Scope
from jobflow.reconcile.snapshot import Flow, Snapshot

LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
NOTHING: Mapping[str, Value] = {}


class Unread(Exception):
    """A value has to be read first."""

    def __init__(self, reason: Reason, message: str, asks: ConfigKeys) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.asks = asks


class CannotFill(Exception):
    """The step's Job cannot be made of what there is; the message says which value, where, and why."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Prepared:
    """A step whose placeholders are replaced, with the values of its arguments."""

    step: Step
    arguments: Mapping[str, Value] = field(default_factory=dict)


def flow_scope(snapshot: Snapshot, step: Step, node: Node) -> Scope:
    """What the placeholders in the step stand for. Raises Unread, CannotFill."""
    flow = snapshot.flow
    declared = flow.compiled.parameters
    params = {name: parameter_value(flow, declared[name], snapshot.answers) for name in sorted(step.parameters)}
    return Scope(params, committed_outputs(flow, step), {**context_of(flow, node), **how_it_ended(flow, step)})


def how_it_ended(flow: Flow, step: Step) -> Mapping[str, Value]:
    """What the steps of onExit are told besides, as it is committed."""
    if not step.on_exit or flow.committed.outcome is None:
        return NOTHING
    ended = (flow.committed.outcome.value, flow.committed.outcomeReason)
    return dict(zip(EXIT_NAMES, map(value_of, ended), strict=True))


def context_of(flow: Flow, node: Node) -> Mapping[str, Value]:
    """Who and where the step is. A flow that is in no cluster has no UID yet."""
    known = (flow.name, flow.namespace, flow.uid, node.step, node.attempt)
    told = dict(zip(CONTEXT_NAMES, map(value_of, known), strict=True))
    if not flow.uid:
        told["uid"] = unknown("$(context.uid)")
    return told


def unknown(placeholder: str, *, from_job: bool = False) -> Value:
    """What is shown in place of a value that only a cluster, or the run itself, can tell."""
    return Value(Unknown(placeholder), placeholder, from_job=from_job, guess=True)


def prepared(step: Step, scope: Scope) -> Prepared:
    """The step with values in place of its placeholders. Raises CannotFill."""
    arguments: dict[str, Value] = {}
    for argument in step.arguments:
        try:
            arguments[argument.name] = evaluated(argument.value, scope.resolve)
        except PlaceholderProblem as problem:
            raise CannotFill(problem.reason, f"argument {argument.name}: {problem}") from problem
    patch = _patch(step.patch, scope) if step.patch and step.placeholders else step.patch
    return Prepared(replace(step, patch=patch), arguments)


def filled(
    spec: dict[str, Any], arguments: Mapping[str, Value], context: Mapping[str, Value], template: str
) -> dict[str, Any]:
    """The spec of a JobTemplate that declares parameters, with values in their place. Raises CannotFill.

    `template` is what messages call it.
    """
    _refuse(f"{template} cannot be used", _problems_of(msgspec.json.encode(spec)))
    declared = template_parameters(spec)
    rest = {name: below for name, below in spec.items() if name != "parameters"}
    scope = Scope(_values(declared, arguments, template), {}, context, template)
    try:
        made: dict[str, Any] = substituted(rest, scope.resolve, place_of)
    except PlaceholderProblem as problem:
        raise CannotFill(problem.reason, f"{template}: spec.{problem}") from problem
    return made


def refuse_filled(spec: Mapping[str, Any], template: str) -> None:
    """For a spec that no patch is laid over, and so checked with. Raises CannotFill where it is no Job."""
    problems = [unquoted(problem) for problem in template_problems(spec)]
    _refuse(f"what comes of {template} with its arguments is no Job", problems)


@lru_cache(maxsize=64)
def _problems_of(spec: bytes) -> tuple[Problem, ...]:
    """Of a template, whatever its arguments: it is looked through once, and many Jobs are made of it."""
    return tuple(template_parameter_problems(msgspec.json.decode(spec)))


def refuse_arguments(arguments: Mapping[str, Value], template: str) -> None:
    """For a template that declares no parameters. Raises CannotFill where there are arguments."""
    if arguments:
        _values((), arguments, template)


def kept_questions(snapshot: Snapshot) -> frozenset[ConfigKeys]:
    """What was read for the flow is asked on, so that what is known of it stays as it was read.

    Not what an earlier flow of its name wanted to know. And also while the spec is read without its parameters, as an
    outdated CRD gives it.
    """
    uid = snapshot.flow.uid
    return frozenset(asked for asked in snapshot.answers if isinstance(asked, ConfigKeys) and asked.flow_uid == uid)


class _Declaring(msgspec.Struct):
    """A template's spec, as far as it says whether it declares parameters."""

    parameters: Any = None


def has_values(step: Step, template: TemplateView | None) -> bool:
    """Whether values are put into the step's Job: who speaks of that Job may repeat them, and they may be secret."""
    if step.arguments or step.placeholders:
        return True
    if template is None or f'"{TEMPLATE_FIELD}"'.encode() not in template.spec:  # most have none, and are not parsed
        return False
    return bool(msgspec.json.decode(template.spec, type=_Declaring).parameters)


def _values(declared: Iterable[TemplateParameter], arguments: Mapping[str, Value], template: str) -> dict[str, Value]:
    """The argument of each parameter, else its default. Raises CannotFill."""
    by_name = {parameter.name: parameter for parameter in declared}
    _refuse(f"{template} cannot take these arguments", argument_problems(arguments, by_name, template, "arguments"))
    values: dict[str, Value] = {}
    for name, parameter in by_name.items():
        value = arguments.get(name) or value_of(parameter.value)
        outside = None if value.guess else outside_enum(parameter, value)
        if outside:
            raise CannotFill(Reason.PARAMETER_INVALID, f"{template}: parameter {name}: {outside}")
        values[name] = value
    return values


def parameter_value(flow: Flow, parameter: Parameter, answers: Mapping[Any, Any]) -> Value:
    """The value of a parameter of the flow, with what ConfigMaps have said. Raises Unread, CannotFill."""
    ref = reference(parameter)
    if ref is None:
        return value_of(parameter.value)
    asks = question(flow.namespace, flow.uid, ref.name, flow.compiled.parameters.values())
    found = answers.get(asks)
    if not isinstance(found, ConfigFound):
        raise Unread(Reason.CREATING, f"ConfigMap {ref.name} is being read for parameter {parameter.name}", asks)
    if not found.knows(ref.key):
        said = f"parameter {parameter.name} has no value: {found.problem}; the step starts when it has one"
        raise Unread(Reason.PARAMETER_NOT_FOUND, said, asks)
    text = found.value(ref.key)
    if text is None:
        return value_of("" if parameter.value is None else parameter.value)
    try:
        return read(text, parameter)
    except ParameterProblem as problem:
        said = f"parameter {parameter.name}: key {ref.key} of ConfigMap {ref.name}: {problem}"
        raise CannotFill(Reason.PARAMETER_INVALID, said) from problem


def _patch(patch: Patch, scope: Scope) -> Patch:
    field_name, partial = patch.partial
    try:
        made = substituted(partial, scope.resolve, place_of)
    except PlaceholderProblem as problem:
        raise CannotFill(problem.reason, f"patch.{field_name}.{problem}") from problem
    return patch.model_copy(
        update={
            "job_spec" if patch.job_spec is not None else "spec": made,
            "metadata": _metadata(patch.metadata, scope) if patch.metadata else None,
        }
    )


def _metadata(metadata: PatchMetadata, scope: Scope) -> PatchMetadata:
    tree = {"labels": metadata.labels or {}, "annotations": metadata.annotations or {}}
    try:
        made = substituted(tree, scope.resolve, _text)
    except PlaceholderProblem as problem:
        raise CannotFill(problem.reason, f"patch.metadata.{problem}") from problem
    for key, value in made["labels"].items():
        if len(value) > MAX_LABEL_CHARACTERS or not LABEL_VALUE.fullmatch(value):
            said = (
                f"patch.metadata.labels[{key}]: the value is none for a label, which has at most "
                f"{MAX_LABEL_CHARACTERS} letters, digits, -, _ and .; make it an annotation"
            )
            raise CannotFill(Reason.PARAMETER_INVALID, said)
    return PatchMetadata(labels=made["labels"], annotations=made["annotations"])


def _text(path: Path) -> Place:
    return Place.TEXT if len(path) > 1 else Place.MAPPING


def _refuse(said: str, problems: Sequence[Problem]) -> None:
    if problems:
        told = "; ".join(str(problem) for problem in problems[:NAMED_PROBLEMS])
        raise CannotFill(Reason.PARAMETER_INVALID, f"{said}: {told}")
