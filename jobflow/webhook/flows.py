"""Flows: what is wrong with a JobFlow by itself.

In: a spec as it travels. Out: Problems, by the rules that lint and the controller have too (`jobflow.api.validate`);
and Volcano's own words for a graph that is none, since tools and people look for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pydantic

from jobflow.api.cycles import find_cycles
from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.problems import Problem
from jobflow.api.validate import flow_problems

NOT_A_DAG = "jobflow Flow is not DAG"
STEP_LISTS = ("flows", "onExit")
MOST_STEPS = 1000  # of one flow: what its status can tell of within the size of one object


class Judged(NamedTuple):
    """A spec as it was read; None where it could not be, which the problems tell."""

    spec: JobFlowSpec | None
    problems: list[Problem]


def judged(spec: Any, name: str) -> Judged:
    """What is wrong with a JobFlow's spec."""
    if not isinstance(spec, Mapping):
        return Judged(None, [Problem("spec", "must be a mapping with the steps of the flow in flows")])
    count = sum(len(steps) for field in STEP_LISTS if isinstance(steps := spec.get(field), list))
    if count > MOST_STEPS:
        said = f"the flow has {count} steps; {MOST_STEPS} are allowed: make several flows of it"
        return Judged(None, [Problem("spec.flows", said)])
    try:
        parsed = JobFlowSpec.model_validate(spec)
    except pydantic.ValidationError as error:
        return Judged(None, [Problem(_path(one["loc"]), _said(one["msg"])) for one in error.errors(include_url=False)])
    return Judged(parsed, flow_problems(parsed, name))


def in_words_of_volcano(spec: JobFlowSpec | None) -> str:
    """What Volcano's webhook says of such a graph; nothing of a good one."""
    steps = [step for _, step in spec.every_step] if spec else []
    waits_for: dict[str, list[str]] = {step.name: [] for step in steps}
    for step in steps:
        waits_for[step.name] += step.edges
    for targets in waits_for.values():
        for target in targets:
            if target not in waits_for:
                return f"{NOT_A_DAG}: vertex is not defined: {target}"
    return NOT_A_DAG if find_cycles(waits_for) else ""


class TemplateName(NamedTuple):
    """A template that a step runs: a JobTemplate of the flow's namespace, or a ClusterJobTemplate."""

    name: str
    cluster: bool = False

    def __str__(self) -> str:
        return f'{"ClusterJobTemplate" if self.cluster else "JobTemplate"} "{self.name}"'


def template_names(spec: Any) -> Iterator[TemplateName]:
    """The templates that a flow names, in whatever state its spec is."""
    for field in STEP_LISTS:
        steps = spec.get(field) if isinstance(spec, Mapping) else None
        for step in steps if isinstance(steps, list) else ():
            if not isinstance(step, Mapping):
                continue
            reference = step.get("templateRef")
            fields = reference if isinstance(reference, Mapping) else step
            name = fields.get("name")
            if isinstance(name, str) and name:
                yield TemplateName(name, fields is reference and fields.get("kind") == "ClusterJobTemplate")


def _path(location: tuple[int | str, ...]) -> str:
    return "spec" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _said(message: str) -> str:
    said = message.removeprefix("Value error, ")
    return said[:1].lower() + said[1:]
