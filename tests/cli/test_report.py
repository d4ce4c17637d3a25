"""The report: result, logs, and the end of what failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobflow.cli.looks import Charset
from jobflow.cli.pods import PodView
from jobflow.cli.report import PODS_TOLD, TAIL_LINES, Evidence, report, still_waiting


def pod(name: str, phase: str, problem: str = "") -> PodView:
    return PodView(
        namespace="default",
        name=name,
        uid=name,
        resource_version="1",
        job_uid="",
        phase=phase,
        problem=problem,
    )


class World:
    """Pods by Job and their log files, as a run leaves them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pods: dict[str, list[PodView]] = {}

    def ran(self, job: str, name: str, phase: str, *printed: str, problem: str = "") -> Path:
        self.pods.setdefault(job, []).append(pod(name, phase, problem))
        path = self.folder / f"default_{name}_uid" / "c" / "0.log"
        path.parent.mkdir(parents=True)
        path.write_text("".join(f"2026-05-04T12:00:00.000000000Z stdout F {line}\n" for line in printed))
        return path

    @property
    def evidence(self) -> Evidence:
        return Evidence(
            lambda job: self.pods.get(job, []),
            lambda namespace, name: sorted(self.folder.glob(f"{namespace}_{name}_*/*/*.log")),
        )


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.fixture
def told(pictures, drawn, world):
    return lambda flow: drawn(report(flow, world.evidence, pictures.now, Charset()))


def test_each_step_says_where_its_log_is(pictures, world, told):
    path = world.ran("job-prep", "ml-prep-main-0", "Succeeded", "hello")
    flow = pictures.flow("ml", "Succeed", pictures.step("prep", "Succeeded", ran=(0, 3)), ended=pictures.now)

    assert told(flow) == [
        "✔ Succeed  ml  0/1  1m00s",
        "    ✔ Succeeded    prep  3s",
        f"        logs: {path}",
    ]


def test_what_a_step_left_is_told_in_one_line_each(pictures, told):
    left = (("size", '{"rows":1200}'), ("long", "x" * 200), ("lines", "a\nb\x1b[31m"), ("none", "(none: it is gone)"))
    flow = pictures.flow("f", "Succeed", pictures.step("count", "Succeeded", ran=(0, 3), outputs=left))

    assert told(flow)[2:] == [
        '        size = {"rows":1200}',
        f"        long = {'x' * 77}...",
        "        lines = a b [31m",
        "        none = (none: it is gone)",
    ]


def test_several_logs_are_one_pattern(pictures, world, told):
    for n in range(3):
        world.ran("job-train", f"ml-train-worker-{n}", "Succeeded")
    flow = pictures.flow("ml", "Succeed", pictures.step("train", "Succeeded", ran=(0, 3)))

    assert told(flow)[-1] == f"        logs: {world.folder}/default_ml-train-worker-* (3 files)"


def test_a_failed_step_shows_the_end_of_its_log_and_the_exit_code(pictures, world, told):
    world.ran("job-a", "f-a-main-0", "Failed", *(f"line {n}" for n in range(100)), problem="exit code 3")
    flow = pictures.flow("f", "Failed", pictures.step("a", "Failed", ran=(0, 3), reason="JobFailed"))

    lines = told(flow)

    assert "        f-a-main-0: exit code 3" in lines
    assert lines[-TAIL_LINES:] == [f"          | line {n}" for n in range(80, 100)]


def test_a_failed_pod_that_printed_nothing_says_so(pictures, world, told):
    world.ran("job-a", "p", "Failed")

    assert told(pictures.flow("f", "Failed", pictures.step("a", "Failed")))[-1] == "          it printed nothing"


def test_of_many_failed_pods_some_are_shown_and_all_are_counted(pictures, world, told):
    for n in range(10):
        world.ran("job-a", f"p{n}", "Failed", "boom")

    lines = told(pictures.flow("f", "Failed", pictures.step("a", "Failed")))

    assert sum("boom" in line for line in lines) == PODS_TOLD
    assert lines[-1] == "        and 7 more pods failed"


def test_pods_that_did_not_fail_are_no_evidence_of_a_failure(pictures, world, told):
    world.ran("job-a", "bad", "Failed", "boom")
    world.ran("job-a", "good", "Succeeded", "fine")

    assert "fine" not in "\n".join(told(pictures.flow("f", "Failed", pictures.step("a", "Failed"))))


def test_a_flow_of_hundreds_of_steps_tells_of_failures_and_where_all_logs_are(pictures, world, told):
    steps = [pictures.step(f"s{n}", "Succeeded", ran=(0, 1)) for n in range(300)]
    world.ran("job-s0", "w-s0-main-0", "Succeeded", "fine")
    world.ran("job-bad", "w-bad-main-0", "Failed", "boom", problem="exit code 1")
    flow = pictures.flow("w", "Failed", *steps, pictures.step("bad", "Failed", ran=(0, 1), reason="JobFailed"))

    lines = told(flow)

    assert len(lines) < 15
    assert "          | boom" in lines
    assert lines[-1] == f"      logs of all steps: {world.folder}"


def test_without_log_files_there_is_no_line_of_logs(pictures, told):
    assert not any("logs" in line for line in told(pictures.flow("f", "Succeed", pictures.step("a", "Succeeded"))))


def test_what_an_unfinished_flow_waits_for(pictures, drawn):
    flow = pictures.flow(
        "ml",
        "Running",
        pictures.step("a", "Succeeded", ran=(0, 1)),
        pictures.step("b", "Running", after="a", ran=(1, None), detail="1 of 2 pods running"),
        pictures.step("c", after="b", reason="WaitingForDependencies", message="waits for b (Running)"),
    )

    assert drawn(still_waiting(flow, pictures.now, Charset())) == [
        "● Running  ml  0/3  1m00s",
        "    b Running  1 of 2 pods running",
        "    c Waiting  waits for b (Running)",
    ]
