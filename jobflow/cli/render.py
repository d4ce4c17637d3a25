"""`jobflow render`: the Jobs that flows would create, without a cluster.

In: files with JobFlows, their JobTemplates and ConfigMaps. Out: each step's Job as the controller would send it, as
YAML or JSON, or with `--diff` how its spec differs from its template's. What only a cluster can say is left out: the
owner reference, which holds the JobFlow's UID. What only the run can tell stays a placeholder, and a note says so.
Another note has the conditions of a step that may be skipped, also those that the flow's switches come to.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobflow.cli.exit_codes import ExitCode
from jobflow.cli.parameter_option import ParameterOption

if TYPE_CHECKING:  # the command line imports every verb: what only this one needs is imported when it runs
    from jobflow.api.objects import TemplateView
    from jobflow.cli.documents import Documents
    from jobflow.cli.offline import ConfigMaps, Made
    from jobflow.reconcile.graph import Step
    from jobflow.reconcile.snapshot import Flow


class Format(StrEnum):
    """How Jobs are written."""

    YAML = "yaml"
    JSON = "json"


class CannotRender(Exception):
    """A step's Job cannot be made of these files; the message says why."""


@dataclass(frozen=True)
class Wish:
    """What of the files is to be shown: one flow, one step, or all."""

    namespace: str
    flow: str | None = None
    step: str | None = None


def render(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Files, folders (*.yaml, *.yml, *.json), or - for stdin.")
    ],
    flow: Annotated[str | None, typer.Option("--flow", help="Of this JobFlow only.")] = None,
    step: Annotated[str | None, typer.Option("--step", help="Of this step only.")] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="Write yaml or json.")] = Format.YAML,
    parameter: ParameterOption = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show how each Job's spec differs from its template's.")] = False,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="The namespace of objects that name none.")
    ] = "default",
) -> None:
    """Show the Jobs that a flow would create."""
    from jobflow.cli.check import check
    from jobflow.cli.check_parameters import unset_findings
    from jobflow.cli.documents import Severity, load_documents
    from jobflow.cli.parameters import override

    documents = load_documents(files)
    findings = override(documents, parameter or [])
    findings += check(documents, namespace) + list(unset_findings(documents))
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    try:
        if errors:
            raise CannotRender("\n".join(map(str, errors)))
        shown = list(_rendered(documents, Wish(namespace, flow, step)))
        if not shown:
            raise CannotRender(_nothing(flow, step))
    except CannotRender as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(ExitCode.BAD_INPUT) from problem
    if diff or output is Format.JSON:
        for notice in dict.fromkeys(notice for made, _ in shown for notice in made.notices):
            typer.echo(f"note: {notice}", err=True)
    if diff:
        typer.echo("".join(_difference(made.job, template) for made, template in shown), nl=False)
    else:
        typer.echo(_written([made for made, _ in shown], output), nl=False)


def _rendered(documents: Documents, wish: Wish) -> Iterator[tuple[Made, Mapping[str, Any]]]:
    """Each Job with its template's object, in the order of the files and of the steps."""
    from jobflow.api.resources import JOB_FLOW
    from jobflow.cli.check_references import TEMPLATES
    from jobflow.cli.offline import config_maps, frozen_flow, template_of

    flows: list[Flow] = []
    templates: dict[tuple[str, str], tuple[TemplateView, Mapping[str, Any]]] = {}
    for document in documents:
        kind, metadata = document.data["kind"], document.data["metadata"]
        if kind in [template.kind for template in TEMPLATES]:
            view = template_of(document.data, wish.namespace)
            templates[view.namespace, view.name] = (view, document.data)
        elif kind == JOB_FLOW.kind and wish.flow in (None, metadata.get("name")):
            flows.append(frozen_flow(document.data, wish.namespace))
    maps = config_maps(documents, wish.namespace)
    for one in flows:
        for step in one.compiled.graph.steps:
            if wish.step not in (None, step.name):
                continue
            found = templates.get(("" if step.cluster_template else one.namespace, step.template))
            if found is None:
                what = f"{step.template_kind} {step.template}"
                raise CannotRender(f"JobFlow {one.name}: step {step.name}: there is no {what} in these files")
            yield _job(one, step, found[0], maps), found[1]


def _job(flow: Flow, step: Step, template: TemplateView, maps: ConfigMaps) -> Made:
    from jobflow.cli.offline import CannotMake, made

    try:
        found = made(flow, step, template, maps)
    except CannotMake as problem:
        raise CannotRender(f"JobFlow {flow.name}: step {step.name}: {problem}") from problem
    return replace(found, notices=(*_when(step), *found.notices)) if step.when else found


def _when(step: Step) -> list[str]:
    """The conditions of a step, as `when` has them: its own, and what the switches that name it come to."""
    import yaml

    from jobflow.api.conditions import written

    told = yaml.safe_dump(
        [written(condition) for condition in step.when],
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=1_000_000,
    )
    return [f"step {step.name} runs only where these hold, when: {told.strip()}"]


def _nothing(flow: str | None, step: str | None) -> str:
    wanted = f" with a step {step}" if step else ""
    return f"there is no JobFlow {flow or ''}{wanted} in these files".replace("  ", " ")


def _written(shown: list[Made], output: Format) -> str:
    """Above a Job in YAML, what of it is not known yet."""
    if output is Format.JSON:
        jobs = [made.job for made in shown]
        items = jobs[0] if len(jobs) == 1 else {"apiVersion": "v1", "kind": "List", "items": jobs}
        return json.dumps(items, indent=2, ensure_ascii=False) + "\n"
    return "---\n".join("".join(f"# {notice}\n" for notice in made.notices) + _yaml(made.job) for made in shown)


def _difference(job: Mapping[str, Any], template: Mapping[str, Any]) -> str:
    """As `diff -u` writes it; nothing but a line where nothing differs."""
    from jobflow.api.parameters import TEMPLATE_FIELD

    name, of = job["metadata"]["name"], template["metadata"]["name"]
    spec = {field: value for field, value in template["spec"].items() if field != TEMPLATE_FIELD}  # no Job has it
    lines = difflib.unified_diff(
        _yaml(spec).splitlines(keepends=True),
        _yaml(job["spec"]).splitlines(keepends=True),
        f"{template['kind']} {of}",
        f"Job {name}",
    )
    return "".join(lines) or f"Job {name}: as {template['kind']} {of}\n"


def _yaml(tree: Any) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Scripts stay readable: a text of several lines is written as it is."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return yaml.dump(tree, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
