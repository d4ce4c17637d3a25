"""What a Job left is read and committed before its step counts as ended, and used only once it is committed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from jobflow.api.output_values import Missing
from jobflow.api.outputs import Absent, OfMessage, OfPath, OutputsFound, OutputsOf, Said, Seen
from jobflow.api.placeholders import Value
from jobflow.api.status import FlowPhase, JobFlowStatus, Outcome, OutputStatus, Reason, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.graph import compile_flow
from jobflow.reconcile.outputs import committed_outputs
from jobflow.reconcile.urgency import AT_ONCE, STEP_SECONDS, status_within
from jobflow.testing.builders import child, flow, template

MESSAGE = {"name": "n", "from": {"terminationMessage": {}}}
FIELD = {"name": "done", "from": {"path": "status.succeeded"}}
F = flow("f").step("count").having(outputs=[MESSAGE, FIELD])
LATER = (
    F.step("use", after="count")
    .having(patch={"spec": {"tasks": [{"name": "main", "replicas": "$(steps.count.outputs.n)"}]}})
    .step("other", after="count")
)
COUNT = child("count", of="f")
ASKED = OutputsOf(
    "default", "f-count", "job-f-count", ("main",), (OfMessage(), OfPath("status.succeeded", ("status", "succeeded")))
)
GOOD = OutputsFound((Said("8\n"), Seen(1)))
OUTPUTS = (OutputStatus("n", 8), OutputStatus("done", 1))
REFUSED = OutputsFound(problem="the pods of Job f-count cannot be listed: pods is forbidden")


def plan(builder, *children, answer: OutputsFound | None = None, **more: Any):
    answers = {} if answer is None else {ASKED: answer}
    return reconcile_flow(builder.snapshot(*children, answers=answers, **more))


def of(status: JobFlowStatus, step: str = "count"):
    return next(entry for entry in status.flowStatuses if entry.name == step)


class TestReading:
    @pytest.mark.parametrize("end", ["Completed", "Failed", "Aborted", "Terminated"])
    def test_a_job_that_has_ended_is_asked_and_its_step_runs_until_it_has_answered(self, end):
        found = plan(F, COUNT.state(end).view())
        entry = of(found.status)
        assert found.questions == {ASKED}
        assert (entry.phase, entry.reason, entry.message) == (StepPhase.RUNNING, Reason.COLLECTING_OUTPUTS, "")
        assert entry.completionTime is None
        assert found.status.outcome is None
        assert found.status.state.reason == "", "it is over in a moment"

    @pytest.mark.parametrize("builder", [COUNT, COUNT.pending(), COUNT.running()])
    def test_no_job_is_asked_before_its_end(self, builder):
        assert plan(F, builder.view()).questions == frozenset()

    def test_counts_are_taken_along_as_they_were_at_its_end(self):
        ended = COUNT.pods(2, Succeeded=2).completed()
        (asked,) = plan(F, ended.view()).questions
        assert asked.counts == {"main": {"Succeeded": 2}}
        committed = F.status(plan(F, ended.view()).status)
        (again,) = plan(committed, COUNT.completed().view()).questions
        assert again.counts == {"main": {"Succeeded": 2}}, "Volcano has zeroed them since"
        assert again == asked

    def test_nothing_is_asked_of_steps_without_outputs(self):
        assert plan(flow("f").step("count"), COUNT.completed().view()).questions == frozenset()

    def test_result_and_outputs_are_written_together_and_at_once(self):
        running = plan(F, COUNT.running().view()).status
        found = plan(F.status(running), COUNT.completed().view(), answer=GOOD)
        entry = of(found.status)
        assert (entry.phase, entry.outputs) == (StepPhase.SUCCEEDED, OUTPUTS)
        assert found.status_within == AT_ONCE
        assert found.status.state.phase is FlowPhase.SUCCEED
        assert found.questions == {ASKED}, "until it is committed"

    def test_that_they_are_being_read_waits_for_company(self):
        running = plan(F, COUNT.running().view()).status
        collecting = plan(F.status(running), COUNT.completed().view()).status
        assert status_within(running, collecting) == STEP_SECONDS

    def test_what_is_committed_is_not_asked_again(self):
        ended = plan(F, COUNT.completed().view(), answer=GOOD).status
        again = plan(F.status(ended), COUNT.completed().view())
        assert (again.questions, again.status) == (frozenset(), None)

    def test_a_refusal_is_told_and_waited_through(self):
        found = plan(F, COUNT.completed().view(), answer=REFUSED)
        entry = of(found.status)
        assert (entry.phase, entry.reason, entry.message) == (
            StepPhase.RUNNING,
            Reason.COLLECTING_OUTPUTS,
            REFUSED.problem,
        )
        assert found.status.state.reason == Reason.COLLECTING_OUTPUTS
        assert found.status.state.message == f"step count: {REFUSED.problem}"
        assert [event.reason for event in found.events] == [Reason.COLLECTING_OUTPUTS]

    @pytest.mark.parametrize("answer", [GOOD, REFUSED])
    def test_a_failure_is_not_held_up_by_what_cannot_be_read(self, answer):
        found = plan(F, COUNT.failed().view(), answer=answer)
        entry = of(found.status)
        assert (entry.phase, entry.reason) == (StepPhase.FAILED, Reason.JOB_FAILED)
        told = (OutputStatus("n", message=REFUSED.problem), OutputStatus("done", message=REFUSED.problem))
        assert entry.outputs == (OUTPUTS if answer is GOOD else told)

    def test_what_could_be_read_of_a_failure_is_kept(self):
        half = replace(REFUSED, readings=(Absent(REFUSED.problem), Seen(0)))
        entry = of(plan(F, COUNT.failed().view(), answer=half).status)
        assert entry.outputs == (OutputStatus("n", message=REFUSED.problem), OutputStatus("done", 0))
        assert of(plan(F, COUNT.completed().view(), answer=half).status).outputs == (), "it is asked again"


class TestFailing:
    """A Job has failed, and what it left is being read: nothing starts for it, and nothing is concluded from it."""

    LATER = F.step("beside", after="count", waitFor="Running").step("then", after="beside")

    @pytest.mark.parametrize("end", ["Failed", "Aborted", "Terminated"])
    def test_no_step_starts_that_waits_for_it_to_run(self, end):
        pending = plan(self.LATER, COUNT.pending().view()).status
        found = plan(self.LATER.status(pending), COUNT.state(end).view())
        assert found.creates == ()
        entry = of(found.status, "beside")
        assert (entry.phase, entry.message) == (StepPhase.WAITING, "waits for count (its Job has failed)")

    def test_nothing_is_decided_before_its_failure_is_committed(self):
        found = plan(self.LATER, COUNT.failed().view()).status
        assert [entry.phase for entry in found.flowStatuses] == [
            StepPhase.RUNNING,
            StepPhase.WAITING,
            StepPhase.WAITING,
        ]
        assert (found.outcome, found.state.phase) == (None, FlowPhase.RUNNING)

    @pytest.mark.parametrize("answer", [GOOD, REFUSED])
    def test_then_all_is_in_one_write(self, answer):
        collecting = plan(self.LATER, COUNT.failed().view()).status
        found = plan(self.LATER.status(collecting), COUNT.failed().view(), answer=answer).status
        assert [entry.phase for entry in found.flowStatuses] == [
            StepPhase.FAILED,
            StepPhase.UNREACHABLE,
            StepPhase.UNREACHABLE,
        ]
        assert (found.outcome, found.state.message) == (Outcome.FAILED, "step count: Job f-count is Failed")


class TestInAFailedFlow:
    """Another step has failed: no step will use what this one left."""

    BOTH = F.step("other")
    CHILDREN = (COUNT.completed().view(), child("other", of="f").failed().view())

    def test_a_refusal_does_not_keep_the_flow_from_its_end(self):
        decided = plan(self.BOTH, *self.CHILDREN, answer=REFUSED).status
        assert (decided.outcome, decided.completionTime) == (Outcome.FAILED, None)
        assert of(decided).reason == Reason.COLLECTING_OUTPUTS, "nothing of the end was committed before"
        ended = plan(self.BOTH.status(decided), *self.CHILDREN, answer=REFUSED).status
        assert of(ended).phase is StepPhase.SUCCEEDED
        assert of(ended).outputs[0] == OutputStatus("n", message=REFUSED.problem)
        assert ended.completionTime is not None

    def test_what_can_be_read_is_waited_for(self):
        decided = plan(self.BOTH, *self.CHILDREN).status
        again = plan(self.BOTH.status(decided), *self.CHILDREN)
        assert (again.status, again.questions) == (None, {ASKED})
        ended = plan(self.BOTH.status(decided), *self.CHILDREN, answer=GOOD).status
        assert of(ended).outputs == OUTPUTS


class TestGone:
    """The Job is not there any more."""

    def test_one_that_vanished_is_asked_once(self):
        asked = plan(F, vanished=[COUNT.completed().view()])
        assert asked.questions == {ASKED}
        told = plan(F, vanished=[COUNT.completed().view()], answer=REFUSED)
        assert of(told.status).phase is StepPhase.SUCCEEDED
        assert of(told.status).outputs[0] == OutputStatus("n", message=REFUSED.problem)

    @pytest.mark.parametrize(("end", "phase"), [("Completed", StepPhase.SUCCEEDED), ("Aborted", StepPhase.FAILED)])
    def test_one_that_went_while_no_controller_looked_has_ended_without_outputs(self, end, phase):
        collecting = plan(F, COUNT.state(end).view()).status
        found = plan(F.status(collecting))
        entry = of(found.status)
        assert found.creates == ()
        assert (entry.phase, entry.jobUID) == (phase, COUNT.uid)
        assert entry.message == ("Job f-count ended, and is gone" if phase is StepPhase.FAILED else "")
        assert entry.completionTime == collecting.jobStatusList[0].endTimestamp
        assert entry.outputs[0] == OutputStatus("n", message="Job f-count was gone before it could be read")
        assert getattr(found.status, "completedJobs" if end == "Completed" else "failedJobs") == ("f-count",)

    def test_its_default_stands_in(self):
        builder = flow("f").step("count").having(outputs=[MESSAGE | {"default": 3}])
        collecting = plan(builder, COUNT.completed().view()).status
        (output,) = of(plan(builder.status(collecting)).status).outputs
        assert output == OutputStatus("n", 3, message="Job f-count was gone before it could be read")

    def test_one_that_was_deleted_unfinished_runs_again(self):
        running = plan(F, COUNT.running().view()).status
        assert [wanted.name for wanted in plan(F.status(running)).creates] == ["f-count"]

    def test_a_job_that_is_not_read_yet_is_not_deleted(self):
        builder = F.policy("delete")
        collecting = plan(builder, COUNT.ttl(0).completed().view()).status
        later = plan(builder.status(collecting), COUNT.ttl(0).completed(after=-3600).view())
        assert later.deletes == ()


class TestSize:
    def big(self, bytes_each: int, outputs: int) -> tuple[Any, OutputsFound]:
        declared = [{"name": f"n{i}", "from": {"path": "status.big"}} for i in range(outputs)]
        return flow("f").step("count").having(outputs=declared), OutputsFound((Seen("x" * bytes_each),) * outputs)

    def decided(self, builder, answer, *, end: str = "Completed"):
        asked = plan(builder, COUNT.state(end).view()).questions
        found = reconcile_flow(builder.snapshot(COUNT.state(end).view(), answers=dict.fromkeys(asked, answer)))
        return of(found.status)

    def test_one_that_is_too_large_fails_its_step_and_is_named(self):
        entry = self.decided(*self.big(4097, 1))
        assert (entry.phase, entry.reason) == (StepPhase.FAILED, Reason.OUTPUT_TOO_LARGE)
        assert entry.message == "output n0 is too large: it has 4097 bytes; 4096 are allowed"
        assert entry.outputs == (OutputStatus("n0", message="it has 4097 bytes; 4096 are allowed"),)

    def test_all_of_a_flow_have_a_limit_too(self):
        assert self.decided(*self.big(4000, 16)).phase is StepPhase.SUCCEEDED
        entry = self.decided(*self.big(4000, 17))
        assert entry.reason == Reason.OUTPUT_TOO_LARGE
        assert entry.message == "output n16 is too large: with it the outputs of this flow pass 64 KiB"
        assert len(entry.outputs[15].value) == 4000

    def test_what_other_steps_have_left_counts(self):
        builder, answer = self.big(4000, 9)
        builder = builder.step("more").having(outputs=builder.steps[0]["outputs"])
        children = (COUNT.completed().view(), child("more", of="f").completed().view())
        asked = reconcile_flow(builder.snapshot(*children)).questions
        both = reconcile_flow(builder.snapshot(*children, answers=dict.fromkeys(asked, answer))).status
        assert [entry.phase for entry in both.flowStatuses] == [StepPhase.SUCCEEDED, StepPhase.FAILED]

    def test_what_is_committed_counts(self):
        builder, answer = self.big(4000, 9)
        builder = builder.step("more").having(outputs=builder.steps[0]["outputs"])
        left = tuple(OutputStatus(f"n{number}", "x" * 4000) for number in range(9))
        told = structs.replace(COUNT.completed().record(StepPhase.SUCCEEDED), outputs=left)
        builder = builder.recorded(told)
        more = child("more", of="f").completed().view()
        asked = reconcile_flow(builder.snapshot(COUNT.completed().view(), more)).questions
        found = reconcile_flow(
            builder.snapshot(COUNT.completed().view(), more, answers=dict.fromkeys(asked, answer))
        ).status
        assert of(found, "more").reason == Reason.OUTPUT_TOO_LARGE

    def test_a_job_that_failed_has_failed_for_its_own_reason(self):
        builder, answer = self.big(4097, 1)
        assert self.decided(builder, answer, end="Failed").reason == Reason.JOB_FAILED


class TestUse:
    """A later step starts with what is committed."""

    def test_it_waits_until_they_are(self):
        ended = plan(LATER, COUNT.completed().view(), answer=GOOD)
        assert [wanted.name for wanted in ended.creates] == ["f-other"], "who uses none is not kept"
        entry = of(ended.status, "use")
        assert (entry.phase, entry.reason) == (StepPhase.WAITING, Reason.DEPENDENCY)
        assert entry.message == "waits for the outputs of count"
        committed = plan(LATER.status(ended.status), COUNT.completed().view(), child("other", of="f").view())
        assert [wanted.name for wanted in committed.creates] == ["f-use"]
        assert committed.creates[0].body["spec"]["tasks"][0]["replicas"] == 8

    def test_what_is_committed_counts_and_nothing_that_is_read_later(self):
        ended = plan(LATER, COUNT.completed().view(), answer=GOOD).status
        flow_now = LATER.status(ended).frozen()
        step = flow_now.compiled.graph.by_name["use"]
        assert committed_outputs(flow_now, step) == {
            "count": {"n": Value(8, "8", from_job=True), "done": Value(1, "1", from_job=True)}
        }
        assert committed_outputs(flow_now, flow_now.compiled.graph.by_name["other"]) == {}

    def test_one_that_is_missing_fails_the_step_that_needs_it(self):
        ended = plan(LATER, COUNT.completed().view(), answer=OutputsFound((Absent("pod p is gone"), Seen(1)))).status
        assert of(ended).phase is StepPhase.SUCCEEDED
        found = plan(LATER.status(ended), COUNT.completed().view(), child("other", of="f").view())
        entry = of(found.status, "use")
        assert (entry.phase, entry.reason) == (StepPhase.FAILED, Reason.OUTPUT_MISSING)
        assert "step count left no output n: pod p is gone" in entry.message
        flow_now = LATER.status(ended).frozen()
        step = flow_now.compiled.graph.by_name["use"]
        assert committed_outputs(flow_now, step)["count"]["n"] == Missing("pod p is gone")


class TestThroughAnArgument:
    """A template that takes what another step left as its parameter."""

    def start(self, said: str, argument: str, **container: Any):
        builder = F.step("use", after="count").having(arguments=[{"name": "x", "value": argument}])
        ended = plan(builder, COUNT.completed().view(), answer=OutputsFound((Said(said), Seen(1)))).status
        made = template("use").task("main")
        made.spec["tasks"][0]["template"]["spec"]["containers"][0] |= container
        templates = [template("count").task("main").view(), made.having(parameters=[{"name": "x"}]).view()]
        return plan(builder.status(ended), COUNT.completed().view(), templates=templates)

    def test_it_becomes_a_variable(self):
        found = self.start("8", "$(steps.count.outputs.n)", env=[{"name": "X", "value": "at $(params.x)"}])
        (pod,) = [task["template"] for task in found.creates[0].body["spec"]["tasks"]]
        assert {"name": "X", "value": "at 8"} in pod["spec"]["containers"][0]["env"]

    @pytest.mark.parametrize(
        ("argument", "container"),
        [
            ("$(steps.count.outputs.n)", {"image": "$(params.x)"}),
            ("busybox:$(steps.count.outputs.n)", {"image": "$(params.x)"}),
            ("$(steps.count.outputs.n)", {"securityContext": {"capabilities": {"add": ["$(params.x)"]}}}),
        ],
    )
    def test_it_never_decides_on_what_runs(self, argument, container):
        found = self.start("8", argument, **container)
        entry = of(found.status, "use")
        assert (found.creates, entry.phase) == ((), StepPhase.FAILED)
        assert "what comes out of a Job may not decide on" in entry.message

    def test_an_object_cannot_bring_it_along(self):
        brings = '{"spec": {"containers": [{"name": "main", "image": "evil"}]}}'
        pod = {"spec": {"tasks": [{"name": "main", "template": "$(steps.count.outputs.n)"}]}}
        builder = F.step("use", after="count").having(patch=pod)
        ended = plan(builder, COUNT.completed().view(), answer=OutputsFound((Said(brings), Seen(1)))).status
        found = plan(builder.status(ended), COUNT.completed().view())
        assert found.creates == ()
        assert "what comes out of a Job may not decide on image" in of(found.status, "use").message

    def test_a_field_of_a_text_is_told(self):
        found = self.start("8 rows", "$(steps.count.outputs.n.rows)", env=[{"name": "X", "value": "$(params.x)"}])
        entry = of(found.status, "use")
        assert (entry.phase, entry.reason) == (StepPhase.FAILED, Reason.OUTPUT_NOT_JSON)
        assert "n of step count is a text" in entry.message
        assert "8 rows" not in entry.message


def test_a_record_that_still_collects_outlives_what_upstreams_list_says():
    collecting = plan(F, COUNT.completed().view()).status
    assert collecting.jobStatusList[0].state == "Completed"
    again = plan(F.status(collecting), COUNT.completed().view())
    assert again.status is None, "it is still read, and nothing has changed"
    assert again.questions == {ASKED}


def test_a_flow_whose_spec_cannot_be_run_any_more_still_ends_as_its_job_did():
    builder = F.status(plan(F, COUNT.completed().view()).status)
    snapshot = builder.snapshot(COUNT.completed().view())
    invalid = compile_flow("f", b'{"flows": [{"name": "count"}, {"name": "count"}]}')
    found = reconcile_flow(replace(snapshot, flow=replace(snapshot.flow, compiled=invalid)))
    assert of(found.status).phase is StepPhase.SUCCEEDED
