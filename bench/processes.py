"""Processes: what a process and its descendants have used, from /proc.

In: a process id. Out: CPU seconds and resident bytes. A controller may be a shell that starts the real one, so the
whole tree is looked at. Linux only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
AFTER_NAME = ") "  # a process may be called anything, spaces and brackets included
PARENT, USER, SYSTEM, REAPED_USER, REAPED_SYSTEM, RESIDENT = 1, 11, 12, 13, 14, 21  # fields of stat after the name


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds since the start, and resident bytes now."""

    cpu_seconds: float
    resident_bytes: int


@dataclass(frozen=True, slots=True)
class _Stat:
    parent: int
    ticks: int
    pages: int


def usage(pid: int, proc: Path = Path("/proc")) -> Usage:
    """Of the process and all its descendants. Raises BenchError where it has ended."""
    stats = _stats(proc)
    if pid not in stats:
        raise BenchError(f"process {pid} has ended: look at the end of its log")
    tree, found = [pid], {pid}
    for parent in tree:  # grows while it is walked
        children = [child for child, stat in stats.items() if stat.parent == parent and child not in found]
        found.update(children)
        tree += children
    ticks = sum(stats[member].ticks for member in tree)
    pages = sum(stats[member].pages for member in tree)
    return Usage(ticks / TICKS, pages * PAGE_BYTES)


def parse_stat(text: str) -> tuple[int, int, int]:
    """Parent, CPU ticks (those of reaped children included) and resident pages of a /proc/<pid>/stat."""
    fields = text[text.rindex(AFTER_NAME) + len(AFTER_NAME) :].split()
    ticks = sum(int(fields[index]) for index in (USER, SYSTEM, REAPED_USER, REAPED_SYSTEM))
    return int(fields[PARENT]), ticks, int(fields[RESIDENT])


def _stats(proc: Path) -> dict[int, _Stat]:
    found: dict[int, _Stat] = {}
    for directory in proc.iterdir():
        if not directory.name.isdigit():
            continue
        try:
            found[int(directory.name)] = _Stat(*parse_stat((directory / "stat").read_text()))
        except OSError:
            continue  # it ended while we looked
    return found
