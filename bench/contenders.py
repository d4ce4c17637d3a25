"""Contenders: which controllers are measured, and how each is started.

In: words of the command line. Out: names and commands. `{kubeconfig}` in a command becomes the file that leads to the
measurement's own control plane.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError

PLACE = "{kubeconfig}"
IDEAL = "ideal"


@dataclass(frozen=True)
class Contender:
    """A name for the table, a command, and where it tells its metrics if that is of use."""

    name: str
    command: tuple[str, ...]
    metrics: str = ""  # host:port

    def started_with(self, kubeconfig: Path) -> list[str]:
        """The command's words for this control plane."""
        return [word.replace(PLACE, str(kubeconfig)) for word in self.command]


def ideal() -> Contender:
    """The built-in one (`ideal.py`)."""
    return Contender(IDEAL, (sys.executable, "-m", "bench.ideal", PLACE))


def jobflow() -> Contender:
    """This tree's controller, with its defaults."""
    return Contender("jobflow", (sys.executable, "-m", "jobflow", "controller", "--kubeconfig", PLACE))


def contenders(commands: Sequence[str], names: Sequence[str], with_ideal: bool) -> list[Contender]:
    """Those asked for, the ideal client first; jobflow where no command is given. Raises BenchError."""
    if len(names) > len(commands):
        raise BenchError(f"--name {names[len(commands)]}: there are more names than --controller commands")
    found = [_contender(command, names[at] if at < len(names) else "") for at, command in enumerate(commands)]
    found = [*([ideal()] if with_ideal else []), *(found or [jobflow()])]
    told = [contender.name for contender in found]
    for name in told:
        if told.count(name) > 1:
            raise BenchError(f"two contenders are called {name!r}: tell them apart with --name")
    return found


def _contender(command: str, name: str) -> Contender:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise BenchError(f"--controller {command!r}: {error}") from error
    if not words:
        raise BenchError("--controller is empty: give the command that starts it")
    if PLACE not in command:
        raise BenchError(f"--controller {command!r}: must have {PLACE} where the controller takes its kubeconfig")
    if shutil.which(words[0]) is None:
        raise BenchError(f"--controller {command!r}: there is no program {words[0]!r}")
    return Contender(name or Path(words[0]).name, tuple(words))
