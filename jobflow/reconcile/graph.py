"""Graph: a flow's spec compiled to steps and edges.

In: the spec as stored, as bytes. Out: a Compiled flow: its graph, its retain policy and what is wrong with it.
Compiled once per (uid, generation). Every flow kind compiles to this graph, whose nodes are (step, item, attempt);
a JobFlow's steps have one item and, so far, attempt 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import msgspec
import pydantic

from jobflow.api.conditions import Condition, conditions_of
from jobflow.api.deadlines import Deadlines
from jobflow.api.dependencies import Needs, needs_of
from jobflow.api.ends import PLAIN, Ends, RetainPolicy, ends_of
from jobflow.api.jobflow import FlowStep, JobFlowSpec, Patch
from jobflow.api.outputs import Wanted, wanted
from jobflow.api.parameters import Argument, Parameter
from jobflow.api.placeholders import PARAMS, STEPS
from jobflow.api.probes import Probes, WaitFor
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_TEMPLATE
from jobflow.api.retry import Retry, retry_of
from jobflow.api.switches import Switch, switched
from jobflow.api.validate import Problem, flow_problems, object_name_problems
from jobflow.api.validate_outputs import read_steps
from jobflow.api.validate_parameters import has_mentions, step_references, unset_problems

ON_EXIT = "onExit"
SWITCH = "switch"
SHARED_SPECS = 32  # kept for flows that are yet to come; a spec may have a megabyte


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, the template it runs, the steps it waits for and what has to answer."""

    name: str
    template: str
    targets: tuple[str, ...] = ()
    wait_for: WaitFor = WaitFor.COMPLETED
    probes: Probes | None = None
    patch: Patch | None = None
    extended: bool = False  # it uses what Volcano's own controller does not know
    probed_tasks: frozenset[str] = frozenset()  # of its own Job: those whose pods a later step asks
    cluster_template: bool = False  # the template it runs is a ClusterJobTemplate
    outputs: tuple[Wanted, ...] = ()  # what its Job leaves for later steps
    reads: frozenset[str] = frozenset()  # the steps whose outputs it uses
    arguments: tuple[Argument, ...] = ()  # for the parameters of its template
    placeholders: bool = False  # there are some in its arguments or in its patch
    parameters: frozenset[str] = frozenset()  # of the flow: those that they name
    continue_on_fail: bool = False  # its failure is as good as its success
    on_exit: bool = False  # it runs when the end of the flow is decided, and is no part of that
    deadlines: Deadlines | None = None  # how long its Job may wait and run
    retry: Retry | None = None  # whether a failed attempt is followed by another
    needs: Needs | None = None  # what it waits for, where that is more than all of its targets
    when: tuple[Condition, ...] = ()  # its own conditions, and those that switches lay on it

    @property
    def edges(self) -> tuple[str, ...]:
        """Every step that what it waits for names, each once."""
        return self.targets if self.needs is None else self.needs.edges

    @property
    def template_kind(self) -> str:
        """The kind of the template it runs."""
        return (CLUSTER_JOB_TEMPLATE if self.cluster_template else JOB_TEMPLATE).kind


