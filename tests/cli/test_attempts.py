"""Which attempt of a step is shown, and when the next one begins."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from msgspec import structs

from jobflow.api.status import AttemptStatus, FlowStatus, Reason, StepPhase
from jobflow.cli.drawn import flow_picture
from jobflow.cli.linelog import changes
from jobflow.cli.looks import Charset, plain
from jobflow.cli.tree import flow_lines
from jobflow.testing.builders import flow
from jobflow.testing.clock import EPOCH

FAILED = AttemptStatus(0, "f-a", "uid-0", EPOCH, EPOCH, Reason.JOB_FAILED, "Job f-a is Failed", 3)
BETWEEN = FlowStatus("a", StepPhase.WAITING, Reason.RETRY_BACKOFF, "attempt 2 is due", attempt=1, attempts=(FAILED,))
RUNS = FlowStatus("a", StepPhase.RUNNING, attempt=1, jobName="f-a-r1", jobUID="uid-1", attempts=(FAILED,))
DONE = FlowStatus("a", StepPhase.SUCCEEDED, attempt=1, jobName="f-a-r1", jobUID="uid-1", attempts=(FAILED,))
LOST = FlowStatus("a", StepPhase.FAILED, "JobFailed", "Job f-a-r3 is Failed; attempt 4 of 4", attempt=3)
FIRST = FlowStatus("a", StepPhase.RUNNING, jobName="f-a", jobUID="uid-0")


def retrying(wait: str):
    return flow("f").step("a").having(retry={"limit": 3, "backoff": {"duration": wait}})


def note(builder, record, after: float = 0) -> str:
    """What the drawing says behind the step's name."""
    picture = flow_picture(builder.recorded(record).view(), lambda uid: None)
    lines = flow_lines(picture, EPOCH + timedelta(seconds=after), Charset())
    return plain(lines[1]).partition("  a")[2].strip()


@pytest.mark.parametrize(
    ("said", "builder", "record", "after", "expect"),
    [
        ("waits", retrying("8s"), BETWEEN, 0, "attempt 2 of 4 in 8 s; Job f-a is Failed, exit code 3"),
        ("waits a while later", retrying("8s"), BETWEEN, 4.5, "attempt 2 of 4 in 4 s; Job f-a is Failed, exit code 3"),
        ("waits for long", retrying("10m"), BETWEEN, 0, "attempt 2 of 4 in 10 min; Job f-a is Failed, exit code 3"),
        ("its time has come", retrying("8s"), BETWEEN, 9, "attempt 2 of 4; Job f-a is Failed, exit code 3"),
        ("runs", retrying("8s"), RUNS, 0, "attempt 2 of 4"),
        ("succeeded", retrying("8s"), DONE, 0, "attempt 2 of 4"),
        ("failed, and says so itself", retrying("8s"), LOST, 0, "JobFailed: Job f-a-r3 is Failed; attempt 4 of 4"),
        ("the first is like any step", retrying("8s"), FIRST, 0, ""),
        ("the default is gone since", flow("f").step("a"), RUNS, 0, "attempt 2"),
        ("by the default of the flow", flow("f").step("a").setting(retry={"limit": 1}), RUNS, 0, "attempt 2 of 2"),
        ("a spec that is no good", flow("f").step("a").setting(retry={"limit": -1}), RUNS, 0, "attempt 2"),
    ],
)
def test_a_step_that(said, builder, record, after, expect):
    assert note(builder, record, after) == expect


def test_in_a_log_each_attempt_has_its_lines():
    views = [retrying("8s").recorded(record).view() for record in (FIRST, BETWEEN, RUNS, DONE)]
    pictures = [flow_picture(view, lambda uid: None) for view in views]
    told = [line for old, new in pairwise(pictures) for line in changes(old, new, EPOCH)]
    assert told == [
        "12:00:00 f/a Waiting  attempt 2 of 4 in 8 s; Job f-a is Failed, exit code 3",
        "12:00:00 f/a Running  attempt 2 of 4",
        "12:00:00 f/a Succeeded  attempt 2 of 4",
    ]


def test_in_a_log_two_attempts_that_fail_at_once_have_a_line_each():
    second = structs.replace(BETWEEN, attempt=2)
    pictures = [flow_picture(retrying("8s").recorded(record).view(), lambda uid: None) for record in (BETWEEN, second)]
    (line,) = changes(pictures[0], pictures[1], EPOCH)
    assert line.startswith("12:00:00 f/a Waiting  attempt 3 of 4 in 8 s")


def test_earlier_attempts_are_known_by_their_jobs():
    (step,) = flow_picture(retrying("8s").recorded(RUNS).view(), lambda uid: None).steps
    assert step.earlier == ((1, "uid-0"),)
