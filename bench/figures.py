"""Figures: from samples to numbers, and from numbers to a table.

In: samples; one measurement each of several contenders. Out: percentiles, medians over rounds, a table with the
contenders side by side and the ratio of each to the first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median

Number = float | None
Figures = dict[str, Number]  # in the order in which the table has them

NO_FIGURE = "-"


def percentile(samples: Iterable[float], percent: float) -> Number:
    """The smallest sample that at least `percent` of all are not above (nearest rank); None where there are none."""
    if not 0 < percent <= 100:
        raise ValueError(f"percent must be above 0 and at most 100, not {percent}")
    ordered = sorted(samples)
    if not ordered:
        return None
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def milliseconds(seconds: Number) -> Number:
    """For people: latencies are a few of these."""
    return None if seconds is None else seconds * 1000


def middle(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure over the rounds that have it."""
    names = dict.fromkeys(name for figures in rounds for name in figures)
    found: Figures = {}
    for name in names:
        known = [value for figures in rounds if (value := figures.get(name)) is not None]
        found[name] = median(known) if known else None
    return found


def ratio(value: Number, base: Number) -> Number:
    """`value / base`; None where there is none."""
    return None if value is None or not base else value / base


def shown(value: Number) -> str:
    """A figure as the table has it: three digits that count."""
    if value is None:
        return NO_FIGURE
    if value == 0:
        return "0"
    digits = max(2 - math.floor(math.log10(abs(value))), 0)
    return f"{value:.{min(digits, 3)}f}"


def percentile_of_buckets(before: dict[float, float], after: dict[float, float], percent: float = 99) -> float | None:
    """The upper bound of the bucket that has this percentile of what was counted between two readings.

    A reading is a Prometheus histogram: by upper bound, how many were at most that, since the start. None without any.
    """
    grown = {bound: count - before.get(bound, 0.0) for bound, count in sorted(after.items())}
    total = max(grown.values(), default=0.0)
    return next((bound for bound, count in grown.items() if total and count >= percent / 100 * total), None)


def table(columns: dict[str, Figures]) -> str:
    """Contenders side by side; where there are several, each with its ratio to the first."""
    names = list(dict.fromkeys(name for figures in columns.values() for name in figures))
    first, *others = columns
    header = ["", *columns, *(f"{other}/{first}" for other in others)]
    rows = [header]
    for name in names:
        values = [shown(figures.get(name)) for figures in columns.values()]
        ratios = [shown(ratio(columns[other].get(name), columns[first].get(name))) for other in others]
        rows.append([name, *values, *ratios])
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
