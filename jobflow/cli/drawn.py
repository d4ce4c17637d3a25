"""Drawn: a flow, its Jobs and their pods as one picture.

In: views from the watch. Out: a FlowPicture. The flow's status leads; what its Jobs and pods add (how many run, which
one failed with which exit code, what an image waits for) becomes the step's `detail`. Before the controller has
written a status, the steps are those of the spec, waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from msgspec import Struct, ValidationError, field
from msgspec.json import decode, encode

from jobflow.api.children import ChildPhase, ChildView
from jobflow.api.objects import FlowView
from jobflow.api.resources import JOB_FLOW, VOLCANO_JOB
from jobflow.api.status import FlowPhase, FlowStatus, JobFlowStatus, Outcome, OutputStatus, StepPhase
from jobflow.cli.attempts import tried
from jobflow.cli.pictures import FlowPicture, StepPicture, levels, one_line
from jobflow.cli.pods import PodView, first_problem, pods_phrase

FLOW_PHASES: Mapping[FlowPhase, StepPhase] = {
    FlowPhase.PENDING: StepPhase.PENDING,
    FlowPhase.RUNNING: StepPhase.RUNNING,
    FlowPhase.SUCCEED: StepPhase.SUCCEEDED,
    FlowPhase.FAILED: StepPhase.FAILED,
    FlowPhase.TERMINATING: StepPhase.UNREACHABLE,
}
JOB_PHASES: Mapping[ChildPhase, StepPhase] = {
    ChildPhase.PENDING: StepPhase.PENDING,
    ChildPhase.RUNNING: StepPhase.RUNNING,
    ChildPhase.SUCCEEDED: StepPhase.SUCCEEDED,
    ChildPhase.FAILED: StepPhase.FAILED,
    ChildPhase.UNKNOWN: StepPhase.PENDING,
}
PLAIN_STATES = frozenset({"Pending", "Running", "Completed", "Failed"})  # the step's phase says as much
SPECS_KEPT = 1024


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A Job as last seen and the pods that tell of it."""

    job: ChildView
    pods: tuple[PodView, ...] = ()


class _Target(Struct, frozen=True):
    name: str = ""


class _Group(Struct, frozen=True):
    targets: list[str] = field(default_factory=list)
    targetsWithStatus: list[_Target] | None = None


class _DependsOn(Struct, frozen=True):
    targets: list[str] = field(default_factory=list)
    targetsWithStatus: list[_Target] | None = None
    orGroups: list[_Group] | None = None
    expression: str | None = None

    @property
    def edges(self) -> tuple[str, ...]:
        """Every step it names, each once."""
        groups = [_Group(self.targets, self.targetsWithStatus), *(self.orGroups or ())]
        named = [name for one in groups for name in (*one.targets, *(t.name for t in one.targetsWithStatus or ()))]
        if self.expression:
            from jobflow.api.expressions import steps_in  # only where there is one

            named += steps_in(self.expression)
        return tuple(dict.fromkeys(named))


class _Step(Struct, frozen=True):
    name: str = ""
    dependsOn: _DependsOn | None = None


class _Spec(Struct, frozen=True):
    """As much of a JobFlow's spec as gives the drawing its shape."""

    flows: list[_Step] = field(default_factory=list)
    onExit: list[_Step] | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What each step waits for, and its level; in the order of the spec, the steps of onExit after all others."""

    targets: Mapping[str, tuple[str, ...]]
    levels: Mapping[str, int]
    on_exit: frozenset[str] = frozenset()

    @property
    def decisive(self) -> int:
        """How many steps the flow has to do to be done."""
        return len(self.targets) - len(self.on_exit)


@lru_cache(maxsize=SPECS_KEPT)
def shape_of(spec: bytes) -> Shape:
    """The shape of a spec; an empty one where it cannot be read, which the flow's status then says."""
    try:
        read = decode(spec, type=_Spec)
    except ValidationError:
        return Shape({}, {})
    targets, last = _targets(read.flows), _targets(read.onExit or [])
    placed = levels(targets)
    begin = max(placed.values(), default=-1) + 1
    placed |= {name: level + begin for name, level in levels(last).items()}
    return Shape(targets | last, placed, frozenset(last))


