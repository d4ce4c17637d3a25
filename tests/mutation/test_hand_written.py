"""Bugs that are put in on purpose are found, each by the quickest thing that finds it; and the table fits the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mutation.mutants import MUTANTS

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_its_file_in_one_place_and_is_python(mutant):
    text = (PROJECT / mutant.file).read_text()
    assert text.count(mutant.old) == 1
    compile(text.replace(mutant.old, mutant.new), mutant.file, "exec")


def test_every_mutant_has_a_name_of_its_own_and_something_that_kills_it():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert [mutant.name for mutant in MUTANTS if not (mutant.test or mutant.history)] == []


@pytest.mark.e2e
def test_every_mutant_is_killed():
    command = [sys.executable, str(HERE / "check.py"), "--jobs", "2"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
