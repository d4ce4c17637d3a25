"""Which children are deleted, and when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobflow.api.status import FlowPhase, FlowState, JobFlowStatus, JobStatus, Outcome, Reason, StepPhase
from jobflow.reconcile.retain import deletions
from jobflow.testing.builders import child, flow
from jobflow.testing.clock import EPOCH

F = flow("f").step("a").step("b")
A, B = child("a", of="f").completed(60), child("b", of="f").completed(90)
DONE = (A.record(StepPhase.SUCCEEDED), B.record(StepPhase.SUCCEEDED))
RUNS = (A.record(StepPhase.SUCCEEDED), B.record(StepPhase.RUNNING))
SUCCEED = {"state": FlowState(FlowPhase.SUCCEED), "outcome": Outcome.SUCCEEDED}
FAILED = {"state": FlowState(FlowPhase.FAILED), "outcome": Outcome.FAILED}
RUNNING = {"state": FlowState(FlowPhase.RUNNING)}
FINALIZING = FlowState(FlowPhase.RUNNING, Reason.FINALIZING)
ENDED = {"completionTime": EPOCH + timedelta(seconds=90)}
BOTH = ["f-a", "f-b"]


@pytest.mark.parametrize(
    ("said", "policy", "state", "records", "expect"),
    [
        ("succeeded, delete", "delete", SUCCEED, DONE, ["f-a", "f-b"]),
        ("succeeded, retain", "retain", SUCCEED, DONE, []),
        ("succeeded, no policy", None, SUCCEED, DONE, []),
        ("failed, delete: children are evidence", "delete", FAILED, DONE, []),
        ("all completed but that is not committed", "delete", RUNNING, RUNS, []),
        ("succeeded, delete-on-success", "delete-on-success", SUCCEED, DONE, ["f-a", "f-b"]),
        ("failed, delete-on-success", "delete-on-success", FAILED | ENDED, DONE, []),
        ("succeeded, delete-always", "delete-always", SUCCEED, DONE, ["f-a", "f-b"]),
        ("failed, delete-always", "delete-always", FAILED | ENDED, DONE, ["f-a", "f-b"]),
        ("failed, delete-always, while a Job runs", "delete-always", FAILED, RUNS, []),
        ("failed, retain", "retain", FAILED | ENDED, DONE, []),
        ("it runs, delete-always", "delete-always", RUNNING, RUNS, []),
        ("upstream's controller has failed it, delete-always", "delete-always", {"state": FAILED["state"]}, (), BOTH),
        ("the onExit steps run", "delete-always", {"state": FINALIZING, "outcome": Outcome.FAILED}, DONE, []),
    ],
)
def test_the_policy(said, policy, state, records, expect):
    builder = (F.policy(policy) if policy else F).recorded(*records, **state)
    assert [delete.name for delete in deletions(builder.snapshot(A.view(), B.view())).now] == expect


@pytest.mark.parametrize("policy", ["delete", "delete-on-success", "delete-always"])
def test_jobs_that_are_being_ended_after_a_success_end_first(policy):
    """failurePolicy FailFast: the flow has succeeded, and what still ran is not needed any more."""
    fast = F.policy(policy).setting(failurePolicy="FailFast", successPolicy={"type": "Any"})
    jobs = A.view(), B.running().view()
    assert deletions(fast.recorded(*RUNS, **SUCCEED).snapshot(*jobs)).now == ()
    ended = fast.recorded(*DONE, **SUCCEED, **ENDED).snapshot(A.view(), B.view())
    assert [delete.reason for delete in deletions(ended).now] == [f"the flow succeeded, policy {policy}"] * 2


@pytest.mark.parametrize(
    ("said", "children"),
    [
        ("an earlier incarnation's", [A.owned_by("earlier")]),
        ("one that is being deleted already", [A.deleting()]),
    ],
)
def test_what_the_policy_leaves_alone(said, children):
    snapshot = F.policy("delete").recorded(*DONE, **SUCCEED).snapshot(*(c.view() for c in children))
    assert deletions(snapshot).now == ()


def test_a_deletion_names_the_uid():
    (delete,) = deletions(F.policy("delete").recorded(*DONE, **SUCCEED).snapshot(A.view())).now
    assert (delete.name, delete.uid) == ("f-a", "job-f-a")


TIMED = A.ttl(30)


@pytest.mark.parametrize(
    ("said", "records", "children", "seconds", "deleted", "due"),
    [
        ("before its time", RUNS, [TIMED], 70, [], 90),
        ("at its time", RUNS, [TIMED], 90, ["f-a"], None),
        ("after its time", RUNS, [TIMED], 500, ["f-a"], None),
        ("its result is not committed", (A.record(StepPhase.RUNNING), RUNS[1]), [TIMED], 500, [], None),
        ("nothing is committed at all", (), [TIMED], 500, [], None),
        ("another child of the step is committed", RUNS, [TIMED.incarnation("second")], 500, [], None),
        ("no ttl", RUNS, [A], 500, [], None),
        ("restarted by hand after its end", RUNS, [TIMED.running()], 500, [], None),
        ("one due, one later", DONE, [TIMED, B.ttl(30)], 100, ["f-a"], 120),
        ("two later", DONE, [TIMED, B.ttl(30)], 80, [], 90),
    ],
)
def test_the_time_to_live_whatever_the_policy(said, records, children, seconds, deleted, due):
    snapshot = F.recorded(*records, **RUNNING).snapshot(
        *(c.view() for c in children), now=EPOCH + timedelta(seconds=seconds)
    )
    result = deletions(snapshot)
    assert [delete.name for delete in result.now] == deleted
    assert result.next_due == (EPOCH + timedelta(seconds=due) if due else None)


@pytest.mark.parametrize("ttl", [-1, 2**31, 2**63 - 1, -(2**63), 10**30])
def test_what_volcano_takes_for_no_time_to_live_deletes_nothing(ttl):
    result = deletions(F.recorded(*RUNS, **RUNNING).snapshot(A.ttl(ttl).view(), now=EPOCH + timedelta(days=1)))
    assert (result.now, result.next_due) == ((), None)


def test_an_end_that_is_beyond_all_dates_deletes_nothing():
    late = replace(RUNS[0], completionTime=EPOCH.replace(year=9999))
    result = deletions(F.recorded(late, RUNS[1], **RUNNING).snapshot(A.ttl(2**31 - 1).view()))
    assert (result.now, result.next_due) == ((), None)


LISTED = JobStatus("f-a", "Completed", startTimestamp=EPOCH, endTimestamp=EPOCH + timedelta(seconds=60))


@pytest.mark.parametrize(
    ("said", "records", "listed", "seconds", "deleted"),
    [
        ("before its time", (), LISTED, 70, []),
        ("at its time", (), LISTED, 90, ["f-a"]),
        ("it has not ended there", (), replace(LISTED, state="Running"), 500, []),
        ("another's entry", (), replace(LISTED, name="f-b"), 500, []),
        ("our own record was made of it", (replace(A.record(StepPhase.SUCCEEDED), jobUID=""),), LISTED, 500, ["f-a"]),
        ("our own record knows better", (A.record(StepPhase.RUNNING),), LISTED, 500, []),
    ],
)
def test_where_only_upstreams_list_is_stored_it_is_what_is_committed(said, records, listed, seconds, deleted):
    told = JobFlowStatus(flowStatuses=records, jobStatusList=(listed,), state=FlowState(FlowPhase.RUNNING))
    snapshot = F.status(told).snapshot(TIMED.view(), now=EPOCH + timedelta(seconds=seconds))
    assert [delete.name for delete in deletions(snapshot).now] == deleted
