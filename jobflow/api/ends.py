"""How a flow ends, as users write it: which failures it bears, what counts as success, what becomes of its Jobs.

In: parsed YAML or JSON. Out: pydantic models, from which the CRD is made, and `ends_of`, which says what they mean.
Rules that span fields are in `validate_ends.py`; the decisions are in `jobflow/reconcile/outcome.py` and `retain.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class RetainPolicy(StrEnum):
    """What becomes of the children of a flow that has ended."""

    RETAIN = "retain"
    DELETE = "delete"
    DELETE_ON_SUCCESS = "delete-on-success"
    DELETE_ALWAYS = "delete-always"


class SuccessType(StrEnum):
    """Which steps have to succeed for the flow to succeed."""

    ALL = "All"
    ANY = "Any"
    CRITICAL = "Critical"


class FailurePolicy(StrEnum):
    """What a failure does to the steps that have nothing to do with it."""

    FAIL_FAST = "FailFast"
    RUN_INDEPENDENT = "RunIndependent"


class SuccessPolicy(BaseModel):
    """Which steps have to succeed for the flow to succeed."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    type: Annotated[
        SuccessType | None,
        Field(
            description="All: every step. Any: one step that no other step waits for. Critical: those of "
            "criticalFlows. Default All."
        ),
    ] = None
    critical_flows: Annotated[
        list[str] | None,
        Field(alias="criticalFlows", description="With type Critical: names of the steps that have to succeed."),
    ] = None

    @property
    def kind(self) -> SuccessType:
        """The type, as written or by default."""
        return self.type or SuccessType.ALL


@dataclass(frozen=True, slots=True)
class Ends:
    """What decides the end of a flow. As it is made without arguments, it is that of a flow that says nothing."""

    success: SuccessType = SuccessType.ALL
    critical: frozenset[str] = frozenset()
    failure: FailurePolicy | None = None

    @property
    def fail_fast(self) -> bool:
        """Once the end is decided, what still runs is ended."""
        return self.failure is FailurePolicy.FAIL_FAST


PLAIN = Ends()


def ends_of(success: SuccessPolicy | None, failure: FailurePolicy | None) -> Ends:
    """What the two policies mean together."""
    if success is None and failure is None:
        return PLAIN
    if success is None:
        return Ends(failure=failure)
    return Ends(success.kind, frozenset(success.critical_flows or ()), failure)
