"""`python -m bench`, as far as it needs no control plane."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.__main__ import application

runner = CliRunner()


@pytest.mark.parametrize(
    ("what", "words", "said"),
    [
        ("not a number", ["burst", "many"], "Invalid value for 'count'"),
        ("none", ["burst", "0"], "'count': Input should be greater than or equal to 1"),
        ("five patches", ["burst", "1", "--patches", "5"], "'5' is not one of '2', '6'"),
        ("no place for the kubeconfig", ["burst", "1", "--controller", "true"], "must have {kubeconfig}"),
        ("stages that shrink", ["open-loop", "--live", "20", "--live", "10"], "--live 20 10: must grow"),
        ("a rate of nothing", ["open-loop", "--rate", "0"], "'--rate': Input should be greater than or equal to 0.01"),
        ("restart without a count", ["restart"], "Missing argument"),
        ("an unknown measurement", ["fly"], "No such command 'fly'"),
        (
            "a file that cannot be written",
            ["decode", "--flows", "1", "--rounds", "1", "--json", "/no/such/x"],
            "--json",
        ),
    ],
)
def test_words_that_cannot_be_used_are_told_in_a_line(what, words, said) -> None:
    result = runner.invoke(application, words)
    assert result.exit_code == 2
    assert said in " ".join(result.output.replace("│", " ").split())
    assert "Traceback" not in result.output


def test_every_round_is_in_the_json(tmp_path: Path) -> None:
    file = tmp_path / "decode.json"
    result = runner.invoke(application, ["decode", "--flows", "2", "--rounds", "3", "--json", str(file)])
    assert result.exit_code == 0, result.output
    told = json.loads(file.read_text())
    assert len(told["rounds"]["jobflow"]) == 3
    assert "cores" in told["machine"]
    assert "median of 3 rounds" in result.output
