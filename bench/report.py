"""Report: what was measured, where, and how, as text and as JSON.

In: figures of each contender and round. Out: a table on standard output, a JSON file where one is asked for.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench.errors import BenchError
from bench.figures import Figures, middle, table


@dataclass
class Report:
    """One run of the command: every contender, every round."""

    title: str
    command: str = field(default_factory=lambda: " ".join(["python -m bench", *sys.argv[1:]]))
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    machine: str = field(default_factory=lambda: machine())
    rounds: dict[str, list[Figures]] = field(default_factory=dict)  # by contender

    def add(self, contender: str, figures: Figures) -> None:
        """One measurement."""
        self.rounds.setdefault(contender, []).append(figures)

    def text(self) -> str:
        """The table; with several rounds, of medians."""
        count = max((len(rounds) for rounds in self.rounds.values()), default=0)
        of = f", median of {count} rounds" if count > 1 else ""
        medians = {name: middle(rounds) for name, rounds in self.rounds.items()}
        return f"{self.title}{of}\n{self.machine}\n\n{table(medians)}"

    def write(self, path: Path) -> None:
        """As JSON, every round. Raises BenchError."""
        try:
            path.write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")
        except OSError as error:
            raise BenchError(f"--json {path}: {error.strerror or error}") from error


def machine() -> str:
    """What it ran on, and how busy that was at the beginning."""
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"load {load:.1f} at the start"
    )
