"""A controller that starts anew has read nothing yet: what it concludes before is what the last one concluded."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobflow.api.config_keys import ConfigFound, question
from jobflow.api.outputs import OutputsFound, OutputsOf, Said
from jobflow.api.status import JobFlowStatus, Outcome, Reason, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import child, flow
from jobflow.testing.clock import EPOCH

A, RESCUE = child("a", of="f"), child("rescue", of="f")
LATER = EPOCH + timedelta(seconds=61)
WHERE = {"configMapKeyRef": {"name": "settings", "key": "mode"}}


def rescued(expression: str):
    """A flow whose step `rescue` starts by an expression, over a parameter that is in a ConfigMap."""
    return flow("f").parameter("mode", valueFrom=WHERE).step("a").step("rescue", expression=expression)


def known(builder):
    flow_of = builder.frozen()
    asks = question("default", flow_of.uid, "settings", flow_of.compiled.parameters.values())
    return {asks: ConfigFound((("mode", "x"),))}


def told(builder, *children, answers=None) -> JobFlowStatus:
    made = builder.snapshot(*(one.view() for one in children), answers=answers or {}, now=LATER)
    return reconcile_flow(made).status or made.flow.committed


FAILED_AND = "steps['a'].phase == 'Failed' && params.mode == 'x'"
FAILED_AND_TURNED = "params.mode == 'x' && steps['a'].phase == 'Failed'"
RUNS_AND = "steps['a'].phase == 'Running' && params.mode == 'x'"
RUNS_AND_TURNED = "params.mode == 'x' && steps['a'].phase == 'Running'"


class TestAFailureThatAStartedStepIsThereFor:
    @pytest.mark.parametrize("expression", [FAILED_AND, FAILED_AND_TURNED])
    def test_stays_handled_before_its_parameter_is_read_again(self, expression):
        builder = rescued(expression)
        running = told(builder, A.failed(), RESCUE.running(62), answers=known(builder))
        assert running.outcome is None
        assert told(builder.status(running), A.failed(), RESCUE.running(62)).outcome is None
        assert told(builder.status(running), A.failed(), RESCUE.completed(90)).outcome is Outcome.SUCCEEDED

    @pytest.mark.parametrize("expression", [RUNS_AND, RUNS_AND_TURNED])
    def test_is_a_loss_where_no_value_of_the_parameter_would_have_it_handled(self, expression):
        builder = rescued(expression)
        running = told(builder, A.running(), RESCUE.running(), answers=known(builder))
        assert told(builder.status(running), A.failed(), RESCUE.running()).outcome is Outcome.FAILED


class TestAJobThatIsGoneWhileItsEndWasBeingRead:
    def test_does_not_run_again_though_the_default_retry_was_taken_away(self):
        reading = told(flow("f").step("a").setting(retry={"limit": 2}), A.failed())
        (record,) = reading.flowStatuses
        assert record.reason == Reason.READING_EXIT_CODE
        without = flow("f").step("a").status(reading)
        plan = reconcile_flow(without.snapshot(now=LATER))
        assert plan.creates == ()
        (record,) = plan.status.flowStatuses
        assert (record.phase, record.reason) == (StepPhase.FAILED, Reason.JOB_FAILED)
        assert plan.status.outcome is Outcome.FAILED

    def test_and_that_left_too_much_does_not_run_again_as_the_same_attempt(self):
        outputs = [{"name": "n", "from": {"path": "status.succeeded"}}]
        when = [{"cel": "params.mode == 'x'"}]
        retry = {"limit": 2, "policy": "Always", "when": when}
        builder = flow("f").parameter("mode", valueFrom=WHERE).step("a").having(outputs=outputs).setting(retry=retry)
        asked = reconcile_flow(builder.snapshot(A.completed().view(), now=LATER)).questions
        (read,) = (one for one in asked if isinstance(one, OutputsOf))
        reading = told(builder, A.completed(), answers={read: OutputsFound((Said("x" * 400_000),))})
        (record,) = reading.flowStatuses
        assert record.reason == Reason.READING_EXIT_CODE
        plan = reconcile_flow(builder.status(reading).snapshot(now=LATER, answers=known(builder)))
        assert plan.creates == ()
        (record,) = plan.status.flowStatuses
        assert (record.phase, record.reason, record.attempt) == (StepPhase.WAITING, Reason.RETRY_BACKOFF, 1)
        assert record.attempts[0].reason == Reason.OUTPUT_TOO_LARGE
