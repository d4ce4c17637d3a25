"""Copies: the project in a temporary directory, where a mutant may be applied and tried.

In: the project's root, mutants. Out: a verdict for each try. The working tree is copied once, hard links of that
copy are as cheap as they come, and a mutated file is a file of its own; so the tree is never written to, and
what somebody edits meanwhile does not matter.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGXCPU

from mutants import Mutant

PROJECT = Path(__file__).parents[2]
COPIED = ("jobflow", "tests", "manifests", "examples", "pyproject.toml")
NOT_COPIED = shutil.ignore_patterns("mutation", ".hypothesis", ".pytest_cache", "*.sum")
WALL_SECONDS = 600.0  # far beyond the limit of CPU seconds: for a mutant that waits for ever
INSIDE = Path(__file__).parent / "inside.py"


class BrokenTable(Exception):
    """A mutant that cannot be applied, or a try that could not run: nothing is known, which is not a kill."""


@dataclass(frozen=True)
class Try:
    """What came of running a mutant: `killed_by` is None where it survived."""

    killed_by: str | None
    seconds: float


class Copies:
    """Copies of one state of the project."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._whole = directory / "unmutated"
        for name in COPIED:
            source, target = PROJECT / name, self._whole / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=NOT_COPIED)
            else:
                self._whole.mkdir(exist_ok=True)
                shutil.copy2(source, target)

    @contextmanager
    def of(self, mutant: Mutant | None = None) -> Iterator[Path]:
        """A copy with the mutant in it; gone afterwards. Raises BrokenTable where the mutant does not fit."""
        with tempfile.TemporaryDirectory(dir=self._directory, prefix="copy-") as place:
            copy = Path(place) / "project"
            shutil.copytree(self._whole, copy, copy_function=os.link)
            if mutant is not None:
                _mutate(copy, mutant)
            yield copy


@contextmanager
def copies() -> Iterator[Copies]:
    """Copies of the project as it is now."""
    with tempfile.TemporaryDirectory(prefix="jobflow-mutants-") as directory:
        yield Copies(Path(directory).resolve())


def replace_file(path: Path, text: str) -> None:
    """Give the file in a copy other contents, without touching the files that it is a link of."""
    path.unlink()
    path.write_text(text)
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


def run(copy: Path, what: str, *words: str) -> Try:
    """Run tests or histories in the copy, in a process that imports it from there."""
    verdict = copy.parent / "verdict.json"
    verdict.unlink(missing_ok=True)
    started = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, str(INSIDE), str(verdict), what, *words],
            cwd=copy,
            env=environment(copy),
            capture_output=True,
            text=True,
            timeout=WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Try("it never ends", time.monotonic() - started)
    seconds = time.monotonic() - started
    if verdict.exists():
        return Try(json.loads(verdict.read_text())["killed_by"], seconds)
    if done.returncode == -SIGXCPU:
        return Try("it never ends", seconds)
    if "MemoryError" in done.stderr:
        return Try("it eats memory", seconds)
    if f"{copy / 'jobflow'}" in done.stderr and "Error" in done.stderr:
        return Try(f"it does not start: {done.stderr.splitlines()[-1]}", seconds)
    raise BrokenTable(f"{what} {' '.join(words)} could not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def environment(copy: Path) -> dict[str, str]:
    """The copy first on the path, the same examples of hypothesis in every run, hashes that repeat."""
    return os.environ | {"PYTHONPATH": str(copy), "CI": "1", "PYTHONHASHSEED": "0"}


def _mutate(copy: Path, mutant: Mutant) -> None:
    path = copy / mutant.file
    if not path.exists():
        raise BrokenTable(f"mutant {mutant.name}: there is no file {mutant.file} any more; name the one to mutate")
    text = path.read_text()
    if (count := text.count(mutant.old)) != 1:
        raise BrokenTable(
            f"mutant {mutant.name}: its text occurs {count} times in {mutant.file}, must be once; write it anew:\n"
            f"{mutant.old}"
        )
    mutated = text.replace(mutant.old, mutant.new)
    try:
        compile(mutated, mutant.file, "exec")
    except SyntaxError as error:
        raise BrokenTable(f"mutant {mutant.name} is not Python: {error}") from error
    replace_file(path, mutated)
