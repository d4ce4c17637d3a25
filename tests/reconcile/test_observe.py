"""Where a step stands, by its child and by what is committed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobflow.api import names
from jobflow.api.status import FlowStatus, JobFlowStatus, JobStatus, Reason, StepPhase
from jobflow.reconcile.observe import observe
from jobflow.testing.builders import child, flow
from jobflow.testing.clock import EPOCH

ENDED = EPOCH + timedelta(seconds=60)
F = flow("f").step("a")
A = child("a", of="f")
WAITING, PENDING, RUNNING = StepPhase.WAITING, StepPhase.PENDING, StepPhase.RUNNING
SUCCEEDED, FAILED, UNREACHABLE = StepPhase.SUCCEEDED, StepPhase.FAILED, StepPhase.UNREACHABLE


def standing_of_a(builder=F, *children, vanished=()):
    snapshot = builder.snapshot(*(c.view() for c in children), vanished=[v.view() for v in vanished])
    return observe(snapshot, snapshot.flow.compiled.graph.steps)["a"]


@pytest.mark.parametrize(
    ("state", "phase", "reason"),
    [
        ("", PENDING, ""),
        ("Pending", PENDING, ""),
        ("Running", RUNNING, ""),
        ("Restarting", RUNNING, ""),
        ("Completing", RUNNING, ""),
        ("Terminating", RUNNING, ""),
        ("Aborting", RUNNING, ""),
        ("Completed", SUCCEEDED, ""),
        ("Failed", FAILED, Reason.JOB_FAILED),
        ("Terminated", FAILED, Reason.JOB_TERMINATED),
        ("Aborted", FAILED, Reason.JOB_ABORTED),
        ("Hibernating", RUNNING, ""),
    ],
)
def test_a_child_alone_tells_where_its_step_stands(state, phase, reason):
    standing = standing_of_a(F, A.state(state))
    assert (standing.phase, standing.reason) == (phase, reason)


def test_a_phase_that_is_not_known_is_told():
    assert (
        standing_of_a(F, A.state("Hibernating")).message == "Job f-a is in phase Hibernating, which is not known here"
    )


def test_a_failure_tells_how_many_pods_failed():
    assert standing_of_a(F, A.failed().pods(4, failed=1)).message == "Job f-a is Failed: 1 of 4 pods failed"


@pytest.mark.parametrize(
    ("said", "record", "children", "vanished", "expect"),
    [
        ("never started", None, [], [], WAITING),
        ("committed as running, and its child is gone", A.record(RUNNING), [], [], WAITING),
        ("committed as succeeded, and its child is gone", A.record(SUCCEEDED), [], [], SUCCEEDED),
        ("committed as failed, and its child is gone", A.record(FAILED), [], [], FAILED),
        ("committed as succeeded, its child says Failed now", A.record(SUCCEEDED), [A.failed()], [], SUCCEEDED),
        ("committed as failed, its child was restarted by hand", A.record(FAILED), [A.running()], [], FAILED),
        ("committed as unreachable", A.record(UNREACHABLE), [], [], UNREACHABLE),
        ("vanished before its end", A.record(RUNNING), [], [A.running()], WAITING),
        ("completed and vanished between two passes", A.record(RUNNING), [], [A.completed()], SUCCEEDED),
        ("completed and vanished before anything was committed", None, [], [A.completed()], SUCCEEDED),
        ("failed and vanished", A.record(RUNNING), [], [A.failed()], FAILED),
        ("being deleted while it runs: not yet gone", A.record(RUNNING), [A.running().deleting()], [], RUNNING),
        ("completed, and being deleted", A.record(RUNNING), [A.completed().deleting()], [], SUCCEEDED),
        (
            "the first vanished unfinished, the second completed and vanished too, neither committed",
            A.record(RUNNING),
            [],
            [A.running(), A.incarnation("second").created_after(9).completed()],
            SUCCEEDED,
        ),
    ],
)
def test_what_is_committed_stands_and_what_vanished_counts_in_its_last_state(said, record, children, vanished, expect):
    builder = F.recorded(record) if record else F
    assert standing_of_a(builder, *children, vanished=vanished).phase is expect


class TestWhoseChildItIs:
    @pytest.mark.parametrize(
        ("said", "stranger"),
        [
            ("an earlier incarnation's", A.owned_by("earlier-uid").completed()),
            (
                "another flow's",
                child("a", of="f").owned_by("flow-other").completed(),
            ),
            ("another step's under our name", child("b", of="f").named("f-a").completed()),
            ("ours, without annotations, and not named as upstream would", A.by_upstream().named("a").completed()),
        ],
    )
    def test_is_no_child_of_the_step(self, said, stranger):
        assert standing_of_a(F, stranger).phase is WAITING

    @pytest.mark.parametrize(
        ("said", "ours"),
        [
            ("made by upstream's controller", A.by_upstream().completed()),
            ("named otherwise because the name was cut", A.named("f-cut-12345678").completed()),
        ],
    )
    def test_is_the_steps_child(self, said, ours):
        assert standing_of_a(F, ours).phase is SUCCEEDED

    def test_of_two_the_committed_one_counts(self):
        first, second = A.running(), A.named("f-a-x").created_after(5).completed()
        assert standing_of_a(F.recorded(second.record(RUNNING)), first, second).child == second.view()

    def test_of_two_uncommitted_the_oldest_counts_whatever_their_order(self):
        first, second = A.running(), A.named("f-a-x").created_after(5).completed()
        assert standing_of_a(F, first, second).child == standing_of_a(F, second, first).child == first.view()


class TestAStatusThatUpstreamWrote:
    @pytest.mark.parametrize(
        ("state", "expect"),
        [
            ("Completed", SUCCEEDED),
            ("Failed", FAILED),
            ("Terminated", FAILED),
            ("Aborted", FAILED),
            ("Running", WAITING),
            ("", WAITING),
        ],
    )
    def test_is_completion_memory_for_children_that_are_gone(self, state, expect):
        taken_over = F.status(JobFlowStatus(jobStatusList=(JobStatus("f-a", state=state),)))
        assert standing_of_a(taken_over).phase is expect

    @pytest.mark.parametrize(
        ("state", "phase", "reason", "end"),
        [
            ("Completed", SUCCEEDED, "", ENDED),
            ("Failed", FAILED, Reason.JOB_FAILED, ENDED),
            ("Terminated", FAILED, Reason.JOB_TERMINATED, ENDED),
            ("Aborted", FAILED, Reason.JOB_ABORTED, ENDED),
            ("Running", PENDING, "", None),
        ],
    )
    def test_reads_as_a_record_of_ours(self, state, phase, reason, end):
        entry = JobStatus("f-a", state=state, startTimestamp=EPOCH, endTimestamp=ENDED)
        taken_over = F.status(JobFlowStatus(jobStatusList=(entry,)))
        assert standing_of_a(taken_over).record == FlowStatus(
            "a", phase, reason, jobName="f-a", startTime=EPOCH, completionTime=end
        )

    def test_a_child_that_exists_says_more_than_its_unfinished_entry(self):
        taken_over = F.status(JobFlowStatus(jobStatusList=(JobStatus("f-a", state="Running"),)))
        assert standing_of_a(taken_over, A.by_upstream().completed()).phase is SUCCEEDED

    def test_an_entry_that_is_not_named_after_the_flow_is_nobodys(self):
        strange = F.status(JobFlowStatus(jobStatusList=(JobStatus("a", state="Completed"),)))
        assert standing_of_a(strange).phase is WAITING


def test_upstreams_list_is_read_where_the_jobs_name_was_cut():
    long = "a-step-whose-name-is-so-long-that-the-name-of-its-job-has-to-be-cut"
    cut = names.child_name("f", long, None, 0, 10)
    assert cut != f"f-{long}"
    told = JobFlowStatus(jobStatusList=(JobStatus(cut, "Completed"), JobStatus("f-other", "Completed")))
    snapshot = flow("f").step(long).step("b").status(told).snapshot()
    found = observe(snapshot, snapshot.flow.compiled.graph.steps)
    assert (found[long].phase, found["b"].phase) == (StepPhase.SUCCEEDED, StepPhase.WAITING)
    assert found[long].record is not None
    assert found[long].record.jobName == cut
