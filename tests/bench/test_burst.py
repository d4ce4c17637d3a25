"""A small burst on the real control plane, as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
LIMIT_SECONDS = 240.0  # it takes twenty; a bound, not a measurement
FLOWS, STEPS, LEVELS = 20, 5, 3


@pytest.mark.real
def test_a_burst_of_both_contenders(tmp_path: Path) -> None:
    file = tmp_path / "burst.json"
    words = [sys.executable, "-m", "bench", "burst", str(FLOWS), "--delete", "--json", str(file)]
    done = subprocess.run(words, cwd=TOP, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    if done.returncode == 2 and "no control plane" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    rounds = json.loads(file.read_text())["rounds"]
    assert set(rounds) == {"ideal", "jobflow"}
    for contender, (figures,) in rounds.items():
        assert figures["  create jobs /flow"] == STEPS, contender
        assert figures["  delete jobs /flow"] == STEPS, contender
        assert figures["flows/s"] > 0, contender
    ours = rounds["jobflow"][0]
    assert ours["  update jobflows/status /flow"] <= 3 * STEPS + 2 - STEPS, "more writes than the simulation allows"
