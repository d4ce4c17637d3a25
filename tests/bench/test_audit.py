"""Counts and latencies from the API server's audit log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.audit import END_MARK, Audit, counts, dependency_seconds, submit_seconds

US, LOAD = "system:serviceaccount:bench:controller", "admin"
START = datetime(2026, 1, 1, tzinfo=UTC)


def line(user: str, verb: str, kind: str, name: str, at: float, **more: Any) -> str:
    """A line as kube-apiserver writes it at level Metadata; fields that are not read are among them."""
    resource, _, subresource = kind.partition("/")
    stamp = (START + timedelta(seconds=at)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    reference = {"resource": resource, "namespace": "bench", "name": name, "apiGroup": "x"}
    body = {
        "kind": "Event",
        "level": "Metadata",
        "stage": "ResponseComplete",
        "verb": verb,
        "requestURI": "/apis/x" + more.get("query", ""),
        "user": {"username": user, "groups": []},
        "objectRef": reference | ({"subresource": subresource} if subresource else {}),
        "responseStatus": {"metadata": {}, "code": more.get("code", 200)},
        "requestReceivedTimestamp": stamp,
        "stageTimestamp": stamp,
    }
    return json.dumps(body) + "\n"


def ends(job: str, at: float) -> str:
    return line(LOAD, "patch", "jobs/status", job, at, query=f"?{END_MARK}")


def creates(job: str, at: float, **more: Any) -> str:
    return line(US, "create", "jobs", job, at, code=more.pop("code", 201), **more)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


def read(log: Path, *lines: str) -> Audit:
    log.write_text("".join(lines))
    audit = Audit(log)
    audit.read()
    return audit


def test_a_log_that_grows_is_read_on_and_half_a_line_waits_for_its_end(log: Path) -> None:
    first, second = creates("f-a", 1), creates("f-b", 2)
    audit = read(log, first, second[:40])
    assert [write.name for write in audit.writes] == ["f-a"]
    with log.open("a") as more:
        more.write(second[40:])
    audit.read()
    audit.read()
    assert [write.name for write in audit.writes] == ["f-a", "f-b"]


def test_reads_are_no_writes(log: Path) -> None:
    audit = read(
        log, line(US, "list", "jobs", "", 1), line(US, "watch", "jobs", "", 2), line(US, "get", "jobs", "x", 3)
    )
    assert audit.writes == []
    assert audit.reads[US] == 3


def test_writes_are_counted_by_verb_and_kind_and_refused_ones_apart(log: Path) -> None:
    audit = read(
        log,
        creates("f-a", 1),
        creates("f-b", 2),
        creates("f-b", 3, code=409),
        line(US, "update", "jobflows/status", "f", 4),
        line(US, "update", "jobflows/status", "f", 5, code=409),
        line(US, "delete", "jobs", "f-a", 6),
    )
    expected = {"create jobs": 2, "delete jobs": 1, "refused (409)": 2, "update jobflows/status": 1}
    assert counts(audit.writes) == expected


def test_a_dependency_is_fulfilled_when_its_last_target_completed(log: Path) -> None:
    audit = read(
        log,
        ends("f-b", 1.0),
        ends("f-d", 2.5),
        ends("f-c", 2.0),
        creates("f-e", 2.75),
    )
    assert dependency_seconds(audit.writes, US) == [0.25]


@pytest.mark.parametrize(
    ("what", "lines"),
    [
        ("the first step waits for nothing", [creates("f-a", 1)]),
        ("a target's end was not logged", [ends("f-b", 1), ends("f-c", 1), creates("f-e", 2)]),
        ("a create that was refused created nothing", [ends("f-a", 1), creates("f-b", 2, code=500)]),
        ("somebody else's create", [ends("f-a", 1), line(LOAD, "create", "jobs", "f-b", 2, code=201)]),
        ("a Job that is nobody's step", [ends("f-a", 1), creates("f-z", 2)]),
        ("a patch that does not say Completed", [line(LOAD, "patch", "jobs/status", "f-a", 1), creates("f-b", 2)]),
    ],
)
def test_no_latency_where(what, lines, log: Path) -> None:
    assert dependency_seconds(read(log, *lines).writes, US) == []


def test_the_second_end_of_a_job_does_not_count(log: Path) -> None:
    audit = read(log, ends("f-a", 1.0), ends("f-a", 5.0), creates("f-b", 6.0))
    assert dependency_seconds(audit.writes, US) == [5.0]


def test_a_flow_was_submitted_until_its_first_job_and_no_later_one(log: Path) -> None:
    audit = read(
        log,
        line(LOAD, "create", "jobflows", "f", 1.0, code=201),
        line(LOAD, "create", "jobflows", "g", 2.0, code=201),
        creates("f-a", 1.5),
        creates("f-b", 9.0),
    )
    assert submit_seconds(audit.writes, US) == [0.5]
