"""Bad days of the machine that the controller runs on: its clock is wrong, or its kubeconfig is."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cluster.days import BOUND_SECONDS, Day
from cluster.installed import Cluster
from cluster.processes import Processes
from envtest.control_plane import ControlPlane

from jobflow.api.resources import EVENT, JOB_FLOW
from jobflow.local.apiserver.wire.certificates import Certificate
from jobflow.local.apiserver.wire.kubeconfig import write_kubeconfig
from jobflow.testing.builders import flow, template

pytestmark = [pytest.mark.real, pytest.mark.blocking]

FLOWS = 6
ENDS_SECONDS = 90.0


@pytest.fixture
def day(cluster: Cluster, processes: Processes) -> Day:
    return Day.begin(cluster, processes)


@pytest.mark.parametrize("hours", [5, -5])
def test_a_clock_that_is_hours_off(day, hours):
    """Times that users read are right, and so are durations: a Job goes so long after its end as its template says."""
    began = time.time()
    replica = day.odd_controller(None, f"--skew={hours * 3600}")
    day.filled(replica)
    assert replica.said("this machine's clock is not the API server's: the API server's is used") == 1
    short = ShortLived(day, day.cluster.namespace("short"))
    short.submit()
    day.wait_until(short.is_gone, replica)
    assert short.stayed() >= ShortLived.SECONDS - 1, "the end of a Job is told in whole seconds"
    status = short.status()
    assert began - 1 <= seconds(status["startTime"]) <= seconds(status["completionTime"]) <= time.time()
    times = [seconds(event["lastTimestamp"]) for event in day.cluster.all(EVENT, short.namespace)]
    assert times
    assert began - 2 <= min(times) <= max(times) <= time.time() + 2

    day.diamonds.submit(FLOWS)
    day.ends_well(replica)


@dataclass
class ShortLived:
    """A flow of one step whose Job is to be deleted some seconds after its end."""

    day: Day
    namespace: str
    SECONDS = 5

    def submit(self) -> None:
        built = template("short").task("main").ttl(self.SECONDS)
        self.day.cluster.templates(self.namespace, [built])
        self.day.cluster.submit(self.namespace, [flow("brief").step("short")])

    def is_gone(self) -> bool:
        return bool(self.status().get("completionTime")) and bool(self._deleted())

    def stayed(self) -> float:
        return self._deleted()[0] - seconds(self.status()["completionTime"])

    def status(self) -> dict[str, Any]:
        return self.day.cluster.ask("GET", JOB_FLOW.path(self.namespace, "brief")).get("status", {})

    def _deleted(self) -> list[float]:
        writes = self.day.cluster.audit.writes(self.day.account.user)
        return [row.received for row in writes if (row.verb, row.name) == ("delete", "brief-short")]


def seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


@dataclass(frozen=True)
class Wrong:
    """A kubeconfig that leads nowhere, and what has to be said of it."""

    what: str
    kubeconfig: Path
    options: tuple[str, ...]
    said: tuple[str, ...]


def test_a_wrong_kubeconfig_is_told_in_one_line(day, cluster, tmp_path):
    """File, what is wrong, what to do; exit code 2. All are started together: one of them tries for half a minute."""
    wrong = list(wrong_ones(day, cluster.plane, tmp_path))
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "jobflow", "controller", f"--kubeconfig={one.kubeconfig}", *one.options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for one in wrong
    ]
    for one, process in zip(wrong, started, strict=True):
        out, err = process.communicate(timeout=ENDS_SECONDS)
        last = err.splitlines()[-1]
        assert (process.returncode, out) == (2, ""), (one.what, err)
        for part in (str(one.kubeconfig), *one.said):
            assert part in last, (one.what, err)
        assert "Traceback" not in err
        logged = err.splitlines()[:-1]
        assert len(logged) <= 1, (one.what, logged)


def wrong_ones(day: Day, plane: ControlPlane, directory: Path):
    none = directory / "none"
    yield Wrong("no such file", none, (), ("--kubeconfig", "does not exist", "correct the path or unset it"))
    good = day.kubeconfig()
    yield Wrong("no such context", good, ("--context=prod",), ("context 'prod'", "kubectl config get-contexts"))
    away = day.kubeconfig("https://127.0.0.1:1")
    yield Wrong("nobody there", away, (), ("https://127.0.0.1:1", "is the cluster up", "clusters[].cluster.server"))
    stranger = directory / "stranger"
    write_kubeconfig(stranger, plane.url, Certificate.create().ca_pem, "token")
    yield Wrong("another CA", stranger, (), ("is not trusted", "certificate verify failed", "certificate-authority"))
    expired = day.kubeconfig("", {"token": "expired"})
    yield Wrong("a token that is not accepted", expired, (), (plane.url, "(401)", "expired", "make a new kubeconfig"))


def test_an_api_server_that_comes_late_is_waited_for(day, cluster):
    """Within the half minute that a kubeconfig is given; a pod waits for ever."""
    cluster.kill_api_server()
    replica = day.controller()
    day.wait_until(lambda: replica.said("the API server cannot be reached"), replica, BOUND_SECONDS)
    cluster.start_api_server()
    day.filled(replica)
    day.diamonds.submit(FLOWS)
    day.ends_well(replica)
