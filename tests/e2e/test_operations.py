"""Controllers as processes: election, health, metrics, and how they end when they are stopped, killed or frozen."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.blocking]

LEASE_SECONDS = 6  # the least there is; the retry is then 0.8 s
TAKEOVER_SECONDS = 20.0  # bounds, not measurements: machines that run tests are slow
GRACE_SECONDS = 30.0
FLOWS = 5


@dataclass
class Replica:
    """A `jobflow controller`."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def said(self, event: str) -> bool:
        return any(line["event"] == event for line in self.lines)

    @property
    def address(self) -> str:
        return next(str(line["address"]) for line in self.lines if line["event"] == "serving metrics and health")

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    @property
    def leads(self) -> bool:
        return re.search(r"^jobflow_leading 1", self.get("/metrics")[1], re.MULTILINE) is not None

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()


Start = Callable[..., Replica]


def wait_until(condition: Callable[[], bool], seconds: float, told: Callable[[], str]) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.1)


@pytest.fixture
def start(up, jobflow: str, tmp_path: Path) -> Iterator[Start]:
    """Starts controllers against a control plane without one of its own; each serves on a port of its own."""
    server = up("--no-controller", "--runtime", "simulate")
    replicas: list[Replica] = []

    def start(*options: str) -> Replica:
        log = tmp_path / f"controller-{len(replicas)}.log"
        command = [jobflow, "controller", "--log-format", "json", "--metrics-address", "127.0.0.1:0", *options]
        environment = {**os.environ, "KUBECONFIG": str(server.kubeconfig), "HOME": str(tmp_path)}
        with log.open("wb") as out:
            replicas.append(Replica(subprocess.Popen(command, stderr=out, stdout=out, env=environment), log))
        replica = replicas[-1]
        wait_until(lambda: replica.said("cache filled"), GRACE_SECONDS, log.read_text)
        return replica

    start.server = server  # type: ignore[attr-defined]
    yield start
    for replica in replicas:
        replica.end()


def submit(start: Start) -> None:
    documents = []
    for step in "abc":
        pod = "metadata: {annotations: {simulate.jobflow.volcano.sh/duration: 2s}}, spec: {restartPolicy: Never, "
        task = f"{{name: main, replicas: 1, template: {{{pod}containers: [{{name: c, image: busybox}}]}}}}}}"
        documents.append(
            f"{{apiVersion: flow.volcano.sh/v1alpha1, kind: JobTemplate, metadata: {{name: {step}}}, "
            f"spec: {{tasks: [{task}]}}}}"
        )
    for number in range(FLOWS):
        steps = "[{name: a}, {name: b, dependsOn: {targets: [a]}}, {name: c, dependsOn: {targets: [b]}}]"
        documents.append(
            f"{{apiVersion: flow.volcano.sh/v1alpha1, kind: JobFlow, metadata: {{name: f{number}}}, "
            f"spec: {{flows: {steps}}}}}"
        )
    start.server.kubectl("apply", "-f", "-", stdin="\n---\n".join(documents))  # type: ignore[attr-defined]


def phases(start: Start) -> list[str]:
    words = ("get", "jobflow", "-o", "jsonpath={.items[*].status.state.phase}")
    return start.server.kubectl(*words).stdout.split()  # type: ignore[attr-defined]


def holder(start: Start) -> str:
    words = ("get", "lease", "jobflow-controller", "-o", "jsonpath={.spec.holderIdentity}")
    return start.server.kubectl(*words).stdout  # type: ignore[attr-defined]


def all_succeed(start: Start, seconds: float = 60.0) -> None:
    wait_until(lambda: phases(start) == ["Succeed"] * FLOWS, seconds, lambda: str(phases(start)))


def test_one_controller_serves_health_and_metrics_and_drains_on_sigterm(start):
    only = start()
    assert only.get("/healthz") == (200, "ok\n")
    assert only.get("/readyz") == (200, "ok\n")
    submit(start)
    all_succeed(start)
    assert f'jobflow_flows{{phase="Succeed"}} {FLOWS}.0' in only.get("/metrics")[1]
    began = time.monotonic()
    only.process.send_signal(signal.SIGTERM)
    assert only.process.wait(GRACE_SECONDS) == 0
    assert time.monotonic() - began < GRACE_SECONDS
    assert only.said("draining")


def test_replicas_take_turns(start):
    options = ("--leader-elect", "--lease-seconds", str(LEASE_SECONDS))
    first = start(*options)
    wait_until(lambda: first.leads, TAKEOVER_SECONDS, first.log.read_text)
    second = start(*options)
    assert second.get("/readyz") == (200, "ok\n")
    assert not second.leads
    assert socket.gethostname() in holder(start)

    submit(start)
    first.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: second.leads, TAKEOVER_SECONDS, second.log.read_text)
    all_succeed(start)
    first.process.send_signal(signal.SIGCONT)
    wait_until(lambda: first.said("leadership lost: the work is being stopped"), GRACE_SECONDS, first.log.read_text)
    wait_until(lambda: not first.leads and second.leads, TAKEOVER_SECONDS, first.log.read_text)

    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(GRACE_SECONDS) == 0
    assert second.said("lease released")
    wait_until(lambda: first.leads, TAKEOVER_SECONDS, first.log.read_text)
    first.process.kill()
    first.process.wait()
    third = start(*options)
    wait_until(lambda: third.leads, TAKEOVER_SECONDS, third.log.read_text)


def test_an_address_that_is_taken_is_exit_2(start, jobflow, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        environment = {**os.environ, "KUBECONFIG": str(start.server.kubeconfig), "JOBFLOW_METRICS_ADDRESS": address}
        done = subprocess.run([jobflow, "controller"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"cannot listen on {address}" in done.stderr
