"""How a flow stands as a whole."""

from __future__ import annotations

import pytest

from jobflow.api.status import FlowPhase, FlowState, JobFlowStatus, Outcome, Reason, StepPhase
from jobflow.reconcile.graph import Step
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.phase import flow_state, outcome
from jobflow.testing.builders import flow

WAITING, PENDING, RUNNING = StepPhase.WAITING, StepPhase.PENDING, StepPhase.RUNNING
SUCCEEDED, FAILED, UNREACHABLE = StepPhase.SUCCEEDED, StepPhase.FAILED, StepPhase.UNREACHABLE


def stand(*phases):
    return [Standing(Step(f"s{n}", f"s{n}"), phase) for n, phase in enumerate(phases)]


@pytest.mark.parametrize(
    ("said", "phases", "decided", "phase"),
    [
        ("upstream 86: no steps at all", [], Outcome.SUCCEEDED, FlowPhase.SUCCEED),
        ("nothing has started", [WAITING, WAITING], None, FlowPhase.PENDING),
        ("a child waits for its pods", [PENDING, WAITING], None, FlowPhase.PENDING),
        ("a child runs", [RUNNING, WAITING], None, FlowPhase.RUNNING),
        ("upstream 20: one of two completed", [SUCCEEDED, WAITING], None, FlowPhase.RUNNING),
        ("upstream 17: all completed", [SUCCEEDED], Outcome.SUCCEEDED, FlowPhase.SUCCEED),
        ("upstream 18: one failed", [FAILED], Outcome.FAILED, FlowPhase.FAILED),
        ("one failed while another runs: decided at once", [FAILED, RUNNING], Outcome.FAILED, FlowPhase.FAILED),
        ("upstream 94: one runs, one was terminated", [RUNNING, FAILED], Outcome.FAILED, FlowPhase.FAILED),
        ("one failed, another can never start", [FAILED, UNREACHABLE], Outcome.FAILED, FlowPhase.FAILED),
    ],
)
def test_outcome_and_phase(said, phases, decided, phase):
    standings = stand(*phases)
    assert outcome(standings) is decided
    assert flow_state(flow("f").frozen(), standings, decided).phase is phase


def test_a_flow_that_ran_does_not_go_back_to_pending():
    ran = flow("f").status(JobFlowStatus(state=FlowState(FlowPhase.RUNNING))).frozen()
    assert flow_state(ran, stand(WAITING, PENDING), None).phase is FlowPhase.RUNNING


def test_a_flow_that_is_deleted_is_terminating_whatever_its_steps_do():
    for decided in (None, Outcome.FAILED):
        assert flow_state(flow("f").deleting().frozen(), stand(RUNNING), decided).phase is FlowPhase.TERMINATING


def test_a_failure_names_its_step():
    failed = [Standing(Step("s", "s"), FAILED, Reason.JOB_FAILED, "Job f-s is Failed")]
    assert flow_state(flow("f").frozen(), failed, Outcome.FAILED) == FlowState(
        FlowPhase.FAILED, Reason.STEP_FAILED, "step s: Job f-s is Failed"
    )


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