@dataclass(frozen=True)
class Graph:
    """Steps in the order of the spec. `order` has every step after its edges. `asks_pods`: some probe asks pods."""

    steps: tuple[Step, ...] = ()
    order: tuple[Step, ...] = ()
    by_name: Mapping[str, Step] = field(default_factory=dict)
    asks_pods: bool = False

    @cached_property
    def main(self) -> tuple[Step, ...]:
        """The steps that decide how the flow ends."""
        return tuple(step for step in self.steps if not step.on_exit)

    @cached_property
    def on_exit(self) -> tuple[Step, ...]:
        """The steps that run after that."""
        return tuple(step for step in self.steps if step.on_exit)

    @cached_property
    def dependents(self) -> Mapping[str, tuple[Step, ...]]:
        """By the name of a step: those that name it in what they wait for, in the order of the spec."""
        found: dict[str, list[Step]] = {}
        for step in self.steps:
            for name in step.edges:
                found.setdefault(name, []).append(step)
        return {name: tuple(steps) for name, steps in found.items()}

    @cached_property
    def templates(self) -> frozenset[str]:
        """The names of the JobTemplates that its steps run."""
        return frozenset(step.template for step in self.steps if not step.cluster_template)

    @cached_property
    def producers(self) -> tuple[Step, ...]:
        """The steps whose Jobs leave something for later ones."""
        return tuple(step for step in self.steps if step.outputs)

    @cached_property
    def timed(self) -> tuple[Step, ...]:
        """The steps that have deadlines."""
        return tuple(step for step in self.steps if step.deadlines is not None)

    @cached_property
    def retried(self) -> tuple[Step, ...]:
        """The steps of which a failed attempt may be followed by another."""
        return tuple(step for step in self.steps if step.retry is not None)

    @cached_property
    def cluster_templates(self) -> frozenset[str]:
        """The names of the ClusterJobTemplates that its steps run."""
        return frozenset(step.template for step in self.steps if step.cluster_template)


@dataclass(frozen=True)
class Compiled:
    """A spec, compiled. With problems its graph is empty: no step of an invalid flow starts."""

    graph: Graph
    retain: RetainPolicy
    spec_hash: str
    problems: tuple[Problem, ...] = ()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    ends: Ends = PLAIN
    active_deadline: int | None = None  # seconds that the flow may take
    ttl: int | None = None  # seconds that it is kept after its end

    @property
    def timed(self) -> bool:
        """Time alone may end something of it, or begin it again."""
        graph = self.graph
        return self.active_deadline is not None or self.ttl is not None or bool(graph.timed or graph.retried)


def compile_flow(name: str, spec: bytes) -> Compiled:
    """Parse, check and compile the spec of the flow called `name`."""
    compiled = _compiled(spec)
    problems = object_name_problems(name)
    return replace(compiled, graph=Graph(), problems=(*problems, *compiled.problems)) if problems else compiled


@lru_cache(maxsize=SHARED_SPECS)
def _compiled(spec: bytes) -> Compiled:
    """Flows whose specs are alike to the byte, as a schedule or a script makes them, share what comes of it."""
    try:
        parsed = JobFlowSpec.model_validate_json(spec)
    except pydantic.ValidationError as error:
        problems = tuple(Problem(_path(detail["loc"]), detail["msg"]) for detail in error.errors())
        return Compiled(Graph(), RetainPolicy.RETAIN, hash_of_bytes(spec), problems)
    problems = (*flow_problems(parsed), *unset_problems(parsed))
    graph = Graph() if problems else graph_of(_steps(parsed))
    parameters = {parameter.name: parameter for parameter in parsed.parameters or ()}
    retain = parsed.retain_policy or RetainPolicy.RETAIN
    spec_hash = hash_of(parsed.flows, parsed.parameters or (), parsed.on_exit or (), parsed.switch or ())
    return Compiled(
        graph,
        retain,
        spec_hash,
        problems,
        parameters,
        ends=ends_of(parsed.success_policy, parsed.failure_policy),
        active_deadline=None if problems else parsed.active_deadline,
        ttl=None if problems else parsed.ttl,
    )


def graph_of(steps: Iterable[Step]) -> Graph:
    """The graph of steps that are known to be unique and without cycles."""
    in_spec_order = tuple(steps)
    by_name = {step.name: step for step in in_spec_order}
    asks_pods = any(step.probed_tasks for step in in_spec_order)
    return Graph(in_spec_order, _topological(in_spec_order, by_name), by_name, asks_pods)


