"""Pods as processes, as a user meets them: logs, deletion, exec, kill -9 of the control plane, what comes after."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.blocking]

WAITS = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
PATIENCE_SECONDS = 30


def pod(shell: str, name: str = "p", **spec: object) -> str:
    """A pod with a container `main`; more containers and the like by their field."""
    others = spec.pop("others", [])
    main = {"name": "main", "image": "busybox", "command": ["sh", "-c", shell], **spec.pop("main", {})}  # type: ignore[dict-item]
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"restartPolicy": "Never", "containers": [main, *others], **spec},  # type: ignore[misc]
        }
    )


def wait_for(kubectl, what: str, name: str = "p") -> None:
    kubectl("wait", f"pod/{name}", f"--for={what}", f"--timeout={PATIENCE_SECONDS}s")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def read_pids(path: Path, count: int) -> list[int]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = path.read_text().split() if path.exists() else []
        if len(found) == count:
            return [int(pid) for pid in found]
        time.sleep(0.05)
    raise AssertionError(f"{path} has not {count} lines")


def test_logs_in_all_the_ways_of_kubectl(up) -> None:
    kubectl = up().kubectl
    side = {"name": "side", "image": "busybox", "command": ["sh", "-c", "echo beside; exec sleep 600"]}
    shell = "test -e again && { echo two; echo three; exec sleep 600; }; touch again; echo one; exit 1"
    kubectl("apply", "-f", "-", stdin=pod(shell, others=[side], restartPolicy="OnFailure"))
    wait_for(kubectl, "jsonpath={.status.containerStatuses[0].restartCount}=1")
    wait_for(kubectl, "condition=Ready")
    assert kubectl("logs", "p", "-c", "side").stdout == "beside\n"
    assert kubectl("logs", "p", "-c", "main", "--previous").stdout == "one\n"
    assert kubectl("logs", "p", "-c", "main", "--tail", "1").stdout == "three\n"
    assert kubectl("logs", "p", "-c", "main", "--since", "1h").stdout == "two\nthree\n"
    assert re.fullmatch(
        r"\d{4}-\S+Z two\n\d{4}-\S+Z three\n", kubectl("logs", "p", "-c", "main", "--timestamps").stdout
    )
    assert "beside" in kubectl("logs", "p", "--all-containers").stdout


def test_a_log_is_followed_to_the_end_of_its_container(up) -> None:
    kubectl = up().kubectl
    kubectl("apply", "-f", "-", stdin=pod("echo one; sleep 1; echo two"))
    wait_for(kubectl, "jsonpath={.status.phase}=Running")
    assert kubectl("logs", "-f", "p").stdout == "one\ntwo\n"


def test_a_deleted_pod_has_its_grace_and_no_more(up, tmp_path: Path) -> None:
    kubectl = up().kubectl
    bye = tmp_path / "bye"
    kubectl("apply", "-f", "-", stdin=pod(f"trap 'touch {bye}; exit 0' TERM; echo up; while :; do sleep 0.05; done"))
    stubborn = "trap '' TERM; echo up; while :; do sleep 0.05; done"
    kubectl("apply", "-f", "-", stdin=pod(stubborn, "stubborn", terminationGracePeriodSeconds=600))
    for name in ("p", "stubborn"):
        wait_for(kubectl, "condition=Ready", name)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while kubectl("logs", name).stdout != "up\n" and time.monotonic() < deadline:
            time.sleep(0.05)
    kubectl("delete", "pod", "p")
    assert bye.exists()
    kubectl("delete", "pod", "stubborn", "--grace-period=1")
    assert kubectl("get", "pods", "-o", "name").stdout == ""


def test_kill_nine_leaves_no_process_and_the_next_start_tells_what_became_of_the_pods(up, tmp_path: Path) -> None:
    server = up("--data", str(tmp_path / "data"))
    pids = tmp_path / "pids"
    shell = (
        f"echo $$$$ >> {pids}; sleep 600 & echo $! >> {pids}; setsid sh -c 'echo $$$$ >> {pids}; exec sleep 600' & wait"
    )
    server.kubectl("apply", "-f", "-", stdin=pod(shell))
    waits = {"envFrom": [{"configMapRef": {"name": "late"}}]}
    server.kubectl("apply", "-f", "-", stdin=pod("echo $WORD", "waits", main=waits))
    wait_for(
        server.kubectl,
        "jsonpath={.status.containerStatuses[0].state.waiting.reason}=CreateContainerConfigError",
        "waits",
    )
    running = read_pids(pids, 3)
    assert all(alive(pid) for pid in running)

    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := [pid for pid in running if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left

    kubectl = up("--data", str(tmp_path / "data")).kubectl
    wait_for(kubectl, "jsonpath={.status.phase}=Failed")
    status = json.loads(kubectl("get", "pod", "p", "-o", "json").stdout)["status"]
    assert status["reason"] == "SupervisorStopped"
    assert status["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 137
    kubectl("create", "configmap", "late", "--from-literal=WORD=here")
    wait_for(kubectl, "jsonpath={.status.phase}=Succeeded", "waits")
    assert kubectl("logs", "waits").stdout == "here\n", "one that had not run yet runs now"


@pytest.mark.skipif(os.cpu_count() is None, reason="nobody knows how many CPUs there are")
def test_a_pod_that_asks_for_more_than_the_machine_has_fails_at_once(up) -> None:
    kubectl = up().kubectl
    kubectl("apply", "-f", "-", stdin=pod("true", main={"resources": {"requests": {"cpu": "100k"}}}))
    wait_for(kubectl, "jsonpath={.status.phase}=Failed")
    status = json.loads(kubectl("get", "pod", "p", "-o", "json").stdout)["status"]
    assert status["reason"] == "OutOfcpu"
    assert "asks for cpu 100000" in status["message"]
    assert "this machine has cpu" in status["message"]
    assert "OutOfcpu" in kubectl("describe", "pod", "p").stdout
    assert "local" in kubectl("get", "nodes").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("exec", "p", "--", "ls"), "run the command in a terminal of this machine"),
        (("attach", "p"), "read what it prints with `kubectl logs -f p`"),
        (("port-forward", "p", "8080"), "connect to it at its own address, 127."),
    ],
    ids=["exec", "attach", "port-forward"],
)
def test_what_there_is_no_way_into_is_refused_with_what_to_do_instead(up, words, told: str) -> None:
    kubectl = up("--runtime", "simulate").kubectl
    kubectl("apply", "-f", "-", stdin=pod(WAITS, restartPolicy="Always"))
    wait_for(kubectl, "jsonpath={.status.podIP}")
    refused = kubectl(*words, check=False)
    assert refused.returncode != 0
    assert told in refused.stderr
