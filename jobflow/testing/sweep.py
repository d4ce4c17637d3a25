"""Sweep: many histories, each judged, and a report that a person can act on.

In: which scenarios, how many pairs and seeds, which slice of them, for how long. Out: a Report; each failure in it
with the command that replays it, shrunk to the fewest faults. The order is drawn from a fixed seed, so that a sweep
which is cut short has looked a little at everything, and so that slices share nothing and leave nothing out.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from jobflow.testing.controllers import AppFactory
from jobflow.testing.enumeration import pairs, plans
from jobflow.testing.faults import Plan
from jobflow.testing.history import History
from jobflow.testing.loop import NeverEnded, RealWorldTouched
from jobflow.testing.oracles import ORACLES, Violation, judge
from jobflow.testing.scenarios import STANDARD, Scenario
from jobflow.testing.shrink import shrink
from jobflow.testing.world import play

SHOWN_FAILURES = 5  # with their timelines; the others with one line each
SHRUNK_FAILURES = 10
SHOWN_VIOLATIONS = 10


@dataclass(frozen=True)
class Selection:
    """What to run. `part` is (K, N): the K-th of N slices. `minutes` bounds the time on the wall; None does not."""

    scenarios: tuple[str, ...] = tuple(STANDARD)
    pairs: int = 0  # plans of two faults, for each scenario
    seeds: int = 0  # other schedules without a fault, for each scenario
    part: tuple[int, int] = (1, 1)
    minutes: float | None = None


@dataclass(frozen=True)
class Run:
    """One history to be."""

    scenario: Scenario
    plan: Plan
    seed: int

    def command(self) -> str:
        """What to type to see it again."""
        plan = f" --plan {shlex.quote(str(self.plan))}" if self.plan else ""
        return f"python -m jobflow.testing replay {self.scenario.name}{plan} --seed {self.seed}"


@dataclass(frozen=True)
class Failure:
    """A history that broke a promise, or did not come to be (`error`)."""

    run: Run
    violations: Sequence[Violation] = ()
    error: str = ""
    timeline: str = ""
    shrunk: Run | None = None

    def line(self) -> str:
        """What is wrong, in one line."""
        return self.error or "; ".join(f"{told.oracle}: {told.text}" for told in self.violations[:SHOWN_VIOLATIONS])


@dataclass
class Report:
    """What a sweep found."""

    scenarios: list[str] = field(default_factory=list)
    plans: int = 0  # enumerated, in all slices
    histories: int = 0
    injected: int = 0
    checks: int = 0
    failures: list[Failure] = field(default_factory=list)
    mutants: int = 0  # controllers with a known bug that were tried
    caught: int = 0  # of them
    left_out: int = 0  # of this slice, because the time was over
    cpu_seconds: float = 0.0

    def text(self) -> str:
        """The report as lines."""
        rate = 60 * self.histories / self.cpu_seconds if self.cpu_seconds else 0.0
        lines = [
            f"standard flows          {len(self.scenarios)} ({', '.join(self.scenarios)})",
            f"plans                   {self.plans}",
            f"histories               {self.histories}",
            f"faults injected         {self.injected}",
            f"oracle checks           {self.checks}",
            f"failures                {len(self.failures)}",
            *([f"mutants caught          {self.caught} of {self.mutants}"] if self.mutants else ()),
            f"histories per CPU-minute {rate:.0f}",
        ]
        if self.left_out:
            lines.append(f"not run, time was over  {self.left_out}")
        return "\n".join(lines)


def sweep(
    selection: Selection,
    *,
    tell: Callable[[str], None] = print,
    app_factory: AppFactory | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Report:
    """Run and judge what is selected, until `stopped`. Each failure is told when it is found; returns the report."""
    started, cpu = time.monotonic(), time.process_time()
    report = Report(list(selection.scenarios))
    scenarios = [STANDARD[name] for name in selection.scenarios]
    references = {scenario.name: play(scenario, app_factory=app_factory) for scenario in scenarios}
    runs = list(_runs(selection, scenarios, references))
    report.plans = len(runs)
    Random("the order of a sweep").shuffle(runs)
    mine = runs[selection.part[0] - 1 :: selection.part[1]]
    for index, run in enumerate(mine):
        out_of_time = selection.minutes is not None and time.monotonic() - started > selection.minutes * 60
        if out_of_time or stopped():
            report.left_out = len(mine) - index
            break
        failure = check(run, references[run.scenario.name], report, app_factory)
        if failure is not None:
            if len(report.failures) < SHRUNK_FAILURES:
                failure = _shrunk(failure, references[run.scenario.name], app_factory)
            tell(told(failure, with_timeline=len(report.failures) < SHOWN_FAILURES))
            report.failures.append(failure)
    report.cpu_seconds = time.process_time() - cpu
    return report


def check(
    run: Run, reference: History | None, report: Report | None = None, app_factory: AppFactory | None = None
) -> Failure | None:
    """Play one run and judge it."""
    try:
        history = play(run.scenario, run.plan, run.seed, app_factory=app_factory)
    except (NeverEnded, RealWorldTouched) as error:
        return Failure(run, error=f"{type(error).__name__}: {error}")
    except Exception as error:  # the controller died of a bug, or the simulation did: both are to be looked at
        return Failure(run, error=f"the run ended with {type(error).__name__}: {error}")
    if report is not None:
        report.histories += 1
        report.injected += len(history.injected)
        report.checks += len(ORACLES)
    violations = judge(history, reference)
    return Failure(run, violations, timeline=history.timeline()) if violations else None


def told(failure: Failure, *, with_timeline: bool) -> str:
    """A failure as lines: what broke, how to replay it, the fewest faults, the timeline."""
    lines = [f"FAILED {failure.line()}", f"  replay: {failure.run.command()}"]
    if failure.shrunk is not None and failure.shrunk != failure.run:
        lines.append(f"  fewest faults: {failure.shrunk.command()}")
    if with_timeline and failure.timeline:
        lines += [f"  {line}" for line in failure.timeline.splitlines()]
    return "\n".join(lines)


def _runs(selection: Selection, scenarios: list[Scenario], references: dict[str, History]) -> Iterator[Run]:
    for scenario in scenarios:
        reference = references[scenario.name]
        yield Run(scenario, Plan(), 0)
        yield from (Run(scenario, Plan(), seed) for seed in range(1, selection.seeds + 1))
        yield from (Run(scenario, plan, 0) for plan in plans(reference))
        sampled = pairs(reference, Random(f"pairs of {scenario.name}"), selection.pairs)
        yield from (Run(scenario, plan, seed) for seed, plan in enumerate(sampled))


def _shrunk(failure: Failure, reference: History, app_factory: AppFactory | None) -> Failure:
    """The failure with the fewest faults under which one of its oracles is still broken."""
    run = failure.run
    broken = {violation.oracle for violation in failure.violations}
    if not broken or (len(run.plan) < 2 and run.seed == 0):
        return failure

    def failing(history: History) -> bool:
        return any(violation.oracle in broken for violation in judge(history, reference))

    plan, seed = shrink(run.scenario, run.plan, run.seed, failing, app_factory)
    return Failure(run, failure.violations, timeline=failure.timeline, shrunk=Run(run.scenario, plan, seed))
