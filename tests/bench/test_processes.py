"""CPU and memory of a process and all below it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.processes import PAGE_BYTES, TICKS, parse_stat, usage


def stat(pid: int, parent: int, *, ticks: tuple[int, int, int, int] = (0, 0, 0, 0), pages: int = 0) -> str:
    """As the kernel writes it, for a process with a name that is made to confuse."""
    before = f"S {parent} 1 1 0 -1 4194560 100 0 0 0"
    after = f"20 0 1 0 12345 1000000 {pages} 18446744073709551615 0 0"
    return f"{pid} (a) b (c) {before} {' '.join(map(str, ticks))} {after}\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    for pid, text in {
        10: stat(10, 1, ticks=(100, 50, 0, 0), pages=5),
        11: stat(11, 10, ticks=(20, 10, 0, 0), pages=3),
        12: stat(12, 11, ticks=(1, 1, 7, 2), pages=2),
        99: stat(99, 1, ticks=(5000, 0, 0, 0), pages=1000),
    }.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(text)
    (tmp_path / "meminfo").write_text("not a process")
    (tmp_path / "77").mkdir()  # ended between the listing and the look
    return tmp_path


def test_a_name_may_hold_spaces_and_brackets() -> None:
    assert parse_stat(stat(10, 7, ticks=(1, 2, 3, 4), pages=9)) == (7, 10, 9)


def test_children_and_theirs_are_counted_and_strangers_are_not(proc: Path) -> None:
    found = usage(10, proc)
    assert found.cpu_seconds == (150 + 30 + 11) / TICKS
    assert found.resident_bytes == 10 * PAGE_BYTES


def test_a_process_that_ended_is_told(proc: Path) -> None:
    with pytest.raises(BenchError, match="process 12345 has ended"):
        usage(12345, proc)


def test_of_this_very_process() -> None:
    found = usage(os.getpid())
    assert found.cpu_seconds > 0
    assert found.resident_bytes > 2**20
