"""What a change of status is worth telling."""

from __future__ import annotations

import pytest

from jobflow.api.status import FlowPhase, FlowState, FlowStatus, JobFlowStatus, StepPhase
from jobflow.reconcile.events import events

RUNNING = FlowState(FlowPhase.RUNNING)


def status(state, *steps):
    return JobFlowStatus(state=state, flowStatuses=steps)


def step(phase, recreations=0, **told):
    return FlowStatus("a", phase, recreations=recreations, jobName="f-a", **told)


SUCCEEDED = step(StepPhase.SUCCEEDED)
FAILED = step(StepPhase.FAILED, reason="JobFailed", message="Job f-a is Failed")
HELD = FlowState(FlowPhase.PENDING, "TemplateNotFound", "step a: JobTemplate a is not there")


@pytest.mark.parametrize(
    ("said", "before", "after", "expect"),
    [
        ("nothing is new", status(RUNNING), status(RUNNING), []),
        ("it began to run", status(FlowState()), status(RUNNING, step(StepPhase.RUNNING)), []),
        (
            "it succeeded",
            status(RUNNING, step(StepPhase.RUNNING)),
            status(FlowState(FlowPhase.SUCCEED), SUCCEEDED),
            ["Normal Succeeded: all 1 steps succeeded"],
        ),
        (
            "a step failed, and with it the flow",
            status(RUNNING, step(StepPhase.RUNNING)),
            status(FlowState(FlowPhase.FAILED, "StepFailed", "step a: Job f-a is Failed"), FAILED),
            [
                "Warning StepFailed: step a: JobFailed: Job f-a is Failed",
                "Warning Failed: StepFailed: step a: Job f-a is Failed",
            ],
        ),
        ("it had failed before", status(RUNNING, FAILED), status(RUNNING, FAILED), []),
        (
            "it is stuck on a template",
            status(FlowState()),
            status(HELD),
            ["Warning TemplateNotFound: step a: JobTemplate a is not there"],
        ),
        ("it is still stuck", status(HELD), status(HELD), []),
        ("it is no longer stuck", status(HELD), status(FlowState(FlowPhase.PENDING)), []),
        (
            "a Job was created again",
            status(RUNNING, step(StepPhase.RUNNING)),
            status(RUNNING, step(StepPhase.PENDING, recreations=1)),
            ["Warning Recreated: step a: its unfinished Job was deleted; created f-a again"],
        ),
        (
            "it was told before that a Job was created again",
            status(RUNNING, step(StepPhase.PENDING, recreations=1)),
            status(RUNNING, step(StepPhase.RUNNING, recreations=1)),
            [],
        ),
    ],
)
def test_events(said, before, after, expect):
    assert [f"{event.type} {event.reason}: {event.message}" for event in events(before, after)] == expect
