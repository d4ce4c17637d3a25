"""Rules of a JobFlow that span fields: what a schema cannot say.

In: a parsed spec, names. Out: Problems with field paths, in the order of the spec. Pure, and the one place
for these rules: the admission webhook refuses by them, `jobflow lint` tells them with line numbers, and the
controller ends a flow that slipped past both with reason InvalidSpec and the same words. Rules of a
JobTemplate's Job spec are in `validate_template.py` and are reached from here as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobflow.api.cycles import find_cycles
from jobflow.api.jobflow import FlowStep, JobFlowSpec
from jobflow.api.names import (
    DNS_SUBDOMAIN,
    MAX_LABEL_CHARACTERS,
    MAX_NAME_CHARACTERS,
    NameTooLong,
    child_name,
    pod_suffix_length,
)
from jobflow.api.problems import Problem, suggestion_or_list
from jobflow.api.validate_outputs import output_problems
from jobflow.api.validate_parameters import flow_parameter_problems
from jobflow.api.validate_patch import patch_problems
from jobflow.api.validate_probe import probe_problems
from jobflow.api.validate_template import SERVICE_PLUGINS, task_name, template_problems, whole

__all__ = [
    "Problem",
    "flow_problems",
    "job_name_problems",
    "name_problems",
    "object_name_problems",
    "template_problems",
]

NAME_RULE = (
    'use lower-case letters, digits, "-" and ".", and begin and end each part between dots with a letter or digit'
)


def flow_problems(spec: JobFlowSpec, name: str = "") -> list[Problem]:
    """Everything that keeps a flow from ever ending as written; empty for a good one.

    `name` is the JobFlow's, where it is known; without it only the spec is judged.
    """
    problems = object_name_problems(name) if name else []
    positions: dict[str, int] = {}
    for index, step in enumerate(spec.flows):
        problems += _step_name_problems(step.name, f"spec.flows[{index}].name")
        first = positions.setdefault(step.name, index)
        if first != index:
            problems.append(_duplicate(step.name, index, first))
    for index, step in enumerate(spec.flows):
        problems += _target_problems(index, step, positions)
        problems += patch_problems(step, f"spec.flows[{index}]")
        if step.depends_on and step.depends_on.wait_for and not step.targets:
            said = "there are no targets that could run or complete; add targets, or take waitFor away"
            problems.append(Problem(f"spec.flows[{index}].dependsOn.waitFor", said))
        if step.depends_on and step.depends_on.probe:
            path = f"spec.flows[{index}].dependsOn"
            problems += probe_problems(step.depends_on.probe, step.depends_on.wait_for, len(step.targets), path)
    problems += flow_parameter_problems(spec)
    return problems + output_problems(spec.flows) + _cycle_problems(spec.flows, positions)


def name_problems(
    flow_name: str, step_name: str, template_spec: Mapping[str, Any], path: str = "metadata.name"
) -> list[Problem]:
    """Whether the child of a step can be named: `<flow>-<step>`, and `-<task>-<index>` for its pods.

    A name that is merely long is cut and is no problem. `path` is the field the problem is told at.
    """
    names, replicas = _tasks(template_spec)
    try:
        child = child_name(flow_name, step_name, None, 0, pod_suffix_length(names, replicas))
    except NameTooLong:
        longest = max(names, key=len)
        return [
            Problem(
                path,
                f'the pods of step "{step_name}" cannot be named: task "{longest}" and its index leave '
                f"no room in the {MAX_LABEL_CHARACTERS} characters of a pod name; shorten the task's name",
            )
        ]
    return _service_name_problems(child, template_spec.get("plugins"), path, "rename the flow or the step")


def job_name_problems(name: str, spec: Mapping[str, Any]) -> list[Problem]:
    """Whether a Job of the user's own, whose name is never cut, leaves room for the names of its pods."""
    length = len(name) + pod_suffix_length(*_tasks(spec))
    if length > MAX_LABEL_CHARACTERS:
        said = f"with a task's name and index the name has {length} characters; a pod may have {MAX_LABEL_CHARACTERS}"
        return [Problem("metadata.name", said)]
    return _service_name_problems(name, spec.get("plugins"), "metadata.name", "rename the Job")


