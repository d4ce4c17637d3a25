"""Inside: what runs in a mutated copy of the project, in a process of its own with limits.

In: `python inside.py VERDICT tests TARGET...`, or `histories SCENARIO[:PLAN]...`, or `hunt COUNT SEED`, started in the
copy. Out: a JSON verdict in the file VERDICT: what killed the mutant, or null. A process that ends without one ran into
a limit (the mutant never ends, or eats memory), or failed, which says nothing about the mutant.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import pytest

import jobflow

CPU_SECONDS = 60  # a test folder takes ten; a mutant that retries without waiting never ends
MEMORY_BYTES = 4 * 2**30  # address space; one that appends for ever must not take the machine with it


class FirstFailure:
    """A pytest plugin that keeps the name of the first test that failed."""

    def __init__(self) -> None:
        self.name: str | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and self.name is None:
            self.name = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and self.name is None:
            self.name = f"{report.nodeid} (cannot be collected)"


def tests(targets: list[str]) -> str | None:
    """Run the tests, in the order given, up to the first that fails."""
    first = FirstFailure()
    try:
        code = pytest.main(["-x", "-q", "--tb=line", "-p", "no:cacheprovider", *targets], plugins=[first])
    except pytest.PytestWarning:  # on the way out, of what the failed test left behind
        if first.name is None:
            raise
        return first.name
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED):
        sys.exit(f"pytest could not run {' '.join(targets)}: {code!r}")
    return first.name


def main() -> None:
    verdict, what, *words = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))  # SIGXCPU first, by which it is known
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    loaded = Path(jobflow.__file__ or "").resolve()
    if not loaded.is_relative_to(Path.cwd()):
        sys.exit(f"jobflow was imported from {loaded}, not from the copy in {Path.cwd()}")
    if what == "tests":
        killed_by = tests(words)
    else:
        import simulated  # takes its time, and tests do without

        killed_by = simulated.histories(words) if what == "histories" else simulated.hunt(*map(int, words))
    Path(verdict).write_text(json.dumps({"killed_by": killed_by}))


if __name__ == "__main__":
    main()
