"""Exit codes: those of test, timeout and the shell, and help tells all of them."""

from __future__ import annotations

import signal

import pytest

from jobflow.cli.exit_codes import RUN_EXIT_CODES, ExitCode, of_flows, of_signal


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["Succeed"], 0), (["Succeed", "Failed"], 1), (["Failed"], 1), (["Running"], 1), ([], 0)],
    ids=["all succeeded", "one failed", "failed", "not finished is no success", "none"],
)
def test_of_flows(pictures, words, expected):
    assert of_flows([pictures.flow(f"f{n}", word) for n, word in enumerate(words)]) == expected


def test_of_signal():
    assert (of_signal(signal.SIGINT), of_signal(signal.SIGTERM)) == (130, 143)


def test_help_names_every_code():
    assert all(str(int(code)) in RUN_EXIT_CODES for code in ExitCode)
