"""The steps of onExit: when they start, what they are told, and what they change."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import structs

from jobflow.api.exits import ExitsFound
from jobflow.api.outputs import OutputsFound
from jobflow.api.status import FlowPhase, FlowState, FlowStatus, JobFlowStatus, Outcome, Reason, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import child, flow, template
from jobflow.testing.clock import EPOCH

CLEANUP = {"name": "cleanup"}
TELL = {"name": "tell", "dependsOn": {"targets": ["cleanup"]}}
F = flow("f").step("a").step("b", after="a").setting(onExit=[CLEANUP, TELL])
A, B = child("a", of="f"), child("b", of="f")
CLEANS, TELLS = child("cleanup", of="f"), child("tell", of="f")


def settled(builder, *children):
    """The flow with all that these children bring about committed, as after the passes that their changes cause."""
    views = [one.view() for one in children]
    for _ in range(4):
        plan = reconcile_flow(builder.snapshot(*views))
        if plan.status is None:
            return builder
        builder = builder.status(plan.status)
    raise AssertionError("it never came to rest")


def after(*children, of=F):
    """What is done next, once all that these children bring about is committed."""
    builder = settled(of, *children)
    return builder.committed, reconcile_flow(builder.snapshot(*(one.view() for one in children)))


def created(plan):
    return [create.name for create in plan.creates]


@pytest.mark.parametrize(
    ("said", "children", "outcome", "expect"),
    [
        ("nothing has run", [], None, ["f-a"]),
        ("some of it has", [A.completed()], None, ["f-b"]),
        ("all of it has", [A.completed(), B.completed()], Outcome.SUCCEEDED, ["f-cleanup"]),
        ("it has failed", [A.failed()], Outcome.FAILED, ["f-cleanup"]),
        ("the first of them runs", [A.failed(), CLEANS.running()], Outcome.FAILED, []),
        ("the first of them is done", [A.failed(), CLEANS.completed()], Outcome.FAILED, ["f-tell"]),
        ("the first of them has failed", [A.failed(), CLEANS.failed()], Outcome.FAILED, []),
        ("all is done", [A.failed(), CLEANS.completed(), TELLS.completed()], Outcome.FAILED, []),
    ],
)
def test_when_they_start(said, children, outcome, expect):
    committed, plan = after(*children)
    assert (committed.outcome, created(plan)) == (outcome, expect)


def test_not_before_the_outcome_is_committed():
    snapshot = settled(F, A.completed()).snapshot(A.completed().view(), B.completed().view())
    plan = reconcile_flow(snapshot)
    assert (plan.creates, plan.status.outcome) == ((), Outcome.SUCCEEDED)


SIDES = flow("f").step("a").step("b").setting(onExit=[CLEANUP])


def test_not_while_a_job_of_the_flow_is_live():
    committed, plan = after(A.failed(), B.running(), of=SIDES)
    assert (committed.outcome, plan.creates) == (Outcome.FAILED, ())
    (*_, cleanup) = committed.flowStatuses
    assert (cleanup.reason, cleanup.message) == (Reason.DEPENDENCY, "it starts when b has ended")
    _, plan = after(A.failed(), B.completed(), of=SIDES)
    assert created(plan) == ["f-cleanup"]


def test_not_while_a_job_is_live_that_no_step_counts_any_more():
    """Such as a second one of a step, which a stranger's restore has brought back."""
    twin = A.incarnation("twin").created_after(5).running()
    _, plan = after(A.failed(), twin, of=SIDES)
    assert plan.creates == ()


