"""`dependsOn` as users write it, and what it means: which steps a step waits for, and for what of them.

In: parsed YAML or JSON. Out: pydantic models, from which the CRD is made; `needs_of`, what the gate decides by; and the
edges of a step, which are all steps that its dependencies name. Rules that span fields are in
`validate_dependencies.py`, the decision is in `jobflow/reconcile/gate.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from jobflow.api.probe_spec import ProbeSpec
from jobflow.api.probes import WaitFor

if TYPE_CHECKING:
    from jobflow.api.expressions import Expression

MAX_GROUPS = 16
MAX_EXPRESSION = 2048


class Strategy(StrEnum):
    """How many of the targets have to have ended well."""

    ALL = "All"
    ANY = "Any"


class TargetPhase(StrEnum):
    """What a step may wait for of one target; Completed is Succeeded by another name."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    COMPLETED = "Completed"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    UNREACHABLE = "Unreachable"

    @property
    def meant(self) -> TargetPhase:
        """The same, in one spelling."""
        return TargetPhase.SUCCEEDED if self is TargetPhase.COMPLETED else self


class DependencyModel(BaseModel):
    """Base of the models of dependencies and conditions."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class TargetStatus(DependencyModel):
    """One target, and the phase that is waited for."""

    name: Annotated[str, Field(description="Name of the step.")]
    phase: Annotated[
        TargetPhase,
        Field(
            description="What is waited for. Pending: its Job was created. Running: it runs, or has ended well. "
            "Succeeded or Completed: it has ended well. Failed: it has failed, also where its failure is borne "
            "(continueOnFail). Skipped: a condition of it did not hold. Unreachable: it can never start."
        ),
    ]


TARGETS_WITH_STATUS = (
    "Steps of which another phase than their good end is waited for; all of them have to be in theirs."
)
STRATEGY = (
    "How many of the targets have to have ended well: All of them, where skipped ones do not count as long as one has "
    "ended well; or Any one of them, and then this step starts while others still run. Default All."
)


class OrGroup(DependencyModel):
    """Another way to start: a step starts as soon as its own dependencies hold, or those of one of its orGroups."""

    targets: Annotated[
        list[str], Field(description="Names of the steps that must have completed for this group to hold.")
    ] = []
    strategy: Annotated[Strategy | None, Field(description=STRATEGY)] = None
    targets_with_status: Annotated[
        list[TargetStatus] | None, Field(alias="targetsWithStatus", description=TARGETS_WITH_STATUS)
    ] = None

    @property
    def group(self) -> Group:
        """The group as the engine sees it."""
        return _group(self)


class DependsOn(DependencyModel):
    """What a step waits for."""

    targets: Annotated[
        list[str],
        Field(description="Names of the steps that must have completed before this one starts."),
    ] = []
    strategy: Annotated[Strategy | None, Field(description=STRATEGY)] = None
    wait_for: Annotated[
        WaitFor | None,
        Field(
            alias="waitFor",
            description="What is waited for of the targets: that they have Completed, or that they are Running (or "
            "have completed). Default Completed; Running where there is one target and a probe that only holds while "
            "it runs.",
        ),
    ] = None
    targets_with_status: Annotated[
        list[TargetStatus] | None, Field(alias="targetsWithStatus", description=TARGETS_WITH_STATUS)
    ] = None
    or_groups: Annotated[
        list[OrGroup] | None,
        Field(
            alias="orGroups",
            max_length=MAX_GROUPS,
            description="Other ways to start: the step starts as soon as what is said beside this holds, or one of "
            "these groups. The probe belongs to what is said beside them.",
        ),
    ] = None
    expression: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_EXPRESSION,
            description="In place of all the others: a CEL expression over steps['<name>'].phase, .outputs.<name>, "
            ".attempt, .exitCode and .reason, params.<name> and context.<name>. The step starts as soon as it is true.",
        ),
    ] = None
    probe: Annotated[
        ProbeSpec | None,
        Field(description="What must answer as well, at the same moment, before this step starts."),
    ] = None

    @property
    def groups(self) -> tuple[Group, ...]:
        """Its own targets first, then those of its orGroups."""
        return (_group(self), *(one.group for one in self.or_groups or ()))

    @property
    def says_more(self) -> bool:
        """It uses a field that Volcano's own controller does not know."""
        written = (self.strategy, self.wait_for, self.targets_with_status, self.or_groups, self.expression)
        return any(one is not None for one in written)

    @property
    def edges(self) -> tuple[str, ...]:
        """Every step it names, each once: targets, then those with a phase, then groups, then the expression's."""
        if not (self.targets_with_status or self.or_groups or self.expression):
            return tuple(dict.fromkeys(self.targets))
        named = [name for group in self.groups for name in group.names]
        return tuple(dict.fromkeys([*named, *_named_in(self.expression)]))


@dataclass(frozen=True, slots=True)
class Group:
    """Targets of which all or one have to have ended well, and others of which other phases are waited for."""

    targets: tuple[str, ...] = ()
    strategy: Strategy = Strategy.ALL
    statuses: tuple[tuple[str, TargetPhase], ...] = ()

    @property
    def names(self) -> Iterator[str]:
        """The steps it names."""
        yield from self.targets
        yield from (name for name, _ in self.statuses)

    @property
    def is_empty(self) -> bool:
        """It names no step."""
        return not self.targets and not self.statuses


@dataclass(frozen=True, slots=True)
class Needs:
    """What a step waits for, where that is more than that all of its targets have ended well."""

    base: Group = Group()
    others: tuple[Group, ...] = ()
    expression: Expression | None = None
    edges: tuple[str, ...] = field(default=())


def needs_of(depends_on: DependsOn | None) -> Needs | None:
    """What `dependsOn` means; None where its targets say it all. Of a spec that has no problems."""
    if depends_on is None:
        return None
    plain = depends_on.strategy in (None, Strategy.ALL)
    if plain and not (depends_on.targets_with_status or depends_on.or_groups or depends_on.expression):
        return None
    base, *others = depends_on.groups
    expression = None
    if depends_on.expression:
        from jobflow.api.expressions import compile_expression  # only where there is one

        expression = compile_expression(depends_on.expression)
    return Needs(base, tuple(others), expression, depends_on.edges)


def _group(written: OrGroup | DependsOn) -> Group:
    return Group(
        tuple(dict.fromkeys(written.targets)),
        written.strategy or Strategy.ALL,
        tuple((one.name, one.phase.meant) for one in written.targets_with_status or ()),
    )


def _named_in(text: str | None) -> list[str]:
    """The steps that an expression names."""
    if not text:
        return []
    from jobflow.api.expressions import steps_in  # only where there is one

    return steps_in(text)
