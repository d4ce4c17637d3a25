"""Outputs of steps: told before anything runs, where the files have flow and template.

In: the documents whose kind and name are known. Out: Findings: a termination message of a task or container that the
Job does not have; an output that lands in a command line, also through an argument, with the better way. What the flow
alone shows is ruled in `api/validate_outputs.py`; that an output decides on what runs is told where the Job is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobflow.api import resources
from jobflow.api.placeholders import PARAMS, Path, PlaceholderProblem, Reference, references, written
from jobflow.api.problems import suggestion_or_list
from jobflow.cli.check_references import TEMPLATES, Named
from jobflow.cli.documents import Finding, Severity

if TYPE_CHECKING:
    from jobflow.api.jobflow import FlowStep, JobFlowSpec
    from jobflow.api.outputs import TerminationMessage

COMMAND_LINE = frozenset({"command", "args"})

Fields = Mapping[str, Any]


def output_findings(named: list[Named]) -> Iterator[Finding]:
    """Findings of all flows of the files."""
    templates = {(one.namespace, one.name): one for one in named if one.resource in TEMPLATES}
    for flow in named:
        spec = _parsed(flow) if flow.resource == resources.JOB_FLOW else None
        for path, step in spec.every_step if spec else ():
            if not (step.outputs or step.arguments or step.patch):
                continue
            place = "" if step.cluster_template else flow.namespace
            template = templates.get((place, step.template))
            found = template.document.data.get("spec") if template else None
            job = _Job(found if isinstance(found, Mapping) else None, _patch(step))
            yield from _source_findings(flow, step, f"{path}.outputs", job)
            yield from _use_findings(flow, step, path, job)


@dataclass(frozen=True, slots=True)
class _Job:
    """What a step's Job is made of: its template's spec, None where the files do not have it, and its patch."""

    template: Fields | None
    patch: Fields

    def tasks(self) -> dict[str, list[Fields]]:
        """Each task by name: as the template has it, and what the patch says of it."""
        from jobflow.api.validate_template import task_name

        found: dict[str, list[Fields]] = {}
        for spec in (self.template or {}, self.patch):
            for index, task in enumerate(_items(spec.get("tasks"))):
                found.setdefault(task_name(task, index), []).append(task)
        return found


def _source_findings(flow: Named, step: FlowStep, path: str, job: _Job) -> Iterator[Finding]:
    """Termination messages of what is not there."""
    if job.template is None:
        return
    tasks = job.tasks()
    for index, output in enumerate(step.outputs or ()):
        said = output.source.termination_message
        if said is None or not tasks:
            continue
        at = f"{path}[{index}].from.terminationMessage"
        if said.task is None and len(tasks) > 1:
            message = f"the Job has several tasks ({', '.join(tasks)}); `task` has to say whose message is meant"
            yield flow.document.finding(Severity.ERROR, at, message)
        elif said.task is not None and said.task not in tasks:
            message = f'the Job has no task "{said.task}"{suggestion_or_list(said.task, list(tasks), "its tasks are")}'
            yield flow.document.finding(Severity.ERROR, f"{at}.task", message)
        else:
            yield from _pod_findings(flow, said, at, tasks[said.task or next(iter(tasks))])


def _pod_findings(flow: Named, said: TerminationMessage, at: str, written_of: list[Fields]) -> Iterator[Finding]:
    """Which pod of the task, and which container of it."""
    replicas = next((task["replicas"] for task in reversed(written_of) if "replicas" in task), 1)
    if type(replicas) is int and (said.index or 0) >= replicas:
        message = f"the task has {replicas} {'pod' if replicas == 1 else 'pods'}, counted from 0"
        yield flow.document.finding(Severity.ERROR, f"{at}.index", message)
    if said.container is None:
        return
    names = [
        str(container.get("name"))
        for task in written_of
        for kind in ("containers", "initContainers")
        for container in _items(_below(task, "template", "spec").get(kind))
    ]
    if said.container not in names:
        hint = suggestion_or_list(said.container, dict.fromkeys(names), "its containers are")
        message = f'the pods of the task have no container "{said.container}"{hint}'
        yield flow.document.finding(Severity.ERROR, f"{at}.container", message)


def _use_findings(flow: Named, step: FlowStep, path: str, job: _Job) -> Iterator[Finding]:
    """Where outputs go, directly and as arguments."""
    from jobflow.api.validate_outputs import used_outputs

    try:
        used = list(used_outputs(step))
    except PlaceholderProblem:
        return  # told where all placeholders are judged
    for place, reference in used:
        at = f"{path}.{written(place)}"
        if place[0] == "patch":
            if COMMAND_LINE & set(place):
                yield flow.document.finding(
                    Severity.WARNING, at, _as_variable(reference, "a command line", reference.text)
                )
            continue
        argument = (step.arguments or [])[int(place[1])].name
        for inner in _places_of(argument, job):
            if COMMAND_LINE & set(inner):
                parameter = f"$(params.{argument})"
                through = f"a command line, as {parameter} at spec.{written(inner)} of the template"
                yield flow.document.finding(Severity.WARNING, at, _as_variable(reference, through, parameter))


def _places_of(parameter: str, job: _Job) -> Iterator[Path]:
    """Where a template uses one of its parameters."""
    if job.template is None or "parameters" not in job.template:
        return
    rest = {name: below for name, below in job.template.items() if name != "parameters"}
    try:
        for place, reference in references(rest):
            if reference.root == PARAMS and reference.name == parameter:
                yield place
    except PlaceholderProblem:
        return  # told where the template is judged


def _as_variable(reference: Reference, where: str, there: str) -> str:
    """What to do; `there` is how the value is called in the place where the command stands."""
    variable = "".join(letter if letter.isalnum() else "_" for letter in reference.path[2]).upper()
    return (
        f"{reference.text} lands in {where}, where a shell takes what a Job wrote for more than a value; give it as a "
        f'variable, `env: [{{name: {variable}, value: {there}}}]`, and write "${variable}" in the command'
    )


def _patch(step: FlowStep) -> Fields:
    return step.patch.partial[1] if step.patch else {}


def _items(value: Any) -> list[Fields]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _below(tree: Fields, *names: str) -> Fields:
    for name in names:
        below = tree.get(name)
        tree = below if isinstance(below, Mapping) else {}
    return tree


def _parsed(flow: Named) -> JobFlowSpec | None:
    """The flow's spec; None where it is not of the types it should be, which is told field by field."""
    from jobflow.api.jobflow import JobFlowSpec

    try:
        return JobFlowSpec.model_validate(flow.document.data.get("spec"))
    except ValueError:
        return None
