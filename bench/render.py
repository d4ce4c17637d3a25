"""Render: what it costs to make a step's Job of its template, and what part of a flow's work that is.

In: templates made here. Out: microseconds of this process's CPU time for a Job, from the template's bytes in the cache
to the bytes that are sent, and of its parts: reading the template, putting values in place of placeholders, merging the
patch, checking what came of it, writing it out. And the part of a flow's CPU time, decode to plan (`decode.py`, or a
figure that is given), that goes into its Jobs.
"""

from __future__ import annotations

import cProfile
import io
import pstats
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

import msgspec

from bench.decode import Decoding, decode
from bench.errors import BenchError
from bench.figures import Figures
from bench.report import Report
from bench.shape import STEPS, template_body
from jobflow.api.children import Node
from jobflow.api.merge import merge_spec
from jobflow.api.objects import TemplateObject, TemplateView, template_view
from jobflow.api.parameters import TEMPLATE_FIELD
from jobflow.api.status import JobFlowStatus, StepPhase
from jobflow.api.validate_template import template_problems
from jobflow.reconcile.arguments import context_of, filled, flow_scope, prepared
from jobflow.reconcile.graph import Step, compile_flow
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.snapshot import Flow, Snapshot
from jobflow.reconcile.start import Ready, start

OWN, PLAIN, FILLED = "the bench's own", "20 KB, 2 KB patch", "the same, filled"
TEMPLATE_BYTES, PATCH_BYTES = 20_000, 2_000
PROFILED = 30  # functions
PATCHES = 2  # of a Job's status in the flows whose CPU time is compared
TASKS, VARIABLES = 4, 32
CALL, WHOLE, BEST = 1e6, "us per Job, median", "us per Job, best"

Tree = dict[str, Any]


@dataclass(frozen=True)
class Rendering:
    """What is measured: so many Jobs in each of so many batches a round. `flow_us`: CPU time of a flow, if known."""

    jobs: int
    batches: int
    rounds: int
    flows: int
    flow_us: float | None = None
    profile: bool = False


@dataclass(frozen=True)
class Case:
    """A template, and the step that runs it."""

    snapshot: Snapshot
    standing: Standing
    template: TemplateView

    @property
    def step(self) -> Step:
        """The step."""
        return self.standing.step

    def render(self) -> bytes:
        """The Job as it is sent."""
        made = start(self.snapshot, self.standing)
        if not isinstance(made, Ready):
            raise BenchError(f"no Job came of the template: {made.message}")
        return msgspec.json.encode(made.create.body)


def render(report: Report, wanted: Rendering, tell: Callable[[str], None]) -> None:
    """Measure, each round into the report."""
    flow_us = wanted.flow_us or _flow_us(wanted, tell)
    made = cases()
    for number in range(wanted.rounds):
        found = {name: _measured(case, wanted) for name, case in made.items()}
        own = found[OWN][WHOLE] or 0.0
        for name, figures in found.items():
            jobs = len(STEPS) * (figures[WHOLE] or 0.0)
            figures["us of CPU per flow with such Jobs"] = whole = max(flow_us - len(STEPS) * own, 0.0) + jobs
            figures["% of it to make them"] = 100 * jobs / whole
            report.add(name, figures)
        tell(f"round {number + 1} of {wanted.rounds}: {found[PLAIN][WHOLE]:.0f} us per Job of {PLAIN}")
    if wanted.profile:
        tell(_profiled(made[FILLED], wanted.jobs))


def cases() -> dict[str, Case]:
    """By the name of their column."""
    plain, patch = large_spec(), large_patch()
    asked = [{"name": name, "value": f"$(params.{name})"} for name in ("image", "rate", "epochs")]
    return {
        OWN: _case(template_body("a")["spec"], {}),
        PLAIN: _case(plain, {"patch": {"spec": patch}}),
        FILLED: _case(with_parameters(plain), {"patch": {"spec": with_mentions(patch)}, "arguments": asked}),
    }


def large_spec() -> Tree:
    """A Job's spec of 20 KB, as of a training job: several tasks, a sidecar, many variables and a script."""

    def container(name: str, task: int) -> Tree:
        named = [
            {"name": f"SETTING_{task}_{number}", "value": f"what {name} of task {task} is told"}
            for number in range(VARIABLES)
        ]
        mounts = [{"name": f"volume-{number}", "mountPath": f"/mnt/{number}"} for number in range(4)]
        return {"name": name, "image": f"registry/{name}:1.2", "command": ["sh", "-c"], "env": named} | {
            "volumeMounts": mounts,
            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
        }

    tasks = []
    for task in range(TASKS):
        volumes = [{"name": f"volume-{number}", "emptyDir": {}} for number in range(4)]
        pod = {"restartPolicy": "Never", "volumes": volumes}
        pod |= {"containers": [container("main", task), container("sidecar", task)]}
        labels = {"app": "training", "task": f"task-{task}"}
        template = {"metadata": {"labels": labels}, "spec": pod}
        tasks.append({"name": f"task-{task}", "replicas": 2, "template": template})
    spec: Tree = {"schedulerName": "volcano", "minAvailable": 2 * TASKS, "queue": "default", "tasks": tasks}
    _script(spec).append("")
    _script(spec)[0] = "#" * (TEMPLATE_BYTES - len(msgspec.json.encode(spec)))
    return spec


