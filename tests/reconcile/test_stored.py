"""What of a status an API server keeps whose CRD lacks fields of ours, and which writes are worth it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobflow.api.resources import JOB_FLOW
from jobflow.api.status import FlowPhase, FlowState, JobFlowStatus, JobTemplateStatus, Reason, StepPhase
from jobflow.api.upstream import added
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.stored import stored
from jobflow.testing.builders import child, flow, template

MISSING = added(JOB_FLOW)
F = flow("f").step("a").step("b", after="a")
A = child("a", of="f").running()


def test_upstreams_fields_are_left():
    whole = JobFlowStatus(
        runningJobs=("f-a",), state=FlowState(FlowPhase.RUNNING, Reason.CHILD_REJECTED, "no"), specHash="x"
    )
    assert stored(whole, MISSING) == JobFlowStatus(runningJobs=("f-a",), state=FlowState(FlowPhase.RUNNING))
    assert stored(whole, frozenset()) is whole


def test_a_field_within_a_list():
    record = A.record(StepPhase.RUNNING, recreations=2)
    left = stored(JobFlowStatus(flowStatuses=(record,)), frozenset({("status", "flowStatuses", "[]", "recreations")}))
    assert left == JobFlowStatus(flowStatuses=(A.record(StepPhase.RUNNING),))


def test_of_a_template():
    gone = frozenset({("status", "jobDependsOnTotal")})
    assert stored(JobTemplateStatus(("f-a",), 1), gone) == JobTemplateStatus(("f-a",))


def settled_status(snapshot):
    """The status that a first pass would write."""
    return reconcile_flow(snapshot).status


@pytest.mark.parametrize(
    ("said", "missing", "kept", "writes"),
    [
        ("all is stored", frozenset(), lambda status: status, False),
        ("upstream's CRD, upstream's part is stored", MISSING, lambda status: stored(status, MISSING), False),
        ("ours again, upstream's part is stored: it heals", frozenset(), lambda status: stored(status, MISSING), True),
        ("upstream's CRD, and nothing is stored", MISSING, lambda status: JobFlowStatus(), True),
    ],
)
def test_a_write_that_the_api_server_would_drop_is_not_made(said, missing, kept, writes):
    status = settled_status(F.snapshot(A.view()))
    snapshot = replace(F.status(kept(status)).snapshot(A.view()), missing=missing)
    assert (reconcile_flow(snapshot).status is not None) == writes


def test_what_cannot_be_stored_is_remembered_and_told():
    waiting = F.snapshot(templates=[template("b").view()])
    status = settled_status(waiting)
    told = stored(status, MISSING)
    plan = reconcile_flow(replace(F.status(told).snapshot(templates=[template("b").view()]), missing=MISSING))
    assert plan.status is None
    assert plan.unstored is not None
    assert plan.unstored.state.reason == Reason.TEMPLATE_NOT_FOUND
    assert [event.reason for event in plan.events] == ["TemplateNotFound"]


def test_a_flow_that_ended_meanwhile_gets_its_fields_once_they_can_be_stored():
    done = [child(step, of="f").completed() for step in "ab"]
    whole = settled_status(F.snapshot(*(one.view() for one in done)))
    assert whole.completionTime is not None
    held = stored(whole, MISSING)
    snapshot = F.status(whole).snapshot(*(one.view() for one in done))
    snapshot = replace(snapshot, flow=replace(snapshot.flow, stored=held))
    assert reconcile_flow(replace(snapshot, missing=MISSING)).status is None
    assert reconcile_flow(snapshot).status == whole


def test_after_a_restart_upstreams_list_is_the_memory():
    ended = A.completed()
    status = settled_status(F.snapshot(ended.view()))
    again = replace(F.status(stored(status, MISSING)).snapshot(), missing=MISSING)
    assert [create.name for create in reconcile_flow(again).creates] == ["f-b"]
    assert status.flowStatuses[0].phase is StepPhase.SUCCEEDED
