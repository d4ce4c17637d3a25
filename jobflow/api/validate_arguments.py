"""Rules of a template's parameters, and of the arguments that a step gives for them.

In: a JobTemplate's spec, the arguments of a step. Out: Problems with field paths. Both sides are known together to
lint and render, where the files have both, and to the controller when the step starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import pydantic

from jobflow.api.parameter_values import outside_enum
from jobflow.api.parameters import TEMPLATE_FIELD as FIELD
from jobflow.api.parameters import Argument, TemplateParameter
from jobflow.api.placeholder_rules import declarations, judged, known, narrow
from jobflow.api.placeholders import (
    PARAMS,
    STEPS,
    PlaceholderProblem,
    Reference,
    mentions,
    references,
    value_of,
    written,
)
from jobflow.api.problems import Problem, suggestion_or_list


def template_parameter_problems(spec: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the parameters of a JobTemplate and with the placeholders in its spec."""
    if not spec.get(FIELD):
        return []
    try:
        declared = template_parameters(spec)
    except pydantic.ValidationError as error:
        return [Problem(_validation_path(detail["loc"]), detail["msg"]) for detail in error.errors()]
    problems = list(declarations(declared, "spec.parameters"))
    names = [parameter.name for parameter in declared]

    def judge(reference: Reference) -> str:
        if reference.root == STEPS:
            return "a template knows nothing of the flow; declare a parameter and pass it as an argument of the step"
        return known(reference, names, ("it declares no parameter", "those it declares are"))

    rest = {name: below for name, below in spec.items() if name != FIELD}
    return problems + list(judged("spec", rest, judge)) + list(narrow("spec", rest, "a JobTemplate"))


def undeclared_problems(spec: Mapping[str, Any]) -> list[Problem]:
    """Our placeholders in a template that declares no parameters, where they are plain text."""
    if spec.get(FIELD):
        return []
    try:
        found = {written(path): text for path, text in mentions(spec)}
    except PlaceholderProblem:
        return []
    said = "{0} stays as it is, because the template declares no parameters; declare spec.parameters to use it"
    return [Problem(f"spec.{path}", said.format(text)) for path, text in found.items()]


def unused_in_template(spec: Mapping[str, Any]) -> list[Problem]:
    """Parameters that the template declares and does not use."""
    if not spec.get(FIELD):
        return []
    rest = {name: below for name, below in spec.items() if name != FIELD}
    try:
        used = {reference.name for _, reference in references(rest) if reference.root == PARAMS}
        declared = template_parameters(spec)
    except (PlaceholderProblem, pydantic.ValidationError):
        return []
    return [
        Problem(f"spec.parameters[{index}].name", f"nothing in the template uses this parameter: $(params.{one.name})")
        for index, one in enumerate(declared)
        if one.name not in used
    ]


def template_parameters(spec: Mapping[str, Any]) -> list[TemplateParameter]:
    """The parameters that a template declares. Raises pydantic.ValidationError."""
    return _declaration().validate_python(spec.get(FIELD) or [])


def argument_problems(
    arguments: Mapping[str, Any], declared: Mapping[str, TemplateParameter], template: str, path: str
) -> list[Problem]:
    """Whether a step gives what its template asks for, and nothing else. Both are by name; `path` is the arguments'."""
    problems = []
    for name in arguments:
        if name not in declared:
            hint = suggestion_or_list(name, declared, "it declares") or "; it declares none"
            problems.append(Problem(f"{path}[{name}]", f"{template} has no parameter {name}{hint}"))
    for name, parameter in declared.items():
        if parameter.value is None and name not in arguments:
            said = f"{template} needs a value for its parameter {name}; give it as an argument of the step"
            problems.append(Problem(path, said))
    return problems


def written_outside_enum(argument: Argument, parameter: TemplateParameter) -> str | None:
    """Why what the step gives is none of the allowed values, where that shows before anything runs."""
    try:
        if next(references(argument.value), None) is not None:
            return None
    except PlaceholderProblem:
        return None
    return outside_enum(parameter, value_of(argument.value))


def _validation_path(location: tuple[int | str, ...]) -> str:
    return "spec.parameters" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


@cache
def _declaration() -> pydantic.TypeAdapter[list[TemplateParameter]]:
    return pydantic.TypeAdapter(list[TemplateParameter])
