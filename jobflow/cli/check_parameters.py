"""Parameters, arguments and placeholders: told before anything runs, where the files have flow and template.

In: the documents whose kind and name are known. Out: Findings: parameters that nothing uses, or that have no value;
arguments that a template does not take, or lacks; Jobs that cannot be made of a template with a step's values; our
placeholders in a template where they are plain text. What the flow alone shows is ruled in `api/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from jobflow.api.resources import JOB_FLOW
from jobflow.cli.check_references import TEMPLATES, Named
from jobflow.cli.documents import Document, Finding, Severity

if TYPE_CHECKING:
    from jobflow.api.jobflow import FlowStep, JobFlowSpec
    from jobflow.cli.offline import ConfigMaps
    from jobflow.reconcile.graph import Step
    from jobflow.reconcile.snapshot import Flow

Templates = Mapping[tuple[str, str], Named]


def parameter_findings(named: list[Named], namespace: str) -> Iterator[Finding]:
    """Findings of all flows and templates of the files."""
    from jobflow.cli.offline import config_maps

    templates = {(one.namespace, one.name): one for one in named if one.resource in TEMPLATES}
    maps = config_maps((one.document for one in named), namespace)
    for one in named:
        if one.resource in TEMPLATES:
            yield from _template_findings(one.document)
        elif one.resource == JOB_FLOW and (spec := parsed(one.document)):
            yield from _flow_findings(one, spec)
            yield from _step_findings(one, spec, templates, maps)


def unset_findings(documents: Iterable[Document], severity: Severity = Severity.ERROR) -> Iterator[Finding]:
    """Parameters that steps use and that have no value: an error where the flow is to run now."""
    from jobflow.api.validate_parameters import unset_problems

    for document in documents:
        spec = parsed(document) if document.data.get("kind") == JOB_FLOW.kind else None
        for problem in unset_problems(spec) if spec else ():
            yield document.finding(severity, problem.path, problem.message)


def parsed(document: Document) -> JobFlowSpec | None:
    """The flow's spec; None where it is not of the types it should be, which is told field by field."""
    from jobflow.api.jobflow import JobFlowSpec

    try:
        return JobFlowSpec.model_validate(document.data.get("spec"))
    except ValueError:
        return None


def _template_findings(document: Document) -> Iterator[Finding]:
    from jobflow.api.validate_arguments import template_parameter_problems, undeclared_problems, unused_in_template

    spec = document.data.get("spec")
    if not isinstance(spec, Mapping):
        return
    for problem in template_parameter_problems(spec):
        yield document.finding(Severity.ERROR, problem.path, problem.message)
    for problem in (*undeclared_problems(spec), *unused_in_template(spec)):
        yield document.finding(Severity.WARNING, problem.path, problem.message)


def _flow_findings(flow: Named, spec: JobFlowSpec) -> Iterator[Finding]:
    from jobflow.api.validate_parameters import unused_problems

    for problem in unused_problems(spec):
        yield flow.document.finding(Severity.WARNING, problem.path, problem.message)
    yield from unset_findings([flow.document], Severity.WARNING)


def _step_findings(flow: Named, spec: JobFlowSpec, templates: Templates, maps: ConfigMaps) -> Iterator[Finding]:
    """Each step against its template, where the files have it; of a flow in which nothing else is wrong."""
    from jobflow.api.validate_arguments import template_parameter_problems
    from jobflow.api.validate_parameters import is_filled
    from jobflow.cli.offline import frozen_flow

    concerned = [
        (path, step, template)
        for path, step in spec.every_step
        if (template := _template(flow, step, templates))
        and (step.arguments or is_filled(step, template.document.data["spec"]))
    ]
    if not concerned:
        return
    wrong = [
        finding for path, step, template in concerned for finding in _argument_findings(flow, path, step, template)
    ]
    yield from wrong
    frozen = frozen_flow(flow.document.data, flow.namespace)
    for path, step, template in concerned if not wrong and not frozen.compiled.problems else ():
        if template_parameter_problems(template.document.data["spec"]):
            continue  # told of the template
        compiled = frozen.compiled.graph.by_name[step.name]
        yield from _made_findings(flow, path, (frozen, compiled, template), maps)


def _argument_findings(flow: Named, path: str, step: FlowStep, template: Named) -> Iterator[Finding]:
    """What is given against what is asked for, field by field."""
    from jobflow.api.validate_arguments import argument_problems, template_parameters, written_outside_enum

    try:
        declared = {one.name: one for one in template_parameters(template.document.data["spec"])}
    except ValueError:
        return
    places = {argument.name: f"{path}.arguments[{at}]" for at, argument in enumerate(step.arguments or ())}
    given = {argument.name: argument.value for argument in step.arguments or ()}
    told = f"{template.resource.kind} {template.name}"
    for problem in argument_problems(given, declared, told, "arguments"):
        name = problem.path.partition("[")[2].rstrip("]")
        place = f"{places[name]}.name" if name in places else f"{path}.name"
        yield flow.document.finding(Severity.ERROR, place, problem.message)
    for argument in step.arguments or ():
        outside = written_outside_enum(argument, declared[argument.name]) if argument.name in declared else None
        if outside:
            yield flow.document.finding(Severity.ERROR, f"{places[argument.name]}.value", outside)


def _made_findings(flow: Named, path: str, of: tuple[Flow, Step, Named], maps: ConfigMaps) -> Iterator[Finding]:
    """What keeps the Job from being made."""
    from jobflow.cli.offline import CannotMake, made, template_of

    frozen, step, template = of
    try:
        made(frozen, step, template_of(template.document.data, flow.namespace), maps)
    except CannotMake as problem:
        where = "patch" if problem.of_patch or str(problem).startswith("patch.") else ""
        at = f"{path}.{where}" if where else f"{path}.arguments" if step.arguments else f"{path}.name"
        yield flow.document.finding(Severity.ERROR, at, str(problem))


def _template(flow: Named, step: FlowStep, templates: Templates) -> Named | None:
    found = templates.get(("" if step.cluster_template else flow.namespace, step.template))
    return found if found and isinstance(found.document.data.get("spec"), Mapping) else None
