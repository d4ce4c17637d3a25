"""Screen: all followed flows within the height of a terminal.

In: FlowPictures, the size, the time. Out: Lines that fit. Trees as long as they fit; folded trees as long as each flow
can have a few lines; then one line a flow; then the flows that matter most and a count of the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jobflow.cli.folding import INTEREST
from jobflow.cli.looks import Charset, Line, Span, cut
from jobflow.cli.pictures import FlowPicture
from jobflow.cli.tree import flow_line, flow_lines

FEW_LINES = 4  # a folded tree of fewer lines says little more than the flow's own line


@dataclass(frozen=True, slots=True)
class Size:
    """Of a terminal, in characters."""

    width: int
    height: int


def screen(flows: Sequence[FlowPicture], size: Size, now: datetime, charset: Charset) -> list[Line]:
    """At most `size.height` lines of at most `size.width` characters."""
    return [cut(line, size.width, charset) for line in _lines(flows, max(size.height, 1), now, charset)]


def _lines(flows: Sequence[FlowPicture], height: int, now: datetime, charset: Charset) -> list[Line]:
    if len(flows) > height:
        return _most_urgent(flows, height, now, charset)
    needs = [1 + len(flow.steps) for flow in flows]
    if sum(needs) > height and len(flows) * FEW_LINES > height:
        return [flow_line(flow, now, charset) for flow in flows]
    lines: list[Line] = []
    for flow, share in zip(flows, _shares(needs, height), strict=True):
        lines += flow_lines(flow, now, charset, share)
    return lines


def _shares(needs: Sequence[int], height: int) -> list[int]:
    """How many lines each flow gets: what the small ones leave goes to the others."""
    shares = [0] * len(needs)
    left = height
    for done, at in enumerate(sorted(range(len(needs)), key=lambda at: needs[at])):
        shares[at] = min(needs[at], left // (len(needs) - done))
        left -= shares[at]
    return shares


def _most_urgent(flows: Sequence[FlowPicture], height: int, now: datetime, charset: Charset) -> list[Line]:
    order = sorted(flows, key=lambda flow: -INTEREST[flow.phase])
    shown, rest = order[: height - 1], order[height - 1 :]
    counts = Counter(flow.word for flow in rest)
    told = ", ".join(f"{count} {word}" for word, count in counts.items())
    return [*(flow_line(flow, now, charset) for flow in shown), (Span(f"and {told}", "dim"),)]
