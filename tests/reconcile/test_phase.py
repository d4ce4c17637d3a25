"""How a flow stands as a whole."""

from __future__ import annotations

import pytest

from jobflow.api.status import FlowPhase, FlowState, JobFlowStatus, Outcome, Reason, StepPhase
from jobflow.reconcile.graph import Step
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.outcome import SUCCESS, Decision
from jobflow.reconcile.phase import flow_state, is_finished
from jobflow.testing.builders import flow
from jobflow.testing.clock import EPOCH

WAITING, PENDING, RUNNING = StepPhase.WAITING, StepPhase.PENDING, StepPhase.RUNNING
SUCCEEDED, FAILED = StepPhase.SUCCEEDED, StepPhase.FAILED
FAILURE = Decision(Outcome.FAILED, Reason.STEP_FAILED, "step s: Job f-s is Failed")
FAILED_STATE = FlowState(FlowPhase.FAILED, Reason.STEP_FAILED, "step s: Job f-s is Failed")


def stand(*phases):
    return [Standing(Step(f"s{n}", f"s{n}"), phase) for n, phase in enumerate(phases)]


@pytest.mark.parametrize(
    ("said", "phases", "decision", "phase"),
    [
        ("upstream 86: no steps at all", [], SUCCESS, FlowPhase.SUCCEED),
        ("nothing has started", [WAITING, WAITING], None, FlowPhase.PENDING),
        ("a child waits for its pods", [PENDING, WAITING], None, FlowPhase.PENDING),
        ("a child runs", [RUNNING, WAITING], None, FlowPhase.RUNNING),
        ("upstream 20: one of two completed", [SUCCEEDED, WAITING], None, FlowPhase.RUNNING),
        ("upstream 17: all completed", [SUCCEEDED], SUCCESS, FlowPhase.SUCCEED),
        ("upstream 18: one failed", [FAILED], FAILURE, FlowPhase.FAILED),
        ("one failed while another runs: at once", [FAILED, RUNNING], FAILURE, FlowPhase.FAILED),
        ("one failed, and that does not decide", [FAILED, RUNNING], None, FlowPhase.RUNNING),
    ],
)
def test_the_phase(said, phases, decision, phase):
    assert flow_state(flow("f").frozen(), stand(*phases), decision).phase is phase


def test_a_flow_that_ran_does_not_go_back_to_pending():
    ran = flow("f").status(JobFlowStatus(state=FlowState(FlowPhase.RUNNING))).frozen()
    assert flow_state(ran, stand(WAITING, PENDING), None).phase is FlowPhase.RUNNING


def test_a_flow_that_is_deleted_is_terminating_whatever_its_steps_do():
    for decision in (None, FAILURE):
        assert flow_state(flow("f").deleting().frozen(), stand(RUNNING), decision).phase is FlowPhase.TERMINATING


def test_a_failure_says_why():
    told = FlowState(FlowPhase.FAILED, Reason.STEP_FAILED, "step s: Job f-s is Failed")
    assert flow_state(flow("f").frozen(), stand(FAILED), FAILURE) == told


@pytest.mark.parametrize(
    ("said", "committed", "finished"),
    [
        ("nothing is committed", JobFlowStatus(), False),
        ("it runs", JobFlowStatus(state=FlowState(FlowPhase.RUNNING)), False),
        ("it failed, and a Job still runs", JobFlowStatus(state=FAILED_STATE, outcome=Outcome.FAILED), False),
        ("all has ended", JobFlowStatus(state=FAILED_STATE, outcome=Outcome.FAILED, completionTime=EPOCH), True),
        ("upstream's controller has ended it", JobFlowStatus(state=FAILED_STATE), True),
    ],
)
def test_when_it_is_finished(said, committed, finished):
    assert is_finished(committed) is finished


@pytest.mark.parametrize("later", [None, FAILURE, SUCCESS])
def test_a_final_phase_stands(later):
    ended = flow("f").status(JobFlowStatus(state=FAILED_STATE)).frozen()
    assert flow_state(ended, stand(RUNNING), later) == FAILED_STATE


@pytest.mark.parametrize(
    "reason",
    [
        Reason.TEMPLATE_NOT_FOUND, Reason.CHILD_REJECTED, Reason.NAME_CONFLICT, Reason.PREVIOUS_CHILD_TERMINATING,
    ],
)  # fmt: skip
def test_what_a_user_can_mend_is_told_of_the_flow(reason):
    held = [*stand(RUNNING), Standing(Step("s", "s"), WAITING, reason, "why")]
    assert flow_state(flow("f").frozen(), held, None) == FlowState(FlowPhase.RUNNING, reason, "step s: why")


def test_a_step_that_waits_its_turn_is_no_reason_of_the_flow():
    held = [Standing(Step("s", "s"), WAITING, Reason.DEPENDENCY, "waits for a")]
    assert flow_state(flow("f").frozen(), held, None).reason == ""
