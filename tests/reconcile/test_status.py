"""The whole status of a flow as it should be."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from jobflow.api.status import FlowPhase, JobFlowStatus, Outcome, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.history import STEPS_WITH_HISTORIES
from jobflow.testing.builders import child, flow
from jobflow.testing.clock import EPOCH

ETCD_LIMIT = 1024 * 1024
A, B, C = (child(name, of="f") for name in "abc")
CHAIN = flow("f").step("a").step("b", after="a").step("c", after="b")
FAN = flow("f").step("a").step("b", after="a").step("c", after="a")


def status(builder, *children, committed=None, seconds=100.0, vanished=()) -> JobFlowStatus:
    if committed is not None:
        builder = builder.status(committed)
    snapshot = builder.snapshot(
        *(c.view() for c in children),
        now=EPOCH + timedelta(seconds=seconds, microseconds=7),
        vanished=[v.view() for v in vanished],
    )
    plan = reconcile_flow(snapshot)
    return plan.status if plan.status is not None else snapshot.flow.committed


@pytest.mark.parametrize(
    ("said", "builder", "children", "progress", "next_flows"),
    [
        ("nothing has started", CHAIN, [], "0/3", ()),
        ("the first runs", CHAIN, [A.running()], "0/3", ("b",)),
        ("the first completed, the second is pending", CHAIN, [A.completed(), B.pending()], "1/3", ("c",)),
        ("both dependents come next", FAN, [A.running()], "0/3", ("b", "c")),
        ("all completed", CHAIN, [A.completed(), B.completed(), C.completed()], "3/3", ()),
        ("a failure decides: nothing comes next", FAN, [A.failed()], "0/3", ()),
    ],
)
def test_progress_and_what_comes_next(said, builder, children, progress, next_flows):
    told = status(builder, *children)
    assert (told.progress, told.nextFlows) == (progress, next_flows)


@pytest.mark.parametrize(
    ("state", "listed"),
    [
        ("", "pendingJobs"),
        ("Pending", "pendingJobs"),
        ("Running", "runningJobs"),
        ("Restarting", "runningJobs"),
        ("Completing", "runningJobs"),
        ("Completed", "completedJobs"),
        ("Failed", "failedJobs"),
        ("Aborting", "failedJobs"),
        ("Aborted", "failedJobs"),
        ("Terminating", "terminatedJobs"),
        ("Terminated", "terminatedJobs"),
        ("Hibernating", "unKnowJobs"),
    ],
)
def test_upstream_88_every_phase_is_in_exactly_one_list(state, listed):
    told = status(flow("f").step("a"), A.state(state))
    lists = {name: getattr(told, name) for name in JobFlowStatus.__struct_fields__ if name.endswith("Jobs")}
    assert {name for name, jobs in lists.items() if jobs} == {listed}
    assert lists[listed] == ("f-a",)


def test_times_are_whole_seconds_of_the_first_child_and_the_last_end():
    told = status(FAN, A.completed(60), B.created_after(61).completed(80), C.created_after(61).completed(90))
    assert told.startTime == EPOCH
    assert told.completionTime == EPOCH + timedelta(seconds=90)


def test_the_completion_time_waits_for_running_siblings_and_the_phase_does_not():
    parallel = flow("f").step("a").step("b")
    first = status(parallel, A.failed(60), B.running())
    assert (first.state.phase, first.outcome, first.completionTime) == (FlowPhase.FAILED, Outcome.FAILED, None)
    second = status(parallel, A.failed(60), B.completed(90), committed=first)
    assert second.flowStatuses[1].phase is StepPhase.SUCCEEDED
    assert second.completionTime == EPOCH + timedelta(seconds=90)


def test_a_flow_without_children_ended_when_that_was_seen():
    assert status(flow("f")).completionTime == EPOCH + timedelta(seconds=100)


def test_a_finished_steps_record_is_frozen_when_volcano_zeroes_its_counts():
    counted = A.completed(60).pods(2, Succeeded=2)
    first = status(CHAIN, counted, B.running())
    zeroed = A.at("2").completed(61, took="1m1s").pods(2)
    second = status(CHAIN, zeroed, B.running(), committed=first)
    assert second == first


def test_a_vanished_child_stays_in_the_list_that_had_it():
    first = status(CHAIN, A.completed(), B.running())
    second = status(CHAIN, B.running(), committed=first)
    assert second == first


def test_a_recreated_child_is_counted_once():
    one = flow("f").step("a")
    first = status(one, A.running())
    second_child = A.incarnation("second").created_after(30)
    second = status(one, second_child, committed=first)
    assert second.flowStatuses[0].recreations == 1
    assert second.flowStatuses[0].attempt == 0
    assert status(one, second_child, committed=second) == second


def test_a_step_whose_job_was_deleted_keeps_when_it_started_until_it_has_another():
    one = flow("f").step("a")
    committed = status(one, A.created_after(5).running())
    held = reconcile_flow(one.status(committed).snapshot(templates=[])).status.flowStatuses[0]
    assert (held.phase, held.jobName, held.startTime) == (StepPhase.WAITING, "f-a", EPOCH + timedelta(seconds=5))


def test_a_job_that_does_not_say_when_it_ended_ended_when_that_was_seen():
    undated = msgspec.structs.replace(A.completed().view(), changed=None)
    seen = EPOCH + timedelta(seconds=100)
    told = reconcile_flow(flow("f").step("a").snapshot(undated, now=seen)).status
    assert (told.flowStatuses[0].completionTime, told.jobStatusList[0].endTimestamp) == (seen, seen)


@pytest.mark.parametrize(("count", "phases"), [(STEPS_WITH_HISTORIES, 1), (STEPS_WITH_HISTORIES + 1, 0)])
def test_only_of_very_many_steps_the_phases_of_finished_jobs_are_dropped(count, phases):
    builder = flow("f")
    for number in range(count):
        builder = builder.step(f"s{number}")
    told = status(builder, child("s0", of="f").completed())
    assert len(told.jobStatusList[0].runningHistories) == phases


def test_pod_failures_are_told_as_a_ratio():
    told = status(flow("f").step("a"), A.running().pods(4, failed=1))
    assert told.flowStatuses[0].podFailureRatio == "1/4"


def test_json_and_back_is_equal():
    told = status(FAN, A.completed().pods(3, Succeeded=3), B.running().pods(2, failed=1, Running=1))
    assert msgspec.json.decode(msgspec.json.encode(told), type=JobFlowStatus) == told


def test_absent_times_are_omitted():
    assert b"null" not in msgspec.json.encode(status(FAN, A.running()))


@pytest.mark.parametrize("end", ["completed", "failed", "running"])
def test_a_thousand_steps_stay_under_one_mebibyte(end):
    names = [f"step-{n:04}-{'x' * 30}" for n in range(1000)]
    builder = flow("f").step(names[0])
    for name in names[1:]:
        builder = builder.step(name, after=names[0])
    children = [getattr(child(name, of="f").pods(8, failed=3, Succeeded=5, Failed=3), end)() for name in names]
    committed = status(builder, *[child(name, of="f").running() for name in names])
    told = status(builder, *children, committed=committed)
    assert len(told.flowStatuses) == 1000
    assert len(msgspec.json.encode(told)) < ETCD_LIMIT


def test_order_is_the_specs_whatever_the_order_of_the_children():
    views = [A.completed(), B.running(), C.running()]
    assert status(FAN, *views) == status(FAN, *reversed(views))
