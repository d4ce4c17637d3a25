"""`jobflow render` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from jobflow.cli.render import render

TEMPLATE = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobTemplate
metadata: {name: worker}
spec:
  minAvailable: 2
  tasks:
  - name: worker
    replicas: 2
    template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox, command: ["true"]}]}}
"""
FLOW = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata: {name: sizes}
spec:
  flows:
  - name: worker
  - name: large
    templateRef: {name: worker}
    patch: {spec: {minAvailable: 8, tasks: [{name: worker, replicas: 8}]}}
"""


@pytest.fixture
def run(tmp_path: Path):
    app = typer.Typer()
    app.command()(render)

    def run(*options: str, text: str = f"{FLOW}---\n{TEMPLATE}"):
        file = tmp_path / "f.yaml"
        file.write_text(text)
        return CliRunner().invoke(app, [str(file), *options])

    return run


def test_every_job_of_the_flow_in_its_order(run):
    jobs = list(yaml.safe_load_all(run().stdout))
    assert [job["metadata"]["name"] for job in jobs] == ["sizes-worker", "sizes-large"]
    assert [job["spec"]["tasks"][0]["replicas"] for job in jobs] == [2, 8]
    assert jobs[0]["spec"] == yaml.safe_load(TEMPLATE)["spec"]
    assert all("ownerReferences" not in job["metadata"] for job in jobs)


def test_one_step_as_json(run):
    job = json.loads(run("--step", "large", "-o", "json").stdout)
    assert (job["kind"], job["metadata"]["name"]) == ("Job", "sizes-large")


def test_the_difference_to_the_template(run):
    told = run("--diff").stdout
    assert "Job sizes-worker: as JobTemplate worker\n" in told
    assert "--- JobTemplate worker\n+++ Job sizes-large\n" in told
    assert "-minAvailable: 2\n+minAvailable: 8\n" in told
    assert "+  replicas: 8\n" in told


@pytest.mark.parametrize(
    ("said", "options", "text", "message"),
    [
        ("no such step", ("--step", "x"), f"{FLOW}---\n{TEMPLATE}", "there is no JobFlow with a step x in these files"),
        ("no such flow", ("--flow", "x"), f"{FLOW}---\n{TEMPLATE}", "there is no JobFlow x in these files"),
        ("no template", (), FLOW, "JobFlow sizes: step worker: there is no JobTemplate worker in these files"),
        (
            "what lint refuses",
            (),
            f"{FLOW}---\n{TEMPLATE}".replace("minAvailable: 8", "minAvailable: 9"),
            "spec.flows[1].patch: ",
        ),
        ("no file of ours", (), "kind: Nothing\n", "apiVersion: this field is required"),
    ],
)
def test_what_cannot_be_rendered_is_told_with_exit_code_2(run, said, options, text, message):
    result = run(*options, text=text)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