def large_patch() -> Tree:
    """2 KB of another size: more replicas, other images, and variables, some of them new."""
    tasks: list[Tree] = []
    for task in range(TASKS):
        named = [{"name": f"SETTING_{task}_{number}", "value": f"another {number}"} for number in range(0, 8, 2)]
        named += [{"name": f"MORE_{task}_{number}", "value": f"one more {number}"} for number in range(2)]
        main = {"name": "main", "image": "registry/main:1.3", "env": named}
        tasks.append({"name": f"task-{task}", "replicas": 4, "template": {"spec": {"containers": [main]}}})
    padding = {"name": "PADDING", "value": ""}
    tasks[0]["template"]["spec"]["containers"][0]["env"].append(padding)
    patch = {"minAvailable": 4 * TASKS, "tasks": tasks}
    padding["value"] = "#" * max(PATCH_BYTES - len(msgspec.json.encode(patch)), 0)
    return patch


def with_parameters(spec: Mapping[str, Any]) -> Tree:
    """The template with three parameters, used in each of its tasks."""
    declared = [{"name": "image"}, {"name": "rate", "value": 0.1}, {"name": "epochs", "value": 1}]
    filled_in: Tree = msgspec.json.decode(msgspec.json.encode(spec))
    for task in filled_in["tasks"]:
        for container in task["template"]["spec"]["containers"]:
            container["image"] = "registry/$(params.image)"
            container["env"][0]["value"] = "$(params.rate)"
            container["env"][1]["value"] = "$(params.epochs) epochs of $(context.name)"
    return {TEMPLATE_FIELD: declared, **filled_in}


def with_mentions(patch: Mapping[str, Any]) -> Tree:
    """The patch with parameters of the flow in it."""
    mentions: Tree = msgspec.json.decode(msgspec.json.encode(patch))
    for task in mentions["tasks"]:
        task["template"]["spec"]["containers"][0]["env"][0]["value"] = "$(params.epochs) of step $(context.step)"
    return mentions


def _script(spec: Mapping[str, Any]) -> list[str]:
    command: list[str] = spec["tasks"][0]["template"]["spec"]["containers"][0].setdefault("args", [])
    return command


def _case(spec: Tree, step: Tree) -> Case:
    meta = {"name": "a", "namespace": "bench", "uid": "template", "resourceVersion": "1", "generation": 1}
    view = template_view(
        msgspec.json.decode(msgspec.json.encode({"metadata": meta, "spec": spec}), type=TemplateObject)
    )
    declared = [{"name": "image", "value": "main:1.4"}, {"name": "rate", "value": 0.01}, {"name": "epochs", "value": 8}]
    written = {"flows": [{"name": "a", **step}], **({"parameters": declared} if "arguments" in step else {})}
    compiled = compile_flow("flow", msgspec.json.encode(written))
    if compiled.problems:
        raise BenchError(f"the bench's own flow: {compiled.problems[0]}")
    flow = Flow("bench", "flow", "uid", "1", 1, False, compiled, JobFlowStatus())
    snapshot = Snapshot(flow, datetime(2026, 1, 1, tzinfo=UTC), {"a": view})
    return Case(snapshot, Standing(compiled.graph.by_name["a"], StepPhase.WAITING), view)


def _measured(case: Case, wanted: Rendering) -> Figures:
    """One round: the whole and its parts."""
    whole = _batches(case.render, wanted)
    parts = {name: median(_batches(work, wanted)) for name, work in _parts(case).items()}
    return {
        WHOLE: median(whole),
        BEST: min(whole),
        **{f"us of it to {name}": value for name, value in parts.items()},
        "us of it for the rest": max(median(whole) - sum(parts.values()), 0.0),
        "bytes of the template": float(len(case.template.spec)),
        "bytes of the Job": float(len(case.render())),
    }


def _parts(case: Case) -> dict[str, Callable[[], object]]:
    """Each with what it is given made beforehand. What fills a template in also checks it: that is in it."""
    snapshot, step, node = case.snapshot, case.step, Node("a")
    asks = bool(step.arguments or step.placeholders)
    given = prepared(step, flow_scope(snapshot, step, node)) if asks else None
    context = context_of(snapshot.flow, node)
    spec = msgspec.json.decode(case.template.spec)
    declares = TEMPLATE_FIELD in spec

    def substitute() -> Tree:
        if asks:
            prepared(step, flow_scope(snapshot, step, node))
        return filled(spec, given.arguments, context, "template") if given and declares else spec

    patch = (given.step if given else step).patch
    base = substitute()
    partial = patch.partial[1] if patch else {}
    merged = merge_spec(base, partial) if patch else base
    found = start(snapshot, case.standing)
    body = found.create.body if isinstance(found, Ready) else {}
    return {
        "read the template": lambda: msgspec.json.decode(case.template.spec),
        **({"fill in values, with checks": substitute} if asks else {}),
        **({"merge the patch": lambda: merge_spec(base, partial)} if patch else {}),
        **({"check what came of it": lambda: template_problems(merged)} if patch else {}),
        "write it out": lambda: msgspec.json.encode(body),
    }


def _batches(work: Callable[[], object], wanted: Rendering) -> Sequence[float]:
    """Microseconds of CPU time a call, of each batch."""
    found = []
    for _ in range(wanted.batches):
        started = time.process_time()
        for _ in range(wanted.jobs):
            work()
        found.append(CALL * (time.process_time() - started) / wanted.jobs)
    return found


def _flow_us(wanted: Rendering, tell: Callable[[str], None]) -> float:
    """CPU time of a flow from the watch's bytes to its plans, the bodies of its Jobs among them."""
    report = Report("")
    decode(report, Decoding(wanted.flows, 1, PATCHES, profile=False), tell)
    event = report.rounds["jobflow"][0]["us per Job event, all in"] or 0.0
    return event * len(STEPS) * (1 + PATCHES)


def _profiled(case: Case, jobs: int) -> str:
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    for _ in range(jobs):
        case.render()
    profile.disable()
    told = io.StringIO()
    pstats.Stats(profile, stream=told).sort_stats("tottime").print_stats(PROFILED)
    return told.getvalue()
