"""Deadlines: how long a flow, a step and its Job's wait for pods may take, and how long a flow is kept after its end.

In: parsed YAML or JSON. Out: the types of these fields, for the models and so for the CRD, and `Deadlines`, what a
step's two say together. Their rules are in `validate_deadlines.py`; what a deadline does is decided in
`jobflow/reconcile/deadlines.py` and `endings.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

MAX_SECONDS = 2**31 - 1  # an int32, as in Kubernetes' own deadlines: 68 years

# The limits are the CRD's; that a model accepts the rest is for `validate_deadlines.py`, which says what to do.
_POSITIVE: dict[str, Any] = {"minimum": 1, "maximum": MAX_SECONDS}
_FROM_ZERO: dict[str, Any] = {"minimum": 0, "maximum": MAX_SECONDS}

StepActiveDeadline = Annotated[
    int | None,
    Field(
        alias="activeDeadlineSeconds",
        description="Seconds that this step's Job may take from when it first runs; then it is ended, and the step has "
        "failed. Each attempt has as long.",
        json_schema_extra=_POSITIVE,
    ),
]

StepPendingDeadline = Annotated[
    int | None,
    Field(
        alias="pendingDeadlineSeconds",
        description="Seconds from its creation within which this step's Job must run; otherwise it is ended, and the "
        "step has failed. Each attempt has as long.",
        json_schema_extra=_POSITIVE,
    ),
]

FlowActiveDeadline = Annotated[
    int | None,
    Field(
        alias="activeDeadlineSeconds",
        description="Seconds that the flow may take from status.startTime, when its first Job was created; then it has "
        "failed, and the Jobs that still run are ended. Steps of onExit run all the same. May be changed any time.",
        json_schema_extra=_POSITIVE,
    ),
]

FlowTtl = Annotated[
    int | None,
    Field(
        alias="ttlSecondsAfterFinished",
        description="Seconds after status.completionTime at which the JobFlow is deleted, its Jobs with it. Without it "
        "the JobFlow is kept. May be changed any time.",
        json_schema_extra=_FROM_ZERO,
    ),
]


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The deadlines of one step, in seconds; at least one of them."""

    active: int | None = None
    pending: int | None = None


def deadlines_of(active: int | None, pending: int | None) -> Deadlines | None:
    """What a step says of them; None where it has none."""
    return Deadlines(active, pending) if active is not None or pending is not None else None
