"""References: objects of the files against each other.

In: the documents whose kind and name are known. Out: Findings about two objects of one name, steps whose JobTemplate
is missing or in another namespace, children that could not be named, and probes of tasks that no target has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobflow.api import resources
from jobflow.api.problems import suggestion, suggestion_or_list
from jobflow.api.resources import Resource
from jobflow.cli.documents import Document, Finding, Severity

if TYPE_CHECKING:
    from jobflow.api.jobflow import FlowStep, JobFlowSpec

STEP_LISTS = ("flows", "onExit")  # of a JobFlow's spec
TEMPLATES = (resources.JOB_TEMPLATE, resources.CLUSTER_JOB_TEMPLATE)


@dataclass(frozen=True, slots=True)
class Named:
    """A document whose kind jobflow knows and whose name is written."""

    document: Document
    resource: Resource
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.resource.kind} {place}{self.name}"


def named_object(document: Document, resource: Resource, namespace: str) -> list[Named]:
    """The document by its name; nothing where it has none. `namespace` is where it goes if it says nothing."""
    metadata = document.data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        return []
    written = metadata.get("namespace") if isinstance(metadata, dict) else None
    inside = str(written or namespace) if resource.namespaced else ""
    return [Named(document, resource, inside, name)]


def duplicate_findings(named: list[Named]) -> Iterator[Finding]:
    """Objects of which an API server would keep only the last."""
    seen: dict[tuple[Resource, str, str], Named] = {}
    for one in named:
        first = seen.setdefault((one.resource, one.namespace, one.name), one)
        if first is not one:
            place = f"{first.document.source}:{first.document.position('metadata.name').line}"
            said = f"{one} is already defined at {place}"
            yield one.document.finding(Severity.ERROR, "metadata.name", said)


def template_findings(named: list[Named]) -> Iterator[Finding]:
    """Each step against the templates of the files: is there one, and can the child be named?"""
    templates = {(one.namespace, one.name): one for one in named if one.resource in TEMPLATES}
    for flow in named:
        if flow.resource == resources.JOB_FLOW:
            for step in steps_of(flow.document.data):
                template = templates.get(("" if step.cluster else flow.namespace, step.template))
                if template is None:
                    yield _template_missing(flow, step, templates)
                else:
                    yield from _name_findings(flow, step, template)
            yield from _probe_findings(flow, templates)
            yield from _patch_findings(flow, templates)


def _probe_findings(flow: Named, templates: Mapping[tuple[str, str], Named]) -> Iterator[Finding]:
    """Probes of a task, where the templates of all targets are in the files and none has such a task."""
    spec = _parsed(flow)
    runs = {step.name: _place(flow, step) for _, step in spec.every_step} if spec else {}
    for path, step in spec.every_step if spec else ():
        found = [templates.get(runs.get(target, (flow.namespace, target))) for target in step.targets]
        if step.depends_on is None or step.depends_on.probe is None or not found or None in found:
            continue
        known = {task for template in found if template for task in _task_names(template)}
        for where, task in step.depends_on.probe.task_names:
            if task not in known:
                at = f"{path}.dependsOn.probe.{where}.taskName"
                said = f'no target has a task "{task}"{suggestion_or_list(task, sorted(known), "the tasks are")}'
                yield flow.document.finding(Severity.ERROR, at, said)


def _task_names(template: Named) -> list[str]:
    from jobflow.api.validate_template import task_name

    spec = template.document.data.get("spec")
    tasks = spec.get("tasks") if isinstance(spec, Mapping) else None
    listed = tasks if isinstance(tasks, list) else []
    return [task_name(task, index) for index, task in enumerate(listed) if isinstance(task, Mapping)]


def _patch_findings(flow: Named, templates: Mapping[tuple[str, str], Named]) -> Iterator[Finding]:
    """Patches that do not fit their templates, where both are in the files, and values in them that do not count."""
    from jobflow.api.jobflow import INJECTED
    from jobflow.api.validate_parameters import is_filled
    from jobflow.reconcile.patch import PatchProblem, patched

    spec = _parsed(flow)
    for path, step in spec.every_step if spec else ():
        template = templates.get(_place(flow, step))
        whole = template.document.data.get("spec") if template else None
        for name in step.patch.injected if step.patch else ():
            said = (
                f"{INJECTED[name]} counts as unset, since Volcano's own CRD writes {' and '.join(INJECTED)} into every "
                "jobSpec; to set it, write patch.spec"
            )
            yield flow.document.finding(Severity.WARNING, f"{path}.patch.jobSpec.{name}", said)
        if step.patch is None or not isinstance(whole, Mapping) or is_filled(step, whole):
            continue  # with values to put in first, told by `check_parameters.py`
        try:
            patched(whole, step.patch.meant, private=False)
        except PatchProblem as problem:
            yield flow.document.finding(Severity.ERROR, f"{path}.patch", str(problem))


def _place(flow: Named, step: FlowStep) -> tuple[str, str]:
    """Where the step's template is among the files': a ClusterJobTemplate is in no namespace."""
    return "" if step.cluster_template else flow.namespace, step.template


def _parsed(flow: Named) -> JobFlowSpec | None:
    """The flow's spec; None where it is not of the types it should be, which is told field by field."""
    from jobflow.api.jobflow import JobFlowSpec

    try:
        return JobFlowSpec.model_validate(flow.document.data.get("spec"))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Reference:
    """A step by its name, the template it runs, and the field that says which that is."""

    name: str
    template: str
    path: str
    cluster: bool = False  # it is a ClusterJobTemplate

    @property
    def kind(self) -> str:
        """The kind of the template."""
        return (resources.CLUSTER_JOB_TEMPLATE if self.cluster else resources.JOB_TEMPLATE).kind