@pytest.mark.parametrize(
    ("said", "children", "phase", "reason", "message"),
    [
        (
            "it has succeeded",
            [A.completed(), B.completed()],
            FlowPhase.RUNNING,
            Reason.FINALIZING,
            "the flow has succeeded; its onExit steps are still to end",
        ),
        (
            "it has failed",
            [A.failed(), CLEANS.running()],
            FlowPhase.RUNNING,
            Reason.FINALIZING,
            "the flow has failed (step a: Job f-a is Failed); its onExit steps are still to end",
        ),
        ("both", [A.completed(), B.completed(), CLEANS.completed(), TELLS.completed()], FlowPhase.SUCCEED, "", ""),
        (
            "they are done with a flow that failed",
            [A.failed(), CLEANS.completed(), TELLS.completed()],
            FlowPhase.FAILED,
            Reason.STEP_FAILED,
            "step a: Job f-a is Failed",
        ),
        (
            "one of them has failed",
            [A.completed(), B.completed(), CLEANS.failed()],
            FlowPhase.SUCCEED,
            Reason.ON_EXIT_FAILED,
            "onExit step cleanup: Job f-cleanup is Failed",
        ),
        (
            "one of them has failed as well",
            [A.failed(), CLEANS.failed()],
            FlowPhase.FAILED,
            Reason.STEP_FAILED,
            "step a: Job f-a is Failed; onExit step cleanup: Job f-cleanup is Failed",
        ),
    ],
)
def test_the_state(said, children, phase, reason, message):
    committed, _ = after(*children)
    assert committed.state == FlowState(phase, reason, message)


def test_a_flow_is_complete_when_they_are():
    committed, _ = after(A.completed(60), B.completed(70), CLEANS.running())
    assert committed.completionTime is None
    committed, _ = after(A.completed(60), B.completed(70), CLEANS.completed(80), TELLS.completed(90))
    assert (committed.completionTime - EPOCH).total_seconds() == 90


def test_they_are_no_part_of_the_progress():
    committed, _ = after(A.completed(), B.completed(), CLEANS.completed(), TELLS.running())
    assert (committed.progress, committed.nextFlows) == ("2/2", ())
    assert [entry.name for entry in committed.flowStatuses] == ["a", "b", "cleanup", "tell"]


def test_what_waits_for_one_that_failed_never_starts():
    committed, _ = after(A.failed(), CLEANS.failed())
    assert [entry.phase for entry in committed.flowStatuses[-2:]] == [StepPhase.FAILED, StepPhase.UNREACHABLE]


def test_one_may_continue_on_fail():
    of = F.setting(onExit=[CLEANUP | {"continueOnFail": True}, TELL])
    committed, plan = after(A.completed(), B.completed(), CLEANS.failed(), of=of)
    assert created(plan) == ["f-tell"]
    committed, _ = after(A.completed(), B.completed(), CLEANS.failed(), TELLS.completed(), of=of)
    assert committed.state == FlowState(FlowPhase.SUCCEED)


def test_one_that_is_stuck_is_told_of_the_flow():
    builder = settled(F, A.failed())
    templates = [template("a").task("main").view()]
    plan = reconcile_flow(builder.snapshot(A.failed().view(), templates=templates))
    assert plan.status.state.reason == Reason.FINALIZING
    assert plan.status.state.message.endswith(
        "its onExit steps are still to end: step cleanup: JobTemplate cleanup is not in namespace default; "
        "the step starts when it is"
    )
    assert [(event.type, event.reason) for event in plan.events] == [("Warning", "TemplateNotFound")]


def test_those_that_run_keep_back_only_what_waits_for_them():
    of = F.setting(onExit=[CLEANUP, {"name": "slow"}, TELL])
    _, plan = after(A.failed(), CLEANS.completed(), child("slow", of="f").running(), of=of)
    assert created(plan) == ["f-tell"]


def test_what_one_leaves_is_waited_for_though_the_end_is_decided():
    left = {"outputs": [{"name": "o", "from": {"terminationMessage": {}}}]}
    of = F.setting(onExit=[CLEANUP | left])
    builder, views = settled(of, A.failed(), CLEANS.completed()), [A.failed().view(), CLEANS.completed().view()]
    (question,) = reconcile_flow(builder.snapshot(*views)).questions
    unread = builder.snapshot(*views, answers={question: OutputsFound(problem="503")})
    cleanup = reconcile_flow(unread).status.flowStatuses[-1]
    assert (cleanup.phase, cleanup.reason, cleanup.message) == (StepPhase.RUNNING, Reason.COLLECTING_OUTPUTS, "503")


