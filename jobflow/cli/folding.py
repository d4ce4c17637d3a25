"""Folding: the rows in which the steps of a flow are shown within a given height.

In: steps with their levels, a height. Out: rows, each of one step or of several that stand equally, in the order of
the levels; a level that was folded shows what failed first. Steps are folded only as far as the height demands: in
one level by phase, the least interesting first; then neighbouring levels; at last the whole flow by phase.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jobflow.api.status import StepPhase
from jobflow.cli.pictures import StepPicture

BY_INTEREST = (  # what users look for first; folded last
    StepPhase.FAILED,
    StepPhase.RUNNING,
    StepPhase.PENDING,
    StepPhase.UNREACHABLE,
    StepPhase.WAITING,
    StepPhase.SKIPPED,
    StepPhase.SUCCEEDED,
)
INTEREST = {phase: len(BY_INTEREST) - rank for rank, phase in enumerate(BY_INTEREST)}


@dataclass(frozen=True, slots=True)
class Row:
    """Steps of one phase that share a line; all of level `level`, or of it and levels right below."""

    level: int
    steps: tuple[StepPicture, ...]

    @property
    def phase(self) -> StepPhase:
        """The phase that all its steps have."""
        return self.steps[0].phase


def rows(steps: Sequence[StepPicture], height: int | None = None) -> list[Row]:
    """At most `height` rows (but one at least) for the steps; None means as many as there are steps."""
    single = [Row(step.level, (step,)) for step in sorted(steps, key=lambda step: step.level)]
    if height is None or len(single) <= height:
        return single
    height = max(height, 1)
    for fold in (_within_levels, _across_levels, _by_phase):
        single = fold(single, height)
        if len(single) <= height:
            break
    return single[:height]


def _within_levels(given: list[Row], height: int) -> list[Row]:
    """Fold equal phases of a level, least interesting and largest first, until it fits."""
    groups: dict[tuple[int, StepPhase], list[StepPicture]] = defaultdict(list)
    for row in given:
        groups[row.level, row.phase].extend(row.steps)
    order = sorted(groups, key=lambda group: (INTEREST[group[1]], -len(groups[group])))
    folded: set[tuple[int, StepPhase]] = set()
    count = len(given)
    for group in order:
        if count <= height:
            break
        if len(groups[group]) > 1:
            count -= len(groups[group]) - 1
            folded.add(group)
    kept = [row for row in given if (row.level, row.phase) not in folded]
    kept += [Row(level, tuple(groups[level, phase])) for level, phase in folded]
    touched = {level for level, _ in folded}
    return sorted(kept, key=lambda row: (row.level, -INTEREST[row.phase] if row.level in touched else 0))


def _across_levels(given: list[Row], height: int) -> list[Row]:
    """Join neighbouring levels in which every step has the same phase, the longest runs first."""
    by_level: dict[int, list[Row]] = defaultdict(list)
    for row in given:
        by_level[row.level].append(row)
    runs: list[list[int]] = []
    for level in sorted(by_level):
        previous = runs[-1][-1] if runs else None
        if previous is not None and _uniform(by_level[previous] + by_level[level]):
            runs[-1].append(level)
        else:
            runs.append([level])
    count = len(given)
    joined: set[int] = set()  # first levels of the runs to join
    for run in sorted(runs, key=len, reverse=True):
        if count <= height or len(run) == 1:
            break
        count -= sum(len(by_level[level]) for level in run) - 1
        joined.add(run[0])
    return [row for run in runs for row in _run(run, by_level, run[0] in joined)]


def _run(run: list[int], by_level: dict[int, list[Row]], joined: bool) -> list[Row]:
    found = [row for level in run for row in by_level[level]]
    return [Row(run[0], _steps(found))] if joined else found


def _by_phase(given: list[Row], height: int) -> list[Row]:
    """One row a phase, failed first."""
    groups: dict[StepPhase, list[Row]] = defaultdict(list)
    for row in given:
        groups[row.phase].append(row)
    return [Row(0, _steps(groups[phase])) for phase in BY_INTEREST if phase in groups]


def _uniform(found: Iterable[Row]) -> bool:
    return len({row.phase for row in found}) == 1


def _steps(found: Iterable[Row]) -> tuple[StepPicture, ...]:
    return tuple(step for row in found for step in row.steps)
