"""Whole plans: from a snapshot of one flow to what should be done about it."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobflow.api.config_keys import ConfigFound, ConfigKeys
from jobflow.api.outputs import OutputsFound, OutputsOf
from jobflow.api.probes import Probe, Verdict
from jobflow.api.resources import Key
from jobflow.api.status import FlowPhase, FlowState, JobFlowStatus, JobStatus, Outcome, Reason, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.plan import Plan
from jobflow.reconcile.snapshot import ForeignWrite, Refusal
from jobflow.testing.builders import child, flow, template
from jobflow.testing.clock import EPOCH

PAIR = flow("f").step("a").step("b")
CHAIN = flow("f").step("a").step("b", after="a")
DIAMOND = flow("f").step("a").step("b", after="a").step("c", after="a").step("d", after=["b", "c"])
A, B = child("a", of="f"), child("b", of="f")
REFUSED = Refusal(Reason.CHILD_REJECTED, "quota", False, EPOCH + timedelta(seconds=30), "template-a/1/1")


def plan(builder, *children, **known):
    return reconcile_flow(builder.snapshot(*(c.view() for c in children), **known))


def committed_after(builder, *children, **known) -> JobFlowStatus:
    snapshot = builder.snapshot(*(c.view() for c in children), **known)
    return reconcile_flow(snapshot).status or snapshot.flow.committed


def replace_refusal(**fields) -> Refusal:
    return dataclasses.replace(REFUSED, **fields)


def creates(result):
    return [create.name for create in result.creates]


def phases(status):
    return {record.name: record.phase for record in status.flowStatuses}


@pytest.mark.parametrize(
    ("said", "children", "expect"),
    [
        ("at first the step without targets starts", [], ["f-a"]),
        ("nothing starts while it runs", [A.running()], []),
        ("both dependents start when it completed", [A.completed()], ["f-b", "f-c"]),
        ("the join waits for both", [A.completed(), B.completed(), child("c", of="f").running()], []),
        (
            "the join starts when both completed",
            [A.completed(), B.completed(), child("c", of="f").completed()],
            ["f-d"],
        ),
    ],
)
def test_a_diamond(said, children, expect):
    assert creates(plan(DIAMOND, *children)) == expect


def test_a_failure_stops_what_has_not_started_and_lets_run_what_has():
    result = plan(flow("f").step("a").step("b").step("c").step("d", after="a"), A.failed(), B.running())
    assert creates(result) == []
    assert phases(result.status) == {
        "a": StepPhase.FAILED,
        "b": StepPhase.RUNNING,
        "c": StepPhase.UNREACHABLE,
        "d": StepPhase.UNREACHABLE,
    }
    reasons = {record.name: record.reason for record in result.status.flowStatuses}
    assert (reasons["c"], reasons["d"]) == (Reason.FLOW_FAILED, Reason.DEPENDENCY_FAILED)


def test_a_loss_is_carried_to_the_last_step_in_one_pass():
    chain = flow("f").step("c", after="b").step("b", after="a").step("a")
    assert phases(plan(chain, A.failed()).status)["c"] is StepPhase.UNREACHABLE


def test_a_deleted_flow_starts_nothing_and_is_terminating():
    result = plan(DIAMOND.deleting(), A.completed())
    assert creates(result) == []
    assert result.status.state.phase is FlowPhase.TERMINATING


@pytest.mark.parametrize(
    ("then", "children"),
    [
        (PAIR.deleting(), (A.failed(), B.running())),
        (PAIR, (A.failed(), B.failed())),
        (PAIR.step("c"), (A.failed(), B.completed())),
    ],
    ids=["the flow is deleted", "another step fails, too", "a step is added"],
)
def test_a_failure_that_is_committed_stays_as_it_was_told(then, children):
    told = committed_after(PAIR, A.failed(), B.running())
    later = plan(then.status(told), *children)
    assert creates(later) == []
    assert later.status is None or (later.status.state, later.status.outcome) == (told.state, told.outcome)


def test_a_spec_that_is_mended_does_not_take_back_that_the_flow_failed():
    begun = committed_after(PAIR, A.running())
    refused = committed_after(PAIR.step("c").status(begun), A.running())
    mended = plan(PAIR.status(refused), A.running())
    assert creates(mended) == []
    assert mended.status is None or (mended.status.state, mended.status.outcome) == (refused.state, Outcome.FAILED)


class TestAChildThatAStrangerDeleted:
    running = committed_after(CHAIN, A.running())

    def test_is_created_again_when_it_had_not_ended_with_a_live_look(self):
        (create,) = plan(CHAIN.status(self.running)).creates
        assert (create.name, create.verify) == ("f-a", True)

    def test_is_not_when_it_is_only_on_its_way_out(self):
        assert creates(plan(CHAIN.status(self.running), A.running().deleting())) == []

    def test_is_not_when_it_had_completed_and_its_dependent_starts(self):
        assert creates(plan(CHAIN.status(self.running), vanished=[A.completed().view()])) == ["f-b"]

    def test_is_not_when_the_flow_has_failed_meanwhile(self):
        both = committed_after(PAIR, A.running(), B.running())
        assert creates(plan(PAIR.status(both), B.failed())) == []


class TestATemplateThatIsMissing:
    only_a = (template("a").task("main").view(),)

    def test_keeps_only_its_own_step_waiting(self):
        result = plan(PAIR, templates=self.only_a)
        assert creates(result) == ["f-a"]
        assert result.awaits == {Key("JobTemplate", "default", "b")}

    def test_is_told_of_the_flow_and_the_step(self):
        status = committed_after(PAIR, A.running(), templates=self.only_a)
        assert status.state.reason == status.flowStatuses[1].reason == Reason.TEMPLATE_NOT_FOUND
        assert status.state.phase is FlowPhase.RUNNING
        assert "JobTemplate b is not in namespace default" in status.state.message

    def test_leaves_the_flow_pending_where_nothing_started(self):
        assert committed_after(PAIR, templates=[]).state.phase is FlowPhase.PENDING

    def test_is_awaited_only_once_its_steps_turn_has_come(self):
        assert plan(CHAIN, A.running(), templates=self.only_a).awaits == frozenset()

    def test_is_no_matter_to_a_step_that_has_a_child(self):
        result = plan(CHAIN, A.running(), templates=[])
        assert (result.awaits, result.status.state.reason) == (frozenset(), "")


class TestARefusedChild:
    def test_keeps_only_its_own_step_waiting_until_the_next_try(self):
        result = plan(PAIR, refusals={"f-a": REFUSED})
        assert creates(result) == ["f-b"]
        assert result.wake_at == REFUSED.retry_at
        assert result.awaits == {Key("JobTemplate", "default", "a")}

    def test_is_told_in_the_servers_words(self):
        status = committed_after(PAIR, B.running(), refusals={"f-a": REFUSED})
        assert status.flowStatuses[0].message == "quota"
        assert (status.flowStatuses[0].phase, status.state.reason) == (StepPhase.WAITING, Reason.CHILD_REJECTED)

    def test_fails_its_step_when_it_can_never_be_accepted(self):
        final = Refusal(Reason.CHILD_INVALID, "spec.tasks: required", True, EPOCH, "template-a/1/1")
        result = plan(PAIR, B.running(), refusals={"f-a": final})
        assert phases(result.status) == {"a": StepPhase.FAILED, "b": StepPhase.RUNNING}
        assert result.status.outcome is Outcome.FAILED
        assert result.wake_at is None


class TestSeveralStepsThatAreHeld:
    def test_are_looked_at_again_when_the_first_of_them_is_due(self):
        later = replace_refusal(retry_at=EPOCH + timedelta(seconds=90), basis="template-b/1/1")
        soon = replace_refusal(retry_at=EPOCH + timedelta(seconds=30))
        assert plan(PAIR, refusals={"f-a": soon, "f-b": later}).wake_at == soon.retry_at

    def test_are_all_woken_by_what_they_wait_for(self):
        expect = {Key("JobTemplate", "default", "a"), Key("JobTemplate", "default", "b")}
        assert plan(PAIR, templates=[]).awaits == expect


class TestWhatAStepThatDoesNotRunSaysOfItself:
    def test_while_its_child_is_being_created(self):
        record = plan(PAIR).status.flowStatuses[0]
        assert (record.phase, record.reason) == (StepPhase.WAITING, Reason.CREATING)
        assert record.message == "Job f-a is being created"

    def test_when_its_child_can_never_be_accepted(self):
        final = replace_refusal(final=True, reason=Reason.CHILD_INVALID, message="spec.tasks: Required value")
        record = plan(PAIR, refusals={"f-a": final}).status.flowStatuses[0]
        assert (record.phase, record.reason) == (StepPhase.FAILED, Reason.CHILD_INVALID)
        assert record.message == "spec.tasks: Required value"

    def test_when_another_step_failed_before_it_could_start(self):
        record = plan(PAIR, B.failed(), templates=[]).status.flowStatuses[0]
        assert record.message == "another step failed before this one could start"

    def test_when_another_step_failed_after_its_job_was_deleted(self):
        record = plan(PAIR.recorded(A.record(StepPhase.RUNNING)), B.failed()).status.flowStatuses[0]
        assert record.message == "its unfinished Job was deleted, and another step has failed since"


class TestASpecThatCannotRun:
    cycle = flow("f").step("a", after="b").step("b", after="a")

    def test_fails_at_once_and_names_the_field(self):
        result = plan(self.cycle)
        assert result.creates == ()
        assert (result.status.state.phase, result.status.state.reason) == (FlowPhase.FAILED, Reason.INVALID_SPEC)
        assert result.status.state.message.startswith("spec.flows[0].dependsOn.targets[0]: ")
        assert result.status.completionTime is not None

    def test_edited_under_way_starts_nothing_and_still_sees_what_runs(self):
        before = committed_after(CHAIN, A.running())
        edited = CHAIN.step("c").status(before)
        result = plan(edited, A.running())
        assert result.creates == ()
        assert result.status.state.reason == Reason.INVALID_SPEC
        assert result.status.completionTime is None
        ended = plan(edited.status(result.status), A.completed(60))
        assert ended.status.flowStatuses[0].phase is StepPhase.SUCCEEDED
        assert ended.status.completionTime == EPOCH + timedelta(seconds=60)

    def test_edited_under_way_keeps_the_steps_that_were_and_says_what_to_do(self):
        before = committed_after(CHAIN, A.running())
        result = plan(flow("f").step("x").step("y").status(before), A.running())
        assert list(phases(result.status)) == ["a", "b"]
        assert result.status.state.message == (
            "spec: steps, edges and parameters are frozen from the flow's creation; create another JobFlow instead"
        )

    def test_reordered_under_way_is_no_edit(self):
        before = committed_after(CHAIN, A.running())
        other_order = flow("f").step("b", after="a").step("a").status(before)
        assert creates(plan(other_order, A.completed())) == ["f-b"]


class TestAFinishedFlow:
    done = committed_after(CHAIN, A.completed(), B.completed())

    @pytest.mark.parametrize(
        ("said", "children"),
        [
            ("its children are there", [A.completed(), B.completed()]),
            ("its children are gone", []),
            ("a child was restarted by hand", [A.running(), B.completed()]),
            ("a stranger's child appeared", [child("c", of="f").running()]),
        ],
    )
    def test_rests_when(self, said, children):
        result = plan(CHAIN.status(self.done), *children, now=EPOCH + timedelta(days=9))
        assert (result.creates, result.deletes, result.status, result.events, result.wake_at) == (
            (),
            (),
            None,
            (),
            None,
        )

    def test_wakes_when_a_child_that_has_a_time_to_live_is_due(self):
        last = A.completed().ttl(60)
        ended = flow("f").step("a").status(committed_after(flow("f").step("a"), last))
        assert plan(ended, last).wake_at == EPOCH + timedelta(seconds=120)

    def test_rests_although_its_templates_are_gone(self):
        assert plan(CHAIN.status(self.done), templates=[]).awaits == frozenset()

    def test_acknowledges_a_later_edit_and_follows_its_policy(self):
        result = plan(CHAIN.policy("delete").at("101", generation=2).status(self.done), A.completed(), B.completed())
        assert [delete.name for delete in result.deletes] == ["f-a", "f-b"]
        assert result.status == replace(self.done, observedGeneration=2)

    @pytest.mark.parametrize("phase", [FlowPhase.SUCCEED, FlowPhase.FAILED])
    def test_of_another_controller_is_never_filled_in(self, phase):
        theirs = JobFlowStatus(state=FlowState(phase), jobStatusList=(JobStatus("f-a", "Completed"),))
        result = plan(CHAIN.status(theirs))
        assert (result.creates, result.status) == ((), None)


class TestAFlowTakenOverFromUpstream:
    def test_goes_on_where_it_was(self):
        theirs = JobFlowStatus(
            state=FlowState(FlowPhase.RUNNING),
            completedJobs=("f-a",),
            jobStatusList=(JobStatus("f-a", "Completed", EPOCH, EPOCH + timedelta(seconds=9)),),
        )
        result = plan(CHAIN.status(theirs))
        assert creates(result) == ["f-b"]
        assert result.status.completedJobs == ("f-a",)

    def test_its_living_children_are_recognised_by_name(self):
        theirs = JobFlowStatus(state=FlowState(FlowPhase.RUNNING), jobStatusList=(JobStatus("f-a", "Running"),))
        result = plan(CHAIN.status(theirs), A.by_upstream().running())
        assert creates(result) == []
        assert result.status.flowStatuses[0].jobUID == "job-f-a"


ASKING = (
    flow("f")
    .parameter("p", valueFrom={"configMapKeyRef": {"name": "m", "key": "k"}})
    .step("a")
    .having(outputs=[{"name": "o", "from": {"terminationMessage": {}}}])
    .step("b")
    .having(patch={"spec": {"maxRetry": "$(params.p)"}})
    .step("c", probe={"httpGet": {"host": "model", "port": 80}})
)
FOUND = {
    ConfigKeys: ConfigFound((("k", "5"),)),
    OutputsOf: OutputsFound(problem="no rights"),
    Probe: Verdict(False, "503"),
}


class TestAFlowThatIsLeftAlone:
    """What has been read for it stays known; meanwhile nothing is asked that was not read before."""

    def asked(self, *, answered, **paused):
        questions = plan(ASKING, A.completed()).questions
        assert {type(question) for question in questions} == {ConfigKeys, OutputsOf, Probe}
        answers = {question: FOUND[type(question)] for question in questions if type(question) in answered}
        snapshot = ASKING.snapshot(A.completed().view(), answers=answers)
        lost = dataclasses.replace(snapshot.flow, lost=paused.pop("lost", ()))
        result = reconcile_flow(dataclasses.replace(snapshot, flow=lost, **paused))
        assert result == Plan(wake_at=result.wake_at, pause=result.pause, questions=result.questions)
        return result.pause.reason, {type(question) for question in result.questions}

    @pytest.mark.parametrize(
        ("said", "answered", "kept"),
        [
            ("nothing was read yet", set(), set()),
            ("parameters were read", {ConfigKeys}, {ConfigKeys}),
            ("all was read, and a probe has answered", {ConfigKeys, OutputsOf, Probe}, {ConfigKeys, OutputsOf}),
        ],
    )
    def test_keeps_what_was_read(self, said, answered, kept):
        foreign = ForeignWrite("vc", EPOCH, EPOCH - timedelta(seconds=1), EPOCH)
        assert self.asked(answered=answered, foreign=foreign) == (Reason.FOREIGN_CONTROLLER, kept)
        assert self.asked(answered=answered, lost=("spec.x",)) == (Reason.CRD_OUTDATED, kept)

    def test_keeps_its_parameters_also_while_the_spec_is_read_without_them(self):
        asked = ConfigKeys("default", "flow-f", "m", ("k",), frozenset({"k"}))
        snapshot = PAIR.snapshot(answers={asked: FOUND[ConfigKeys]})
        lost = dataclasses.replace(snapshot.flow, lost=("spec.parameters",))
        assert reconcile_flow(dataclasses.replace(snapshot, flow=lost)).questions == {asked}


def test_what_is_written_is_written_once():
    for children in ([], [A.running()], [A.completed(), B.running()], [A.failed()]):
        builder = CHAIN.status(committed_after(CHAIN, *children))
        again = plan(builder, *children, now=EPOCH + timedelta(minutes=5))
        assert again.status is None
        assert again.events == ()


def test_pod_counts_wait_and_ends_do_not():
    running = committed_after(CHAIN, A.running().pods(2, Running=1))
    assert plan(CHAIN.status(running), A.running().pods(2, Running=2)).status_within == 10
    assert plan(CHAIN.status(running), A.failed()).status_within == 0
