"""What lint says of how a flow is to end: the line, the column and the words; and what render shows of onExit."""

from __future__ import annotations

import pytest
import typer
import yaml
from typer.testing import CliRunner

from jobflow.cli.check import check
from jobflow.cli.documents import load_documents
from jobflow.cli.render import render

TASK = "{name: main, replicas: 1, template: {spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}}}"
TEMPLATES = f"""\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobTemplate
metadata: {{name: prep}}
spec: {{tasks: [{TASK}]}}
---
apiVersion: flow.volcano.sh/v1alpha1
kind: JobTemplate
metadata: {{name: tell}}
spec:
  parameters: [{{name: ended}}]
  tasks:
  - name: main
    replicas: 1
    template:
      spec:
        restartPolicy: Never
        containers: [{{name: c, image: busybox, env: [{{name: ENDED, value: $(params.ended)}}]}}]
"""
HEAD = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata: {name: train}
spec:
  flows: [{name: prep}]
"""
TELL = """\
  onExit:
  - name: tell
    arguments: [{name: ended, value: $(context.phase)}]
"""


@pytest.fixture
def told(tmp_path):
    def told(more):
        file = tmp_path / "f.yaml"
        file.write_text(f"{HEAD}{more}---\n{TEMPLATES}")
        return [str(finding).removeprefix(f"{file}:") for finding in check(load_documents([str(file)]), "default")]

    return told


def test_a_flow_that_tells_how_it_ended_is_clean(told):
    assert told(TELL) == []


LINES = {
    "a template that is not there": (
        "  onExit: [{name: clean}]\n",
        '6:13: error: spec.onExit[0].name: there is no JobTemplate "clean" in these files',
    ),
    "an argument that is lacking": (
        "  onExit:\n  - {name: x, templateRef: {name: tell}}\n",
        "7:6: error: spec.onExit[0].name: JobTemplate tell needs a value for its parameter ended; give it as an "
        "argument of the step",
    ),
    "an argument that nobody takes": (
        "  onExit:\n  - {name: x, templateRef: {name: prep}, arguments: [{name: size, value: 1}]}\n",
        "7:55: error: spec.onExit[0].arguments[0].name: JobTemplate prep has no parameter size; it declares none",
    ),
    "a target on the other side": (
        "  onExit:\n  - {name: x, templateRef: {name: prep}, dependsOn: {targets: [prep]}}\n",
        '7:64: error: spec.onExit[0].dependsOn.targets[0]: "prep" is a step of spec.flows, and the steps of onExit '
        "start when all of those have ended; take it away; $(context.phase) tells how the flow ended",
    ),
    "a name that is taken": (
        "  onExit: [{name: prep}]\n",
        '6:13: error: spec.onExit[0].name: step "prep" is already defined at spec.flows[0]; give each step a name of '
        "its own",
    ),
    "a field that is none": (
        "  onExit: [{name: tell, args: []}]\n",
        None,
    ),
    "an unknown policy": (
        "  failurePolicy: FailSlow\n",
        '6:3: error: spec.failurePolicy: "FailSlow" is not one of FailFast, RunIndependent',
    ),
    "an unknown type": (
        "  successPolicy: {type: Some}\n",
        '6:19: error: spec.successPolicy.type: "Some" is not one of All, Any, Critical',
    ),
    "a critical step that is none": (
        "  successPolicy: {type: Critical, criticalFlows: [pre]}\n",
        '6:51: error: spec.successPolicy.criticalFlows[0]: "pre" is not a step of this flow; did you mean "prep"?',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("more", "line"), LINES.values(), ids=LINES)
def test_what_is_wrong(told, more, line):
    found = told(more)
    if line is None:
        assert any("spec.onExit[0].args" in one for one in found)
    else:
        assert found == [line]


def test_a_field_of_the_wrong_type_keeps_nothing_else_from_being_told(told):
    found = told("  failurePolicy: FailSlow\n  onExit: [{name: prep}]\n")
    assert ["failurePolicy" in found[0], "already defined" in found[1]] == [True, True]


def test_render_shows_the_jobs_of_onexit_last(tmp_path):
    app = typer.Typer()
    app.command()(render)
    file = tmp_path / "f.yaml"
    file.write_text(f"{HEAD}{TELL}---\n{TEMPLATES}")
    shown = CliRunner().invoke(app, [str(file)])
    jobs = [job for job in yaml.safe_load_all(shown.stdout) if job]
    assert [job["metadata"]["name"] for job in jobs] == ["train-prep", "train-tell"]
    (container,) = jobs[1]["spec"]["tasks"][0]["template"]["spec"]["containers"]
    assert {"name": "ENDED", "value": "$(context.phase)"} in container["env"]
    assert "$(context.phase) is known when the flow has ended" in shown.stdout
