"""`jobflow run` as users type it: real processes, real signals, what is printed and the exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.blocking]

SECONDS = 60.0  # a bound, not a measurement
TEMPLATE = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobTemplate
metadata: {name: %s}
spec:
  minAvailable: 1
  tasks:
  - name: main
    replicas: 1
    template:
      spec:
        restartPolicy: Never
        containers: [{name: c, image: busybox, command: [sh, -c, %s]}]
---
"""
FLOW = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata: {name: ml}
spec:
  jobRetainPolicy: retain
  flows: [{name: prep}, {name: train, dependsOn: {targets: [prep]}}]
"""


def chain(train: str = "echo trained", prep: str = "echo prepared") -> str:
    return TEMPLATE % ("prep", json.dumps(prep)) + TEMPLATE % ("train", json.dumps(train)) + FLOW


class Shell:
    """A folder with files, and `jobflow run` in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "TMPDIR": str(folder), "PYTHONIOENCODING": "utf-8"}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "jobflow", "run", "--allow-root", *words]

    def run(self, text: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run what is given on standard input."""
        return subprocess.run(
            self.command("-", *words),
            input=text,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def start(self, text: str) -> subprocess.Popen[str]:
        """Start a run, and return once its step runs."""
        (self.folder / "f.yaml").write_text(text)
        process = subprocess.Popen(
            self.command("f.yaml"), cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            if "ml/prep Running" in line:
                return process
        raise AssertionError(f"it ended with {process.wait()} before its step ran")


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").is_dir() else True


def test_a_chain_succeeds_and_says_where_the_logs_are(shell):
    done = shell.run(chain())

    assert done.returncode == 0, done.stderr
    assert "ml/prep Succeeded" in done.stdout
    logs = [Path(line.partition("logs: ")[2]) for line in done.stdout.splitlines() if "logs: " in line]
    assert [path.read_text().rsplit(" ", 1)[1].strip() for path in logs] == ["prepared", "trained"]
    assert "\x1b" not in done.stdout


def test_a_failing_step_shows_the_end_of_its_log_and_exits_1(shell):
    done = shell.run(chain(prep="echo working; echo the disk is full >&2; exit 3"))

    assert done.returncode == 1
    assert "          | the disk is full" in done.stdout.splitlines()
    assert "exit code 3" in done.stdout
    assert "Unreachable" in done.stdout
    assert done.stderr == ""


def test_a_typo_is_shown_by_line_and_exits_2(shell):
    done = shell.run(chain().replace("[prep]", "[prpe]"))

    assert done.returncode == 2
    assert done.stdout == ""
    assert '"prpe" is not a step of this flow; did you mean "prep"?' in done.stderr
    assert list(shell.folder.iterdir()) == []


def test_json_is_one_document_and_alone_on_standard_output(shell):
    done = shell.run(chain(), "-o", "json", "--runtime", "simulate")

    told = json.loads(done.stdout)
    assert set(told) == {"flows", "jobs"}
    assert told["flows"][0]["status"]["outcome"] == "Succeeded"
    assert "ml Succeed" in done.stderr


def test_a_timeout_exits_124_and_says_what_it_waited_for(shell):
    done = shell.run(chain(prep="sleep 600"), "--timeout", "2")

    assert done.returncode == 124
    assert "still waited for" in done.stdout
    assert "train Waiting  waits for prep" in done.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_processes_and_has_its_exit_code(shell, number, code):
    process = shell.start(chain(prep=f"echo $$$$ > {shell.folder}/pid; exec sleep 600"))  # Kubernetes halves them
    pid_file = shell.folder / "pid"
    deadline = time.monotonic() + SECONDS
    while not (pid_file.exists() and pid_file.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.02)

    process.send_signal(number)

    assert process.wait(SECONDS) == code
    assert process.stdout is not None
    process.stdout.close()
    assert not alive(int(pid_file.read_text()))


def test_with_data_a_second_run_tells_the_result_and_runs_nothing_again(shell):
    text = chain(prep=f"echo once >> {shell.folder}/runs")
    first = shell.run(text, "--data", "kept")
    second = shell.run(text, "--data", "kept")

    assert (first.returncode, second.returncode) == (0, 0)
    assert "had ended in an earlier run" in second.stdout
    assert (shell.folder / "runs").read_text() == "once\n"
    assert (shell.folder / "kept" / "run" / "logs").is_dir()


def test_a_bare_job_is_followed_too(shell):
    job = (TEMPLATE % ("lone", '"echo hello"')).replace("flow.volcano.sh", "batch.volcano.sh")
    done = shell.run(job.replace("JobTemplate", "Job"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "✔ Completed  lone" in done.stdout
