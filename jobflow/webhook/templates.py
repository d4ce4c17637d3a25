"""Templates: one by itself, and a flow against those that it names.

In: specs as they travel. Out: Problems, by the rules that lint has for files which hold both. Where values are put into
a step's Job first, what comes of it shows when the step starts, and only its arguments are judged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobflow.api.jobflow import FlowStep, JobFlowSpec
from jobflow.api.problems import Problem, suggestion_or_list
from jobflow.api.validate import name_problems, template_problems
from jobflow.api.validate_arguments import (
    argument_problems,
    template_parameter_problems,
    template_parameters,
    written_outside_enum,
)
from jobflow.api.validate_parameters import is_filled
from jobflow.api.validate_template import task_name
from jobflow.local.volcano.pod_problems import pod_problems
from jobflow.reconcile.patch import PatchProblem, patched
from jobflow.webhook.flows import TemplateName

__all__ = ["against_templates", "judged_template", "name_of"]

Fields = Mapping[str, Any]
Templates = Mapping[TemplateName, Fields | None]  # None: there is none of this name; absent: nobody looked


def judged_template(spec: Any) -> list[Problem]:
    """What is wrong with the spec of a JobTemplate or a ClusterJobTemplate."""
    if not isinstance(spec, Mapping):
        return [Problem("spec", "must be a mapping with the spec of a Volcano Job")]
    return [*template_problems(spec), *template_parameter_problems(spec), *pod_problems(spec)]


def against_templates(spec: JobFlowSpec, flow: str, templates: Templates) -> list[Problem]:
    """What keeps steps from running with the templates that there are."""
    problems: list[Problem] = []
    runs: dict[str, Fields | None] = {}
    for path, step in spec.every_step:
        template = runs[step.name] = templates.get(name_of(step))
        if template is None or template_problems(template):
            continue  # not there, or wrong by itself: no fault of the flow
        where = f"{path}.templateRef.name" if step.template_ref else f"{path}.name"
        problems += name_problems(flow, step.name, template, where)
        problems += _argument_problems(path, step, template)
        problems += _patch_problems(path, step, template)
    return problems + list(_probe_problems(spec, runs))


def name_of(step: FlowStep) -> TemplateName:
    """The template that a step runs."""
    return TemplateName(step.template, step.cluster_template)


def _patch_problems(path: str, step: FlowStep, template: Fields) -> list[Problem]:
    if step.patch is None or is_filled(step, template):
        return []
    try:
        patched(template, step.patch.meant, private=False)
    except PatchProblem as problem:
        return [Problem(f"{path}.patch", str(problem))]
    return []


def _argument_problems(path: str, step: FlowStep, template: Fields) -> Iterator[Problem]:
    """What is given against what is asked for."""
    if not step.arguments and not template.get("parameters"):
        return
    try:
        declared = {one.name: one for one in template_parameters(template)}
    except ValueError:
        return
    arguments = step.arguments or ()
    places = {argument.name: f"{path}.arguments[{index}]" for index, argument in enumerate(arguments)}
    given = {argument.name: argument.value for argument in arguments}
    for problem in argument_problems(given, declared, str(name_of(step)), "arguments"):
        name = problem.path.partition("[")[2].rstrip("]")
        yield Problem(f"{places[name]}.name" if name in places else f"{path}.arguments", problem.message)
    for argument in arguments:
        outside = written_outside_enum(argument, declared[argument.name]) if argument.name in declared else None
        if outside:
            yield Problem(f"{places[argument.name]}.value", outside)


def _probe_problems(spec: JobFlowSpec, runs: Mapping[str, Fields | None]) -> Iterator[Problem]:
    """Probes of a task that none of the targets has, where the templates of all of them are known."""
    for path, step in spec.every_step:
        waits = step.depends_on
        if waits is None or waits.probe is None or not step.targets:
            continue
        found = [runs.get(target) for target in step.targets]
        known = {name for template in found if template is not None for name in _task_names(template)}
        for where, task in waits.probe.task_names if None not in found else ():
            if task not in known:
                said = f'no target has a task "{task}"{suggestion_or_list(task, sorted(known), "the tasks are")}'
                yield Problem(f"{path}.dependsOn.probe.{where}.taskName", said)


def _task_names(template: Fields) -> list[str]:
    tasks = template.get("tasks")
    listed = tasks if isinstance(tasks, list) else []
    return [task_name(task, index) for index, task in enumerate(listed) if isinstance(task, Mapping)]