def _targets(steps: list[_Step]) -> dict[str, tuple[str, ...]]:
    return {step.name: step.dependsOn.edges if step.dependsOn else () for step in steps}


def flow_picture(flow: FlowView, facts: Callable[[str], JobFacts | None]) -> FlowPicture:
    """The flow now; `facts` gives a Job by its UID."""
    status = flow.status
    shape = shape_of(flow.spec)
    phase = status.state.phase or FlowPhase.PENDING
    steps = tuple(_step(flow, entry, shape, facts) for entry in _entries(status, shape))
    return FlowPicture(
        kind=JOB_FLOW.kind,
        namespace=flow.namespace,
        name=flow.name,
        word=phase,
        phase=StepPhase.FAILED if status.outcome is Outcome.FAILED else FLOW_PHASES[phase],
        reason=status.state.reason,
        message=status.state.message or flow.status_problem,
        progress=status.progress or f"0/{shape.decisive}",
        started=status.startTime,
        ended=status.completionTime,
        finished=status.completionTime is not None,
        steps=steps,
        uid=flow.uid,
    )


def job_picture(facts: JobFacts) -> FlowPicture:
    """A Job that belongs to no flow."""
    job = facts.job
    phase = JOB_PHASES[job.phase]
    return FlowPicture(
        kind=VOLCANO_JOB.kind,
        namespace=job.namespace,
        name=job.name,
        word=job.state,
        phase=phase,
        started=job.created,
        ended=job.changed if job.phase.terminal else None,
        finished=job.phase.terminal,
        detail=_detail(facts, phase),
        uid=job.uid,
    )


def _entries(status: JobFlowStatus, shape: Shape) -> list[FlowStatus]:
    """The committed steps, else those of the spec."""
    return list(status.flowStatuses) or [FlowStatus(name, StepPhase.WAITING) for name in shape.targets]


def _step(flow: FlowView, entry: FlowStatus, shape: Shape, facts: Callable[[str], JobFacts | None]) -> StepPicture:
    known = facts(entry.jobUID) if entry.jobUID else None
    return StepPicture(
        name=entry.name,
        phase=entry.phase,
        targets=shape.targets.get(entry.name, ()),
        level=shape.levels.get(entry.name, 0),
        reason=entry.reason,
        message=entry.message,
        started=entry.startTime,
        ended=entry.completionTime,
        detail=_detail(known, entry.phase) if known else "",
        job=entry.jobName,
        job_uid=entry.jobUID,
        attempt=tried(flow, entry) if entry.attempt else None,
        earlier=tuple((one.attempt + 1, one.jobUID) for one in entry.attempts),
        on_exit=entry.name in shape.on_exit,
        outputs=tuple((output.name, _shown(output)) for output in entry.outputs if _tells(output, entry.phase)),
    )


def _tells(output: OutputStatus, phase: StepPhase) -> bool:
    """Of a step that failed nobody expects what it would have left."""
    return output.value is not None or phase is StepPhase.SUCCEEDED


def _shown(output: OutputStatus) -> str:
    """A value as the Job wrote it; why there is none, where there is none."""
    if output.value is None:
        return f"(none: {output.message})"
    return output.text or (output.value if isinstance(output.value, str) else encode(output.value).decode())


def _detail(facts: JobFacts, phase: StepPhase) -> str:
    """What the Job and its pods add to the words of the step; how many failed, a failed step says itself."""
    job = facts.job
    if phase is StepPhase.SUCCEEDED:
        return ""
    if phase is StepPhase.FAILED:
        return one_line(first_problem(facts.pods))
    state = job.state.lower() if job.state not in PLAIN_STATES else ""
    restarts = f"restarted {job.restarts} {'time' if job.restarts == 1 else 'times'}" if job.restarts else ""
    pods = one_line(pods_phrase(facts.pods, job.pods))
    return "; ".join(part for part in (state, restarts, pods) if part)
