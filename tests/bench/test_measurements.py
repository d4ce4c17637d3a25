"""What the measurements make of what they see."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bench.audit import Write
from bench.open_loop import Arrivals, slope
from bench.restart import wasted
from bench.shape import STEPS, flow_and_step, flow_body

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def write(verb: str, kind: str, name: str) -> Write:
    return Write("us", verb, kind, name, 200, NOW)


@pytest.mark.parametrize(
    ("resident", "expected"),
    [([(0, 100.0), (1000, 110.0), (4000, 148.0)], 12.0), ([(1000, 50.0)], None), ([(500, 10.0), (1000, 9.0)], -2.0)],
)
def test_memory_of_a_thousand_flows_is_the_slope_between_first_and_last_stage(resident, expected) -> None:
    assert slope(resident) == expected


@pytest.mark.parametrize(("rate", "seconds", "count"), [(4, 30, 120), (0.5, 3, 2), (0.01, 1, 1)])
def test_so_many_flows_arrive(rate, seconds, count) -> None:
    assert Arrivals(rate, seconds).count == count


@pytest.mark.parametrize(
    ("what", "one", "is_wasted"),
    [
        ("the Job of a flow that went on", write("create", "jobs", "live-0-b"), False),
        ("its status", write("update", "jobflows/status", "live-0"), False),
        ("the status of a flow that did not", write("update", "jobflows/status", "live-7"), True),
        ("a Job of one that did not", write("create", "jobs", "live-7-a"), True),
        ("a Lease is no news of flows", write("update", "leases", "jobflow-controller"), False),
        ("an Event neither", write("create", "events", "live-7.1234"), False),
        ("a template's status neither", write("update", "jobtemplates/status", "a"), False),
    ],
)
def test_after_a_restart_a_write_is_wasted_where_there_is_no_news(what, one, is_wasted) -> None:
    assert wasted([one], ["live-0"]) == ([one] if is_wasted else [])


@pytest.mark.parametrize(
    ("job", "expected"),
    [("burst-12-a", ("burst-12", "a")), ("live-0-e", ("live-0", "e")), ("burst-12", None), ("a", None), ("-a", None)],
)
def test_a_job_is_of_a_flow_by_its_name(job, expected) -> None:
    assert flow_and_step(job) == expected


def test_the_flow_is_a_diamond() -> None:
    flows = {
        step["name"]: tuple(step.get("dependsOn", {}).get("targets", ()))
        for step in flow_body("f", "retain")["spec"]["flows"]
    }
    assert flows == STEPS
    assert flow_body("f", "delete")["spec"]["jobRetainPolicy"] == "delete"
