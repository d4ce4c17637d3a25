"""Which failed attempts are followed by another, when, and what is told of them meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec import structs

from jobflow.api.config_keys import ConfigFound
from jobflow.api.exits import ExitsFound, ExitsOf
from jobflow.api.outputs import Absent, OutputsFound, OutputsOf, Said
from jobflow.api.status import AttemptStatus, FlowStatus, JobFlowStatus, JobStatus, Outcome, Reason, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.graph import compile_flow
from jobflow.reconcile.history import STEPS_WITH_HISTORIES
from jobflow.reconcile.retry import ATTEMPTS_OF_FLOW, ATTEMPTS_OF_STEP
from jobflow.reconcile.urgency import AT_ONCE, STEP_SECONDS, status_within
from jobflow.testing.builders import child, flow, template
from jobflow.testing.clock import EPOCH

ETCD_LIMIT = 1024 * 1024
WAITING, PENDING, RUNNING = StepPhase.WAITING, StepPhase.PENDING, StepPhase.RUNNING
SUCCEEDED, FAILED = StepPhase.SUCCEEDED, StepPhase.FAILED
ENDED = EPOCH + timedelta(seconds=60)
A = child("a", of="f")
SECOND = A.tried(1).created_after(70)
ASKED = ExitsOf("default", "f-a", "job-f-a")
THREE = ExitsFound(exit_code=3, by_itself=True)
EVICTED = ExitsFound(evicted="f-a-main-0: Evicted")
UNKNOWN = ExitsFound()


def retrying(limit: int = 3, **retry: Any):
    """A flow whose step `a` is tried again."""
    return flow("f").step("a").having(retry={"limit": limit, **retry})


F = retrying(backoff={"duration": "8s"})
FIRST = AttemptStatus(0, "f-a", "job-f-a", EPOCH, ENDED, Reason.JOB_FAILED, "Job f-a is Failed", 3)
BETWEEN = FlowStatus("a", WAITING, Reason.RETRY_BACKOFF, attempt=1, attempts=(FIRST,))


def plan(builder, *children, answer: ExitsFound | None = THREE, after: float = 61, **more: Any):
    answers = {ASKED: answer} if answer is not None else {}
    for tried in children:
        if tried.attempt:
            answers[ExitsOf("default", tried.name, tried.uid)] = answer
    answers |= more.pop("answers", {})
    now = EPOCH + timedelta(seconds=after)
    return reconcile_flow(builder.snapshot(*(c.view() for c in children), answers=answers, now=now, **more))


def of(status: JobFlowStatus | None, step: str = "a") -> FlowStatus:
    assert status is not None
    return next(entry for entry in status.flowStatuses if entry.name == step)


class TestAnAttemptThatFailed:
    def test_is_kept_and_the_next_one_waits_for_the_backoff(self):
        told = plan(F, A.failed()).status
        entry = of(told)
        assert (entry.phase, entry.reason, entry.attempt) == (WAITING, Reason.RETRY_BACKOFF, 1)
        assert (entry.jobName, entry.jobUID, entry.startTime, entry.completionTime) == ("", "", None, None)
        assert entry.attempts == (FIRST,)
        assert entry.message == "attempt 2 of 4 is due at 2026-01-01T12:01:08Z; Job f-a is Failed"
        assert told.outcome is None
        assert (told.failedJobs, [one.name for one in told.jobStatusList], list(told.conditions)) == (
            ("f-a",),
            ["f-a"],
            ["f-a"],
        )

    def test_has_begun_the_flow_though_nothing_was_written_of_it_before(self):
        assert plan(F, A.failed()).status.startTime == EPOCH

    def test_creates_nothing_before_that_is_committed(self):
        found = plan(retrying(), A.failed())
        assert found.creates == ()
        assert of(found.status).message == "attempt 2 of 4 follows; Job f-a is Failed"

    def test_is_written_at_once_and_told_in_an_event(self):
        running = plan(F, A.running()).status
        found = plan(F.status(running), A.failed())
        assert found.status_within == AT_ONCE
        (event,) = found.events
        assert (event.type, event.reason) == ("Warning", "Retrying")
        assert event.message == (
            "step a: JobFailed with exit code 3; attempt 2 of 4 is due at 2026-01-01T12:01:08Z; Job f-a is Failed"
        )

    def test_is_told_once(self):
        committed = F.status(plan(F, A.failed()).status)
        assert plan(committed, A.failed()).events == ()

    @pytest.mark.parametrize("step", [1, 4])
    def test_of_a_limit_the_last_attempt_is_the_result(self, step):
        tried = A.tried(step)
        record = structs.replace(BETWEEN, attempt=step)
        entry = of(plan(retrying(limit=step).recorded(record), tried.failed()).status)
        assert (entry.phase, entry.reason, entry.exitCode, entry.attempt) == (FAILED, Reason.JOB_FAILED, 3, step)
        assert entry.message == f"Job f-a-r{step} is Failed; attempt {step + 1} of {step + 1}"
        assert entry.attempts == (FIRST,)

    def test_keeps_the_newest_ten(self):
        builder, told = retrying(limit=100), FlowStatus("a", WAITING)
        for attempt in range(13):
            told = of(plan(builder.recorded(told), A.tried(attempt).failed()).status)
        assert [one.attempt for one in told.attempts] == list(range(3, 13))
        assert told.attempt == 13

    def test_of_a_flow_of_many_steps_keeps_one(self):
        builder, told = retrying(limit=9), FlowStatus("a", WAITING)
        for index in range(999):
            builder = builder.step(f"s{index}", after="a")
        for attempt in range(3):
            told = of(plan(builder.recorded(told), A.tried(attempt).failed()).status)
        assert [(one.attempt, one.reason, one.message) for one in told.attempts] == [(2, Reason.JOB_FAILED, "")]
        assert told.message == "attempt 4 of 10 follows; JobFailed"


WHICH = [
    # said, end of the Job, what its pods say, policy, is tried again
    ("failed", "Failed", THREE, None, True),
    ("terminated by somebody", "Terminated", UNKNOWN, None, True),
    ("aborted by somebody", "Aborted", UNKNOWN, None, True),
    ("failed, and nobody can tell how", "Failed", UNKNOWN, "OnFailure", True),
    ("evicted", "Failed", EVICTED, "OnFailure", True),
    ("failed by itself, where only evictions count", "Failed", THREE, "OnEviction", False),
    ("failed, and nothing shows an eviction", "Failed", UNKNOWN, "OnEviction", False),
    ("evicted, where only evictions count", "Failed", EVICTED, "OnEviction", True),
    ("terminated by somebody, where only evictions count", "Terminated", UNKNOWN, "OnEviction", True),
    ("aborted by somebody, where only evictions count", "Aborted", UNKNOWN, "OnEviction", True),
    ("terminated by its own policy after a pod failed", "Terminated", THREE, "OnEviction", False),
    ("failed, where everything counts", "Failed", THREE, "Always", True),
]


@pytest.mark.parametrize(("said", "end", "pods", "policy", "again"), WHICH, ids=[row[0] for row in WHICH])
def test_policy(said, end, pods, policy, again):
    builder = retrying(**({"policy": policy} if policy else {}))
    entry = of(plan(builder, A.state(end, 60), answer=pods).status)
    assert (entry.phase is WAITING) is again
    if not again:
        assert entry.phase is FAILED
        assert entry.message.endswith(
            "not tried again: retry.policy is OnEviction, and nothing shows that its pods were evicted"
        )


DEADLINES = [
    # policy, reason committed of the Job that is being ended, is tried again
    ("OnFailure", Reason.DEADLINE_EXCEEDED, True),
    ("OnFailure", Reason.PENDING_DEADLINE_EXCEEDED, True),
    ("OnEviction", Reason.DEADLINE_EXCEEDED, False),
    ("Always", Reason.DEADLINE_EXCEEDED, True),
    ("Always", Reason.FAIL_FAST, False),
]


@pytest.mark.parametrize("is_there", [True, False], ids=["its Job is there", "its Job is gone"])
@pytest.mark.parametrize(("policy", "reason", "again"), DEADLINES)
def test_a_job_that_we_ended(policy, reason, again, is_there):
    ending = structs.replace(A.record(RUNNING), reason=reason, message="its time was up")
    jobs = [A.state("Terminated", 60)] if is_there else []
    told = plan(retrying(policy=policy).recorded(ending, runningJobs=("f-a",)), *jobs, answer=UNKNOWN).status
    entry = of(told)
    assert (entry.phase is WAITING) is again
    if again:
        assert entry.attempts[0].reason == reason
        assert entry.attempts[0].message.startswith("its time was up")
    else:
        assert (entry.phase, entry.reason) == (FAILED, reason)
    assert told.terminatedJobs == ("f-a",)


def test_while_it_is_read_how_a_job_ended_that_we_ended_it_stays_committed_why():
    ending = structs.replace(A.record(RUNNING), reason=Reason.DEADLINE_EXCEEDED, message="its time was up")
    failed = A.failed()
    found = plan(F.recorded(ending), failed, answer=None)
    assert (of(found.status).phase, of(found.status).reason) == (RUNNING, Reason.DEADLINE_EXCEEDED)


@pytest.mark.parametrize(("policy", "phase"), [("OnFailure", FAILED), ("Always", WAITING)])
def test_an_output_that_is_too_large_is_tried_again_only_where_everything_counts(policy, phase):
    builder = retrying(policy=policy).having(outputs=[{"name": "n", "from": {"path": "spec.queue"}}])
    done = A.completed()
    (question,) = plan(builder, done).questions
    assert isinstance(question, OutputsOf)
    large = OutputsFound((Said("x" * 5000),))
    assert of(plan(builder, done, answers={question: large}).status).phase is phase


WHEN = [
    ("holds", "steps['a'].exitCode == 3", THREE, True),
    ("does not hold", "steps['a'].exitCode == 137", THREE, False),
    ("nobody knows the exit code", "steps['a'].exitCode != 137", UNKNOWN, True),
    ("by the reason", "steps['a'].reason == 'JobFailed'", THREE, True),
    ("by the attempt", "steps['a'].attempt < 1", THREE, True),
    ("by a parameter", "params.again", THREE, True),
    ("by a parameter that says no", "!params.again", THREE, False),
]


@pytest.mark.parametrize(("said", "cel", "pods", "again"), WHEN, ids=[row[0] for row in WHEN])
def test_when(said, cel, pods, again):
    builder = retrying(when=[{"cel": cel}]).parameter("again", True)
    entry = of(plan(builder, A.failed(), answer=pods).status)
    assert (entry.phase is WAITING) is again
    if not again:
        assert entry.message == f"Job f-a is Failed; not tried again: retry.when[0] does not hold: {cel}"


def test_when_it_cannot_be_evaluated_the_attempt_is_the_last_and_keeps_its_reason():
    builder = retrying(when=[{"cel": "params.n.deep == 1"}]).parameter("n", {"other": 1})
    entry = of(plan(builder, A.failed()).status)
    assert (entry.phase, entry.reason) == (FAILED, Reason.JOB_FAILED)
    assert "not tried again: retry.when[0] cannot be evaluated: there is no deep" in entry.message


class TestTheExitCode:
    def test_is_asked_when_an_attempt_has_failed_and_the_step_runs_until_it_is_known(self):
        found = plan(F, A.failed(), answer=None)
        entry = of(found.status)
        assert found.questions == {ASKED}
        assert (entry.phase, entry.reason) == (RUNNING, Reason.READING_EXIT_CODE)
        assert status_within(plan(F, A.running()).status, found.status) == STEP_SECONDS, "it is over in a moment"

    def test_is_not_asked_of_others(self):
        assert plan(F, A.completed(), answer=None).questions == frozenset()
        assert plan(F, A.running(), answer=None).questions == frozenset()
        assert plan(flow("f").step("a"), A.failed(), answer=None).questions == frozenset()

    REFUSED = ExitsFound(problem="the pods of Job f-a cannot be listed: no")

    def test_is_waited_for_while_the_api_server_does_not_give_it(self):
        found = plan(F, A.failed(), answer=self.REFUSED)
        assert (of(found.status).phase, of(found.status).message) == (RUNNING, self.REFUSED.problem)

    def test_is_not_waited_for_once_the_end_of_the_flow_is_committed(self):
        both, other = F.step("b"), child("b", of="f").failed()
        ended = both.status(plan(both, A.running(), other).status)
        assert of(plan(ended, A.failed(), other, answer=self.REFUSED).status).phase is FAILED

    def test_is_asked_until_what_it_decides_is_committed(self):
        assert plan(F, A.failed()).questions == {ASKED}
        assert plan(F.recorded(BETWEEN), A.failed()).questions == frozenset()

    def test_of_a_job_that_was_gone_before_it_was_read_the_attempt_is_over_all_the_same(self):
        reading = F.status(plan(F, A.failed(), answer=None).status)
        entry = of(plan(reading, answer=None).status)
        assert (entry.phase, entry.attempt) == (WAITING, 1)
        (first,) = entry.attempts
        assert (first.jobName, first.jobUID, first.completionTime) == ("f-a", "job-f-a", ENDED)
        assert (first.reason, first.message, first.exitCode) == (
            Reason.JOB_FAILED,
            "Job f-a ended, and is gone",
            None,
        )

    def test_of_one_that_was_the_last_the_step_has_failed(self):
        builder = retrying(limit=1)
        record = structs.replace(BETWEEN, phase=RUNNING, jobName="f-a-r1", jobUID="job-f-a-r1")
        reading = builder.status(plan(builder.recorded(record), SECOND.failed(90), answer=None, after=91).status)
        assert of(reading.committed).reason == Reason.READING_EXIT_CODE
        entry = of(plan(reading, answer=None, after=95).status)
        assert (entry.phase, entry.reason, entry.attempt) == (FAILED, Reason.JOB_FAILED, 1)
        assert entry.completionTime == EPOCH + timedelta(seconds=90)
        assert plan(reading, answer=None, after=95).creates == ()

    def test_outputs_are_read_before(self):
        builder = F.having(outputs=[{"name": "n", "from": {"path": "status.succeeded"}}])
        found = plan(builder, A.failed())
        (question,) = found.questions
        assert isinstance(question, OutputsOf)
        assert of(found.status).reason == Reason.COLLECTING_OUTPUTS
        read = {question: OutputsFound((Absent("no"),))}
        entry = of(plan(builder, A.failed(), answers=read).status)
        assert (entry.reason, entry.outputs) == (Reason.RETRY_BACKOFF, ())

    def test_a_job_that_was_gone_before_its_outputs_were_read_is_tried_again(self):
        builder = F.having(outputs=[{"name": "n", "from": {"path": "status.succeeded"}}])
        reading = builder.status(plan(builder, A.failed()).status)
        entry = of(plan(reading, answer=None).status)
        assert (entry.reason, entry.attempt, entry.attempts[0].jobName) == (Reason.RETRY_BACKOFF, 1, "f-a")


class TestTheNextAttempt:
    def test_waits_for_its_time(self):
        found = plan(F.recorded(BETWEEN), A.failed(), after=67)
        assert found.creates == ()
        assert found.due_in == 1.0

    @pytest.mark.parametrize("left", [(A.failed(),), ()], ids=["its Job is there", "its Job is gone"])
    def test_begins_then_whatever_became_of_the_last(self, left):
        (create,) = plan(F.recorded(BETWEEN), *left, after=68).creates
        assert (create.name, create.node.attempt, create.verify) == ("f-a-r1", 1, True)
        assert create.body["metadata"]["annotations"]["jobflow.volcano.sh/attempt"] == "1"
        container = create.body["spec"]["tasks"][0]["template"]["spec"]["containers"][0]
        assert {"name": "JOBFLOW_ATTEMPT", "value": "1"} in container["env"]
        assert create.reason == "attempt 1 failed"

    def test_is_at_the_same_time_after_a_restart(self):
        builder = retrying(backoff={"duration": "8s", "jitter": "0.5"})
        first, again = (plan(builder.recorded(BETWEEN), after=60 + after).due_in for after in (0, 1))
        assert first == again + 1
        assert 8 < first < 12

    def test_waits_no_longer_and_no_shorter_when_the_wall_clock_is_set(self):
        snapshot = F.recorded(BETWEEN).snapshot(now=EPOCH + timedelta(seconds=61))
        for hours in (-5, 5):
            again = replace(snapshot, now=snapshot.now + timedelta(hours=hours))
            assert (reconcile_flow(again).due_in, reconcile_flow(again).creates) == (7.0, ())

    def test_waits_its_whole_time_where_the_clock_that_told_the_end_is_ahead(self):
        assert plan(F.recorded(BETWEEN), after=-100).due_in == 8.0

    @pytest.mark.parametrize(
        ("said", "tried", "phase"),
        [
            ("created", SECOND, PENDING),
            ("runs", SECOND.running(71), RUNNING),
            ("completed", SECOND.completed(90), SUCCEEDED),
            ("failed", SECOND.failed(90), WAITING),
        ],
    )
    def test_counts_and_the_last_one_does_not(self, said, tried, phase):
        told = plan(F.recorded(BETWEEN), A.failed(), tried, after=91).status
        entry = of(told)
        assert entry.phase is phase
        assert entry.attempts[0] == FIRST
        assert [one.name for one in told.jobStatusList] == list(told.conditions) == ["f-a-r1"]
        lists = {which: getattr(told, which) for which in ("pendingJobs", "runningJobs", "failedJobs", "completedJobs")}
        assert sorted(name for names in lists.values() for name in names) == ["f-a-r1"]
        assert entry.recreations == 0

    def test_is_not_the_first_ones_result_however_that_is_told(self):
        committed = F.recorded(BETWEEN, jobStatusList=(JobStatus("f-a", "Failed", EPOCH, ENDED),), failedJobs=("f-a",))
        found = plan(committed, after=61)
        assert of(found.status or committed.committed).phase is WAITING
        told = plan(committed, A.failed(), after=61)
        assert told.status is None or told.status.failedJobs == ("f-a",)

    @pytest.mark.parametrize("end", ["Completed", "Failed"])
    def test_an_earlier_one_that_vanished_never_counts(self, end):
        snapshot = F.recorded(BETWEEN).snapshot(vanished=[A.state(end).view()], now=ENDED + timedelta(seconds=8))
        (create,) = reconcile_flow(snapshot).creates
        assert create.name == "f-a-r1"

    def test_that_vanished_after_its_end_has_ended(self):
        gone = SECOND.completed(90)
        entry = of(plan(F.recorded(BETWEEN), A.failed(), vanished=[gone.view()], after=91).status)
        assert (entry.phase, entry.attempt, entry.jobName) == (SUCCEEDED, 1, "f-a-r1")

    def test_that_somebody_deleted_before_its_end_is_created_again_at_once_and_is_no_other_attempt(self):
        running = structs.replace(BETWEEN, phase=RUNNING, reason="", jobName="f-a-r1", jobUID="job-f-a-r1")
        (create,) = plan(F.recorded(running), A.failed(), after=62).creates
        assert (create.name, create.node.attempt) == ("f-a-r1", 1)
        again = SECOND.incarnation("another")
        entry = of(plan(F.recorded(running), A.failed(), again, after=75).status)
        assert (entry.attempt, entry.recreations, entry.attempts) == (1, 1, (FIRST,))

    def test_does_not_begin_beside_an_earlier_one_that_somebody_resumed(self):
        found = plan(F.recorded(BETWEEN), A.running(65), after=100)
        assert found.creates == ()
        entry = of(found.status)
        assert (entry.phase, entry.reason) == (WAITING, Reason.PREVIOUS_CHILD_TERMINATING)

    def test_that_is_there_although_the_record_is_an_older_one_wins(self):
        for record in (A.record(RUNNING), FlowStatus("a", WAITING)):
            entry = of(plan(F.recorded(record), A.failed(), SECOND.running(75), after=80).status)
            assert (entry.phase, entry.attempt, entry.jobName, entry.recreations) == (RUNNING, 1, "f-a-r1", 0)

    def test_that_vanished_unfinished_although_the_record_is_an_older_one_is_not_an_earlier_one_again(self):
        (create,) = plan(F.recorded(A.record(RUNNING)), A.failed(), vanished=[SECOND.running(75).view()]).creates
        assert create.name == "f-a-r1"

    def test_was_decided_though_the_default_is_gone_since(self):
        (create,) = plan(flow("f").step("a").recorded(BETWEEN), A.failed()).creates
        assert create.name == "f-a-r1"


class TestAFailureThatAnotherStepIsThereFor:
    ANY = F.step("b").step("join", ["b", "a"], strategy="Any", waitFor="Running")
    B, JOIN = child("b", of="f"), child("join", of="f")

    def test_is_no_loss_while_the_one_that_ran_instead_is_tried_again(self):
        running = self.ANY.status(plan(self.ANY, A.running(), self.B.failed(), self.JOIN.running()).status)
        between = plan(running, A.failed(), self.B.failed(), self.JOIN.running()).status
        assert between.outcome is None
        assert of(between).reason == Reason.RETRY_BACKOFF
        again = plan(self.ANY.status(between), SECOND.pending(), self.B.failed(), self.JOIN.running(), after=71).status
        assert (of(again).phase, again.outcome) == (PENDING, None)

    def test_is_one_when_all_attempts_of_that_have_failed(self):
        last = self.ANY.recorded(structs.replace(BETWEEN, attempt=3))
        told = plan(last, A.tried(3).failed(90), self.B.failed(), self.JOIN.running(), after=91).status
        assert told.outcome is Outcome.FAILED


class TestTheEndOfTheFlow:
    BOTH = F.step("b")
    B = child("b", of="f")

    def test_that_is_decided_in_the_same_moment_makes_the_attempt_the_last(self):
        told = plan(self.BOTH, A.failed(), self.B.failed()).status
        assert told.outcome is Outcome.FAILED
        entry = of(told)
        assert (entry.phase, entry.reason, entry.attempt, entry.jobName) == (FAILED, Reason.JOB_FAILED, 0, "f-a")
        assert (entry.exitCode, entry.attempts, entry.completionTime) == (3, (), ENDED)
        assert entry.message == "Job f-a is Failed; not tried again: the end of the flow is decided"
        assert told.failedJobs == ("f-a", "f-b")

    def test_that_is_decided_during_the_backoff_makes_the_last_attempt_the_result(self):
        first = plan(self.BOTH, A.failed(), self.B.running())
        committed = self.BOTH.status(first.status)
        found = plan(committed, A.failed(), self.B.failed(62), after=63)
        entry = of(found.status)
        assert (entry.phase, entry.attempt, entry.jobUID, entry.exitCode) == (FAILED, 0, "job-f-a", 3)
        assert found.status.failedJobs == ("f-a", "f-b")
        assert found.creates == ()
        assert [one.name for one in found.status.jobStatusList] == ["f-a", "f-b"]

    def test_that_is_committed_is_followed_by_no_attempt(self):
        told = plan(self.BOTH, A.running(), self.B.failed()).status
        later = plan(self.BOTH.status(told), A.failed(62), self.B.failed(), after=63)
        entry = of(later.status)
        assert (entry.phase, entry.message) == (FAILED, "Job f-a is Failed")

    def test_is_open_while_a_step_waits_to_be_tried_again(self):
        told = plan(F.step("b", after="a"), A.failed()).status
        assert (told.outcome, of(told, "b").phase) == (None, WAITING)

    def test_of_a_flow_that_is_being_deleted_nothing_is_tried_again(self):
        assert of(plan(F.deleting(), A.failed()).status).phase is FAILED


class TestWhatCannotBeMended:
    def test_is_not_tried_again(self):
        builder = F.having(patch={"spec": {"tasks": [{"name": "none", "replicas": 2}]}})
        entry = of(plan(builder).status)
        assert (entry.phase, entry.attempt) == (FAILED, 0)

    def test_of_a_second_attempt_keeps_the_first(self):
        builder = F.having(patch={"spec": {"tasks": [{"name": "none", "replicas": 2}]}})
        committed = builder.recorded(BETWEEN, failedJobs=("f-a",))
        told = plan(committed, A.failed(), after=70).status
        entry = of(told)
        assert (entry.phase, entry.attempt, entry.attempts) == (FAILED, 1, (FIRST,))
        assert told.failedJobs == ("f-a",)


class TestAFlowsDefault:
    def test_is_every_steps(self):
        builder = flow("f").step("a").setting(retry={"limit": 1})
        assert of(plan(builder, A.failed()).status).reason == Reason.RETRY_BACKOFF

    def test_is_replaced_whole_by_a_steps_own(self):
        builder = retrying(limit=1).setting(retry={"limit": 5, "backoff": {"duration": "1h"}})
        assert of(plan(builder, A.failed()).status).message.startswith("attempt 2 of 2 follows")

    def test_is_switched_off_by_a_limit_of_0(self):
        builder = retrying(limit=0).setting(retry={"limit": 5})
        assert of(plan(builder, A.failed(), answer=None).status).phase is FAILED

    def test_is_no_part_of_what_is_frozen(self):
        plain, default = flow("f").step("a"), flow("f").step("a").setting(retry={"limit": 5})
        assert plain.frozen().compiled.spec_hash == default.frozen().compiled.spec_hash
        assert plain.frozen().compiled.spec_hash != retrying().frozen().compiled.spec_hash


def test_both_spellings_mean_the_same():
    ours = b'{"flows": [{"name": "a", "retry": {"limit": 3, "backoff": {"duration": "5s"}}}]}'
    theirs = b'{"flows": [{"name": "a", "retryPolicy": {"maxRetries": 3, "interval": "5s"}}]}'
    first, second = (compile_flow("f", spec).graph.by_name["a"].retry for spec in (ours, theirs))
    assert first == second
    assert first is not None


class TestItsTimeToLive:
    TIMED = template("a").task("main").ttl(10).view()

    def test_deletes_an_earlier_attempt_once_it_is_committed_that_it_is_over(self):
        kept = plan(F, A.ttl(10).failed(), templates=[self.TIMED], after=75)
        assert kept.deletes == ()
        running = structs.replace(BETWEEN, phase=RUNNING, jobName="f-a-r1", jobUID="job-f-a-r1")
        for record in (BETWEEN, running):
            early = plan(F.recorded(record), A.ttl(10).failed(), SECOND.running(71), after=69)
            assert early.deletes == ()
            (delete,) = plan(F.recorded(record), A.ttl(10).failed(), SECOND.running(71), after=75).deletes
            assert delete.uid == "job-f-a"


def test_a_job_whose_annotation_somebody_has_edited_is_still_the_attempt_that_is_committed():
    running = structs.replace(BETWEEN, phase=RUNNING, reason="", jobName="f-a-r1", jobUID="edited")
    edited = A.named("f-a-r1").incarnation("edited").running(71)
    for others in ((), (A.failed(),)):
        found = plan(F.recorded(running), *others, edited, after=80)
        entry = of(found.status)
        assert found.creates == ()
        assert (entry.phase, entry.attempt, entry.jobUID, entry.recreations) == (RUNNING, 1, "edited", 0)


@pytest.mark.parametrize("steps", [100, 1000])
def test_a_flow_of_many_steps_that_are_all_tried_again_fits_into_etcd(steps):
    names = [f"step-{n:04}-{'x' * 30}" for n in range(steps)]
    builder = flow("a-flow-of-many").setting(retry={"limit": 20})
    for name in names:
        builder = builder.step(name)
    kept = max(1, min(ATTEMPTS_OF_STEP, ATTEMPTS_OF_FLOW // steps))
    uid = "11111111-2222-3333-4444-555555555555"
    jobs = [child(name, of="a-flow-of-many").incarnation(uid).tried(20) for name in names]
    message = f"Job {jobs[0].name} is Failed" if steps <= STEPS_WITH_HISTORIES else ""
    told = AttemptStatus(19, jobs[0].name, uid, EPOCH, ENDED, Reason.JOB_FAILED, message, 137)
    records = [structs.replace(job.record(RUNNING), attempts=(told,) * kept) for job in jobs]
    done = [job.incarnation(f"{uid[:-4]}{n:04}").pods(1, Succeeded=1).completed().view() for n, job in enumerate(jobs)]
    snapshot = builder.recorded(*records).snapshot(*done, now=ENDED)
    status = reconcile_flow(snapshot).status
    assert all(len(entry.attempts) == kept for entry in status.flowStatuses)
    assert len(msgspec.json.encode(status)) < ETCD_LIMIT


def test_a_condition_waits_for_a_parameter_that_has_to_be_read_and_says_so():
    source = {"valueFrom": {"configMapKeyRef": {"name": "sizes", "key": "again"}}}
    builder = retrying(when=[{"cel": "params.again == 'yes'"}]).parameter("again", **source)
    found = plan(builder, A.failed())
    entry = of(found.status)
    assert (entry.phase, entry.reason) == (RUNNING, Reason.READING_EXIT_CODE)
    assert found.status.state.reason == Reason.READING_EXIT_CODE
    (asked,) = found.questions - {ASKED}
    for value, phase in (("yes", WAITING), ("no", FAILED)):
        known = {asked: ConfigFound((("again", value),))}
        assert of(plan(builder, A.failed(), answers=known).status).phase is phase