def _tasks(spec: Mapping[str, Any]) -> tuple[list[str], list[int]]:
    """Names and replicas of a Job's tasks."""
    raw = spec.get("tasks")
    tasks = [task for task in raw if isinstance(task, Mapping)] if isinstance(raw, list) else []
    names = [task_name(task, index) for index, task in enumerate(tasks)]
    return names, [whole(task.get("replicas"), 0) for task in tasks]


def _service_name_problems(child: str, plugins: Any, path: str, advice: str) -> list[Problem]:
    """Volcano's svc plugin, and those that bring it along, make a Service with the name of the Job."""
    used = [plugin for plugin in SERVICE_PLUGINS if isinstance(plugins, Mapping) and plugin in plugins]
    if not used or (child[0].isalpha() and "." not in child):
        return []
    return [
        Problem(
            path,
            f'plugin "{used[0]}" makes a Service named as the Job, "{child}", and a Service\'s name begins '
            f"with a letter and has no dots; {advice}",
        )
    ]


def object_name_problems(name: str) -> list[Problem]:
    """Whether an object of any kind can have this name."""
    if len(name) > MAX_NAME_CHARACTERS:
        return [
            Problem(
                "metadata.name",
                f"the name has {len(name)} characters; Kubernetes allows {MAX_NAME_CHARACTERS}",
            )
        ]
    if not DNS_SUBDOMAIN.fullmatch(name):
        return [Problem("metadata.name", f'"{name}" cannot be the name of an object; {NAME_RULE}')]
    return []


def _step_name_problems(name: str, path: str) -> list[Problem]:
    if len(name) > MAX_NAME_CHARACTERS:
        said = f"the name has {len(name)} characters; it also names a JobTemplate, which may have {MAX_NAME_CHARACTERS}"
        return [Problem(path, said)]
    if not DNS_SUBDOMAIN.fullmatch(name):
        return [Problem(path, f'"{name}" cannot be part of a Kubernetes name; {NAME_RULE}')]
    return []


def _duplicate(name: str, index: int, first: int) -> Problem:
    return Problem(
        f"spec.flows[{index}].name",
        f'step "{name}" is already defined at spec.flows[{first}]; give each step a name of its own',
    )


def _target_problems(index: int, step: FlowStep, positions: Mapping[str, int]) -> list[Problem]:
    problems = []
    for place, target in enumerate(step.depends_on.targets if step.depends_on else ()):
        path = f"spec.flows[{index}].dependsOn.targets[{place}]"
        if target == step.name:
            problems.append(Problem(path, f'step "{target}" depends on itself, so it would never start'))
        elif target not in positions:
            others = [name for name in positions if name != step.name]
            hint = suggestion_or_list(target, others, "the other steps are")
            problems.append(Problem(path, f'"{target}" is not a step of this flow{hint}'))
    return problems


def _cycle_problems(steps: list[FlowStep], positions: Mapping[str, int]) -> list[Problem]:
    waits_for: dict[str, list[str]] = {name: [] for name in positions}
    for step in steps:
        waits_for[step.name] += [target for target in step.targets if target != step.name]
    return [
        Problem(
            _edge_path(steps, circle[0], circle[1]),
            f"these steps wait for each other, so none would ever start: {' -> '.join(circle)} "
            "(each waits for the next); take one of these dependencies away",
        )
        for circle in find_cycles(waits_for)
    ]


def _edge_path(steps: list[FlowStep], name: str, target: str) -> str:
    """The field where step `name` says that it waits for `target`."""
    for index, step in enumerate(steps):
        if step.name == name and target in step.targets and step.depends_on:
            return f"spec.flows[{index}].dependsOn.targets[{step.depends_on.targets.index(target)}]"
    return "spec.flows"
