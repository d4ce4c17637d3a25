"""Rules of probes, and what both spellings mean."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.probes import HttpCheck, NetworkProbe, OfHost, OfTask, PodPhase, TaskProbe, TcpCheck, Timing, WaitFor
from jobflow.api.validate import flow_problems
from jobflow.reconcile.graph import compile_flow, hash_of


def spec(probe=None, targets=("a",), **depends_on) -> JobFlowSpec:
    steps = [{"name": name} for name in ("a", "b")]
    waits = {"targets": list(targets), "probe": probe} | depends_on
    return JobFlowSpec.model_validate({"flows": [*steps, {"name": "c", "dependsOn": waits}]})


def only(probe, targets=("a",), **depends_on):
    problems = flow_problems(spec(probe, targets, **depends_on))
    return [(problem.path.removeprefix("spec.flows[2].dependsOn"), problem.message) for problem in problems]


HTTP = {"httpGet": {"host": "model", "port": 80}}
OF_TASK = {"tcpSocket": {"taskName": "ps", "port": 80}}
RUNNING = {"taskStatusCount": {"taskName": "w", "status": "Running"}}


@pytest.mark.parametrize(
    ("said", "probe", "targets", "more", "path", "message"),
    [
        ("nothing is asked", {"periodSeconds": 3}, ("a",), {}, ".probe", "a probe without an entry asks nothing"),
        ("nobody is asked", {"httpGet": {"port": 80}}, ("a",), {}, ".probe.httpGet", "add one"),
        (
            "two are asked at once",
            {"tcpSocketList": [{"host": "db", "taskName": "ps", "port": 1}]},
            ("a",),
            {},
            ".probe.tcpSocketList[0]",
            "take one of them away",
        ),
        ("no host's name", {"tcpSocket": {"host": "a b", "port": 1}}, ("a",), {}, ".probe.tcpSocket.host", '"a b" is'),
        (
            "anyPod of a host",
            {"tcpSocket": {"host": "a", "port": 1, "anyPod": True}},
            (),
            {},
            ".probe.tcpSocket.anyPod",
            "",
        ),
        (
            "a header with two values",
            {
                "httpGet": {
                    "host": "m",
                    "port": 1,
                    "httpHeader": [{"name": "X", "value": "1"}],
                    "httpHeaders": [{"name": "x", "value": "2"}],
                }
            },
            ("a",),
            {},
            ".probe.httpGet",
            "two values",
        ),
        (
            "a range backwards",
            {"httpGet": {"host": "m", "port": 1, "acceptedStatus": "399-200"}},
            ("a",),
            {},
            ".probe.httpGet.acceptedStatus",
            "ends before it begins",
        ),
        ("a period of nothing", RUNNING | {"periodSeconds": 3}, ("a",), {}, ".probe.periodSeconds", "has no effect"),
        (
            "a failure of nothing",
            RUNNING | {"onProbeFailure": "Fail"},
            ("a",),
            {},
            ".probe.onProbeFailure",
            "no effect",
        ),
        (
            "a certificate of plain HTTP",
            {"httpGet": {"host": "m", "port": 1, "insecureSkipVerify": True}},
            (),
            {},
            ".probe.httpGet.insecureSkipVerify",
            "no certificate to check",
        ),
        ("a state of no targets", HTTP, (), {"waitFor": "Running"}, ".waitFor", "there are no targets"),
        ("a task of nothing", OF_TASK, (), {}, ".targets", 'task "ps" is a task of a target\'s Job'),
        (
            "too late for a running task",
            OF_TASK,
            ("a",),
            {"waitFor": "Completed"},
            ".waitFor",
            "waitFor: Running is meant",
        ),
        ("two targets, which state?", RUNNING, ("a", "b"), {}, ".waitFor", "it must be said what is waited for"),
    ],
)
def test_what_cannot_work_is_told(said, probe, targets, more, path, message):
    ((told_path, told),) = only(probe, targets, **more)
    assert told_path == path
    assert message in told


@pytest.mark.parametrize(
    ("probe", "targets", "more"),
    [
        (HTTP, (), {}),
        (HTTP, ("a", "b"), {}),
        (OF_TASK, ("a",), {}),
        (OF_TASK, ("a", "b"), {"waitFor": "Running"}),
        ({"taskStatusCount": {"taskName": "w"}}, ("a", "b"), {}),
        ({"tcpSocket": {"host": "[2001:db8::1]", "port": 1}}, (), {}),
        ({"tcpSocket": {"host": "192.0.2.1", "port": 65535}}, (), {}),
    ],
)
def test_what_can_work_is_not(probe, targets, more):
    assert only(probe, targets, **more) == []


@pytest.mark.parametrize(
    "probe",
    [
        {"tcpSocket": {"host": "db", "port": 0}},
        {"tcpSocket": {"host": "db", "port": 70000}},
        {"httpGet": {"host": "m", "port": 80, "path": "no-slash"}},
        {"httpGet": {"host": "m", "port": 80, "path": "/a b"}},
        {"httpGet": {"host": "m", "port": 80, "path": "/a\r\nX: y"}},
        {"httpGet": {"host": "m", "port": 80, "httpHeader": [{"name": "X", "value": "a\r\nY: b"}]}},
        {"httpGet": {"host": "m", "port": 80, "httpHeader": [{"name": "X:", "value": "a"}]}},
        {"httpGet": {"host": "m", "port": 80, "method": "DELETE"}},
        {"httpGet": {"host": "m", "port": 80, "acceptedStatus": "2xx"}},
        {"taskStatusCount": {"taskName": "w", "status": "Done"}},
        {"taskStatusCount": {"taskName": "w", "count": 0}},
        HTTP | {"periodSeconds": 0},
        HTTP | {"timeoutSeconds": 61},
        HTTP | {"onProbeFailure": "Panic"},
    ],
)
def test_what_one_field_cannot_hold_the_schema_refuses(probe):
    with pytest.raises(ValidationError):
        spec(probe)


def test_both_spellings_mean_the_same():
    guide = spec(
        {
            "httpGet": {"host": "m", "port": 80, "path": "/h", "httpHeader": [{"name": "X", "value": "1"}]},
            "tcpSocket": {"taskName": "ps", "port": 1},
            "taskStatusCount": {"taskName": "w", "status": "Completed"},
        },
        waitFor="Running",
    )
    volcanos = spec(
        {
            "httpGetList": [{"host": "m", "port": 80, "path": "/h", "httpHeader": {"name": "X", "value": "1"}}],
            "tcpSocketList": [{"taskName": "ps", "port": 1}],
            "taskStatusList": [{"taskName": "w", "phase": "Succeeded"}],
        },
        waitFor="Running",
    )
    meant = guide.flows[2].probes
    assert meant == volcanos.flows[2].probes
    assert meant.network == (
        NetworkProbe(OfHost("m"), HttpCheck("http", 80, "/h", headers=(("X", "1"),))),
        NetworkProbe(OfTask("ps"), TcpCheck(1)),
    )
    assert meant.tasks == (TaskProbe("w", PodPhase.SUCCEEDED),)
    assert meant.timing == Timing(5, 1, 0, 1, 3)


@pytest.mark.parametrize(
    ("probe", "targets", "more", "waits_for"),
    [
        (None, ("a",), {}, WaitFor.COMPLETED),
        (HTTP, ("a",), {}, WaitFor.COMPLETED),
        (OF_TASK, ("a",), {}, WaitFor.RUNNING),
        (RUNNING, ("a",), {}, WaitFor.RUNNING),
        ({"taskStatusCount": {"taskName": "w"}}, ("a",), {}, WaitFor.COMPLETED),
        ({"taskStatusCount": {"taskName": "w"}}, ("a",), {"waitFor": "Running"}, WaitFor.RUNNING),
    ],
)
def test_what_is_waited_for_follows_from_the_probe(probe, targets, more, waits_for):
    assert spec(probe, targets, **more).flows[2].waits_for == waits_for


def test_a_flow_without_probes_has_the_hash_it_always_had():
    steps = JobFlowSpec.model_validate({"flows": [{"name": "a"}, {"name": "b", "dependsOn": {"targets": ["a"]}}]}).flows
    assert hash_of(steps) == "a71cccf295b9268c"


def test_a_probe_is_frozen_with_its_edge():
    assert hash_of(spec(HTTP).flows) != hash_of(spec(OF_TASK).flows)
    assert hash_of(spec(HTTP).flows) != hash_of(spec(HTTP, waitFor="Running").flows)


def test_the_tasks_that_a_later_step_asks_are_known_to_the_step_that_has_them():
    compiled = compile_flow("f", spec(OF_TASK).model_dump_json(by_alias=True).encode())
    assert {step.name: step.probed_tasks for step in compiled.graph.steps} == {
        "a": frozenset({"ps"}),
        "b": frozenset(),
        "c": frozenset(),
    }
