"""The value of a parameter that is given as a text: on a command line, or in a ConfigMap.

In: a parameter as it is declared, and the text. Out: the Value, or ParameterProblem. Where the declared `value` is a
string the text is the value. Otherwise it is read as JSON reads it (`8`, `0.5`, `true`, `["a"]`), and a text that is no
JSON is a string. How it was written is kept for where it is put into a longer text: an image tag `1.10` stays `1.10`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jobflow.api.parameters import TemplateParameter
from jobflow.api.placeholders import Value, as_text, value_of
from jobflow.api.trees import kind, levels, too_deep

MAX_VALUE_BYTES = 256 * 1024  # of all values of a flow, as of a patch: flow and status share one object of a megabyte
NAMED_VALUES = 8
WHOLE_NUMBERS = range(-(2**63), 2**63)  # which an API server keeps; greater ones it would round


class ParameterProblem(Exception):
    """The text is no value for this parameter; the message says what would be."""


def read(text: str, parameter: TemplateParameter) -> Value:
    """The text as a value of the parameter. Raises ParameterProblem."""
    if len(text.encode()) > MAX_VALUE_BYTES:
        raise ParameterProblem(f"the value has more than {MAX_VALUE_BYTES // 1024} KiB")
    value = _read(text, parameter.value)
    problem = outside_enum(parameter, value)
    if problem is None:
        return value
    spelled = next((allowed for allowed in parameter.enum or () if as_text(allowed) == text), None)
    if spelled is None:
        raise ParameterProblem(problem)
    return Value(spelled, text)


def scalar(text: str) -> Value:
    """The text as JSON reads it, else as the string it is.

    So are null, since no parameter is ever null, what has a number that an API server would round or refuse, and what
    is nested too deep.
    """
    try:
        tree = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        tree = text
    return Value(text if tree is None or not _is_kept(tree) else tree, text)


def outside_enum(parameter: TemplateParameter, value: Value) -> str | None:
    """Why the value is none of those that the parameter allows; None where it is one, or any is allowed."""
    if parameter.enum is None or any(same(allowed, value.tree) for allowed in parameter.enum):
        return None
    shown = ", ".join(as_text(allowed) for allowed in parameter.enum[:NAMED_VALUES])
    more = len(parameter.enum) - NAMED_VALUES
    return f"the value is none of the allowed ones: {shown}" + (f" and {more} more" if more > 0 else "")


def same(one: Any, other: Any) -> bool:
    """Equal as JSON is: true is not 1, and 8 is 8.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _is_kept(tree: Any) -> bool:
    """Whether an API server gives back what JSON said as it got it, and it can be walked.

    Fractions are: JSON has none that is no number, and one too large for a double was no JSON to the decoder.
    """
    if too_deep(tree):
        return False
    return all(one in WHOLE_NUMBERS for level in levels(tree) for one in level if type(one) is int)


def _read(text: str, declared: Any) -> Value:
    if isinstance(declared, str):
        return value_of(text)
    value = scalar(text)
    if declared is not None and kind(value.tree) != kind(declared):
        raise ParameterProblem(
            f"it is {kind(declared)} where it is declared, and the value given is {kind(value.tree)}"
            + (", written as JSON writes it" if isinstance(declared, list | dict) else "")
        )
    return value
