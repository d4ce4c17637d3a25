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

from jobflow.api.jobflow import FlowStep, JobFlowSpec, Patch, RetainPolicy
from jobflow.api.outputs import Wanted, wanted
from jobflow.api.parameters import Argument, Parameter
from jobflow.api.placeholders import PARAMS
from jobflow.api.probes import Probes, WaitFor
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_TEMPLATE
from jobflow.api.validate import Problem, flow_problems, object_name_problems
from jobflow.api.validate_outputs import read_steps
from jobflow.api.validate_parameters import has_mentions, step_references, unset_problems

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

    @property
    def template_kind(self) -> str:
        """The kind of the template it runs."""
        return (CLUSTER_JOB_TEMPLATE if self.cluster_template else JOB_TEMPLATE).kind


@dataclass(frozen=True)
class Graph:
    """Steps in the order of the spec. `order` has every step after its targets. `asks_pods`: some probe asks pods."""

    steps: tuple[Step, ...] = ()
    order: tuple[Step, ...] = ()
    by_name: Mapping[str, Step] = field(default_factory=dict)
    asks_pods: bool = False

    @cached_property
    def templates(self) -> frozenset[str]:
        """The names of the JobTemplates that its steps run."""
        return frozenset(step.template for step in self.steps if not step.cluster_template)

    @cached_property
    def producers(self) -> tuple[Step, ...]:
        """The steps whose Jobs leave something for later ones."""
        return tuple(step for step in self.steps if step.outputs)

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
    graph = Graph() if problems else graph_of(_steps(parsed.flows))
    parameters = {parameter.name: parameter for parameter in parsed.parameters or ()}
    retain = parsed.retain_policy or RetainPolicy.RETAIN
    return Compiled(graph, retain, hash_of(parsed.flows, parsed.parameters or ()), problems, parameters)


def graph_of(steps: Iterable[Step]) -> Graph:
    """The graph of steps that are known to be unique and without cycles."""
    in_spec_order = tuple(steps)
    by_name = {step.name: step for step in in_spec_order}
    asks_pods = any(step.probed_tasks for step in in_spec_order)
    return Graph(in_spec_order, _topological(in_spec_order, by_name), by_name, asks_pods)


def hash_of(steps: Iterable[FlowStep], parameters: Iterable[Parameter] = ()) -> str:
    """A hash of what is frozen from the flow's creation: step names and their edges, and the parameters they use.

    Not their order: the list is a map by name, so the API server takes another order for no change. A field that a step
    does not use is no part of it, so that the hashes of running flows outlive new fields.
    """
    frozen: list[Any] = sorted([step.name, sorted(step.targets), *_more(step)] for step in steps)
    frozen += sorted([PARAMS, parameter.name, _written(parameter)] for parameter in parameters)
    return hash_of_bytes(msgspec.json.encode(frozen))


def _more(step: FlowStep) -> list[str]:
    """All else that is written of the step, as canonical text; nothing where there is nothing."""
    known: dict[str, Any] = {"name": True, "depends_on": {"targets": True}}
    written = step.model_dump(mode="json", by_alias=True, exclude=known, exclude_none=True)
    return [msgspec.json.encode(written, order="deterministic").decode()] if any(written.values()) else []


def _written(parameter: Parameter) -> str:
    """What decides on its value; its description may change."""
    told = parameter.model_dump(mode="json", by_alias=True, exclude={"description"}, exclude_none=True)
    return msgspec.json.encode(told, order="deterministic").decode()


def _steps(flows: Iterable[FlowStep]) -> list[Step]:
    steps = [
        Step(
            s.name,
            s.template,
            s.targets,
            s.waits_for,
            s.probes,
            s.patch and s.patch.meant,
            s.extended,
            cluster_template=s.cluster_template,
            outputs=tuple(wanted(output) for output in s.outputs or ()),
            reads=read_steps(s),
            arguments=tuple(s.arguments or ()),
            **_used(s),
        )
        for s in flows
    ]
    probed: dict[str, set[str]] = {}
    for step in steps:
        for target in step.targets if step.probes else ():
            probed.setdefault(target, set()).update(step.probes.probed_tasks if step.probes else ())
    return [replace(step, probed_tasks=frozenset(probed.get(step.name, ()))) for step in steps]


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
    open_targets = {step.name: len(step.targets) for step in steps}
    dependents: dict[str, list[str]] = {step.name: [] for step in steps}
    for step in steps:
        for target in step.targets:
            dependents[target].append(step.name)
    ready = [step.name for step in steps if not step.targets]
    for name in ready:  # grows while it is walked
        for dependent in dependents[name]:
            open_targets[dependent] -= 1
            if not open_targets[dependent]:
                ready.append(dependent)
    return tuple(by_name[name] for name in ready)


def _path(location: tuple[int | str, ...]) -> str:
    return "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
