"""`check`: everything that can be told about a set of files without a cluster.

In: Documents. Out: Findings in the order of the files. Each object is judged by itself (its kind, metadata
and fields, and the rules shared with the webhook), then against the others: two objects of one name, steps
without a template, names of children that cannot be made. `jobflow lint` prints these; `jobflow run` and `up`
refuse files with errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobflow.api import names, resources
from jobflow.api.problems import Problem, suggestion_or_list
from jobflow.api.resources import Resource
from jobflow.cli.check_cron import cron_job_problems
from jobflow.cli.check_deadlines import deadline_findings
from jobflow.cli.check_dependencies import dependency_findings
from jobflow.cli.check_endless import endless_findings
from jobflow.cli.check_fields import Fields
from jobflow.cli.check_outputs import output_findings
from jobflow.cli.check_parameters import parameter_findings
from jobflow.cli.check_references import TEMPLATES, Named, duplicate_findings, named_object, template_findings
from jobflow.cli.documents import Document, Documents, Finding, Severity
from jobflow.local.volcano.pod_problems import pod_problems

ACCEPTED: Mapping[str, Resource] = {
    resource.kind: resource
    for resource in (
        resources.JOB_FLOW,
        resources.JOB_TEMPLATE,
        resources.CLUSTER_JOB_TEMPLATE,
        resources.VOLCANO_JOB,
        resources.CRON_JOB,
        resources.QUEUE,
        resources.CONFIG_MAP,
        resources.SECRET,
        resources.NAMESPACE,
    )
}
NEEDED = frozenset({"flows", "parameters"})  # of a flow's spec: without these the other fields cannot be judged


def check(documents: Documents, namespace: str = "default") -> list[Finding]:
    """All findings, those of reading the files included.

    `namespace` is where objects go that name none.
    """
    findings = list(documents.findings)
    named: list[Named] = []
    known: dict[Resource, Fields] = {}
    for document in documents:
        resource, found = _kind(document)
        findings += found
        if resource is not None:
            if resource not in known:
                known[resource] = Fields(_schema(resource))
            findings += _object_findings(document, resource, known[resource])
            if resource in (*TEMPLATES, resources.VOLCANO_JOB):
                findings += endless_findings(document)
                findings += dependency_findings(document)
            elif resource == resources.JOB_FLOW:
                findings += deadline_findings(document)
            named += named_object(document, resource, namespace)
    findings += duplicate_findings(named)
    findings += template_findings(named)
    findings += output_findings(named)
    findings += parameter_findings(named, namespace)
    return _in_order(findings, documents)


def _kind(document: Document) -> tuple[Resource | None, list[Finding]]:
    """What the document says it is; None, and a finding, where jobflow knows no such kind."""
    kind, api_version = document.data.get("kind"), document.data.get("apiVersion")
    for field, value in (("apiVersion", api_version), ("kind", kind)):
        if not isinstance(value, str) or not value:
            said = "this field is required" + ("" if value is None else ", and is a string")
            return None, [document.finding(Severity.ERROR, field, said)]
    resource = ACCEPTED.get(str(kind))
    if resource is None:
        hint = suggestion_or_list(str(kind), ACCEPTED, "it knows")
        said = f'jobflow does not know the kind "{kind}"{hint}'
        return None, [document.finding(Severity.ERROR, "kind", said)]
    if resource.api_version != api_version:
        said = f'jobflow knows {kind} as {resource.api_version}, not as "{api_version}"'
        if resource in (resources.VOLCANO_JOB, resources.CRON_JOB) and api_version == "batch/v1":
            said = f'this is a Kubernetes {kind}; jobflow runs Volcano\'s, "apiVersion: {resource.api_version}"'
        return None, [document.finding(Severity.ERROR, "apiVersion", said)]
    return resource, []


def _object_findings(document: Document, resource: Resource, fields: Fields) -> list[Finding]:
    """One object by itself. Where a rule and the schema speak of one field, the rule says it better."""
    problems = _rule_problems(document.data, resource)
    told = {problem.path for problem in problems}
    findings = _metadata_findings(document, resource, fields)
    findings += [finding for finding in fields.findings(document) if not _is_told(finding.path, told)]
    return findings + [document.finding(Severity.ERROR, problem.path, problem.message) for problem in problems]


def _is_told(path: str, told: set[str]) -> bool:
    return path in told or (path.startswith(("spec.flows[", "spec.onExit[")) and f"{path}.name" in told)


def _rule_problems(data: Mapping[str, Any], resource: Resource) -> list[Problem]:
    """The rules that span fields, of the kinds that have some."""
    spec = data.get("spec", {})
    if not isinstance(spec, Mapping):
        return []  # told by the schema
    if resource == resources.JOB_FLOW:
        return _flow_problems(spec)
    if resource in (*TEMPLATES, resources.VOLCANO_JOB):
        from jobflow.api.validate import template_problems

        job_names = _job_name_problems(data, spec) if resource == resources.VOLCANO_JOB else []
        return [*template_problems(spec), *pod_problems(spec), *job_names]
    if resource == resources.CRON_JOB:
        return list(cron_job_problems(data, spec))
    return []


def _job_name_problems(data: Mapping[str, Any], spec: Mapping[str, Any]) -> list[Problem]:
    from jobflow.api.validate import job_name_problems

    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return job_name_problems(name, spec) if isinstance(name, str) and name else []


def _flow_problems(spec: Mapping[str, Any]) -> list[Problem]:
    from pydantic import ValidationError

    from jobflow.api.jobflow import JobFlowSpec
    from jobflow.api.validate import flow_problems

    try:
        return flow_problems(JobFlowSpec.model_validate(spec))
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors()}
    if wrong & NEEDED:
        return []  # a wrong type or a missing name, told by the schema
    return flow_problems(JobFlowSpec.model_validate({name: below for name, below in spec.items() if name not in wrong}))


def _metadata_findings(document: Document, resource: Resource, fields: Fields) -> list[Finding]:
    metadata = document.data.get("metadata")
    if not isinstance(metadata, dict):
        said = "this field is required" if metadata is None else "must be a mapping with the object's name"
        return [document.finding(Severity.ERROR, "metadata", said)]
    findings = list(fields.metadata_findings(document))
    name, generated = metadata.get("name"), metadata.get("generateName")
    if name in (None, "") and not generated:
        findings.append(document.finding(Severity.ERROR, "metadata.name", "the object needs a name"))
    elif isinstance(name, str) and (problem := _name_problem(name)):
        findings.append(document.finding(Severity.ERROR, "metadata.name", problem))
    namespace = metadata.get("namespace")
    if isinstance(namespace, str) and namespace:
        findings += _namespace_findings(document, resource, namespace)
    return findings


def _name_problem(name: str) -> str:
    from jobflow.api.validate import object_name_problems

    return "".join(problem.message for problem in object_name_problems(name))


def _namespace_findings(document: Document, resource: Resource, namespace: str) -> Iterator[Finding]:
    path = "metadata.namespace"
    if not resource.namespaced:
        said = f"a {resource.kind} is in no namespace; this is left out of account"
        yield document.finding(Severity.WARNING, path, said)
    elif len(namespace) > names.MAX_LABEL_CHARACTERS or not names.DNS_LABEL.fullmatch(namespace):
        said = f'"{namespace}" cannot be a namespace; use at most 63 lower-case letters, digits and "-"'
        yield document.finding(Severity.ERROR, path, said)


def _schema(resource: Resource) -> Mapping[str, Any]:
    from jobflow.api import crd

    builders = {
        resources.JOB_FLOW: crd.job_flow_crd,
        resources.JOB_TEMPLATE: crd.job_template_crd,
        resources.CLUSTER_JOB_TEMPLATE: crd.cluster_job_template_crd,
        resources.VOLCANO_JOB: crd.volcano_job_crd,
        resources.CRON_JOB: crd.cron_job_crd,
        resources.QUEUE: crd.queue_crd,
    }
    if resource in builders:
        schema: Mapping[str, Any] = builders[resource]()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        return schema
    return _CORE_SCHEMAS[resource]


_TEXT_MAP: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}
_ROOT: dict[str, Any] = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "immutable": {"type": "boolean"}}
_ANY = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_CORE_SCHEMAS: Mapping[Resource, Mapping[str, Any]] = {
    resources.CONFIG_MAP: {"type": "object", "properties": {**_ROOT, "data": _TEXT_MAP, "binaryData": _TEXT_MAP}},
    resources.SECRET: {
        "type": "object",
        "properties": {**_ROOT, "type": {"type": "string"}, "data": _TEXT_MAP, "stringData": _TEXT_MAP},
    },
    resources.NAMESPACE: {"type": "object", "properties": {**_ROOT, "spec": _ANY, "status": _ANY}},
}


def _in_order(findings: list[Finding], documents: Documents) -> list[Finding]:
    """By file in the order given, then by place; one line for what two rules tell alike."""
    sources = dict.fromkeys(
        [finding.source for finding in documents.findings if not finding.line]
        + [document.source for document in documents]
        + [finding.source for finding in findings]
    )
    rank = {source: index for index, source in enumerate(sources)}
    return sorted(dict.fromkeys(findings), key=lambda finding: (rank[finding.source], finding.line, finding.column))
