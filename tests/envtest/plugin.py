"""Fixtures over the real control plane: one for the session, started by the first test that wants it.

Tests marked `real` need it, and skip with one line where its programs are neither here nor can be built. At the end the
session says how many of its tests ran on which control plane.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from envtest.build import ProgramMissing
from envtest.control_plane import ControlPlane

REAL, EMBEDDED = "real control plane", "embedded control plane"
ALONE = "what only a real one can be asked"


@pytest.fixture(scope="session")
def real_control_plane(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[ControlPlane]:
    """etcd and kube-apiserver, ready."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def tell(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(line, flush=True)

    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"), audit=True, tell=tell)
    try:
        plane.start()
    except ProgramMissing as missing:
        pytest.skip(f"no real control plane: {missing}")
    yield plane
    plane.stop()


@pytest.fixture(scope="session")
def collected_control_plane(real_control_plane: ControlPlane) -> ControlPlane:
    """The same one, with garbage collection of objects and namespaces."""
    try:
        real_control_plane.start_collectors()
    except ProgramMissing as missing:
        pytest.skip(f"no kube-controller-manager: {missing}")
    return real_control_plane


_ran: Counter[tuple[str, str]] = Counter()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Count tests by the control planes that they ran on, as their `planes` property or their markers say."""
    report = (yield).get_result()  # type: ignore[misc]
    if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
        for plane in _planes(item):
            report.user_properties.append(("plane", plane))


def _planes(item: pytest.Item) -> list[str]:
    marker = item.get_closest_marker("plane")
    if marker is not None:
        return list(marker.args)
    return [ALONE] if item.get_closest_marker("real") else []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Where xdist spreads tests, reports of all workers come by here."""
    for name, plane in report.user_properties:
        if name == "plane" and (report.when == "call" or report.outcome != "passed"):
            _ran[plane, report.outcome] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """`real control plane: 441 passed`, and as many on the other: the same tests."""
    for plane in (EMBEDDED, REAL, ALONE):
        told = [f"{count} {outcome}" for (which, outcome), count in sorted(_ran.items()) if which == plane]
        if told:
            terminalreporter.write_line(f"{plane}: {', '.join(told)}")
