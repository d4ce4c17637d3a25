"""JobFlow and JobTemplate as users write them: pydantic models of `spec`.

In: parsed YAML or JSON. Out: validated specs, and the source of the CRD schemas and of `kubectl explain`.
Only fields that work are here: the API server refuses the rest under strict validation, so nothing is accepted
and ignored. Rules that span fields (cycles, unknown targets) are in `validate.py`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class SpecModel(BaseModel):
    """Base of all spec models: frozen; unknown fields are kept out, and told by lint and the API server."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class RetainPolicy(StrEnum):
    """What becomes of the children of a flow that succeeded."""

    RETAIN = "retain"
    DELETE = "delete"


class DependsOn(SpecModel):
    """What a step waits for."""

    targets: Annotated[
        list[str],
        Field(description="Names of the steps that must have completed before this one starts."),
    ] = []


class FlowStep(SpecModel):
    """One step of a flow: the JobTemplate it runs and what it waits for."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            description="Name of the step, unique in the flow, and of the JobTemplate in the same namespace that it "
            "runs.",
        ),
    ]
    depends_on: Annotated[
        DependsOn | None,
        Field(alias="dependsOn", description="What this step waits for; without it the step starts at once."),
    ] = None

    @property
    def targets(self) -> tuple[str, ...]:
        """The steps it waits for, each once, in the order written."""
        return tuple(dict.fromkeys(self.depends_on.targets)) if self.depends_on else ()


class JobFlowSpec(SpecModel):
    """The steps of a flow, and what happens to their Jobs afterwards."""

    flows: Annotated[
        list[FlowStep],
        Field(
            description="The steps, in any order; together with their dependsOn they form a directed acyclic graph.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = []
    retain_policy: Annotated[
        RetainPolicy | None,
        Field(
            alias="jobRetainPolicy",
            description="retain keeps the child Jobs after the flow succeeded; delete deletes them. Jobs of a failed "
            "flow are kept either way. Default retain.",
        ),
    ] = None
