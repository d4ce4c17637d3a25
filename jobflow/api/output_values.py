"""Output values: what a reading is worth, how it is committed, and what a placeholder makes of it.

In: readings of finished Jobs; entries of `status.flowStatuses[].outputs`. Out: those entries; Values, or why there is
none. A message that is JSON is what it says (an object, a list, a number, a boolean, a text in quotes); every other one
is a text, as with parameters (`parameter_values.py`). Beside a number the status keeps how it was written: 1.10 is a
number like 1.1, and another image tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobflow.api.outputs import MAX_OUTPUT_BYTES, Absent, PathParts, Reading, Said, Wanted
from jobflow.api.parameter_values import scalar
from jobflow.api.placeholders import PlaceholderProblem, Reference, Value, as_text
from jobflow.api.status import OutputStatus, Reason
from jobflow.api.trees import is_number, kind

FIELDS_BEGIN = 3  # of a reference's path: step, "outputs", output


@dataclass(frozen=True, slots=True)
class Missing:
    """An output without a value, and why."""

    why: str


class TooLarge(Exception):
    """A value that a status has no room for; the message says how large it is."""


def entry_of(wanted: Wanted, reading: Reading) -> OutputStatus:
    """What the status says of one output. Raises TooLarge."""
    match reading:
        case Absent(why):
            return OutputStatus(wanted.name, wanted.default, message=why)
        case Said(text):
            value = of_message(text)
            spelling = text.strip() if is_number(value) and text.strip() != as_text(value) else ""
        case _:
            value, spelling = reading.tree, ""
    if value is None or value == "":
        return OutputStatus(wanted.name, wanted.default, message="it is empty")
    size = len(as_text(value).encode())
    if size > MAX_OUTPUT_BYTES:
        raise TooLarge(f"it has {size} bytes; {MAX_OUTPUT_BYTES} are allowed")
    return OutputStatus(wanted.name, value, spelling)


def of_message(text: str) -> Any:
    """What a termination message says; white space around it means nothing."""
    return scalar(text.strip()).tree


def value_in(entry: OutputStatus) -> Value | Missing:
    """What a committed output is worth."""
    if entry.value is None:
        return Missing(entry.message)
    return Value(entry.value, entry.text or as_text(entry.value), from_job=True)


def chosen(reference: Reference, value: Value | Missing | None) -> Value:
    """The value, or the field of it, that `$(steps.f.outputs.y.field.0)` means.

    Raises PlaceholderProblem, whose path is empty: who asks knows where the placeholder stands. Its message says
    nothing of the value, which is nobody's but the users'.
    """
    step, _, name = reference.path[:FIELDS_BEGIN]
    if not isinstance(value, Value):
        why = value.why if value else "its Job ended without outputs having been read"
        said = f"{reference.text}: step {step} left no output {name}: {why}; a default in its outputs would stand in"
        raise PlaceholderProblem((), said, Reason.OUTPUT_MISSING)
    fields = reference.path[FIELDS_BEGIN:]
    if not fields or value.guess:
        return value
    tree = value.tree
    for depth, field in enumerate(fields):
        if not isinstance(tree, Mapping | list):
            whose = ".".join((name, *fields[:depth]))
            said = f"{reference.text}: {whose} of step {step} is {kind(tree)}, not JSON with a field {field}"
            raise PlaceholderProblem((), said, Reason.OUTPUT_NOT_JSON)
        tree = _below(tree, field)
        if tree is None:
            said = f"{reference.text}: output {name} of step {step} has no field {'.'.join(fields[: depth + 1])}"
            raise PlaceholderProblem((), said, Reason.OUTPUT_MISSING)
    return Value(tree, as_text(tree), from_job=True)


def at_path(tree: Any, parts: PathParts) -> Any:
    """The field of an object; None where it has none."""
    for part in parts:
        if isinstance(part, int):
            tree = tree[part] if isinstance(tree, list) and part < len(tree) else None
        else:
            tree = tree.get(part) if isinstance(tree, Mapping) else None
        if tree is None:
            return None
    return tree


def _below(tree: Mapping[str, Any] | list[Any], field: str) -> Any:
    if isinstance(tree, Mapping):
        return tree.get(field)
    return tree[int(field)] if field.isdecimal() and int(field) < len(tree) else None
