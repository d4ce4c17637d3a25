"""The command line as a whole: verbs, help, version, and what it imports before it knows the verb."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from jobflow import __version__
from jobflow.cli.main import app, program_name

VERBS = ("run", "up", "lint", "manifests", "controller")


def invoke(*words: str):
    return CliRunner().invoke(app, words)


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_without_a_verb_it_shows_help_with_all_verbs(words):
    result = invoke(*words)

    assert result.exit_code == 0
    assert all(f"  {verb} " in result.output for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(verb):
    result = invoke(verb, "--help")

    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize("verb", ["run", "up", "controller"])
def test_help_has_the_exit_codes(verb):
    assert "Exit codes:" in invoke(verb, "--help").output


def test_version():
    assert invoke("--version").output == f"jobflow {__version__}\n"


@pytest.mark.parametrize("words", [("rum",), ("run",), ("run", "--timeout", "-1", "f"), ("up", "--port", "70000")])
def test_a_wrong_command_line_is_exit_2(words):
    result = invoke(*words)

    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("started_as", "expected"),
    [
        ("/usr/bin/jobflow", "jobflow"),
        ("/usr/bin/kubectl-jobflow", "kubectl jobflow"),
        ("/x/jobflow/__main__.py", "jobflow"),
    ],
)
def test_program_name(started_as, expected):
    assert program_name(started_as) == expected


def test_nothing_heavy_is_imported_before_the_verb_is_known():
    heavy = ("aiohttp", "cryptography", "kubernetes_asyncio", "structlog", "uvloop", "jobflow.local", "jobflow.app")
    code = f"import sys, jobflow.cli.main; print([name for name in {heavy} if name in sys.modules])"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
