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
