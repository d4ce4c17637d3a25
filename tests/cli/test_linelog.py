"""The line log: one line a change, nothing but plain text."""

from __future__ import annotations

import pytest

from jobflow.cli.linelog import changes
from jobflow.cli.pictures import FlowPicture


@pytest.fixture
def flow(pictures):
    return pictures.flow


WAITS = {"reason": "WaitingForDependencies"}


def test_a_step_that_starts_is_one_line(pictures, flow):
    old = flow("ml", "Running", pictures.step("train", "Pending"))
    new = flow("ml", "Running", pictures.step("train", "Running", ran=(0, None)))

    assert changes(old, new, pictures.now) == ["12:01:00 ml/train Running"]


def test_an_end_has_its_duration_and_a_failure_its_reason(pictures, flow):
    old = flow("ml", "Running", pictures.step("train", "Running", ran=(0, None)))
    failed = pictures.step(
        "train", "Failed", ran=(0, 5), reason="JobFailed", message="1 of 1 pods failed", detail="p: exit code 3"
    )
    new = flow(
        "ml", "Failed", failed, reason="StepFailed", message="step train failed", progress="0/1", ended=pictures.now
    )

    assert changes(old, new, pictures.now) == [
        "12:01:00 ml/train Failed  5s  JobFailed: 1 of 1 pods failed  p: exit code 3",
        "12:01:00 ml Failed  0/1  1m00s  StepFailed: step train failed",
    ]


def test_waiting_for_other_steps_is_not_news(pictures, flow):
    old = flow("ml", "Running", pictures.step("b", after="a", message="waits for a (Pending)", **WAITS))
    new = flow("ml", "Running", pictures.step("b", after="a", message="waits for a (Running)", **WAITS))

    assert changes(old, new, pictures.now) == []


def test_waiting_for_something_else_is(pictures, flow):
    old = flow("ml", "Pending", pictures.step("a"))
    new = flow("ml", "Pending", pictures.step("a", reason="TemplateNotFound", message="JobTemplate a is not there"))

    assert changes(old, new, pictures.now) == ["12:01:00 ml/a Waiting  TemplateNotFound: JobTemplate a is not there"]


def test_a_flow_of_another_namespace_is_named_with_it(pictures, flow):
    old = flow("ml", "Pending", namespace="team")
    new = flow("ml", "Running", namespace="team")

    assert changes(old, new, pictures.now) == ["12:01:00 team/ml Running"]


def test_equal_pictures_are_no_lines(pictures, flow):
    picture: FlowPicture = flow("ml", "Running", pictures.step("a", "Running", ran=(0, None)))

    assert changes(picture, picture, pictures.now) == []
