"""A new user's first hour with kubectl: apply an example, watch it, look closer, read logs, delete it."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.blocking]

CHAIN = """
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata: {{name: {name}}}
spec:
  jobRetainPolicy: {policy}
  flows:
    - name: build
    - name: check
      dependsOn: {{targets: [build]}}
"""

FINISHED = ("--for=jsonpath={.status.completionTime}", "--timeout=60s")


def test_an_example_from_apply_to_delete(up, examples: Path) -> None:
    server = up()
    kubectl = server.kubectl

    said = kubectl("apply", "-f", str(examples / "shared-templates.yaml")).stdout
    assert "jobflow.flow.volcano.sh/monday created" in said
    kubectl("wait", "jobflow/monday", "jobflow/tuesday", *FINISHED)

    table = kubectl("get", "jf").stdout.splitlines()
    assert table[0].split()[:4] == ["NAME", "STATUS", "AGE", "PROGRESS"]
    assert table[1].split()[:2] == ["monday", "Succeed"]
    assert "2/2" in table[1]

    jobs = kubectl("get", "vcjob", "-l", "jobflow.volcano.sh/name=monday", "-o", "name").stdout.split()
    assert jobs == ["job.batch.volcano.sh/monday-build", "job.batch.volcano.sh/monday-check"]
    status = json.loads(kubectl("get", "jf", "tuesday", "-o", "json").stdout)["status"]
    assert status["completedJobs"] == ["tuesday-build", "tuesday-check"], "a flow sees only its own Jobs"
    assert kubectl("get", "jf", "monday", "-o", "jsonpath={.status.state.phase}").stdout == "Succeed"
    assert kubectl("get", "jf", "--field-selector", "metadata.name=monday", "-o", "name").stdout.split() == [
        "jobflow.flow.volcano.sh/monday"
    ]

    told = kubectl("describe", "jf", "monday").stdout
    for line in ("Phase:", "Succeed", "Created", "created Job monday-build", "Succeeded", "all 2 steps succeeded"):
        assert line in told

    pod = kubectl("get", "pods", "-l", "volcano.sh/job-name=monday-check", "-o", "name").stdout.strip()
    assert kubectl("logs", pod).stdout == "checked it\n"

    listed = kubectl("get", "jt", "build", "-o", "json")
    templates_jobs = json.loads(listed.stdout).get("status", {}).get("jobDependsOnList", [])
    assert set(templates_jobs) <= {"monday-build", "tuesday-build"}

    kubectl("delete", "jf", "monday")
    kubectl("wait", "vcjob/monday-build", "--for=delete", "--timeout=30s")
    assert "tuesday" in kubectl("get", "jf").stdout


def test_watching_shows_the_phases_pass_by(up, examples: Path) -> None:
    server = up()
    kubectl = server.kubectl
    lines: list[str] = []

    def watch() -> None:
        lines.extend(kubectl("get", "jf", "-w", "--request-timeout=12s", check=False).stdout.splitlines())

    watcher = threading.Thread(target=watch)
    watcher.start()
    kubectl("apply", "--server-side", "-f", str(examples / "shared-templates.yaml"))
    kubectl("wait", "jobflow/monday", *FINISHED)
    watcher.join()

    phases = [line.split()[1] for line in lines if line.startswith("monday ")]
    assert "Running" in phases, lines
    assert "Succeed" in phases, lines


def test_policy_delete_takes_the_jobs_away_once_all_is_well(up, examples: Path) -> None:
    kubectl = up().kubectl
    kubectl("apply", "-f", str(examples / "shared-templates.yaml"))
    kubectl("apply", "-f", "-", stdin=CHAIN.format(name="clean", policy="delete"))
    kubectl("wait", "jobflow/clean", *FINISHED)
    kubectl("wait", "vcjob/clean-build", "--for=delete", "--timeout=30s")
    status = json.loads(kubectl("get", "jf", "clean", "-o", "json").stdout)["status"]
    assert status["completedJobs"] == ["clean-build", "clean-check"], "what ran stays known"


def test_a_failing_flow_says_what_failed(up, examples: Path) -> None:
    kubectl = up().kubectl
    kubectl("apply", "-f", str(examples / "failing.yaml"))
    kubectl("wait", "jobflow/failing", *FINISHED)
    status = json.loads(kubectl("get", "jf", "failing", "-o", "json").stdout)["status"]
    assert status["state"]["phase"] == "Failed"
    assert status["state"]["reason"] == "StepFailed"
    steps = {step["name"]: step["phase"] for step in status["flowStatuses"]}
    assert steps == {"prepare": "Succeeded", "compute": "Failed", "report": "Unreachable"}
    told = kubectl("describe", "jf", "failing").stdout
    assert "step compute" in told


def test_a_template_that_comes_late_is_waited_for(up, examples: Path) -> None:
    kubectl = up().kubectl
    kubectl("apply", "-f", "-", stdin=CHAIN.format(name="early", policy="retain"))
    kubectl("wait", "jf/early", "--for=jsonpath={.status.state.reason}=TemplateNotFound", "--timeout=30s")
    kubectl("apply", "-f", str(examples / "shared-templates.yaml"))
    kubectl("wait", "jf/early", *FINISHED)
    assert kubectl("get", "jf", "early", "-o", "jsonpath={.status.outcome}").stdout == "Succeeded"


def test_objects_are_there_again_after_a_restart_with_the_same_data(up, examples: Path, tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    first = up("--data", data)
    first.kubectl("apply", "-f", str(examples / "shared-templates.yaml"))
    first.kubectl("wait", "jobflow/monday", "jobflow/tuesday", *FINISHED)
    before = first.kubectl("get", "jf,jt,vcjob", "-o", "jsonpath={.items[*].metadata.uid}").stdout.split()
    assert first.stop() == 0
    second = up("--data", data)
    after = second.kubectl("get", "jf,jt,vcjob", "-o", "jsonpath={.items[*].metadata.uid}").stdout.split()
    assert after == before


def test_explain_and_strict_validation_help_before_anything_runs(up) -> None:
    kubectl = up().kubectl
    assert "steps" in kubectl("explain", "jobflow.spec.flows").stdout
    assert "jobflows" in kubectl("api-resources", "--api-group=flow.volcano.sh").stdout
    refused = kubectl(
        "apply",
        "-f",
        "-",
        stdin=CHAIN.format(name="typo", policy="retain").replace("dependsOn", "dependOn"),
        check=False,
    )
    assert refused.returncode != 0
    assert 'unknown field "spec.flows[1].dependOn"' in refused.stderr


def test_foreground_deletion_leaves_no_job_behind(up, examples: Path) -> None:
    kubectl = up("--runtime", "simulate").kubectl
    annotated = "        metadata: {annotations: {simulate.jobflow.volcano.sh/duration: 60s}}\n"
    pod = "        spec:\n          restartPolicy"
    slow = (examples / "shared-templates.yaml").read_text().replace(pod, annotated + pod)
    kubectl("apply", "-f", "-", stdin=slow)
    kubectl("wait", "vcjob/monday-build", "--for=jsonpath={.status.state.phase}=Running", "--timeout=30s")
    kubectl("delete", "jf", "monday", "--cascade=foreground", "--timeout=30s")
    assert kubectl("get", "vcjob", "-l", "jobflow.volcano.sh/name=monday", "-o", "name").stdout == ""


def test_kubectl_edit_changes_a_control_field(up, examples: Path) -> None:
    kubectl = up("--runtime", "simulate").kubectl
    kubectl("apply", "-f", str(examples / "shared-templates.yaml"))
    kubectl("wait", "jobflow/monday", *FINISHED)
    os.environ["KUBE_EDITOR"] = "sed -i 's/jobRetainPolicy: retain/jobRetainPolicy: delete/'"
    try:
        assert "edited" in kubectl("edit", "jf", "monday").stdout
    finally:
        del os.environ["KUBE_EDITOR"]
    kubectl("wait", "vcjob/monday-build", "--for=delete", "--timeout=30s")
