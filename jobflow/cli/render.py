"""`jobflow render`: the Jobs that flows would create, without a cluster.

In: files with JobFlows and their JobTemplates. Out: each step's Job as the controller would send it, as YAML or JSON,
or with `--diff` how its spec differs from its template's. What only a cluster can say is left out: the owner
reference, which holds the JobFlow's UID.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobflow.cli.exit_codes import ExitCode

if TYPE_CHECKING:  # the command line imports every verb: what only this one needs is imported when it runs
    from jobflow.api.objects import FlowView, TemplateView
    from jobflow.cli.documents import Documents
    from jobflow.reconcile.graph import Step
    from jobflow.reconcile.snapshot import Flow


class Format(StrEnum):
    """How Jobs are written."""

    YAML = "yaml"
    JSON = "json"


class CannotRender(Exception):
    """A step's Job cannot be made of these files; the message says why."""


def render(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Files, folders (*.yaml, *.yml, *.json), or - for stdin.")
    ],
    flow: Annotated[str | None, typer.Option("--flow", help="Of this JobFlow only.")] = None,
    step: Annotated[str | None, typer.Option("--step", help="Of this step only.")] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="Write yaml or json.")] = Format.YAML,
    diff: Annotated[bool, typer.Option("--diff", help="Show how each Job's spec differs from its template's.")] = False,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="The namespace of objects that name none.")
    ] = "default",
) -> None:
    """Show the Jobs that a flow would create."""
    from jobflow.cli.check import check
    from jobflow.cli.documents import Severity, load_documents

    documents = load_documents(files)
    errors = [finding for finding in check(documents, namespace) if finding.severity is Severity.ERROR]
    try:
        if errors:
            raise CannotRender("\n".join(map(str, errors)))
        made = list(_rendered(documents, namespace, flow, step))
        if not made:
            raise CannotRender(_nothing(flow, step))
    except CannotRender as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(ExitCode.BAD_INPUT) from problem
    if diff:
        typer.echo("".join(_difference(*one) for one in made), nl=False)
    else:
        typer.echo(_written([job for job, _ in made], output), nl=False)


def _rendered(
    documents: Documents, namespace: str, flow: str | None, step: str | None
) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
    """Each Job with its template's object, in the order of the files and of the steps."""
    import msgspec

    from jobflow.api.objects import FlowObject, TemplateObject, flow_view, template_view
    from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE

    flows: list[FlowView] = []
    templates: dict[tuple[str, str], tuple[TemplateView, Mapping[str, Any]]] = {}
    for document in documents:
        metadata = {"namespace": namespace} | document.data["metadata"]
        body = msgspec.json.encode(document.data | {"metadata": metadata})
        if document.data["kind"] == JOB_TEMPLATE.kind:
            view = template_view(msgspec.json.decode(body, type=TemplateObject))
            templates[view.namespace, view.name] = (view, document.data)
        elif document.data["kind"] == JOB_FLOW.kind and flow in (None, metadata.get("name")):
            flows.append(flow_view(msgspec.json.decode(body, type=FlowObject)))
    for one in flows:
        frozen = _frozen(one)
        for wanted in frozen.compiled.graph.steps:
            if step not in (None, wanted.name):
                continue
            found = templates.get((one.namespace, wanted.template))
            if found is None:
                raise CannotRender(
                    f"JobFlow {one.name}: step {wanted.name}: there is no JobTemplate {wanted.template} in these files"
                )
            yield _job(frozen, wanted, found[0]), found[1]


def _frozen(view: FlowView) -> Flow:
    from jobflow.reconcile.graph import compile_flow
    from jobflow.reconcile.snapshot import Flow

    return Flow(
        namespace=view.namespace,
        name=view.name,
        uid="",
        resource_version="",
        generation=1,
        deleting=False,
        compiled=compile_flow(view.name, view.spec),
        committed=view.status,
    )


def _job(flow: Flow, step: Step, template: TemplateView) -> dict[str, Any]:
    from jobflow.api.children import Node
    from jobflow.reconcile.child import Draft, child_body, child_name, child_spec
    from jobflow.reconcile.patch import PatchProblem

    node = Node(step.name)
    try:
        spec = child_spec(flow, step, node, template)
    except PatchProblem as problem:
        raise CannotRender(f"JobFlow {flow.name}: step {step.name}: {problem}") from problem
    body = child_body(flow, step, Draft(node, child_name(flow, node, spec), spec), template)
    del body["metadata"]["ownerReferences"]
    return body


def _nothing(flow: str | None, step: str | None) -> str:
    wanted = f" with a step {step}" if step else ""
    return f"there is no JobFlow {flow or ''}{wanted} in these files".replace("  ", " ")


def _written(jobs: list[dict[str, Any]], output: Format) -> str:
    if output is Format.JSON:
        items = jobs[0] if len(jobs) == 1 else {"apiVersion": "v1", "kind": "List", "items": jobs}
        return json.dumps(items, indent=2, ensure_ascii=False) + "\n"
    return "---\n".join(_yaml(job) for job in jobs)


def _difference(job: Mapping[str, Any], template: Mapping[str, Any]) -> str:
    """As `diff -u` writes it; nothing but a line where nothing differs."""
    name, of = job["metadata"]["name"], template["metadata"]["name"]
    lines = difflib.unified_diff(
        _yaml(template["spec"]).splitlines(keepends=True),
        _yaml(job["spec"]).splitlines(keepends=True),
        f"JobTemplate {of}",
        f"Job {name}",
    )
    return "".join(lines) or f"Job {name}: as JobTemplate {of}\n"


def _yaml(tree: Any) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Scripts stay readable: a text of several lines is written as it is."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return yaml.dump(tree, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
