"""What of a step's status is drawn."""

from __future__ import annotations

import pytest

from jobflow.api.status import FlowStatus, OutputStatus, StepPhase
from jobflow.cli.drawn import flow_picture
from jobflow.testing.builders import flow


@pytest.mark.parametrize(
    ("said", "output", "shown"),
    [
        ("a text is itself", OutputStatus("n", "s3://a/b"), "s3://a/b"),
        ("all else is JSON", OutputStatus("n", {"a": [1, True]}), '{"a":[1,true]}'),
        ("a number is as it was written", OutputStatus("n", 1.1, "1.10"), "1.10"),
        ("zero is a value", OutputStatus("n", 0), "0"),
        ("a default is shown as any value", OutputStatus("n", 3, message="it is empty"), "3"),
        ("why there is none", OutputStatus("n", message="pod p was not there"), "(none: pod p was not there)"),
    ],
)
def test_outputs(said, output, shown):
    record = FlowStatus("count", StepPhase.SUCCEEDED, outputs=(output,))
    (step,) = flow_picture(flow("f").step("count").recorded(record).view(), lambda uid: None).steps
    assert step.outputs == (("n", shown),)


def test_of_a_step_that_failed_nobody_expects_what_it_would_have_left():
    left = (OutputStatus("n", 8), OutputStatus("m", message="pod p was not there"))
    record = FlowStatus("count", StepPhase.FAILED, outputs=left)
    (step,) = flow_picture(flow("f").step("count").recorded(record).view(), lambda uid: None).steps
    assert step.outputs == (("n", "8"),)


def test_a_step_comes_after_all_that_it_names():
    built = flow("f").step("a").step("b", after="a").step("c", targetsWithStatus=[{"name": "b", "phase": "Failed"}])
    built = built.step(
        "d", after="a", orGroups=[{"targets": ["b"]}, {"targetsWithStatus": [{"name": "c", "phase": "Running"}]}]
    )
    built = built.step("e", expression="steps['d'].phase == 'Failed' || steps.a.phase == 'Failed'")
    picture = flow_picture(built.view(), lambda uid: None)
    assert {step.name: (step.level, step.targets) for step in picture.steps} == {
        "a": (0, ()),
        "b": (1, ("a",)),
        "c": (2, ("b",)),
        "d": (3, ("a", "b", "c")),
        "e": (4, ("a", "d")),
    }


def test_steps_of_onexit_come_after_all_others():
    exits = [{"name": "clean"}, {"name": "tell", "dependsOn": {"targets": ["clean"]}}]
    picture = flow_picture(flow("f").step("a").step("b", after="a").setting(onExit=exits).view(), lambda uid: None)
    assert [(step.name, step.level, step.on_exit) for step in picture.steps] == [
        ("a", 0, False),
        ("b", 1, False),
        ("clean", 2, True),
        ("tell", 3, True),
    ]
    assert picture.progress == "0/2"
