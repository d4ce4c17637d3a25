"""`spec.switch` as users write it, and the conditions it stands for: one of several branches runs.

In: parsed YAML or JSON. Out: pydantic models, from which the CRD is made; and for each step the conditions that the
switches lay on it, which are those that `when` could say: a step of a case runs where the value is one of the case's,
a step of the default where it is none of any case's. Rules are in `validate_switches.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from jobflow.api.conditions import MAX_VALUES, Condition, Operator, compared
from jobflow.api.dependencies import DependencyModel
from jobflow.api.parameters import ANY_JSON

MAX_SWITCHES = 32
MAX_CASES = 64


class Case(DependencyModel):
    """One branch: the values it is for, and the steps that then run."""

    values: Annotated[
        list[Annotated[Any, Field(json_schema_extra=ANY_JSON)]],
        Field(min_length=1, max_length=MAX_VALUES, description="The values this branch is for; each in one case only."),
    ]
    flows: Annotated[list[str], Field(min_length=1, description="Names of the steps that run for one of them.")]


class Switch(DependencyModel):
    """A value, and which steps run for which of its values; the steps of the other branches are skipped."""

    input: Annotated[
        Any,
        Field(
            description="What decides: $(params.<name>), $(steps.<step>.outputs.<output>) or $(context.<name>), also "
            "within a text. The steps of the branches have to wait for the step whose output it is.",
            json_schema_extra=ANY_JSON,
        ),
    ]
    cases: Annotated[list[Case], Field(min_length=1, max_length=MAX_CASES, description="The branches.")]
    default: Annotated[
        list[str] | None, Field(description="Names of the steps that run where the value is in no case.")
    ] = None

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps it decides about, each once."""
        named = [name for case in self.cases for name in case.flows]
        return tuple(dict.fromkeys([*named, *(self.default or ())]))


def switched(switches: Iterable[Switch] | None, step: str) -> tuple[Condition, ...]:
    """The conditions that the switches lay on a step."""
    return tuple(_condition(switch, step) for switch in switches or () if step in switch.steps)


def _condition(switch: Switch, step: str) -> Condition:
    """Of a step that stands in the default as well, the values of the cases without it count."""
    mine = [value for case in switch.cases if step in case.flows for value in case.values]
    if step not in (switch.default or ()):
        return compared(switch.input, Operator.IN, tuple(mine))
    others = [value for case in switch.cases if step not in case.flows for value in case.values]
    return compared(switch.input, Operator.NOT_IN, tuple(others))
