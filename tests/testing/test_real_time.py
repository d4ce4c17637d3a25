"""Nothing that a simulation runs asks the machine for the time or for chance: both are handed in.

A refused call (socket, thread, sleep) is found when it is made; reading the wall clock is not, so it is found here.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import jobflow

ROOT = Path(jobflow.__file__).parent
SIMULATED = ("act", "cache", "kinds", "kube", "reconcile", "work", "local/apiserver", "testing")
MODULES = ("app.py", "controller.py", "snapshots.py")
EXEMPT = {
    "kube/http.py": "sockets: never in a simulation",
    "local/apiserver/wire/http.py": "sockets: never in a simulation",
    "local/apiserver/wire/certificates.py": "TLS: never in a simulation",
    "local/apiserver/wire/kubeconfig.py": "TLS: never in a simulation",
    "local/apiserver/storage/sqlite.py": "a disk: never in a simulation",
    "testing/sweep.py": "times itself, outside the simulations that it runs",
}
CLOCK_READS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "monotonic"),
    ("time", "monotonic_ns"),
    ("time", "perf_counter"),
    ("time", "sleep"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("uuid", "uuid1"),
    ("uuid", "uuid4"),
    ("os", "urandom"),
    ("random", "random"),
    ("random", "randint"),
    ("random", "choice"),
    ("random", "uniform"),
}


def sources() -> list[Path]:
    found = [path for package in SIMULATED for path in sorted((ROOT / package).rglob("*.py"))]
    found += [ROOT / module for module in MODULES]
    return [path for path in found if str(path.relative_to(ROOT)) not in EXEMPT]


def reads(path: Path) -> list[str]:
    """Calls such as `time.time()`, of a module or a class itself: `self.clock.now()` is none."""
    imported = {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.func.value.id}.{node.func.attr}()"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in imported
        and (node.func.value.id, node.func.attr) in CLOCK_READS
    ]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_asks_its_clock_for_the_time(path: Path) -> None:
    assert reads(path) == []
