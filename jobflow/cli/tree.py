"""Tree: the DAG of a flow as lines of text.

In: a FlowPicture, a height, the time. Out: Lines: one for the flow, one a step, from the first level to the last. Steps
that may run side by side are held together by a bracket; what a step waits for is said in words, since lines that
cross are no longer read beyond ten steps.

    ● Running  ml-pipeline  2/4  1m02s
        ✔ Succeeded    download  12s
      ┌ ✔ Succeeded    clean      3s
      └ ● Running      features  47s  3 of 4 pods running
        ○ Waiting      train          waits for features (Running)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from jobflow.api.status import Reason, StepPhase
from jobflow.cli.attempts import phrase
from jobflow.cli.folding import Row, rows
from jobflow.cli.looks import LOOKS, Charset, Line, Span
from jobflow.cli.pictures import FlowPicture, StepPicture, duration, one_line, why

WORD_COLUMN = max(len(phase) for phase in StepPhase)  # the same for all drawings: nothing jumps when a step fails
MAX_NAME_COLUMN = 40  # a longer name pushes its own line only
NAMES_IN_A_FOLD = 3
PLAIN_REASONS = frozenset({Reason.DEPENDENCY, Reason.CREATING})  # their message says it all


def flow_lines(flow: FlowPicture, now: datetime, charset: Charset, height: int | None = None) -> list[Line]:
    """The flow's own line and below it its steps, in at most `height` lines."""
    head = flow_line(flow, now, charset)
    if height == 1 or not flow.steps:
        return [head]
    return [head, *step_lines(flow.steps, now, charset, None if height is None else height - 1)]


def flow_line(flow: FlowPicture, now: datetime, charset: Charset) -> Line:
    """One line that says where the flow stands."""
    took = duration(flow.started, flow.ended, now)
    parts = (flow.progress, took, flow.detail, "" if flow.phase is StepPhase.RUNNING else why(flow))
    rest = "".join(f"  {part}" for part in parts if part)
    style = LOOKS[flow.phase].style
    return (
        Span(f"{charset.glyph(flow.phase)} {flow.word}", style),
        Span(f"  {flow.title}", "bold"),
        Span(rest),
    )


def step_lines(steps: Sequence[StepPicture], now: datetime, charset: Charset, height: int | None = None) -> list[Line]:
    """The lines of the steps, folded to `height`."""
    found = rows(steps, height)
    single = [row.steps[0] for row in found if len(row.steps) == 1]
    columns = Columns(single, now)
    brackets = _brackets(found, charset)
    previous = _names_by_level(steps)
    return [
        (Span(f"  {bracket} ", "dim"), *_row(row, columns, charset, previous))
        for row, bracket in zip(found, brackets, strict=True)
    ]


class Columns:
    """Widths that all lines of a drawing share."""

    def __init__(self, steps: Sequence[StepPicture], now: datetime) -> None:
        self.now = now
        self.word = WORD_COLUMN
        self.name = min(max((len(step.name) for step in steps), default=0), MAX_NAME_COLUMN)
        self.took = max((len(duration(step.started, step.ended, now)) for step in steps), default=0)


def _row(row: Row, columns: Columns, charset: Charset, names: dict[int, set[str]]) -> Line:
    look = LOOKS[row.phase]
    if len(row.steps) > 1:
        head = f"{charset.glyph(row.phase)} {len(row.steps)} {row.phase}"
        return (Span(head, look.style), Span(f"  {_some_names(row.steps)}"), Span(_shared_note(row), "dim"))
    (step,) = row.steps
    took = duration(step.started, step.ended, columns.now)
    note = step_note(step, names, columns.now)
    return (
        Span(f"{charset.glyph(step.phase)} {step.phase:<{columns.word}}", look.style),
        Span(f"  {step.name:<{columns.name}}"),
        Span(f"  {took:>{columns.took}}" if columns.took else "", "dim"),
        Span(f"  {note}" if note else "", "red" if step.phase is StepPhase.FAILED else "dim"),
    )


ON_EXIT = "on exit"
NEEDS_A_REASON = (StepPhase.WAITING, StepPhase.SKIPPED, StepPhase.UNREACHABLE, StepPhase.FAILED)


def step_note(step: StepPicture, names: dict[int, set[str]], now: datetime) -> str:
    """What else there is to say of a step: why it stands so, else what it came after where that is not plain."""
    said = one_line(step.message) if step.reason in PLAIN_REASONS else why(step)
    if step.attempt is not None:
        return with_attempt(step, said, now)
    if step.phase in NEEDS_A_REASON or step.detail:
        return "; ".join(part for part in (said, step.detail) if part)
    if said:
        return said
    if not step.targets or set(step.targets) == names.get(step.level - 1):
        return ON_EXIT if step.on_exit else ""
    return f"after {', '.join(step.targets[:NAMES_IN_A_FOLD])}" + _and_more(len(step.targets))


def with_attempt(step: StepPicture, said: str, now: datetime) -> str:
    """What there is to say of a step that is tried again: which attempt, and between two of them nothing else."""
    if step.attempt is None:
        return said
    told = one_line(phrase(step.attempt, now))
    return told if step.attempt.before else "; ".join(part for part in (told, said, step.detail) if part)


def _shared_note(row: Row) -> str:
    notes = {why(step) for step in row.steps}
    note = notes.pop() if len(notes) == 1 else ""
    return f"  {note}" if note else ""


def _some_names(steps: Sequence[StepPicture]) -> str:
    return ", ".join(step.name for step in steps[:NAMES_IN_A_FOLD]) + _and_more(len(steps))


def _and_more(count: int) -> str:
    more = count - NAMES_IN_A_FOLD
    return f" and {more} more" if more > 0 else ""


def _brackets(found: Sequence[Row], charset: Charset) -> list[str]:
    """A bracket down the rows of each level that has several."""
    first, middle, last = charset.brackets
    levels = [row.level for row in found]
    marks = []
    for at, level in enumerate(levels):
        above = at > 0 and levels[at - 1] == level
        below = at + 1 < len(levels) and levels[at + 1] == level
        marks.append({(False, True): first, (True, True): middle, (True, False): last}.get((above, below), " "))
    return marks


def _names_by_level(steps: Sequence[StepPicture]) -> dict[int, set[str]]:
    names: dict[int, set[str]] = defaultdict(set)
    for step in steps:
        names[step.level].add(step.name)
    return names
