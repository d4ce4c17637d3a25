"""Upstream's own tests of its JobFlow controller, and what it gets wrong, re-stated for this engine.

The numbers are those of the list of cases: 1-6 and 17-20 are upstream's unit tests, 83-97 its known faults. Cases that
concern one policy stand beside it (7, 10, 92: test_child; 4: test_history; 17-20, 86, 94: test_phase; 88: test_status;
97: test_graph; 22, 93: test_template).
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobflow.api.status import FlowPhase, FlowState, JobCondition, JobFlowStatus, JobStatus, Reason, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import child, flow, template
from jobflow.testing.clock import EPOCH

ONE = flow("jobflow").step("jobtemplate").policy("retain")
JOB = child("jobtemplate", of="jobflow").by_upstream()
NAME = "jobflow-jobtemplate"
LISTS = ("pendingJobs", "runningJobs", "failedJobs", "completedJobs", "terminatedJobs", "unKnowJobs")


def plan(builder, *children, **known):
    return reconcile_flow(builder.snapshot(*(c.view() for c in children), **known))


@pytest.mark.parametrize(
    ("case", "state", "listed", "phase"),
    [
        (1, "Running", "runningJobs", FlowPhase.RUNNING),
        (2, "Failed", "failedJobs", FlowPhase.FAILED),
        (3, "Terminated", "terminatedJobs", FlowPhase.FAILED),
    ],
)
def test_upstream_1_2_3_the_status_of_one_child(case, state, listed, phase):
    status = plan(ONE, JOB.state(state)).status
    assert {name: getattr(status, name) for name in LISTS} == dict.fromkeys(LISTS, ()) | {listed: (NAME,)}
    (entry,) = status.jobStatusList
    assert (entry.name, entry.state, entry.restartCount) == (NAME, state, 0)
    assert [history.state for history in entry.runningHistories] == [state]
    assert status.conditions[NAME].phase == state
    assert status.state.phase is phase


def test_upstream_5_issue_4089_flows_see_only_their_own_jobs():
    steps = flow("jobflowa").step("a").step("b")
    others = [child(step, of="jobflowb").completed() for step in "ab"]
    status = plan(steps, child("a", of="jobflowa").completed(), child("b", of="jobflowa").running(), *others).status
    assert [entry.name for entry in status.jobStatusList] == ["jobflowa-a", "jobflowa-b"]


def test_upstream_6_times_counts_and_conditions():
    a = child("a", of="flow").completed(took="1s")
    a_view = a.view()
    b = child("b", of="flow").created_after(1).running()
    builder = flow("flow").step("a").step("b")
    status = reconcile_flow(builder.snapshot(a_view, b.view())).status
    first, second = status.jobStatusList
    assert (status.completedJobs, status.runningJobs) == (("flow-a",), ("flow-b",))
    assert (first.startTimestamp, first.endTimestamp) == (EPOCH, EPOCH + timedelta(seconds=1))
    assert second.endTimestamp is None
    assert status.conditions == {
        "flow-a": JobCondition("Completed", EPOCH, "1s"),
        "flow-b": JobCondition("Running", EPOCH + timedelta(seconds=1)),
    }


def test_upstream_8_a_flow_without_job_gets_one():
    (create,) = plan(ONE).creates
    assert create.name == NAME


def test_upstream_9_policy_delete_does_not_touch_a_job_that_is_not_ours():
    done = ONE.policy("delete").recorded(
        JOB.record(StepPhase.SUCCEEDED), state=FlowState(FlowPhase.SUCCEED), completionTime=EPOCH
    )
    assert plan(done, JOB.owned_by("somebody-else").completed()).deletes == ()


def test_upstream_83_a_missing_template_does_not_hide_the_other_steps():
    builder = flow("f").step("a").step("b").step("c")
    known = [template(name).task("main").view() for name in "ac"]
    first = plan(builder, templates=known)
    assert [create.name for create in first.creates] == ["f-a", "f-c"]
    status = plan(builder, child("a", of="f").running(), child("c", of="f").running(), templates=known).status
    assert status.runningJobs == ("f-a", "f-c")
    assert (status.state.reason, "JobTemplate b" in status.state.message) == (Reason.TEMPLATE_NOT_FOUND, True)


def test_upstream_84_a_template_that_comes_after_an_hour_starts_its_step():
    waiting = plan(ONE, templates=[])
    late = ONE.status(waiting.status).snapshot(now=EPOCH + timedelta(hours=1))
    assert waiting.awaits
    assert [create.name for create in reconcile_flow(late).creates] == [NAME]


@pytest.mark.parametrize("phase", [FlowPhase.RUNNING, FlowPhase.SUCCEED])
def test_upstream_85_a_finished_step_never_runs_twice(phase):
    finished = child("a", of="f")
    builder = flow("f").step("a").step("b", after="a")
    status = plan(
        builder, finished.completed(), *([child("b", of="f").completed()] if phase == "Succeed" else [])
    ).status
    if status is None:  # the pass that creates b does not write
        status = plan(builder, finished.completed(), child("b", of="f").running()).status
    gone = [] if phase == FlowPhase.SUCCEED else [child("b", of="f").running()]
    assert plan(builder.status(status), *gone).creates == ()


def test_upstream_85_what_only_upstreams_list_remembers_does_not_run_again():
    theirs = JobFlowStatus(state=FlowState(FlowPhase.RUNNING), jobStatusList=(JobStatus(NAME, "Completed"),))
    assert plan(ONE.status(theirs)).creates == ()


def test_upstream_86_a_flow_without_steps_succeeds_at_once():
    status = plan(flow("f")).status
    assert (status.state.phase, status.progress) == (FlowPhase.SUCCEED, "0/0")


def test_upstream_87_issue_5868_a_step_named_twice_fails_and_says_where():
    status = plan(flow("f").step("a").step("a")).status
    assert (status.state.phase, status.state.reason) == (FlowPhase.FAILED, Reason.INVALID_SPEC)
    assert "spec.flows[1].name" in status.state.message


def test_upstream_88_an_aborted_child_does_not_hang_its_flow():
    assert plan(ONE, JOB.state("Aborted")).status.state.phase is FlowPhase.FAILED


def test_upstream_89_issue_4134_siblings_of_a_failed_step_are_still_observed():
    builder = flow("f").step("a").step("b")
    failed = plan(builder, child("a", of="f").failed(), child("b", of="f").running()).status
    later = plan(builder.status(failed), child("a", of="f").failed(), child("b", of="f").completed()).status
    assert (later.completedJobs, later.failedJobs) == (("f-b",), ("f-a",))


def test_upstream_90_the_snapshot_is_not_changed_by_making_a_plan():
    snapshot = ONE.snapshot(JOB.failed().view())
    before = snapshot.flow.committed
    reconcile_flow(snapshot)
    assert snapshot.flow.committed is before
    assert before == JobFlowStatus()


def test_upstream_91_a_foreign_job_with_the_childs_name_is_not_counted():
    foreign = child("c", of="f").named(NAME).owned_by("somebody-else").completed()
    result = plan(ONE, foreign)
    assert [create.name for create in result.creates] == [NAME]  # the API server says AlreadyExists; act looks whose


def test_upstream_94_running_and_terminated_is_failed_in_one_pass():
    status = plan(
        flow("f").step("a").step("b"), child("a", of="f").running(), child("b", of="f").state("Terminated")
    ).status
    assert status.state.phase is FlowPhase.FAILED


def test_upstream_95_a_step_added_under_way_is_refused_not_started():
    before = plan(ONE, JOB.running()).status
    result = plan(ONE.step("new").status(before), JOB.running())
    assert result.creates == ()
    assert result.status.state.reason == Reason.INVALID_SPEC


def test_upstream_96_a_flow_under_foreground_deletion_starts_nothing():
    assert plan(ONE.deleting()).creates == ()
