"""Real clusters for tests: each module has an etcd and a kube-apiserver of its own, and may kill them.

def test_...(cluster, processes, figure):
    namespace = cluster.namespace("name")
    processes.player(cluster.plane.kubeconfig)
    replica = processes.replica(cluster.account("replica"), "--leader-elect")
    ...
    figure("what was measured, shown at the end of the run")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster.installed import Cluster
from cluster.processes import Processes
from envtest.build import ProgramMissing
from envtest.control_plane import ControlPlane

AUDIT_FILE = "--audit-log-maxsize=1000"  # megabytes: it is not to be rotated under its reader

WORTH_TELLING_SECONDS = 1.0

_figures: list[str] = []


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A control plane with an audit log, RBAC and jobflow's CRDs; nobody else uses it."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def tell(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(line, flush=True)

    plane = ControlPlane(tmp_path_factory.mktemp("cluster"), audit=True, tell=tell, extra_flags=(AUDIT_FILE,))
    cluster = Cluster(plane)
    try:
        plane.start()
        cluster.install()
        yield cluster
    except ProgramMissing as missing:
        pytest.skip(f"no real control plane: {missing}")
    finally:
        cluster.disconnect()
        plane.stop()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts replicas and players; they end with the test."""
    processes = Processes(tmp_path)
    yield processes
    processes.end()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """What a test found out about time: told at the end of the run, also where all pass."""

    def figure(line: str) -> None:
        request.node.user_properties.append(("figure", f"{request.node.name}: {line}"))

    return figure


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Where xdist spreads tests, reports of all workers come by here."""
    if report.when != "call" or "tests/cluster/" not in report.nodeid:
        return
    _figures.extend(str(value) for name, value in report.user_properties if name == "figure")
    if report.duration >= WORTH_TELLING_SECONDS:
        _figures.append(f"{report.nodeid.split('::')[-1]}: {report.outcome} in {report.duration:.0f} s")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was found out, and what took how long."""
    if _figures:
        terminalreporter.section("a real cluster")
        for line in _figures:
            terminalreporter.write_line(line)
