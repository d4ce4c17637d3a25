"""Jobs that are ended: first why is committed, then the Job is ended, and what it comes to is the step's result."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobflow.api.outputs import OutputsFound, OutputsOf
from jobflow.api.status import FlowPhase, JobFlowStatus, Outcome, Reason, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import child, flow
from jobflow.testing.clock import EPOCH

A, B, CLEAN = child("a", of="f"), child("b", of="f"), child("clean", of="f")
LIMITED = flow("f").step("a").having(activeDeadlineSeconds=60)
IMPATIENT = flow("f").step("a").having(pendingDeadlineSeconds=30)
RAN_OUT = "Job f-a has run for its activeDeadlineSeconds, 60 s"


def plan(builder, *children, after=0.0, **known):
    return reconcile_flow(
        builder.snapshot(*(c.view() for c in children), now=EPOCH + timedelta(seconds=after), **known)
    )


def committed(builder, *children, after=0.0, **known) -> JobFlowStatus:
    """What is committed after the pass."""
    return plan(builder, *children, after=after, **known).status or builder.committed


def steps(status):
    return {entry.name: (entry.phase, entry.reason) for entry in status.flowStatuses}


def ended(result):
    return [(end.name, end.uid, end.reason) for end in result.ends]


class TestAStepWhoseTimeIsUp:
    began = committed(LIMITED, A.running(after=1), after=2)
    late = plan(LIMITED.status(began), A.running(), after=70)

    def test_first_is_committed_why(self):
        assert self.late.ends == ()
        assert steps(self.late.status) == {"a": (StepPhase.RUNNING, Reason.DEADLINE_EXCEEDED)}
        assert self.late.status.flowStatuses[0].message == RAN_OUT
        assert self.late.status_within == 0

    def test_users_are_told_once(self):
        assert [(event.reason, event.message) for event in self.late.events] == [
            ("DeadlineExceeded", f"step a: {RAN_OUT}")
        ]
        assert plan(LIMITED.status(self.late.status), A.running(), after=71).events == ()

    def test_then_its_job_is_ended(self):
        result = plan(LIMITED.status(self.late.status), A.running(), after=71)
        assert ended(result) == [("f-a", "job-f-a", "DeadlineExceeded")]
        assert result.status is None
        assert result.acts

    @pytest.mark.parametrize(
        ("said", "job", "message"),
        [
            ("Volcano terminated it", A.state("Terminated"), "the Job is Terminated"),
            ("it failed by itself", A.failed(), "the Job is Failed"),
            ("somebody aborted it", A.state("Aborted"), "the Job is Aborted"),
            ("it is gone", None, "the Job is gone"),
        ],
    )
    def test_however_it_ends_it_has_failed_for_the_reason_that_is_committed(self, said, job, message):
        result = plan(LIMITED.status(self.late.status), *([job] if job else []), after=99)
        (entry,) = result.status.flowStatuses
        assert (entry.phase, entry.reason) == (StepPhase.FAILED, Reason.DEADLINE_EXCEEDED)
        assert entry.message == f"{RAN_OUT}; {message}"
        assert entry.completionTime is not None
        assert result.creates == ()
        assert result.status.completionTime is not None

    def test_one_that_was_faster_has_succeeded(self):
        done = committed(LIMITED.status(self.late.status), A.completed(), after=99)
        assert steps(done) == {"a": (StepPhase.SUCCEEDED, "")}
        assert done.state.phase is FlowPhase.SUCCEED

    def test_one_that_vanished_in_its_last_state_is_not_run_again(self):
        result = plan(LIMITED.status(self.late.status), after=99, vanished=[A.running().view()])
        assert (steps(result.status), result.creates) == ({"a": (StepPhase.FAILED, "DeadlineExceeded")}, ())
        assert result.status.terminatedJobs == ("f-a",)

    @pytest.mark.parametrize("state", ["Terminating", "Aborting", "Completing"])
    def test_what_is_on_its_way_is_not_asked_again(self, state):
        result = plan(LIMITED.status(self.late.status), A.state(state), after=72)
        assert result.ends == ()
        assert steps(result.status or self.late.status) == {"a": (StepPhase.RUNNING, "DeadlineExceeded")}

    def test_nor_what_is_being_deleted(self):
        assert plan(LIMITED.status(self.late.status), A.running().deleting(), after=72).ends == ()

    def test_a_job_of_its_name_that_is_another_is_left_alone(self):
        assert plan(LIMITED.status(self.late.status), A.incarnation("second").running(), after=72).ends == ()

    def test_the_wait_is_until_the_deadline(self):
        early = plan(LIMITED.status(self.began), A.running(after=1), after=10)
        assert early.due_in == 52.0  # it runs since second 1, and a second may be missing from that stamp
        assert (early.ends, early.wake_at) == ((), None)

    def test_dependents_do_not_start_beside_a_job_that_is_being_ended(self):
        pair = LIMITED.step("b", after="a", waitFor="Running")
        began = committed(pair, A.pending())
        late = plan(pair.status(began), A.running(), after=70)
        assert late.creates == ()

    def test_it_is_told_when_it_first_ran_and_that_stays(self):
        told = committed(LIMITED, A.running(after=5), after=9)
        assert told.flowStatuses[0].runningTime == EPOCH + timedelta(seconds=5)
        later = committed(LIMITED.status(told), A.running(after=50), after=51)
        assert later.flowStatuses[0].runningTime == EPOCH + timedelta(seconds=5)

    def test_nothing_is_told_of_that_where_there_is_no_deadline(self):
        told = committed(flow("f").step("a"), A.running(after=5), after=9)
        assert told.flowStatuses[0].runningTime is None


def test_a_job_that_waits_too_long_is_ended_for_that():
    began = committed(IMPATIENT, A.pending())
    late = committed(IMPATIENT.status(began), A.pending(), after=32)
    assert steps(late) == {"a": (StepPhase.PENDING, Reason.PENDING_DEADLINE_EXCEEDED)}
    assert ended(plan(IMPATIENT.status(late), A.pending(), after=33)) == [("f-a", "job-f-a", "PendingDeadlineExceeded")]
    done = committed(IMPATIENT.status(late), A.state("Terminated"), after=35)
    assert steps(done) == {"a": (StepPhase.FAILED, Reason.PENDING_DEADLINE_EXCEEDED)}
    assert done.state.message == (
        "step a: Job f-a has been pending for its pendingDeadlineSeconds, 30 s; the Job is Terminated"
    )


class TestAFlowWhoseTimeIsUp:
    brief = flow("f").step("a").step("b").step("c", after="a").setting(activeDeadlineSeconds=60)
    began = committed(brief, A.running(), B.completed())
    late = plan(brief.status(began), A.running(), B.completed(), after=62)

    def test_it_has_failed(self):
        state = self.late.status.state
        assert (state.phase, state.reason) == (FlowPhase.FAILED, Reason.DEADLINE_EXCEEDED)
        assert state.message == "the flow has run for its activeDeadlineSeconds, 60 s"
        assert (self.late.status.outcome, self.late.status.completionTime) == (Outcome.FAILED, None)
        assert ("Failed", "DeadlineExceeded: the flow has run for its activeDeadlineSeconds, 60 s") in [
            (event.reason, event.message) for event in self.late.events
        ]

    def test_its_steps_end_as_far_as_they_have_not(self):
        assert steps(self.late.status) == {
            "a": (StepPhase.RUNNING, Reason.DEADLINE_EXCEEDED),
            "b": (StepPhase.SUCCEEDED, ""),
            "c": (StepPhase.UNREACHABLE, Reason.FLOW_FAILED),
        }
        assert ended(plan(self.brief.status(self.late.status), A.running(), B.completed(), after=63)) == [
            ("f-a", "job-f-a", "DeadlineExceeded")
        ]

    def test_it_is_over_when_they_have(self):
        done = committed(self.brief.status(self.late.status), A.state("Terminated"), B.completed(), after=70)
        assert (done.state, done.completionTime is not None) == (self.late.status.state, True)
        assert steps(done)["a"] == (StepPhase.FAILED, Reason.DEADLINE_EXCEEDED)

    def test_success_at_the_same_moment_is_success(self):
        two = flow("f").step("a").step("b").setting(activeDeadlineSeconds=60)
        began = committed(two, A.running(), B.completed())
        assert committed(two.status(began), A.completed(), B.completed(), after=99).state.phase is FlowPhase.SUCCEED

    def test_a_failure_before_it_stays_the_reason_and_what_still_runs_is_ended_all_the_same(self):
        failed = committed(self.brief.status(committed(self.brief, A.running(), B)), A.running(), B.failed(), after=30)
        late = committed(self.brief.status(failed), A.running(), B.failed(), after=62)
        assert late.state.reason == Reason.STEP_FAILED
        assert steps(late)["a"] == (StepPhase.RUNNING, Reason.DEADLINE_EXCEEDED)

    @pytest.mark.parametrize(
        ("said", "policies", "b", "outcome", "reason"),
        [
            ("one leaf that succeeded is enough", {"successPolicy": {"type": "Any"}}, B.completed(), "Succeeded", ""),
            ("no leaf has", {"successPolicy": {"type": "Any"}}, B.failed(), "Failed", "DeadlineExceeded"),
            ("one is lost", {"failurePolicy": "RunIndependent"}, B.failed(), "Failed", "StepFailed"),
            ("none is lost yet", {"failurePolicy": "RunIndependent"}, B.completed(), "Failed", "DeadlineExceeded"),
        ],
    )
    def test_what_waits_for_the_rest_is_decided_then(self, said, policies, b, outcome, reason):
        two = flow("f").step("a").step("b").setting(activeDeadlineSeconds=60, **policies)
        began = committed(two, A.running(), b, after=60)
        assert began.outcome is None
        late = committed(two.status(began), A.running(), b, after=62)
        assert (late.outcome, late.state.reason) == (outcome, reason)
        assert steps(late)["a"] == (StepPhase.RUNNING, Reason.DEADLINE_EXCEEDED)

    @pytest.mark.parametrize("more", [{"activeDeadlineSeconds": 9000}, {}], ids=["put off", "taken away"])
    def test_what_is_committed_is_carried_out_though_the_deadline_is_another_since(self, more):
        now = flow("f").step("a").step("b").step("c", after="a").setting(**more).at("101", generation=2)
        later = plan(now.status(self.late.status), A.running(), B.completed(), after=63)
        assert ended(later) == [("f-a", "job-f-a", "DeadlineExceeded")]
        assert (later.status or self.late.status).state == self.late.status.state

    def test_one_that_is_put_off_in_time_is_not_passed(self):
        longer = self.brief.setting(activeDeadlineSeconds=90).at("101", generation=2)
        result = plan(longer.status(self.began), A.running(), B.completed(), after=62)
        assert (result.ends, result.due_in) == ((), 29.0)

    def test_a_flow_that_is_being_deleted_ends_by_that(self):
        result = plan(self.brief.status(self.late.status).deleting(), A.running(), B.completed(), after=63)
        assert result.ends == ()

    def test_the_steps_of_on_exit_run_all_the_same(self):
        tidy = flow("f").step("a").setting(activeDeadlineSeconds=60, onExit=[{"name": "clean"}])
        late = committed(tidy.status(committed(tidy, A.running())), A.running(), after=62)
        gone = committed(tidy.status(late), A.state("Terminated"), after=64)
        assert (late.state.reason, gone.state.reason) == (Reason.FINALIZING, Reason.FINALIZING)
        result = plan(tidy.status(gone), A.state("Terminated"), after=65)
        assert [create.name for create in result.creates] == ["f-clean"]
        runs = committed(tidy.status(gone), A.state("Terminated"), CLEAN.running(), after=900)
        assert steps(runs)["clean"] == (StepPhase.RUNNING, "")
        done = committed(tidy.status(runs), A.state("Terminated"), CLEAN.completed(), after=901)
        assert (done.state.phase, done.state.reason) == (FlowPhase.FAILED, Reason.DEADLINE_EXCEEDED)


def test_a_step_of_on_exit_has_deadlines_of_its_own():
    tidy = flow("f").step("a").setting(onExit=[{"name": "clean", "activeDeadlineSeconds": 60}])
    began = committed(tidy, A.completed())
    runs = committed(tidy.status(began), A.completed(), CLEAN.running(after=10), after=10)
    late = committed(tidy.status(runs), A.completed(), CLEAN.running(after=10), after=72)
    assert steps(late)["clean"] == (StepPhase.RUNNING, Reason.DEADLINE_EXCEEDED)


class TestFailFast:
    quick = flow("f").step("a").step("b").setting(failurePolicy="FailFast")
    failed = committed(quick.status(committed(quick, A.running(), B.running())), A.failed(), B.running(), after=60)

    def test_what_still_runs_is_ended(self):
        assert self.failed.outcome is Outcome.FAILED
        assert steps(self.failed)["b"] == (StepPhase.RUNNING, Reason.FAIL_FAST)
        assert self.failed.flowStatuses[1].message == "the flow has failed, and its failurePolicy is FailFast"
        assert ended(plan(self.quick.status(self.failed), A.failed(), B.running(), after=61)) == [
            ("f-b", "job-f-b", "FailFast")
        ]

    def test_and_has_failed_for_it(self):
        done = committed(self.quick.status(self.failed), A.failed(), B.state("Terminated"), after=62)
        assert steps(done)["b"] == (StepPhase.FAILED, Reason.FAIL_FAST)

    def test_without_the_policy_it_goes_on(self):
        plain = flow("f").step("a").step("b")
        failed = committed(plain.status(committed(plain, A.running(), B.running())), A.failed(), B.running(), after=60)
        assert steps(failed)["b"] == (StepPhase.RUNNING, "")


class TestAnEndedJobThatLeftOutputs:
    leaves = LIMITED.having(outputs=[{"name": "rows", "default": 7, "from": {"path": "status.succeeded"}}])
    began = committed(leaves, A.running())
    late = committed(leaves.status(began), A.running(), after=70)
    terminated = A.state("Terminated", after=72)

    def test_they_are_read_and_the_reason_stays(self):
        reading = plan(self.leaves.status(self.late), self.terminated, after=73)
        (question,) = (asked for asked in reading.questions if isinstance(asked, OutputsOf))
        during = reading.status or self.late
        assert steps(during) == {"a": (StepPhase.RUNNING, Reason.DEADLINE_EXCEEDED)}
        found = {question: OutputsFound((), "nobody answers")}
        done = committed(self.leaves.status(during), self.terminated, after=74, answers=found)
        (entry,) = done.flowStatuses
        assert (entry.phase, entry.reason) == (StepPhase.FAILED, Reason.DEADLINE_EXCEEDED)
        assert [output.value for output in entry.outputs] == [7]

    def test_of_one_that_is_gone_the_defaults_count(self):
        done = committed(self.leaves.status(self.late), after=74)
        (entry,) = done.flowStatuses
        assert (entry.phase, entry.reason) == (StepPhase.FAILED, Reason.DEADLINE_EXCEEDED)
        assert [output.value for output in entry.outputs] == [7]


class TestAFlowThatIsKeptForAWhile:
    kept = flow("f").step("a").setting(ttlSecondsAfterFinished=300)
    done = replace(committed(kept.status(committed(kept, A.running())), A.completed(60), after=61))

    def test_before_its_time_it_is_looked_at_again_then(self):
        result = plan(self.kept.status(self.done), A.completed(60), after=100)
        assert (result.delete_flow, result.due_in, result.acts) == ("", 261.0, False)

    def test_at_its_time_it_is_deleted(self):
        result = plan(self.kept.status(self.done), A.completed(60), after=361)
        assert (result.delete_flow, result.acts) == ("300 s after it finished", True)

    def test_an_edit_is_acknowledged_first(self):
        shorter = self.kept.setting(ttlSecondsAfterFinished=1).at("101", generation=2)
        result = plan(shorter.status(self.done), A.completed(60), after=361)
        assert (result.status.observedGeneration, result.delete_flow) == (2, "")

    def test_while_a_job_still_runs_it_has_not_finished(self):
        pair = flow("f").step("a").step("b").setting(ttlSecondsAfterFinished=0)
        failed = committed(pair, A.failed(), B.running(), after=60)
        assert failed.state.phase is FlowPhase.FAILED
        assert plan(pair.status(failed), A.failed(), B.running(), after=900).delete_flow == ""
