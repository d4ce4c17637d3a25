"""A command whose options are the fields of a dataclass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from jobflow.cli.verb import verb


@dataclass(frozen=True)
class Wanted:
    """What was wanted."""

    files: Annotated[list[str], typer.Argument(metavar="FILE")]
    size: Annotated[int, typer.Option("--size", "-s", help="How large.", min=1)] = 2
    names: Annotated[list[str] | None, typer.Option("--name")] = None
    loud: Annotated[bool, typer.Option("--loud")] = False


@pytest.fixture
def run():
    taken: list[Wanted] = []

    @verb
    def collect(wanted: Wanted) -> None:
        """Collect what is wanted."""
        taken.append(wanted)

    app = typer.Typer()
    app.command()(collect)

    def run(*words):
        taken.clear()
        return CliRunner().invoke(app, list(words)), taken

    return run


def test_what_is_left_out_is_as_the_field_says(run):
    done, taken = run("a", "b")
    assert done.exit_code == 0
    (wanted,) = taken
    assert (wanted.files, wanted.size, wanted.loud) == (["a", "b"], 2, False)
    assert not wanted.names


def test_what_is_given_is_in_its_field(run):
    _, (wanted,) = run("a", "-s", "3", "--name", "x", "--name", "y", "--loud")
    assert wanted == Wanted(["a"], 3, ["x", "y"], loud=True)


def test_limits_and_what_is_required_are_those_of_the_field(run):
    assert run("a", "--size", "0")[0].exit_code == 2
    assert run()[0].exit_code == 2


def test_help_is_that_of_the_function_and_of_its_fields(run):
    text = run("--help")[0].stdout
    assert "Collect what is wanted." in text
    assert "How large." in text
    assert "collect" in text
