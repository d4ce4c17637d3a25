"""`python -m jobflow.testing`: sweep the simulation, or replay one history of it.

    python -m jobflow.testing [--scenario NAME]... [--pairs N] [--seeds N] [--slice K/N] [--minutes M]
    python -m jobflow.testing replay SCENARIO [--plan TEXT] [--seed N]
    python -m jobflow.testing mutants [NAME]...
    python -m jobflow.testing faults

In: the command line. Out: a report, or one history's timeline and what is wrong with it. Exit code 0 where every
promise was kept and every mutant caught, 1 where not, 2 for a scenario, plan, seed, mutant or option that does not
exist, 130 after Ctrl-C, which ends a sweep after the history at hand, with its report. A sweep ends with the mutants,
controllers with a known bug: that none is found in the shipped one says little where those are not found.
"""

from __future__ import annotations

import argparse
import functools
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from jobflow.testing.faults import FAULTS, parse_plan, usage
from jobflow.testing.mutants import MUTANTS, Mutant, judge_mutants
from jobflow.testing.oracles import judge
from jobflow.testing.scenarios import STANDARD, Scenario
from jobflow.testing.sweep import Run, Selection, sweep
from jobflow.testing.world import play

KEPT, BROKEN, INTERRUPTED = 0, 1, 130  # 2, for what does not exist, is argparse's own


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code (argparse itself exits with 2)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["replay"]:
        return _replay(words[1:])
    if words[:1] == ["mutants"]:
        return _mutants(words[1:])
    if words[:1] == ["faults"]:
        return _faults()
    return _sweep(words)


def _sweep(words: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m jobflow.testing", description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", action="append", metavar="NAME", type=_scenario, help="one of the standard flows")
    parser.add_argument("--pairs", type=_number, default=0, help="plans of two faults, for each scenario")
    parser.add_argument("--seeds", type=_number, default=0, help="other schedules without faults, for each scenario")
    parser.add_argument("--slice", type=_slice, default=(1, 1), metavar="K/N", help="only the K-th of N parts")
    parser.add_argument("--minutes", type=float, help="stop after so long, wherever it is")
    asked = parser.parse_args(words)
    names = tuple(scenario.name for scenario in asked.scenario or STANDARD.values())
    selection = Selection(names, asked.pairs, asked.seeds, asked.slice, asked.minutes)
    tell = functools.partial(print, flush=True)  # a failure is worth seeing at once
    with _interrupts(tell) as interrupted:
        report = sweep(selection, tell=tell, stopped=interrupted.is_set)
    if interrupted.is_set():
        print(report.text())
        return INTERRUPTED
    for verdict in judge_mutants(list(MUTANTS.values())[asked.slice[0] - 1 :: asked.slice[1]]):
        report.mutants += 1
        report.caught += verdict.caught
        if not verdict.caught:
            tell(verdict.line())
    print(report.text())
    return BROKEN if report.failures or report.caught < report.mutants else KEPT


@contextmanager
def _interrupts(tell: Callable[[str], None]) -> Iterator[threading.Event]:
    """Ctrl-C ends a sweep after the history at hand, so that its report is not lost; a second one ends it at once."""
    interrupted = threading.Event()

    def first(number: int, frame: object) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        tell("ending after this history; Ctrl-C again ends at once")

    before = signal.signal(signal.SIGINT, first)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _mutants(words: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m jobflow.testing mutants", description="Try controllers with a bug.")
    parser.add_argument("names", nargs="*", metavar="NAME", type=_mutant, help="only these, of all")
    chosen = parser.parse_args(words).names or list(MUTANTS.values())
    caught = 0
    for verdict in judge_mutants(chosen):
        caught += verdict.caught
        print(verdict.line(), flush=True)
    print(f"{caught} of {len(chosen)} caught")
    return KEPT if caught == len(chosen) else BROKEN


def _replay(words: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m jobflow.testing replay", description="Play one history again.")
    parser.add_argument("scenario", type=_scenario)
    parser.add_argument("--plan", default="", help="faults, as `python -m jobflow.testing faults` lists them")
    parser.add_argument("--seed", type=_number, default=0)
    asked = parser.parse_args(words)
    try:
        plan = parse_plan(asked.plan)
    except ValueError as error:
        parser.error(str(error))
    run = Run(asked.scenario, plan, asked.seed)
    history = play(run.scenario, run.plan, run.seed)
    print(history.timeline())
    for fault in plan:
        if str(fault) not in history.injected:
            print(f"-- {fault} did not take effect: the run never came to its place")
    if history.never_ended:
        print(f"-- never ended: {history.never_ended}")
    for logged in history.errors:
        print(f"-- error logged: {logged}")
    violations = judge(history, play(run.scenario))
    for violation in violations:
        print(f"BROKEN at {violation.at:.3f} s, {violation.oracle}: {violation.text}")
    return BROKEN if violations else KEPT


def _faults() -> int:
    for name in sorted(FAULTS):
        told = " ".join((FAULTS[name].__doc__ or "").split())
        print(f"{usage(FAULTS[name])}\n    {told}")
    return KEPT


def _scenario(text: str) -> Scenario:
    if text not in STANDARD:
        raise argparse.ArgumentTypeError(f"no scenario is called {text!r}; known are {', '.join(STANDARD)}")
    return STANDARD[text]


def _mutant(text: str) -> Mutant:
    if text not in MUTANTS:
        raise argparse.ArgumentTypeError(f"no mutant is called {text!r}; known are {'; '.join(MUTANTS)}")
    return MUTANTS[text]


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return int(text)


def _slice(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a slice such as 1/2")
    return int(part), int(parts)


if __name__ == "__main__":
    sys.exit(main())