def test_a_job_of_theirs_that_a_stranger_deletes_is_made_again():
    builder = settled(F, A.failed(), CLEANS.running())
    (create,) = reconcile_flow(builder.snapshot(A.failed().view())).creates
    assert (create.name, create.verify) == ("f-cleanup", True)


def test_what_has_ended_does_not_run_again_though_its_job_is_gone():
    builder = settled(F, A.failed(), CLEANS.completed())
    plan = reconcile_flow(builder.snapshot(A.failed().view()))
    assert created(plan) == ["f-tell"]


def test_a_flow_that_is_being_deleted_does_not_run_them():
    builder = settled(F, A.failed())
    plan = reconcile_flow(builder.deleting().snapshot(A.failed().view()))
    assert plan.creates == ()
    assert plan.status.state.phase is FlowPhase.TERMINATING


def test_a_flow_whose_end_another_controller_has_written_does_not_run_them():
    status = JobFlowStatus(
        state=FlowState(FlowPhase.FAILED), flowStatuses=(FlowStatus("a", StepPhase.FAILED),), outcome=Outcome.FAILED
    )
    plan = reconcile_flow(F.status(status).snapshot())
    assert plan.creates == ()
    assert plan.status.state == FlowState(FlowPhase.FAILED)


def test_a_flow_without_steps_runs_them():
    _, plan = after(of=flow("f").setting(onExit=[CLEANUP]))
    assert created(plan) == ["f-cleanup"]


def test_their_pods_are_told_where_they_are():
    _, plan = after(A.failed())
    (container,) = plan.creates[0].body["spec"]["tasks"][0]["template"]["spec"]["containers"]
    assert {"name": "JOBFLOW_STEP", "value": "cleanup"} in container["env"]


ASKS = {"name": "tell", "patch": {"metadata": {"annotations": {"how": "$(context.phase): $(context.reason)"}}}}


@pytest.mark.parametrize(
    ("said", "children", "told"),
    [
        ("it has succeeded", [A.completed(), B.completed()], "Succeeded: "),
        ("it has failed", [A.failed()], "Failed: StepFailed"),
    ],
)
def test_they_are_told_how_it_ended(said, children, told):
    _, plan = after(*children, of=F.setting(onExit=[ASKS]))
    assert plan.creates[0].body["metadata"]["annotations"]["how"] == told


def test_why_it_ended_is_kept_while_they_run():
    committed, _ = after(A.failed(), CLEANS.running())
    assert (committed.outcomeReason, committed.outcomeMessage) == ("StepFailed", "step a: Job f-a is Failed")
    plain, _ = after(A.failed(), of=flow("f").step("a"))
    assert plain.outcomeReason == "", "without them the state says so"


def test_events_tell_of_each_turn():
    views = [A.completed().view(), B.completed().view()]
    builder = settled(F, A.completed())
    first = reconcile_flow(builder.snapshot(*views))
    assert [(event.type, event.reason) for event in first.events] == [("Normal", "Finalizing")]
    builder = settled(builder, A.completed(), B.completed())
    failing = [*views, CLEANS.failed().view()]
    last = reconcile_flow(builder.snapshot(*failing))
    assert [(event.type, event.reason, event.message) for event in last.events] == [
        ("Warning", "StepFailed", "step cleanup: JobFailed: Job f-cleanup is Failed"),
        ("Normal", "Succeeded", "2 of 4 steps succeeded; onExit step cleanup: Job f-cleanup is Failed"),
    ]


