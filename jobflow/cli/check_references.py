"""References: objects of the files against each other.

In: the documents whose kind and name are known. Out: Findings about two objects of one name, steps whose JobTemplate
is missing or in another namespace, and children that could not be named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jobflow.api import resources
from jobflow.api.problems import suggestion
from jobflow.api.resources import Resource
from jobflow.cli.documents import Document, Finding, Severity


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
    templates = {(one.namespace, one.name): one for one in named if one.resource == resources.JOB_TEMPLATE}
    for flow in named:
        if flow.resource == resources.JOB_FLOW:
            for index, step in _steps(flow.document.data):
                path = f"spec.flows[{index}].name"
                template = templates.get((flow.namespace, step))
                if template is None:
                    yield _template_missing(flow, step, path, templates)
                else:
                    yield from _name_findings(flow, step, path, template)


def _steps(data: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """The steps that have a name, with their index; whatever else is wrong with the flow."""
    spec = data.get("spec")
    flows = spec.get("flows") if isinstance(spec, Mapping) else None
    for index, step in enumerate(flows if isinstance(flows, list) else ()):
        name = step.get("name") if isinstance(step, Mapping) else None
        if isinstance(name, str) and name:
            yield index, name


def _template_missing(flow: Named, step: str, path: str, templates: Mapping[tuple[str, str], Named]) -> Finding:
    """An error where the files hold templates, which this one was then meant to be among.

    Files without any leave it to the cluster to have it.
    """
    elsewhere = [namespace for namespace, name in templates if name == step]
    if elsewhere:
        said = f'JobTemplate "{step}" is in namespace "{elsewhere[0]}", the flow in "{flow.namespace}"'
        return flow.document.finding(Severity.ERROR, path, said)
    if templates:
        near = suggestion(step, [name for namespace, name in templates if namespace == flow.namespace])
        said = f'there is no JobTemplate "{step}" in these files{near}'
        return flow.document.finding(Severity.ERROR, path, said)
    said = f'there is no JobTemplate "{step}" in these files; the step waits until namespace "{flow.namespace}" has one'
    return flow.document.finding(Severity.WARNING, path, said)


def _name_findings(flow: Named, step: str, path: str, template: Named) -> Iterator[Finding]:
    from jobflow.api.validate import name_problems

    spec = template.document.data.get("spec")
    if isinstance(spec, Mapping):
        for problem in name_problems(flow.name, step, spec, path):
            yield flow.document.finding(Severity.ERROR, problem.path, problem.message)
