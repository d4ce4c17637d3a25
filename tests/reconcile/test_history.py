"""One child Job as upstream's jobStatusList and conditions tell it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobflow.api.status import JobCondition, JobStatus, RunningHistory, StepPhase, TaskState
from jobflow.reconcile.graph import Step
from jobflow.reconcile.history import end_of, job_condition, job_status
from jobflow.reconcile.observe import Standing, of_child
from jobflow.testing.builders import child
from jobflow.testing.clock import EPOCH

A = child("a", of="f")
STEP = Step("a", "a")
NOW = EPOCH + timedelta(hours=1)


def at(seconds):
    return EPOCH + timedelta(seconds=seconds)


def standing(builder, record=None):
    return of_child(STEP, record, builder.view())


def walk(*builders):
    """The entry after each of these observations was committed."""
    entry = None
    for builder in builders:
        entry = job_status(standing(builder, builder.record(StepPhase.RUNNING)), entry, NOW, False)
    return entry


@pytest.mark.parametrize(
    ("said", "observed", "expect"),
    [
        ("pending from its creation", [A], [RunningHistory(at(0), None, "Pending")]),
        ("first seen running", [A.running(2)], [RunningHistory(at(2), None, "Running")]),
        (
            "pending, then running",
            [A, A.running(2)],
            [RunningHistory(at(0), at(2), "Pending"), RunningHistory(at(2), None, "Running")],
        ),
        ("running, told again", [A.running(2), A.running(5)], [RunningHistory(at(2), None, "Running")]),
        (
            "running, then completed",
            [A.running(2), A.completed(60)],
            [RunningHistory(at(2), at(60), "Running"), RunningHistory(at(60), None, "Completed")],
        ),
        (
            "restarted once",
            [A.running(2), A.state("Restarting", 9), A.running(12)],
            [
                RunningHistory(at(2), at(9), "Running"),
                RunningHistory(at(9), at(12), "Restarting"),
                RunningHistory(at(12), None, "Running"),
            ],
        ),
    ],
)
def test_the_phases_it_went_through(said, observed, expect):
    assert list(walk(*observed).runningHistories) == expect


def test_upstream_4_a_frozen_entry_is_untouched():
    committed = JobStatus("f-a", "Completed", at(0), at(60), 1, (RunningHistory(at(2), at(60), "Completed"),))
    frozen = standing(A.completed(99), A.record(StepPhase.SUCCEEDED))
    frozen = Standing(STEP, StepPhase.SUCCEEDED, child=frozen.child, record=frozen.record)
    assert job_status(frozen, committed, NOW, False) is committed


def test_the_entry_of_a_vanished_child_is_kept():
    committed = JobStatus("f-a", "Running", at(0))
    gone = Standing(STEP, StepPhase.WAITING, record=A.record(StepPhase.RUNNING))
    assert job_status(gone, committed, NOW, False) is committed


def test_a_step_that_never_had_a_child_has_no_entry():
    never = Standing(STEP, StepPhase.WAITING)
    assert job_status(never, None, NOW, False) is None
    assert job_condition(never, None) is None


def test_the_entry_of_a_second_child_begins_anew():
    second = A.incarnation("second").created_after(30).running(31)
    committed = JobStatus("f-a", "Running", at(0), None, 0, (RunningHistory(at(0), None, "Running"),))
    entry = job_status(standing(second, A.record(StepPhase.RUNNING)), committed, NOW, False)
    assert (entry.startTimestamp, entry.runningHistories) == (at(30), (RunningHistory(at(31), None, "Running"),))


@pytest.mark.parametrize(
    ("said", "builder", "expect"),
    [
        ("creation + runningDuration where Volcano said it", A.completed(60, took="1m5.5s"), at(65)),
        ("the last transition where it did not", A.completed(60), at(60)),
        ("the last transition where its duration cannot be read", A.completed(60, took="a while"), at(60)),
        ("now where it says neither", A.completed(60), NOW),
    ],
)
def test_when_a_child_ended(said, builder, expect):
    view = builder.view()
    view = replace(view, changed=None) if expect == NOW else view
    assert end_of(view, NOW) == expect


def test_above_200_steps_a_finished_child_has_no_histories_and_a_running_one_has():
    assert job_status(standing(A.completed()), None, NOW, True).runningHistories == ()
    assert job_status(standing(A.running()), None, NOW, True).runningHistories != ()


COUNTED = A.running().pods(2, Running=2)
TWO_RUNNING = {"main": TaskState({"Running": 2})}


@pytest.mark.parametrize(
    ("said", "observed", "expect"),
    [
        ("pods are counted", COUNTED, TWO_RUNNING),
        ("ended with counts", A.completed().pods(2, Succeeded=2), {"main": TaskState({"Succeeded": 2})}),
        ("ended, and its counts were zeroed before we saw it", A.completed(), TWO_RUNNING),
        ("runs, and has none now", A.running(), {}),
    ],
)
def test_counts_of_pods(said, observed, expect):
    before = JobCondition("Running", at(0), None, TWO_RUNNING)
    condition = job_condition(standing(observed, A.record(StepPhase.RUNNING)), before)
    assert condition.taskStatusCount == expect


def test_counts_of_a_child_that_was_deleted_are_not_those_of_the_next():
    second = A.incarnation("second").completed()
    before = JobCondition("Running", at(0), None, TWO_RUNNING)
    assert job_condition(standing(second, A.record(StepPhase.RUNNING)), before).taskStatusCount == {}


def test_a_child_that_went_unfinished_and_has_no_successor_is_terminated_now():
    begun = JobStatus("flow-a", "Running", at(0), runningHistories=(RunningHistory(at(0), state="Running"),))
    lost = Standing(Step("a", "a"), StepPhase.FAILED)
    closed = RunningHistory(at(0), at(9), "Running")
    assert job_status(lost, begun, at(9), False) == JobStatus(
        "flow-a", "Terminated", at(0), at(9), runningHistories=(closed,)
    )
    assert job_condition(lost, JobCondition(phase="Running")) == JobCondition(phase="Terminated")


def test_a_child_whose_end_was_seen_stays_as_it_ended():
    ended = JobStatus("flow-a", "Failed", at(0), at(5))
    given_up = Standing(Step("a", "a"), StepPhase.FAILED)
    assert job_status(given_up, ended, at(9), False) == ended
    assert job_condition(given_up, JobCondition(phase="Failed")) == JobCondition(phase="Failed")
