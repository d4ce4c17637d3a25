"""Children by owner and by template, and those that vanished before their end was committed."""

from __future__ import annotations

import pytest

from jobflow.api.status import FlowStatus, JobFlowStatus, StepPhase
from jobflow.cache.children import Children
from jobflow.testing.builders import child

A = child("a", of="f")
FLOW = "flow-f"


@pytest.fixture
def children():
    return Children(lambda old, new: None)


def status(*records):
    return JobFlowStatus(flowStatuses=records)


def test_look_ups_by_owner_and_template(children):
    other = child("a", of="g")
    children.replace([A.view(), other.view()], "1")
    assert children.of_flow(FLOW) == (A.view(),)
    assert sorted(view.name for view in children.of_template("default.a")) == ["f-a", "g-a"]
    assert len(children) == 2


def test_indexes_follow_a_new_incarnation_of_the_same_name(children):
    second = A.incarnation("second").owned_by("flow-new")
    children.put(A.view())
    children.put(second.view())
    assert children.of_flow(FLOW) == ()
    assert children.of_flow("flow-new") == (second.view(),)
    assert list(children.of_template("default.a")) == [second.view()]


def test_a_vanished_child_is_kept_in_its_last_state(children):
    children.put(A.running().view())
    children.remove(A.completed().at("2").view())
    assert children.of_flow(FLOW) == ()
    assert children.vanished(FLOW) == (A.completed().at("2").view(),)


def test_a_child_missing_from_a_list_has_vanished(children):
    children.put(A.running().view())
    children.replace([], "9")
    assert children.vanished(FLOW) == (A.running().view(),)


SECOND = A.incarnation("second").created_after(30)


@pytest.mark.parametrize(
    ("said", "vanished", "records", "kept"),
    [
        ("nothing is committed", [A.completed()], [], ["job-f-a"]),
        ("it is committed as running", [A.completed()], [A.record(StepPhase.RUNNING)], ["job-f-a"]),
        ("its end is committed", [A.completed()], [A.record(StepPhase.SUCCEEDED)], []),
        ("a later child is committed", [A.running()], [SECOND.record(StepPhase.RUNNING)], []),
        ("an earlier child is committed", [SECOND.completed()], [A.record(StepPhase.RUNNING)], ["second"]),
        (
            "an earlier child that vanished too is committed",
            [A.running(), A.incarnation("second").completed()],
            [A.record(StepPhase.RUNNING)],
            ["job-f-a", "second"],
        ),
        ("another step is committed", [A.completed()], [child("b", of="f").record(StepPhase.SUCCEEDED)], ["job-f-a"]),
    ],
)
def test_a_vanished_child_is_kept_until_its_end_or_successor_is_committed(children, said, vanished, records, kept):
    for builder in vanished:
        children.put(builder.view())
        children.remove(builder.view())
    children.settle(FLOW, status(*records))
    assert [view.uid for view in children.vanished(FLOW)] == kept


def test_nothing_is_kept_of_a_flow_that_is_gone(children):
    for builder in (A, A.incarnation("old").owned_by("flow-earlier"), child("a", of="g")):
        children.put(builder.view())
        children.remove(builder.view())
    children.forget("default", "f")
    assert (children.vanished(FLOW), children.vanished("flow-earlier")) == ((), ())
    assert children.vanished("flow-g") != ()


def test_exists_and_has_seen(children):
    children.put(A.view())
    assert (children.exists(FLOW, A.uid), children.has_seen(FLOW, A.uid)) == (True, True)
    children.put(A.at("2").deleting().view())
    assert (children.exists(FLOW, A.uid), children.has_seen(FLOW, A.uid)) == (False, True)
    children.remove(A.at("3").view())
    assert (children.exists(FLOW, A.uid), children.has_seen(FLOW, A.uid)) == (False, True)
    assert not children.has_seen(FLOW, "never")


NEXT = A.tried(1).created_after(70)


@pytest.mark.parametrize(
    ("said", "vanished", "record", "kept"),
    [
        ("the next attempt is due", A.failed(), FlowStatus("a", StepPhase.WAITING, attempt=1), []),
        ("the next attempt runs", A.failed(), NEXT.record(StepPhase.RUNNING), []),
        ("by upstream's controller", A.by_upstream().failed(), FlowStatus("a", StepPhase.WAITING, attempt=1), []),
        ("it is the next attempt", NEXT.completed(), FlowStatus("a", StepPhase.WAITING, attempt=1), ["job-f-a-r1"]),
        ("its record is an older one", NEXT.completed(), A.record(StepPhase.RUNNING), ["job-f-a-r1"]),
        ("the step was given up before it was seen", NEXT.completed(), A.record(StepPhase.FAILED), []),
    ],
)
def test_an_attempt_that_vanished_is_kept_until_a_later_one_is_committed(children, said, vanished, record, kept):
    children.put(vanished.view())
    children.remove(vanished.view())
    children.settle(FLOW, status(record))
    assert [view.uid for view in children.vanished(FLOW)] == kept
