"""READY, STATUS and RESTARTS of pods."""

from datetime import UTC, datetime

import pytest

from jobflow.local.apiserver.builtin.kinds import BUILTIN_TYPES
from jobflow.local.apiserver.builtin.pod_columns import pod_ready, pod_restarts, pod_status
from jobflow.local.apiserver.reads.table import table

NOW = datetime(2024, 5, 4, 12, tzinfo=UTC)

RUNNING = {"name": "c", "ready": True, "state": {"running": {}}}
UNREADY = {"name": "c", "ready": False, "state": {"running": {}}}
COMPLETED = {"name": "c", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
ERROR = {"name": "c", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
CRASHING = {"name": "c", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}


def pod(phase, *containers, deleting=False, **more):
    return {
        "metadata": {"name": "p", **({"deletionTimestamp": "2024-05-04T12:00:30Z"} if deleting else {})},
        "spec": {"containers": [{"name": "c"}] * max(len(containers), 1), "initContainers": more.pop("inits", [])},
        "status": {"phase": phase, "containerStatuses": list(containers), **more},
    }


@pytest.mark.parametrize(
    ("what", "held", "ready", "status"),
    [
        ("not yet placed", pod("Pending"), "0/1", "Pending"),
        ("running", pod("Running", RUNNING), "1/1", "Running"),
        ("one of two ready", pod("Running", RUNNING, UNREADY), "1/2", "Running"),
        ("all done", pod("Succeeded", COMPLETED), "0/1", "Completed"),
        ("failed", pod("Failed", ERROR), "0/1", "Error"),
        (
            "killed by a signal",
            pod("Failed", {"state": {"terminated": {"exitCode": 137, "signal": 9}}}),
            "0/1",
            "Signal:9",
        ),
        ("ended with a code", pod("Failed", {"state": {"terminated": {"exitCode": 3}}}), "0/1", "ExitCode:3"),
        ("cannot stay up", pod("Running", CRASHING), "0/1", "CrashLoopBackOff"),
        ("evicted", pod("Failed", reason="Evicted"), "0/1", "Evicted"),
        ("being deleted", pod("Running", RUNNING, deleting=True), "1/1", "Terminating"),
        ("done and being deleted", pod("Succeeded", COMPLETED, deleting=True), "0/1", "Completed"),
        ("on a lost node", pod("Running", RUNNING, deleting=True, reason="NodeLost"), "1/1", "Unknown"),
        (
            "one done, the other running and ready",
            pod("Running", COMPLETED, RUNNING, conditions=[{"type": "Ready", "status": "True"}]),
            "1/2",
            "Running",
        ),
        ("one done, the pod not ready", pod("Running", COMPLETED, RUNNING), "1/2", "NotReady"),
        (
            "second of two init containers",
            pod(
                "Pending",
                inits=[{"name": "i"}, {"name": "j"}],
                initContainerStatuses=[
                    {"name": "i", "state": {"terminated": {"exitCode": 0}}},
                    {"name": "j", "state": {"running": {}}},
                ],
            ),
            "0/1",
            "Init:1/2",
        ),
        (
            "an init container failed",
            pod("Pending", inits=[{"name": "i"}], initContainerStatuses=[{**ERROR, "name": "i"}]),
            "0/1",
            "Init:Error",
        ),
        (
            "an init container cannot start",
            pod("Pending", inits=[{"name": "i"}], initContainerStatuses=[{**CRASHING, "name": "i"}]),
            "0/1",
            "Init:CrashLoopBackOff",
        ),
        (
            "a sidecar runs beside",
            pod(
                "Running",
                RUNNING,
                inits=[{"name": "s", "restartPolicy": "Always"}],
                initContainerStatuses=[{"name": "s", "started": True, "ready": True, "state": {"running": {}}}],
            ),
            "2/2",
            "Running",
        ),
        ("no status at all", {"metadata": {"name": "p"}}, "0/0", "Unknown"),
    ],
)
def test_ready_and_status(what, held, ready, status):
    assert (pod_ready(held, NOW), pod_status(held, NOW)) == (ready, status)


def test_restarts_tell_how_long_ago():
    restarted = {
        **RUNNING,
        "restartCount": 3,
        "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2024-05-04T11:55:00Z"}},
    }
    assert pod_restarts(pod("Running", restarted), NOW) == "3 (5m ago)"
    assert pod_restarts(pod("Running", RUNNING), NOW) == "0"
    assert pod_restarts(pod("Running", CRASHING), NOW) == "2"


def test_wide_columns():
    served = next(one for one in BUILTIN_TYPES if one.resource.kind == "Pod")
    held = pod("Running", RUNNING, podIP="10.0.0.1")
    held["spec"] |= {"nodeName": "n1", "readinessGates": [{"conditionType": "x"}]}
    told = table(served, [held], {}, NOW)
    assert [column["name"] for column in told["columnDefinitions"]] == [
        *("Name", "Ready", "Status", "Restarts", "Age"),
        *("IP", "Node", "Nominated Node", "Readiness Gates"),
    ]
    assert told["rows"][0]["cells"][5:] == ["10.0.0.1", "n1", "<none>", "0/1"]