@pytest.mark.parametrize("policy", ["delete", "delete-on-success", "delete-always"])
def test_their_jobs_are_deleted_with_the_others_when_they_have_ended(policy):
    of = F.policy(policy)
    some = [A.completed(), B.completed(), CLEANS.running()]
    _, plan = after(*some, of=of)
    assert plan.deletes == ()
    _, plan = after(*some[:2], CLEANS.completed(), TELLS.completed(), of=of)
    assert [delete.name for delete in plan.deletes] == ["f-a", "f-b", "f-cleanup", "f-tell"]


def test_a_spec_that_cannot_be_run_runs_none_of_them():
    builder = settled(F, A.failed())
    committed = structs.replace(builder.committed, specHash="another")
    plan = reconcile_flow(builder.status(committed).snapshot(A.failed().view()))
    assert plan.creates == ()
    assert plan.status.state.reason == Reason.INVALID_SPEC


IN_WORDS = {"when": [{"input": "$(context.phase)", "operator": "In", "values": ["Failed"]}]}
IN_CEL = {"when": [{"cel": "context.phase == 'Failed' && context.reason == 'StepFailed'"}]}
OF_A_STEP = {"when": [{"cel": "steps['a'].phase == 'Failed'"}]}


@pytest.mark.parametrize("when", [IN_WORDS, IN_CEL, OF_A_STEP], ids=["words", "cel", "of a step"])
@pytest.mark.parametrize(
    ("said", "children", "expect"),
    [("it has failed", [A.failed()], ["f-cleanup"]), ("it has succeeded", [A.completed(), B.completed()], [])],
)
def test_one_may_run_after_one_end_only(when, said, children, expect):
    committed, plan = after(*children, of=F.setting(onExit=[CLEANUP | when]))
    assert created(plan) == expect
    if not expect:
        assert committed.flowStatuses[-1].phase is StepPhase.SKIPPED
        assert committed.state == FlowState(FlowPhase.SUCCEED)
        assert committed.completionTime is not None


def test_what_waits_for_one_that_was_skipped_is_skipped_as_well():
    committed, _ = after(A.completed(), B.completed(), of=F.setting(onExit=[CLEANUP | IN_WORDS, TELL]))
    assert [entry.phase for entry in committed.flowStatuses[-2:]] == [StepPhase.SKIPPED] * 2


def test_one_with_a_retry_is_tried_again_though_the_end_is_decided():
    of = F.setting(onExit=[CLEANUP | {"retry": {"limit": 1}}])
    builder, views = settled(of, A.failed(), CLEANS.failed()), [A.failed().view(), CLEANS.failed().view()]
    (question,) = reconcile_flow(builder.snapshot(*views)).questions
    answers = {question: ExitsFound(exit_code=3)}
    builder = builder.status(reconcile_flow(builder.snapshot(*views, answers=answers)).status)
    assert builder.committed.state.reason == Reason.FINALIZING
    later = builder.snapshot(*views, answers=answers, now=EPOCH + timedelta(seconds=120))
    assert created(reconcile_flow(later)) == ["f-cleanup-r1"]


def leaving(**fields):
    """A flow whose step b leaves an output, which an onExit step uses."""
    left = [{"name": "o", "from": {"terminationMessage": {}}, **fields}]
    uses = {"patch": {"metadata": {"annotations": {"k": "$(steps.b.outputs.o)"}}}}
    return flow("f").step("a").step("b", after="a").having(outputs=left).setting(onExit=[CLEANUP | uses])


def test_what_a_step_that_never_ran_would_have_left_is_its_default():
    _, plan = after(A.failed(), of=leaving(default="none"))
    assert plan.creates[0].body["metadata"]["annotations"]["k"] == "none"


def test_without_a_default_the_onexit_step_that_needs_it_fails():
    committed, _ = after(A.failed(), of=leaving())
    cleanup = committed.flowStatuses[-1]
    assert (cleanup.phase, cleanup.reason) == (StepPhase.FAILED, Reason.OUTPUT_MISSING)
    assert cleanup.message.endswith(
        "step b left no output o: it never ran (Unreachable); a default in its outputs would stand in"
    )
