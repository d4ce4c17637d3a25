"""Check: are bugs that are put in on purpose found?

    python tests/mutation/check.py [--mutant NAME]... [--both] [--jobs N]
    python tests/mutation/check.py --generated N [--seed S]

In: the tables and the project. Out: which mutant was killed by what, and which survived. Exit code 0 where all were
killed (of generated ones: as many as promised), 1 where not, 2 where the check itself could not be made: a
mutant no longer fits its file, or what should kill it fails without it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from copies import BrokenTable, Copies, Try, copies, run
from mutants import MUTANTS, Mutant

HUNTED_HISTORIES = 160  # of about 13,000; a CPU-minute is enough for five hundred
HUNT_SEED = 1
PROMISED = 0.85  # of the generated mutants, equivalent ones included
MIRRORS = {
    "jobflow/controller.py": ("tests/test_controller.py", "tests/test_strangers.py"),
    "jobflow/snapshots.py": ("tests/test_snapshots.py", "tests/test_strangers.py"),
}
BEYOND_THE_MIRROR = ("tests/test_controller.py", "tests/test_strangers.py")


@dataclass(frozen=True)
class Result:
    """What became of one mutant; None where a side was not asked."""

    mutant: Mutant
    test: Try | None = None
    history: Try | None = None

    @property
    def killed(self) -> bool:
        """By either."""
        return any(tried is not None and tried.killed_by for tried in (self.test, self.history))

    def line(self) -> str:
        """For the table."""
        told = [f"{tried.killed_by or 'no'} ({tried.seconds:.1f} s)" for tried in (self.test, self.history) if tried]
        return f"{'killed  ' if self.killed else 'SURVIVED'}  {self.mutant.name:<45} {' | '.join(told)}"


def by_test(place: Copies, mutant: Mutant, wide: bool = True) -> Try:
    """The recorded test; where it kills nothing, all that mirror the file."""
    return _first(place, mutant, _test_tries(mutant, wide))


def by_history(place: Copies, mutant: Mutant, wide: bool = True) -> Try:
    """The recorded history; where it breaks no promise, a slice of the sweep."""
    tries = [("histories", mutant.history)] if mutant.history else []
    return _first(place, mutant, [*tries, *([("hunt", str(HUNTED_HISTORIES), str(HUNT_SEED))] if wide else [])])


def quickest(place: Copies, mutant: Mutant) -> Result:
    """What is recorded, one after the other; then everything, up to the first kill."""
    for wide in (False, True):
        test = by_test(place, mutant, wide)
        if test.killed_by:
            return Result(mutant, test)
        history = by_history(place, mutant, wide)
        if history.killed_by:
            return Result(mutant, test, history)
    return Result(mutant, test, history)


def both(place: Copies, mutant: Mutant) -> Result:
    """Tests and simulation, each for itself."""
    return Result(mutant, by_test(place, mutant), by_history(place, mutant))


def check(chosen: Sequence[Mutant], how: Callable[[Copies, Mutant], Result], jobs: int) -> Iterable[Result]:
    """Try the mutants. Raises BrokenTable where what is recorded fails without a mutant."""
    with copies() as place:
        _unmutated_passes(place, chosen)
        with ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(partial(how, place), chosen)


def _first(place: Copies, mutant: Mutant, tries: Iterable[Sequence[str]]) -> Try:
    started, killed_by = time.monotonic(), None
    with place.of(mutant) as copy:
        for what in tries:
            killed_by = run(copy, *what).killed_by
            if killed_by:
                break
    return Try(killed_by, time.monotonic() - started)


def _test_tries(mutant: Mutant, wide: bool) -> list[Sequence[str]]:
    recorded = [("tests", mutant.test)] if mutant.test else []
    folder = mutant.file.removeprefix("jobflow/").split("/")[0]
    mirror = MIRRORS.get(mutant.file, (f"tests/{folder}", *BEYOND_THE_MIRROR))
    if folder.endswith(".py") and mutant.file not in MIRRORS:
        mirror = BEYOND_THE_MIRROR
    return [*recorded, *([("tests", *mirror)] if wide else [])]


def _unmutated_passes(place: Copies, chosen: Sequence[Mutant]) -> None:
    """A killer that fails anyway kills nothing. (This also compiles what all copies share.)"""
    tests = sorted({mutant.test for mutant in chosen if mutant.test})
    histories = sorted({mutant.history for mutant in chosen if mutant.history})
    with place.of() as copy:
        for what, words in (("tests", tests), ("histories", histories)):
            if words and (failed := run(copy, what, *words).killed_by):
                raise BrokenTable(f"without any mutant fails: {failed}; mend that first")


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python tests/mutation/check.py", description=__doc__.splitlines()[0])
    known = {mutant.name: mutant for mutant in MUTANTS}
    parser.add_argument("--mutant", action="append", metavar="NAME", help="only this one, of the table")
    parser.add_argument("--both", action="store_true", help="ask tests and simulation, not only the quicker")
    parser.add_argument("--jobs", type=int, default=1, help="mutants tried side by side")
    parser.add_argument("--generated", type=int, metavar="N", help="try N generated mutants instead")
    parser.add_argument("--seed", type=int, default=0, help="which N are drawn")
    asked = parser.parse_args(words)
    if strangers := sorted(set(asked.mutant or ()) - set(known)):
        parser.error(f"no mutant is called {', '.join(strangers)}; known are {'; '.join(known)}")
    try:
        if asked.generated:
            return _generated(asked.generated, asked.seed)
        chosen = [known[name] for name in asked.mutant or known]
        return _hand_written(chosen, both if asked.both else quickest, asked.jobs)
    except BrokenTable as error:
        print(f"the check could not be made: {error}", file=sys.stderr)
        return 2


def _hand_written(chosen: Sequence[Mutant], how: Callable[[Copies, Mutant], Result], jobs: int) -> int:
    started, results = time.monotonic(), []
    for result in check(chosen, how, jobs):
        print(result.line(), flush=True)
        results.append(result)
    survivors = [result.mutant for result in results if not result.killed]
    print(f"{len(results) - len(survivors)} of {len(results)} killed in {time.monotonic() - started:.0f} s")
    for mutant in survivors:
        print(f"no test says: {mutant.breaks} ({mutant.name}, {mutant.file})")
    return 1 if survivors else 0


def _generated(count: int, seed: int) -> int:
    from generated import check_generated  # mutmut is needed for these only

    report = check_generated(count, seed)
    print(report.text())
    return 0 if report.score >= PROMISED else 1


if __name__ == "__main__":
    sys.exit(main())
