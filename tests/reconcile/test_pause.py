"""When a flow is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from msgspec import structs

from jobflow.api import upstream
from jobflow.api.resources import JOB_FLOW, Key
from jobflow.api.status import FlowPhase, FlowState, Outcome, Reason, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.pause import QUIET_SECONDS, pause, uses
from jobflow.reconcile.snapshot import ForeignWrite
from jobflow.testing.builders import child, flow, template
from jobflow.testing.clock import EPOCH

F = flow("f").step("a").step("b", after="a")
NOTE, EXTRA = ("spec", "flows", "[]", "note"), ("spec", "extra")
ADDED = frozenset({NOTE, EXTRA, ("status", "outcome")})
GO = "vc-controller-manager"


def at(seconds):
    return EPOCH + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("said", "spec", "expect"),
    [
        ("only upstream's fields", {"flows": [{"name": "a"}]}, []),
        ("one step does", {"flows": [{"name": "a"}, {"name": "b", "note": "x"}]}, ["spec.flows[1].note"]),
        ("the flow does", {"flows": [], "extra": 1}, ["spec.extra"]),
    ],
)
def test_which_added_fields_a_spec_uses(said, spec, expect):
    assert [place for _, place in uses(msgspec.json.encode(spec), ADDED)] == expect


def using(snapshot, *used, missing=ADDED):
    return replace(snapshot, flow=replace(snapshot.flow, uses=used), missing=missing)


@pytest.mark.parametrize(
    ("said", "used", "missing", "paused"),
    [
        ("it uses none", (), ADDED, False),
        ("none is missing", ((NOTE, "spec.flows[1].note"),), frozenset(), False),
        ("another is missing", ((NOTE, "spec.flows[1].note"),), frozenset({EXTRA}), False),
        ("the one it uses is missing", ((NOTE, "spec.flows[1].note"),), frozenset({NOTE}), True),
    ],
)
def test_a_field_that_the_crd_has_lost(said, used, missing, paused):
    found = pause(using(F.snapshot(), *used, missing=missing))
    assert (found is not None) == paused
    if found:
        assert (found.reason, found.until) == (Reason.CRD_OUTDATED, None)
        assert "spec.flows[1].note" in found.message


def test_many_places_are_counted():
    used = tuple((NOTE, f"spec.flows[{index}].note") for index in range(5))
    found = pause(using(F.snapshot(), *used))
    assert found is not None
    assert "spec.flows[2].note and 2 more" in found.message


@pytest.mark.parametrize(
    ("said", "write", "now", "until"),
    [
        ("nobody else has written", None, 100, None),
        ("before our last write", ForeignWrite(GO, at(10), since=at(20)), 30, None),
        ("in the same second as we did: no evidence", ForeignWrite(GO, at(20), since=at(20)), 30, None),
        ("after our last write", ForeignWrite(GO, at(25), since=at(20)), 30, 25 + QUIET_SECONDS),
        ("after it, and quiet for long", ForeignWrite(GO, at(25), since=at(20)), 26 + QUIET_SECONDS, None),
        ("seen to come in the second of our write", ForeignWrite(GO, at(20), at(20), at(21)), 30, 21 + QUIET_SECONDS),
        ("seen to come, its clock behind ours", ForeignWrite(GO, at(5), at(20), at(21)), 30, 21 + QUIET_SECONDS),
        ("seen to come, and quiet for long", ForeignWrite(GO, at(20), at(20), at(21)), 21 + QUIET_SECONDS, None),
    ],
)
def test_another_controller(said, write, now, until):
    found = pause(replace(F.snapshot(now=at(now)), foreign=write))
    assert (found.until if found else None) == (at(until) if until is not None else None)
    if found:
        assert found.reason is Reason.FOREIGN_CONTROLLER
        assert GO in found.message


def paused(snapshot):
    return replace(snapshot, foreign=ForeignWrite(GO, at(1), since=at(0)))


def test_while_paused_nothing_is_done():
    plan = reconcile_flow(paused(F.snapshot(now=at(2))))
    assert plan.pause is not None
    assert (plan.acts, plan.events, plan.wake_at) == (False, (), at(1 + QUIET_SECONDS))
    assert reconcile_flow(F.snapshot(now=at(2))).creates


ENDED = {"state": FlowState(FlowPhase.SUCCEED), "outcome": Outcome.SUCCEEDED, "completionTime": at(0)}
A = child("a", of="f").completed()


def test_a_flow_that_has_ended_is_paused_only_where_there_is_something_to_do():
    kept = F.policy("retain").recorded(A.record(StepPhase.SUCCEEDED), **ENDED)
    assert reconcile_flow(paused(kept.snapshot(A.view(), now=at(2)))).pause is None
    leaving = F.policy("delete").recorded(A.record(StepPhase.SUCCEEDED), **ENDED)
    assert reconcile_flow(leaving.snapshot(A.view(), now=at(2))).deletes
    plan = reconcile_flow(paused(leaving.snapshot(A.view(), now=at(2))))
    assert (plan.deletes, plan.pause is not None) == ((), True)


def test_a_flow_of_lost_fields_deletes_nothing():
    leaving = F.policy("delete").recorded(A.record(StepPhase.SUCCEEDED), **ENDED).snapshot(A.view(), now=at(2))
    plan = reconcile_flow(using(leaving, (NOTE, "spec.flows[0].note")))
    assert (plan.deletes, plan.status, plan.pause is not None) == ((), None, True)


def test_a_flow_that_is_read_without_a_field_that_was_written_into_it():
    snapshot = F.snapshot()
    found = pause(replace(snapshot, flow=replace(snapshot.flow, lost=("spec.flows[].note",))))
    assert found is not None
    assert (found.reason, "spec.flows[].note" in found.message) == (Reason.CRD_OUTDATED, True)


def test_a_step_whose_template_is_read_without_a_field_waits_and_other_branches_go_on():
    two = flow("f").step("a").step("b")
    lost = structs.replace(template("a").task("main").view(), lost=("spec.note",))
    plan = reconcile_flow(two.snapshot(templates=[lost, template("b").task("main").view()]))
    assert [create.name for create in plan.creates] == ["f-b"]
    assert plan.status is not None
    assert (plan.status.state.reason, plan.status.flowStatuses[0].reason) == (Reason.CRD_OUTDATED, Reason.CRD_OUTDATED)
    assert "JobTemplate a is read without spec.note" in plan.status.state.message
    assert Key("JobTemplate", "default", "a") in plan.awaits


@pytest.mark.parametrize(
    ("built", "places"),
    [
        (flow("f").step("a").step("b", after="a"), []),
        (flow("f").step("a").step("b", after="a", strategy="Any"), ["spec.flows[1].dependsOn.strategy"]),
        (
            flow("f").step("a").step("b", orGroups=[{"targets": ["a"], "strategy": "All"}]),
            ["spec.flows[1].dependsOn.orGroups", "spec.flows[1].dependsOn.orGroups[0].strategy"],
        ),
        (
            flow("f").step("a").step("b", targetsWithStatus=[{"name": "a", "phase": "Failed"}]),
            ["spec.flows[1].dependsOn.targetsWithStatus", "spec.flows[1].dependsOn.targetsWithStatus[0].phase"],
        ),
        (flow("f").step("a").step("b", expression="true"), ["spec.flows[1].dependsOn.expression"]),
        (flow("f").step("a").having(when=[{"cel": "true"}]), ["spec.flows[0].when", "spec.flows[0].when[0].cel"]),
        (
            flow("f").step("a").setting(switch=[{"input": "x", "cases": []}]),
            ["spec.switch", "spec.switch[0].cases", "spec.switch[0].input"],
        ),
    ],
)
def test_control_flow_is_among_what_upstreams_crd_would_drop(built, places):
    found = {place for _, place in uses(built.view().spec, upstream.added(JOB_FLOW))}
    assert set(places) <= found
    assert bool(found) is bool(places)
