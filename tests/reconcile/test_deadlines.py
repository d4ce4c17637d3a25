"""When a deadline passes, and from when it counts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobflow.api.status import FlowPhase, FlowState, Outcome, Reason, StepPhase
from jobflow.reconcile.deadlines import beginnings, end_overdue, first_ran, flow_due, kept_for, next_due, passed
from jobflow.reconcile.observe import observe
from jobflow.reconcile.snapshot import Counted, Since
from jobflow.testing.builders import child, flow
from jobflow.testing.clock import EPOCH

A = child("a", of="f")
RUNS, WAITS = Since(A.uid, Counted.RUNS), Since(A.uid, Counted.WAITS)
BOTH = flow("f").step("a").having(activeDeadlineSeconds=60, pendingDeadlineSeconds=30)
RUNS_ONLY = flow("f").step("a").having(activeDeadlineSeconds=60)
PLAIN = flow("f").step("a")


def at(seconds):
    return EPOCH + timedelta(seconds=seconds)


def judged(builder, job, elapsed):
    """Reason and message of the step, and seconds until the next deadline, after so many seconds of either kind."""
    snapshot = builder.snapshot(job.view(), now=at(1000))
    object.__setattr__(snapshot, "elapsed", {RUNS: elapsed, WAITS: elapsed})
    graph = snapshot.flow.compiled.graph
    standings = observe(snapshot, graph.steps)
    end_overdue(snapshot, graph, standings)
    return standings["a"].reason, standings["a"].message, next_due(snapshot, standings)


RAN_OUT = (Reason.DEADLINE_EXCEEDED, "Job f-a has run for its activeDeadlineSeconds, 60 s", None)
WAITED_LONG = (Reason.PENDING_DEADLINE_EXCEEDED, "Job f-a has been pending for its pendingDeadlineSeconds, 30 s", None)


@pytest.mark.parametrize(
    ("said", "builder", "job", "elapsed", "expect"),
    [
        ("it has run for less", BOTH, A.running(), 59.5, ("", "", 0.5)),
        ("it has run for as long", BOTH, A.running(), 60.0, RAN_OUT),
        ("it has run for longer", BOTH, A.running(), 1e9, RAN_OUT),
        ("it waits for less", BOTH, A.pending(), 10.0, ("", "", 20.0)),
        ("it waits for as long", BOTH, A.pending(), 30.0, WAITED_LONG),
        ("Volcano has not looked at it yet", BOTH, A, 30.0, WAITED_LONG),
        ("it waits, and only runs are limited", RUNS_ONLY, A.pending(), 1e9, ("", "", None)),
        ("it restarts: that is part of its run", BOTH, A.state("Restarting"), 60.0, RAN_OUT),
        ("a phase that is not known runs, as far as we know", RUNS_ONLY, A.state("Resting"), 60.0, RAN_OUT),
        ("it has completed", BOTH, A.completed(), 1e9, ("", "", None)),
        ("no step has a deadline", PLAIN, A.running(), 1e9, ("", "", None)),
    ],
)
def test_the_deadline_of_a_step(said, builder, job, elapsed, expect):
    assert judged(builder, job, elapsed) == expect


def test_a_deadline_that_is_committed_is_not_counted_again():
    record = replace(A.record(StepPhase.RUNNING), reason=Reason.FAIL_FAST, message="said before")
    assert judged(BOTH.recorded(record), A.running(), 1e9) == (Reason.FAIL_FAST, "said before", None)


def test_a_job_that_waits_again_after_it_ran_has_run():
    record = replace(A.record(StepPhase.PENDING), runningTime=at(5))
    assert judged(BOTH.recorded(record), A.pending(), 40.0) == ("", "", 20.0)


@pytest.mark.parametrize(
    ("said", "job", "committed", "expect"),
    [
        ("it waits", A.pending(), None, None),
        ("it runs: since the last that Volcano said of it", A.running(after=7), None, at(7)),
        ("Volcano's clock is behind: not before its creation", A.created_after(9).running(after=2), None, at(9)),
        ("Volcano's clock is ahead: not later than now", A.running(after=900), None, at(500)),
        ("it is committed: that stands, whatever Volcano says since", A.running(after=90), at(7), at(7)),
        ("what is committed is of an earlier Job", A.incarnation("second").running(after=90), at(7), at(90)),
        ("it ended before anybody saw it run", A.failed(), None, None),
    ],
)
def test_when_a_job_first_ran(said, job, committed, expect):
    record = replace(A.record(StepPhase.RUNNING), runningTime=committed) if committed else None
    assert first_ran(job.view(), record, at(500)) == expect


@pytest.mark.parametrize(
    ("said", "since", "now", "expect"),
    [
        ("stamps are cut to seconds: a second may be missing", 0, 1, 0.0),
        ("after that time counts", 0, 31.5, 30.5),
        ("the clock that wrote it is ahead of ours", 60, 1, 0.0),
    ],
)
def test_what_has_surely_passed(said, since, now, expect):
    assert passed(at(since), at(now)) == expect


BEGUN = {"startTime": at(2)}
ENDED = {"startTime": at(2), "completionTime": at(90), "state": FlowState(FlowPhase.SUCCEED)}
FLOW = "flow-f"


@pytest.mark.parametrize(
    ("said", "builder", "status", "job", "expect"),
    [
        ("nothing has a deadline", PLAIN, BEGUN, A.running(), {}),
        ("a Job waits", BOTH, {}, A.pending(), {WAITS: at(0)}),
        ("a Job runs", BOTH, {}, A.running(after=4), {RUNS: at(4)}),
        ("a Job has ended", BOTH, {}, A.completed(), {}),
        ("the Job of another incarnation", BOTH, {}, A.running().owned_by("earlier"), {}),
        ("a flow that has not begun", PLAIN.setting(activeDeadlineSeconds=5), {}, A, {}),
        (
            "a flow that has",
            PLAIN.setting(activeDeadlineSeconds=5, ttlSecondsAfterFinished=5),
            BEGUN,
            A,
            {Since(FLOW, Counted.STARTED): at(2)},
        ),
        (
            "a flow that has ended",
            PLAIN.setting(activeDeadlineSeconds=5, ttlSecondsAfterFinished=5),
            ENDED,
            A,
            {Since(FLOW, Counted.FINISHED): at(90)},
        ),
        ("one that is kept", PLAIN.setting(activeDeadlineSeconds=5), ENDED, A, {}),
    ],
)
def test_what_is_counted(said, builder, status, job, expect):
    assert beginnings(builder.recorded(**status).frozen(), [job.view()], at(500)) == expect


def test_the_deadline_of_a_flow_counts_from_its_start():
    builder = PLAIN.setting(activeDeadlineSeconds=60).recorded(**BEGUN)
    due = flow_due(builder.snapshot(now=at(43)))
    assert (due.left, due.reason) == (20.0, Reason.DEADLINE_EXCEEDED)
    assert due.message == "the flow has run for its activeDeadlineSeconds, 60 s"
    assert flow_due(builder.snapshot(now=at(64))).left < 0
    assert flow_due(PLAIN.setting(activeDeadlineSeconds=60).snapshot(now=at(1e6))) is None


@pytest.mark.parametrize(
    ("said", "builder", "expect"),
    [
        ("before its time", PLAIN.setting(ttlSecondsAfterFinished=60).recorded(**ENDED), 51.0),
        ("at once", PLAIN.setting(ttlSecondsAfterFinished=0).recorded(**ENDED), -9.0),
        ("it has not ended", PLAIN.setting(ttlSecondsAfterFinished=0).recorded(**BEGUN), None),
        ("it is going already", PLAIN.setting(ttlSecondsAfterFinished=0).recorded(**ENDED).deleting(), None),
        ("kept for ever", PLAIN.recorded(**ENDED), None),
        (
            "the end that another controller wrote, which has no time",
            PLAIN.setting(ttlSecondsAfterFinished=0).recorded(
                state=FlowState(FlowPhase.SUCCEED), outcome=Outcome.SUCCEEDED
            ),
            None,
        ),
    ],
)
def test_how_long_a_flow_is_kept(said, builder, expect):
    assert kept_for(builder.snapshot(now=at(100))) == expect
