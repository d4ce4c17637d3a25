"""The status of a PodGroup: a row a case."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from jobflow.local.volcano.amounts import parse_quantity
from jobflow.local.volcano.gang_status import Room, least, next_status, taken
from jobflow.local.volcano.pod_objects import PodObject, pod_view
from jobflow.local.volcano.scheduling_objects import GroupObject, group_view

THEN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = THEN + timedelta(minutes=1)


def group(phase="", members=2, conditions=(), **resources):
    body = {
        "metadata": {"name": "g", "namespace": "ns", "uid": "g", "creationTimestamp": THEN},
        "spec": {"minMember": members, "minResources": resources},
        "status": {"phase": phase, "conditions": list(conditions)},
    }
    return group_view(msgspec.json.decode(msgspec.json.encode(body), type=GroupObject))


def pod(phase, cpu="1", lacks_room=False):
    conditions = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}] if lacks_room else []
    body = {
        "metadata": {"name": "p", "namespace": "ns", "uid": "p"},
        "spec": {"containers": [{"resources": {"requests": {"cpu": cpu}}}]},
        "status": {"phase": phase, "conditions": conditions},
    }
    return pod_view(msgspec.json.decode(msgspec.json.encode(body), type=PodObject))


def room(total, free):
    return Room(
        {name: parse_quantity(amount) for name, amount in total.items()},
        {name: parse_quantity(amount) for name, amount in free.items()},
    )


NO_LIMIT = Room()
RUN, PEND, DONE, BAD = pod("Running"), pod("Pending"), pod("Succeeded"), pod("Failed")
STUCK = pod("Pending", lacks_room=True)


@pytest.mark.parametrize(
    ("told", "of", "pods", "phase"),
    [
        ("a new one, no node has a limit", group(cpu="64"), [], "Inqueue"),
        ("let in, its pods do not run yet", group("Inqueue"), [PEND, PEND], "Inqueue"),
        ("one of two runs", group("Inqueue"), [RUN, PEND], "Inqueue"),
        ("both run", group("Inqueue"), [RUN, RUN], "Running"),
        ("one runs, one has succeeded already", group("Inqueue"), [RUN, DONE], "Running"),
        ("one went, and is made anew", group("Running"), [RUN, PEND], "Running"),
        ("one went, and there is no room for it", group("Running"), [RUN, STUCK], "Unknown"),
        ("there is room again", group("Unknown"), [RUN, RUN], "Running"),
        ("never complete, and no room: it waits", group("Inqueue"), [RUN, STUCK], "Inqueue"),
        ("one has failed", group("Running"), [RUN, BAD], "Running"),
    ],
)
def test_the_phase(told, of, pods, phase):
    assert next_status(of, pods, NO_LIMIT, NOW).phase == phase, told


@pytest.mark.parametrize(
    ("told", "of", "total", "free", "reason", "message"),
    [
        (
            "it would fit, were others not there",
            group(cpu="2"),
            {"cpu": "4"},
            {"cpu": "1"},
            "NotEnoughResources",
            "the gang of 2 pods needs cpu 2, and less is free: it waits until others have ended",
        ),
        (
            "it can never fit",
            group(cpu="64", memory="2Gi"),
            {"cpu": "4", "memory": "1Gi"},
            {"cpu": "4", "memory": "1Gi"},
            "NeverEnoughResources",
            "the gang of 2 pods needs cpu 64 and there is 4 in all, memory 2Gi and there is 1Gi in all: "
            "it can never run here; ask for less, or lower minAvailable",
        ),
        (
            "too many pods",
            group(members=3),
            {"pods": "2"},
            {"pods": "2"},
            "NeverEnoughResources",
            "the gang of 3 pods needs pods 3 and there is 2 in all: it can never run here; "
            "ask for less, or lower minAvailable",
        ),
    ],
)
def test_why_it_waits(told, of, total, free, reason, message):
    status = next_status(of, [], room(total, free), NOW)
    [condition] = status.conditions
    assert (status.phase, condition.type, condition.status) == ("Pending", "Unschedulable", "True"), told
    assert (condition.reason, condition.message) == (reason, message)


def test_what_fits_exactly_is_let_in():
    assert next_status(group(cpu="2"), [], room({"cpu": "4"}, {"cpu": "2"}), NOW).phase == "Inqueue"


def test_a_resource_that_no_node_tells_of_is_not_limited():
    assert next_status(group(**{"nvidia.com/gpu": "8"}), [], room({"cpu": "4"}, {"cpu": "4"}), NOW).phase == "Inqueue"


def test_waiting_for_the_same_reason_writes_nothing():
    first = next_status(group(cpu="2"), [], room({"cpu": "4"}, {"cpu": "1"}), THEN)
    waiting = group("Pending", conditions=msgspec.to_builtins(first.conditions), cpu="2")
    assert next_status(waiting, [], room({"cpu": "4"}, {"cpu": "0"}), NOW) == first


def test_what_a_gang_holds():
    of = group("Inqueue", cpu="2")
    assert taken(of, []) == least(of) == {"cpu": 2000, "pods": 2000}
    assert taken(of, [pod("Running", cpu="3")]) == {"cpu": 3000, "pods": 2000}
    assert taken(group("Running", cpu="2"), [RUN, DONE]) == {"cpu": 1000, "pods": 1000}
