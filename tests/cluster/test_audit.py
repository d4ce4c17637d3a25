"""What the audit log is asked, on logs written by hand: an oracle that cannot fail would prove nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from cluster.audit import Audit

START = "2026-11-22T12:00:{:09.6f}Z"


def line(at: float, user: str, verb: str, what: str, code: int = 200, took: float = 0.1) -> str:
    """One answered request, as kube-apiserver writes it; `what` is `resource[/subresource] namespace/name`."""
    kind, _, place = what.partition(" ")
    resource, _, subresource = kind.partition("/")
    namespace, _, name = place.partition("/")
    about = {"resource": resource, "subresource": subresource, "namespace": namespace, "name": name}
    return json.dumps(
        {
            "kind": "Event",
            "level": "Metadata",
            "stage": "ResponseComplete",
            "verb": verb,
            "user": {"username": user, "groups": ["system:authenticated"]},
            "objectRef": about,
            "responseStatus": {"metadata": {}, "code": code},
            "requestReceivedTimestamp": START.format(at),
            "stageTimestamp": START.format(at + took),
        }
    )


LEASE = "leases jobflow-system/x"
HAND_OVER = [
    line(1, "a", "get", LEASE, 404),
    line(2, "a", "create", LEASE, 201),
    line(7, "a", "patch", LEASE),
    line(8, "b", "get", LEASE),
    line(20, "b", "patch", LEASE),
    line(25, "b", "patch", LEASE),
]


@pytest.fixture
def audit(tmp_path: Path):
    log = tmp_path / "audit.log"

    def audit(*lines: str) -> Audit:
        log.write_text("".join(f"{one}\n" for one in lines))
        return Audit(log)

    return audit


def test_a_reign_is_from_the_first_write_of_the_lease_to_anothers(audit):
    first, second = audit(*HAND_OVER).reigns("x")
    assert (first.user, second.user) == ("a", "b")
    assert first.ended == second.began
    assert (second.began - first.began, first.last_write - first.began) == pytest.approx((18, 5))
    assert second.ended == float("inf")


@pytest.mark.parametrize(
    ("told", "request_", "is_found"),
    [
        ("while it leads", line(10, "a", "create", "jobs ns/f-a", 201), False),
        ("before anybody leads", line(1, "a", "create", "jobs ns/f-a", 201), True),
        ("after another took the lease", line(21, "a", "create", "jobs ns/f-a", 201), True),
        ("received before, answered after another took the lease", line(19, "a", "delete", "jobs ns/f", 200, 3), False),
        ("before its own turn", line(19, "b", "update", "jobflows/status ns/f"), True),
        ("refused", line(21, "a", "create", "jobs ns/f-a", 409), False),
        ("nobody waited for the answer: it may have been done", line(21, "a", "create", "jobs ns/f-a", 504), True),
        ("a read", line(21, "a", "watch", "jobs ns/"), False),
        ("a try to renew", line(21, "a", "patch", LEASE, 409), False),
        ("an event", line(21, "a", "create", "events ns/f.1", 201), True),
        ("somebody who has no part in the election", line(21, "admin", "delete", "jobs ns/f-a"), False),
    ],
)
def test_writes_out_of_turn_are_found(audit, told, request_, is_found):
    found = audit(*HAND_OVER, request_).out_of_turn("x", "a", "b")
    assert len(found) == is_found, told


def test_creates_are_counted_by_name_and_those_without_an_answer_apart(audit):
    created, perhaps = audit(
        line(1, "a", "create", "jobs ns/f-a", 201),
        line(2, "b", "create", "jobs ns/f-a", 409),
        line(3, "a", "create", "jobs ns/f-b", 504),
        line(4, "b", "create", "jobs ns/f-c", 201),
        line(5, "a", "create", "jobs ns/f-c", 201),
        line(6, "a", "create", "jobs elsewhere/f-a", 201),
        line(7, "a", "create", "events ns/f-a", 201),
    ).children_created("ns")
    assert created == Counter({"ns/f-a": 1, "ns/f-c": 2})
    assert perhaps == Counter({"ns/f-b": 1})


def test_a_log_that_grows_is_read_on_and_half_a_line_is_waited_for(audit, tmp_path):
    found = audit(line(1, "a", "create", "jobs ns/f-a", 201))
    assert len(found.rows()) == 1
    whole = line(2, "a", "create", "jobs ns/f-b", 201)
    with (tmp_path / "audit.log").open("a") as log:
        log.write(whole[:40])
        log.flush()
        assert len(found.rows()) == 1
        log.write(whole[40:] + "\n" + '{"cut short when it was killed\n')
    assert [row.name for row in found.rows()] == ["f-a", "f-b"]
