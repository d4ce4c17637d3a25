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


SWITCH = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata: {name: branches}
spec:
  parameters: [{name: size, value: 1}]
  switch:
  - {input: $(params.size), cases: [{values: [1, two], flows: [small]}], default: [large]}
  flows:
  - {name: small, templateRef: {name: worker}}
  - {name: large, templateRef: {name: worker}, when: [{cel: "params.size > 2"}]}
  - {name: worker}
"""


def test_what_a_switch_comes_to_is_told_above_the_job(run):
    shown = run(text=f"{SWITCH}---\n{TEMPLATE}").stdout
    assert [line for line in shown.splitlines() if line.startswith("#")] == [
        "# step small runs only where these hold, when: [{input: $(params.size), operator: In, values: [1, two]}]",
        "# step large runs only where these hold, when: "
        "[{cel: params.size > 2}, {input: $(params.size), operator: NotIn, values: [1, two]}]",
    ]
    assert "note: step small runs only" in run("--diff", text=f"{SWITCH}---\n{TEMPLATE}").stderr


def test_a_template_of_the_cluster(run):
    flow = FLOW.replace("templateRef: {name: worker}", "templateRef: {name: worker, kind: ClusterJobTemplate}")
    theirs = TEMPLATE.replace("flow.volcano.sh", "ext.flow.volcano.sh").replace("JobTemplate", "ClusterJobTemplate")
    done = run(text=f"{flow}---\n{TEMPLATE}---\n{theirs.replace('busybox', 'alpine')}")
    own, clusters = yaml.safe_load_all(done.stdout)
    images = [job["spec"]["tasks"][0]["template"]["spec"]["containers"][0]["image"] for job in (own, clusters)]
    assert images == ["busybox", "alpine"]
    assert clusters["metadata"]["labels"]["jobflow.volcano.sh/cluster-template"] == "worker"
    missing = run(text=f"{flow}---\n{TEMPLATE}")
    assert missing.exit_code == 2
    assert "take templateRef.kind away" in missing.stderr
    shown = run("--diff", "--step", "large", text=f"{flow}---\n{TEMPLATE}---\n{theirs}")
    assert shown.stdout.startswith("--- ClusterJobTemplate worker\n+++ Job sizes-large\n")


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


PARAMETERS = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobTemplate
metadata: {name: sampler}
spec:
  parameters: [{name: samples, value: 10}, {name: host, value: none}]
  minAvailable: 2
  tasks:
  - name: worker
    replicas: 2
    template:
      spec:
        restartPolicy: Never
        containers:
        - name: main
          image: busybox
          command: [work, $(params.samples), $(HOSTNAME)]
          env: [{name: HOST, value: $(params.host)}]
---
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata: {name: sizes}
spec:
  parameters:
  - {name: workers, value: 2, enum: [2, 8]}
  - name: samples
    valueFrom: {configMapKeyRef: {name: survey, key: samples}}
  flows:
  - name: first
    templateRef: {name: sampler}
    outputs: [{name: count, from: {path: status.succeeded}}]
    arguments: [{name: samples, value: "$(params.samples)"}]
    patch: {spec: {tasks: [{name: worker, replicas: "$(params.workers)"}]}}
  - name: second
    templateRef: {name: sampler}
    dependsOn: {targets: [first]}
    arguments: [{name: host, value: "of $(steps.first.outputs.count), $(context.uid)"}]
    patch: {spec: {minAvailable: "$(steps.first.outputs.count)"}}
"""
CONFIG = '---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: survey}\ndata: {samples: "1.10"}\n'


def container_of(job):
    return job["spec"]["tasks"][0]["template"]["spec"]["containers"][0]


class TestParameters:
    def test_a_step_is_shown_whole(self, run):
        (job,) = yaml.safe_load_all(run("--step", "first", text=PARAMETERS + CONFIG).stdout)
        assert container_of(job)["command"] == ["work", "1.10", "$(HOSTNAME)"]
        assert job["spec"]["tasks"][0]["replicas"] == 2
        assert "parameters" not in job["spec"]

    def test_what_no_job_has_is_no_difference(self, run):
        assert "parameters:" not in run("--step", "first", "--diff", text=PARAMETERS + CONFIG).stdout

    def test_the_command_line_takes_the_place_of_the_files(self, run):
        done = run("--step", "first", "-p", "workers=8", "-p", "samples=5", text=PARAMETERS)
        (job,) = yaml.safe_load_all(done.stdout)
        assert container_of(job)["command"][1] == "5"
        assert job["spec"]["tasks"][0]["replicas"] == 8

    def test_what_only_the_run_can_tell_stays_and_is_told_above_the_job(self, run):
        text = run("--step", "second", text=PARAMETERS).stdout
        assert text.splitlines()[:2] == [
            "# $(steps.first.outputs.count) is known when step first has ended",
            "# $(context.uid) is known when the JobFlow is in a cluster",
        ]
        (job,) = yaml.safe_load_all(text)
        assert job["spec"]["minAvailable"] == "$(steps.first.outputs.count)"
        variables = {one["name"]: one["value"] for one in container_of(job)["env"]}
        assert variables["HOST"] == "of $(steps.first.outputs.count), $(context.uid)"

    def test_a_configmap_that_is_not_in_the_files_is_no_guess_either(self, run):
        done = run("--step", "first", "-o", "json", text=PARAMETERS)
        assert container_of(json.loads(done.stdout))["command"][1] == "$(params.samples)"
        said = "note: $(params.samples) is read from ConfigMap survey, key samples, which these files do not have\n"
        assert done.stderr == said

    @pytest.mark.parametrize(
        ("options", "text", "said"),
        [
            (["-p", "workers=4"], PARAMETERS, "-p workers: error: the value is none of the allowed ones: 2, 8"),
            (["-p", "worker=2"], PARAMETERS, 'has a parameter worker; did you mean "workers"?'),
            ([], PARAMETERS.replace("value: 2, ", ""), "parameter workers has no value"),
            ([], PARAMETERS.replace('first.outputs.count)"}}', 'first.outputs.counts)"}}'), "has no output counts"),
        ],
    )
    def test_what_cannot_be_shown_is_told(self, run, options, text, said):
        done = run(*options, text=text)
        assert done.exit_code == 2
        assert said in done.stderr
