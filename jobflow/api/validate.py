"""Rules of a JobFlow that span fields: what a schema cannot say.

In: a parsed spec, names. Out: Problems with field paths, in the order of the spec. Pure, and the one place
for these rules: the admission webhook refuses by them, `jobflow lint` tells them with line numbers, and the
controller ends a flow that slipped past both with reason InvalidSpec and the same words. Rules of a
JobTemplate's Job spec are in `validate_template.py` and are reached from here as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.names import (
    DNS_SUBDOMAIN,
    MAX_LABEL_CHARACTERS,
    MAX_NAME_CHARACTERS,
    NameTooLong,
    child_name,
    pod_suffix_length,
)
from jobflow.api.problems import Problem
from jobflow.api.validate_conditions import condition_problems
from jobflow.api.validate_deadlines import deadline_problems
from jobflow.api.validate_dependencies import cycle_problems, dependency_problems, target_problems
from jobflow.api.validate_ends import end_problems
from jobflow.api.validate_outputs import output_problems
from jobflow.api.validate_parameters import flow_parameter_problems
from jobflow.api.validate_patch import patch_problems
from jobflow.api.validate_retry import retry_problems
from jobflow.api.validate_switches import switch_problems
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
    places: dict[str, str] = {}
    for path, step in spec.every_step:
        problems += _step_name_problems(step.name, f"{path}.name")
        first = places.setdefault(step.name, path)
        if first != path:
            problems.append(_duplicate(step.name, path, first))
    borne = frozenset(step.name for _, step in spec.every_step if step.continue_on_fail)
    for path, step in spec.every_step:
        problems += target_problems(path, step, places)
        problems += patch_problems(step, path)
        problems += dependency_problems(path, step, borne)
    problems += end_problems(spec)
    problems += flow_parameter_problems(spec)
    problems += condition_problems(spec)
    problems += switch_problems(spec)
    problems += deadline_problems(spec)
    problems += retry_problems(spec)
    return problems + output_problems(spec) + cycle_problems(spec.every_step, places)


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


def _duplicate(name: str, path: str, first: str) -> Problem:
    return Problem(f"{path}.name", f'step "{name}" is already defined at {first}; give each step a name of its own')
