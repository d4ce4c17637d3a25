"""`when` as users write it, and what it means: conditions that decide whether a step runs or is skipped.

In: parsed YAML or JSON. Out: pydantic models, from which the CRD is made; and `Condition`, which the engine asks. The
conditions that `spec.switch` stands for are made in `switches.py`. Rules are in `validate_conditions.py`, and the
decision is in `jobflow/reconcile/conditions.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from pydantic import Field

from jobflow.api.dependencies import DependencyModel
from jobflow.api.parameters import ANY_JSON
from jobflow.api.placeholders import PARAMS, STEPS, PlaceholderProblem, Reference, as_text, references

if TYPE_CHECKING:
    from jobflow.api.expressions import Expression

MAX_CONDITIONS = 16
MAX_VALUES = 256
MAX_EXPRESSION = 2048
SHOWN_CHARACTERS = 200


class Operator(StrEnum):
    """How an input is compared with values."""

    IN = "In"
    NOT_IN = "NotIn"


class WhenSpec(DependencyModel):
    """One condition: an expression, or an input that is, or is not, one of some values."""

    cel: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_EXPRESSION,
            description="A CEL expression over steps['<name>'].phase, .outputs.<name>, .attempt, .exitCode and "
            ".reason, params.<name> and context.<name>.",
        ),
    ] = None
    input: Annotated[
        Any | None,
        Field(
            description="What is compared: $(params.<name>), $(steps.<step>.outputs.<output>) or $(context.<name>), "
            "also within a text.",
            json_schema_extra=ANY_JSON,
        ),
    ] = None
    operator: Annotated[
        Operator | None,
        Field(description="In: the input is one of the values. NotIn: it is none of them."),
    ] = None
    values: Annotated[
        list[Annotated[Any, Field(json_schema_extra=ANY_JSON)]] | None,
        Field(
            max_length=MAX_VALUES,
            description="What the input is compared with. A value is the same where it is equal as JSON, or written "
            "the same: 8 and the text 8 are.",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a step. `told` is it as it is written, and `input` and `values` may hold placeholders."""

    told: str
    expression: Expression | None = None
    input: Any = None
    operator: Operator = Operator.IN
    values: tuple[Any, ...] = ()

    @property
    def placeholders(self) -> tuple[Reference, ...]:
        """Those of its input and values, in a spec that has no problems."""
        return tuple(references_in([self.input, *self.values]))

    @property
    def steps(self) -> frozenset[str]:
        """The steps it speaks of."""
        named = {reference.name for reference in self.placeholders if reference.root == STEPS}
        return frozenset(named) | (self.expression.steps if self.expression else frozenset())

    @property
    def params(self) -> frozenset[str]:
        """The flow's parameters that it speaks of."""
        named = {reference.name for reference in self.placeholders if reference.root == PARAMS}
        return frozenset(named) | (self.expression.params if self.expression else frozenset())


def conditions_of(when: Iterable[WhenSpec]) -> tuple[Condition, ...]:
    """What a step's `when` means. Of a spec that has no problems."""
    return tuple(_condition(one) for one in when)


def compared(value: Any, operator: Operator, values: tuple[Any, ...]) -> Condition:
    """A condition that compares an input with values."""
    shown = ", ".join(as_text(one) for one in values)
    told = f"{as_text(value)} {operator} [{shown}]"
    if len(told) > SHOWN_CHARACTERS:
        told = f"{told[:SHOWN_CHARACTERS]}..."
    return Condition(told, None, value, operator, values)


def references_in(tree: Any) -> list[Reference]:
    """The placeholders of a tree; none where one is no good, which the rules tell."""
    try:
        return [reference for _, reference in references(tree)]
    except PlaceholderProblem:
        return []


def written(condition: Condition) -> dict[str, Any]:
    """The condition as a user writes it in `when`."""
    if condition.expression is not None:
        return {"cel": condition.expression.text}
    told = {"input": condition.input, "operator": condition.operator.value, "values": list(condition.values)}
    copied: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(told))
    return copied


def _condition(when: WhenSpec) -> Condition:
    if when.cel is None:
        return compared(when.input, when.operator or Operator.IN, tuple(when.values or ()))
    from jobflow.api.expressions import compile_expression  # only where there is one

    told = " ".join(when.cel.split())
    shown = told if len(told) <= SHOWN_CHARACTERS else f"{told[:SHOWN_CHARACTERS]}..."
    return Condition(shown, compile_expression(when.cel))
