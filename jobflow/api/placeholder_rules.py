"""Rules that parameters and placeholders follow wherever they stand.

In: declared parameters, or a tree with placeholders and what is known of them. Out: Problems with field paths. Who may
refer to what is decided in `validate_parameters.py` (flows) and `validate_arguments.py` (templates).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from jobflow.api.parameter_values import MAX_VALUE_BYTES, outside_enum
from jobflow.api.parameters import TemplateParameter
from jobflow.api.placeholders import (
    CONTEXT_NAMES,
    EXIT_NAMES,
    PlaceholderProblem,
    Reference,
    mentions,
    references,
    value_of,
    written,
)
from jobflow.api.places import Path, Place, place_of
from jobflow.api.problems import Problem, suggestion_or_list
from jobflow.api.trees import MAX_DEPTH, kind, too_deep

Judge = Callable[[Reference], str]  # what is wrong with a reference, or nothing
TOO_DEEP = f"the value is nested more than {MAX_DEPTH} deep"
NARROW = (Place.NUMBER, Place.BOOLEAN, Place.AMOUNT, Place.LIST, Place.MAPPING)


def declarations(parameters: Sequence[TemplateParameter], path: str) -> Iterator[Problem]:
    """Names are unique, values are among the allowed ones and hold no placeholders, and all of it has a fair size."""
    first: dict[str, int] = {}
    for index, parameter in enumerate(parameters):
        if first.setdefault(parameter.name, index) != index:
            said = f"parameter {parameter.name} is already declared at {path}[{first[parameter.name]}]"
            yield Problem(f"{path}[{index}].name", said)
        if too_deep([parameter.value, parameter.enum], MAX_DEPTH + 2):
            yield Problem(f"{path}[{index}]", TOO_DEEP)
            return
        if parameter.value is not None and (outside := outside_enum(parameter, value_of(parameter.value))):
            yield Problem(f"{path}[{index}].value", outside)
        kinds = {kind(allowed) for allowed in parameter.enum or () if allowed is not None}
        if None in (parameter.enum or ()):
            yield Problem(f"{path}[{index}].enum", "null is no value; take it out")
        elif len(kinds) > 1:
            yield Problem(f"{path}[{index}].enum", f"the values are of several kinds: {', '.join(sorted(kinds))}")
        yield from _literal(parameter, f"{path}[{index}]")
    values = [(parameter.name, parameter.value, parameter.enum) for parameter in parameters]
    yield from too_large(values, path, "the parameters have")


def too_large(tree: Any, path: str, what: str) -> Iterator[Problem]:
    """A flow, its status and a Job each are one object, which may have about a megabyte."""
    size = len(msgspec.json.encode(tree))
    if size > MAX_VALUE_BYTES:
        yield Problem(path, f"{what} {size // 1024} KiB; {MAX_VALUE_BYTES // 1024} KiB are allowed")


def _literal(parameter: TemplateParameter, path: str) -> Iterator[Problem]:
    """A parameter's own value and its allowed values are what they are: placeholders in them stand for nothing."""
    for field, tree in (("value", parameter.value), ("enum", parameter.enum)):
        if tree is not None and (found := next(_mentions(tree), None)):
            said = f"{found} is not replaced here: a parameter's value is what it is; use it in an argument or a patch"
            yield Problem(f"{path}.{field}", said)


def judged(path: str, tree: Any, judge: Judge) -> Iterator[Problem]:
    """What `judge` has to say of the placeholders in a tree."""
    try:
        for at, reference in references(tree):
            if said := judge(reference):
                yield Problem(below(path, at), f"{reference.text}: {said}")
    except PlaceholderProblem as problem:
        yield Problem(below(path, problem.path), problem.message)


def known(
    reference: Reference, names: Sequence[str], words: tuple[str, str], context: Sequence[str] = CONTEXT_NAMES
) -> str:
    """What is wrong with a reference to a parameter or to the context.

    `words` say that a parameter is lacking, and which there are.
    """
    match reference.root:
        case "params" if reference.name not in names:
            return f"{words[0]} {reference.name}{suggestion_or_list(reference.name, names, words[1])}"
        case "context" if reference.name in EXIT_NAMES and reference.name not in context:
            return (
                "how the flow ended is known to the steps of onExit alone; give it to a template as an argument there"
            )
        case "context" if len(reference.path) > 1 or reference.name not in context:
            hint = suggestion_or_list(reference.name, context, "there are")
            return f"the context has no {'.'.join(reference.path)}{hint}"
        case "loop":
            return "a step is not repeated here, so there is nothing to count; loops are not available"
    return ""


def narrow(path: str, tree: Any, what: str) -> Iterator[Problem]:
    """Fields of fixed types: a placeholder is a text, which programs in Go could not read there."""
    try:
        for at, reference in references(tree):
            place = place_of(at)
            if place in NARROW:
                said = (
                    f"{reference.text}: this field takes {place.value}, in {what} as in every Job, and a placeholder "
                    "is a text; set the field in the step's patch.spec, where any type may stand"
                )
                yield Problem(below(path, at), said)
    except PlaceholderProblem:
        return


def below(path: str, at: Path) -> str:
    """The path of a place within the tree that is at `path`."""
    told = written(at)
    return f"{path}{'' if told.startswith('[') or not told else '.'}{told}"


def _mentions(tree: Any) -> Iterator[str]:
    try:
        yield from (text for _, text in mentions(tree))
    except PlaceholderProblem as problem:
        yield problem.message