def steps_of(data: Mapping[str, Any]) -> Iterator[Reference]:
    """The steps that have a name, whatever else is wrong with the flow."""
    spec = data.get("spec")
    for field in STEP_LISTS:
        steps = spec.get(field) if isinstance(spec, Mapping) else None
        for index, step in enumerate(steps if isinstance(steps, list) else ()):
            if isinstance(step, Mapping):
                yield from _reference(step, f"spec.{field}[{index}]")


def _reference(step: Mapping[str, Any], path: str) -> Iterator[Reference]:
    name = step.get("name")
    if not isinstance(name, str) or not name:
        return
    reference = step.get("templateRef")
    written = reference if isinstance(reference, Mapping) else {}
    other = written.get("name")
    if isinstance(other, str) and other:
        cluster = written.get("kind") == resources.CLUSTER_JOB_TEMPLATE.kind
        yield Reference(name, other, f"{path}.templateRef.name", cluster)
    else:
        yield Reference(name, name, f"{path}.name")


def _template_missing(flow: Named, step: Reference, templates: Mapping[tuple[str, str], Named]) -> Finding:
    """An error where the files hold templates of its kind, which this one was then meant to be among.

    Files without any leave it to the cluster to have it.
    """
    elsewhere = [namespace for namespace, name in templates if name == step.template]
    if step.cluster and flow.namespace in elsewhere:
        said = f'"{step.template}" is a JobTemplate in these files: take templateRef.kind away'
        return flow.document.finding(Severity.ERROR, step.path, said)
    if not step.cluster and "" in elsewhere:
        said = f'"{step.template}" is a ClusterJobTemplate in these files: say templateRef.kind: ClusterJobTemplate'
        return flow.document.finding(Severity.ERROR, step.path, said)
    if elsewhere and not step.cluster:
        said = f'JobTemplate "{step.template}" is in namespace "{elsewhere[0]}", the flow in "{flow.namespace}"'
        return flow.document.finding(Severity.ERROR, step.path, said)
    siblings = [name for namespace, name in templates if namespace == ("" if step.cluster else flow.namespace)]
    absent = f'there is no {step.kind} "{step.template}" in these files'
    if siblings or (templates and not step.cluster):
        return flow.document.finding(Severity.ERROR, step.path, f"{absent}{suggestion(step.template, siblings)}")
    place = "the cluster" if step.cluster else f'namespace "{flow.namespace}"'
    said = f"{absent}; the step waits until {place} has one"
    return flow.document.finding(Severity.WARNING, step.path, said)


def _name_findings(flow: Named, step: Reference, template: Named) -> Iterator[Finding]:
    from jobflow.api.validate import name_problems

    spec = template.document.data.get("spec")
    if isinstance(spec, Mapping):
        for problem in name_problems(flow.name, step.name, spec, step.path):
            yield flow.document.finding(Severity.ERROR, problem.path, problem.message)
