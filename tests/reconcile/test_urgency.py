"""How long the write of a status may wait for company."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from jobflow.api.status import (
    FlowPhase,
    FlowState,
    FlowStatus,
    JobCondition,
    JobFlowStatus,
    Outcome,
    Reason,
    StepPhase,
    TaskState,
)
from jobflow.reconcile.urgency import AT_ONCE, COUNT_SECONDS, STEP_SECONDS, status_within
from jobflow.testing.clock import EPOCH

RUNS = FlowStatus("a", StepPhase.RUNNING, jobName="f-a", jobUID="1")
WAITS = FlowStatus("b", StepPhase.WAITING, "WaitingForDependencies", "waits for a (Running)")
NOW = JobFlowStatus(state=FlowState(FlowPhase.RUNNING), startTime=EPOCH, flowStatuses=(RUNS, WAITS))


def steps(*entries):
    return replace(NOW, flowStatuses=entries)


@pytest.mark.parametrize(
    ("said", "desired", "expect"),
    [
        ("the flow's phase", replace(NOW, state=FlowState(FlowPhase.SUCCEED)), AT_ONCE),
        ("the flow's reason", replace(NOW, state=FlowState(FlowPhase.RUNNING, "TemplateNotFound")), AT_ONCE),
        (
            "the flow's message",
            replace(NOW, state=FlowState(FlowPhase.RUNNING, "TemplateNotFound", "not the one before")),
            AT_ONCE,
        ),
        ("the outcome", replace(NOW, outcome=Outcome.FAILED), AT_ONCE),
        ("the end", replace(NOW, completionTime=EPOCH), AT_ONCE),
        ("an edit is acknowledged", replace(NOW, observedGeneration=2), AT_ONCE),
        ("a first child", steps(RUNS, replace(WAITS, jobName="f-b", jobUID="2")), AT_ONCE),
        ("another child", steps(replace(RUNS, jobUID="2"), WAITS), AT_ONCE),
        ("a step failed", steps(replace(RUNS, phase=StepPhase.FAILED), WAITS), AT_ONCE),
        ("a step is held for another reason", steps(RUNS, replace(WAITS, reason="TemplateNotFound")), AT_ONCE),
        ("a step succeeded", steps(replace(RUNS, phase=StepPhase.SUCCEEDED), WAITS), STEP_SECONDS),
        ("a child began to run", steps(replace(RUNS, phase=StepPhase.PENDING), WAITS), STEP_SECONDS),
        ("what a step waits for changed", steps(RUNS, replace(WAITS, message="waits for a (Pending)")), STEP_SECONDS),
        (
            "counts of pods",
            replace(NOW, conditions={"f-a": JobCondition("Running", None, None, {"main": TaskState({"Running": 1})})}),
            COUNT_SECONDS,
        ),
        ("a restart count", steps(replace(RUNS, podFailureRatio="1/2"), WAITS), COUNT_SECONDS),
    ],
)
def test_status_within(said, desired, expect):
    assert status_within(NOW, desired) == expect


PROBES = replace(
    NOW,
    state=FlowState(FlowPhase.RUNNING, Reason.PROBE, "step b: GET http://b/ -> 503"),
    flowStatuses=(RUNS, replace(WAITS, reason=Reason.PROBE_FAILING, message="GET http://b/ -> 503")),
)


@pytest.mark.parametrize(
    ("said", "reason", "message", "expect"),
    [
        ("the probe goes on failing", Reason.PROBE_FAILING, "GET http://b/ -> 503, 7 times, 30 s", STEP_SECONDS),
        ("it fails otherwise", Reason.PROBE_FAILING, "GET http://b/ -> connection refused", STEP_SECONDS),
        ("it has not been asked", Reason.PROBE, "GET http://b/: no answer yet", AT_ONCE),
    ],
)
def test_words_of_a_probe(said, reason, message, expect):
    state = FlowState(FlowPhase.RUNNING, Reason.PROBE, f"step b: {message}")
    desired = replace(PROBES, state=state, flowStatuses=(RUNS, replace(WAITS, reason=reason, message=message)))
    assert status_within(PROBES, desired) == expect
