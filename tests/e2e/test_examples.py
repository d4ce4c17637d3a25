"""Every example ends as its first line says, run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.blocking]

EXPECTED = {
    "ml-pipeline.yaml": {"ml-pipeline": "Succeed"},
    "fan-out.yaml": {"fan-out": "Succeed"},
    "etl.yaml": {"etl": "Succeed"},
    "shared-templates.yaml": {"monday": "Succeed", "tuesday": "Succeed"},
    "failing.yaml": {"failing": "Failed"},
    "flaky.yaml": {"flaky": "Succeed"},
    "sizes.yaml": {"sizes": "Succeed"},
    "sizes-by-parameters.yaml": {"sizes-by-parameters": "Succeed"},
    "outputs.yaml": {"outputs": "Succeed"},
    "if-else.yaml": {"if-else": "Succeed"},
    "switch.yaml": {"switch": "Succeed"},
    "first-of-two.yaml": {"first-of-two": "Succeed"},
    "deadline.yaml": {"deadline": "Succeed"},
    "cluster-template.yaml": {"greetings": "Succeed"},
    "probe-http.yaml": {"serving": "Succeed"},
    "probe-tcp.yaml": {"schema": "Succeed"},
    "probe-tasks.yaml": {"evaluate-early": "Succeed"},
    "cleanup.yaml": {"nightly": "Failed"},
    "critical.yaml": {"models": "Succeed"},
}
RUN_SECONDS = 120


def test_every_example_is_known_here(examples: Path) -> None:
    assert {path.name for path in examples.glob("*.yaml")} == set(EXPECTED)


@pytest.mark.parametrize("example", EXPECTED)
def test_an_example_ends_as_it_says(example: str, examples: Path, jobflow: str, tmp_path: Path) -> None:
    command = [jobflow, "run", "--allow-root", "-o", "json", str(examples / example)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, env=environment)
    phases = {flow["metadata"]["name"]: flow["status"]["state"]["phase"] for flow in json.loads(done.stdout)["flows"]}
    assert phases == EXPECTED[example], done.stderr
    assert done.returncode == (1 if "Failed" in phases.values() else 0)


def test_parameters_of_an_example_can_be_given_on_the_command_line(
    examples: Path, jobflow: str, tmp_path: Path
) -> None:
    file = str(examples / "sizes-by-parameters.yaml")
    command = [jobflow, "run", "--allow-root", "-o", "json", file, "-p", "workers=4"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, env=environment)
    (flow,) = json.loads(done.stdout)["flows"]
    assert flow["status"]["state"]["phase"] == "Succeed", done.stderr
    assert [step["podFailureRatio"] for step in flow["status"]["flowStatuses"]] == ["0/2", "0/4"]
    (log,) = [path.read_text() for path in tmp_path.rglob("*.log") if "large-worker-3" in str(path)]
    assert log.endswith("sizes-by-parameters/large: 1000000 samples, exact\n")


def test_the_files_are_clean(examples: Path, jobflow: str) -> None:
    done = subprocess.run([jobflow, "lint", "--strict", str(examples)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