def hash_of(
    steps: Iterable[FlowStep],
    parameters: Iterable[Parameter] = (),
    on_exit: Iterable[FlowStep] = (),
    switches: Iterable[Switch] = (),
) -> str:
    """A hash of what is frozen from the flow's creation: steps and their edges, parameters, onExit steps, switches.

    Not their order: the list is a map by name, so the API server takes another order for no change. A field that a step
    does not use is no part of it, so that the hashes of running flows outlive new fields.
    """
    frozen: list[Any] = sorted([step.name, sorted(step.targets), *_more(step)] for step in steps)
    frozen += sorted([ON_EXIT, step.name, sorted(step.targets), *_more(step)] for step in on_exit)
    frozen += sorted([PARAMS, parameter.name, _written(parameter)] for parameter in parameters)
    frozen += sorted([SWITCH, _canonical(switch.model_dump(mode="json", exclude_none=True))] for switch in switches)
    return hash_of_bytes(msgspec.json.encode(frozen))


def _more(step: FlowStep) -> list[str]:
    """All else that is written of the step, as canonical text; nothing where there is nothing."""
    known: dict[str, Any] = {"name": True, "depends_on": {"targets": True}}
    written = step.model_dump(mode="json", by_alias=True, exclude=known, exclude_none=True)
    return [_canonical(written)] if any(written.values()) else []


def _written(parameter: Parameter) -> str:
    """What decides on its value; its description may change."""
    return _canonical(parameter.model_dump(mode="json", by_alias=True, exclude={"description"}, exclude_none=True))


def _canonical(tree: Any) -> str:
    return msgspec.json.encode(tree, order="deterministic").decode()


def _steps(spec: JobFlowSpec) -> list[Step]:
    main = len(spec.flows)
    steps = [
        Step(
            s.name,
            s.template,
            s.targets,
            s.waits_for,
            s.probes,
            s.patch and s.patch.meant,
            s.extended or place >= main or spec.retry is not None or bool(when),
            cluster_template=s.cluster_template,
            outputs=tuple(wanted(output) for output in s.outputs or ()),
            reads=read_steps(s) | {ref.name for one in when for ref in one.placeholders if ref.root == STEPS},
            arguments=tuple(s.arguments or ()),
            continue_on_fail=bool(s.continue_on_fail),
            on_exit=place >= main,
            deadlines=s.deadlines,
            retry=_retry(spec, s),
            needs=needs_of(s.depends_on),
            when=when,
            **_used(s),
        )
        for place, (_, s) in enumerate(spec.every_step)
        for when in [(*conditions_of(s.when or ()), *switched(spec.switch, s.name))]
    ]
    probed: dict[str, set[str]] = {}
    for step in steps:
        for target in step.targets if step.probes else ():
            probed.setdefault(target, set()).update(step.probes.probed_tasks if step.probes else ())
    return [replace(step, probed_tasks=frozenset(probed.get(step.name, ()))) for step in steps]


def _retry(spec: JobFlowSpec, step: FlowStep) -> Retry | None:
    """Its own, which replaces the flow's whole."""
    if step.meant_retry is not None:
        return retry_of(step.meant_retry, "retry" if step.retry is not None else "retryPolicy")
    return retry_of(spec.retry, "spec.retry") if spec.retry is not None else None


def _used(step: FlowStep) -> dict[str, Any]:
    """Which placeholders stand in the step; nothing is looked at where none can."""
    if not step.arguments and step.patch is None:
        return {}
    found = {reference for _, reference in step_references(step)}
    named = frozenset(reference.name for reference in found if reference.root == PARAMS)
    return {"placeholders": bool(found) or has_mentions(step), "parameters": named}


def hash_of_bytes(data: bytes) -> str:
    """The first 16 hex digits of the data's SHA-256."""
    return hashlib.sha256(data).hexdigest()[:16]


def _topological(steps: tuple[Step, ...], by_name: Mapping[str, Step]) -> tuple[Step, ...]:
    open_edges = {step.name: len(step.edges) for step in steps}
    dependents: dict[str, list[str]] = {step.name: [] for step in steps}
    for step in steps:
        for target in step.edges:
            dependents[target].append(step.name)
    ready = [step.name for step in steps if not step.edges]
    for name in ready:  # grows while it is walked
        for dependent in dependents[name]:
            open_edges[dependent] -= 1
            if not open_edges[dependent]:
                ready.append(dependent)
    return tuple(by_name[name] for name in ready)


def _path(location: tuple[int | str, ...]) -> str:
    return "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
