"""Which controllers are measured, from the words of the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.contenders import contenders
from bench.errors import BenchError

OURS = f"{sys.executable} -m jobflow controller --kubeconfig {{kubeconfig}}"


def names(commands: list[str], told: list[str], *, ideal: bool = True) -> list[str]:
    return [contender.name for contender in contenders(commands, told, ideal)]


def test_without_words_it_is_this_tree_beside_the_ideal_client() -> None:
    assert names([], []) == ["ideal", "jobflow"]
    assert names([], [], ideal=False) == ["jobflow"]


def test_names_belong_to_commands_in_their_order() -> None:
    assert names([OURS, OURS], ["old", "new"]) == ["ideal", "old", "new"]


def test_a_command_without_a_name_is_called_like_its_program() -> None:
    assert names([OURS], [], ideal=False) == [Path(sys.executable).name]


def test_the_kubeconfig_is_put_where_the_command_wants_it() -> None:
    found = contenders(["env KUBECONFIG={kubeconfig} true --config='a b'"], [], False)[0]
    assert found.started_with(Path("/x/k")) == ["env", "KUBECONFIG=/x/k", "true", "--config=a b"]


@pytest.mark.parametrize(
    ("what", "commands", "told", "message"),
    [
        ("no place for the kubeconfig", ["true"], [], r"must have \{kubeconfig\}"),
        ("an empty command", [" "], [], "--controller is empty"),
        ("a quote that is not closed", ["true '{kubeconfig}"], [], "No closing quotation"),
        ("a program that is not there", ["no-such-program {kubeconfig}"], [], "there is no program 'no-such-program'"),
        ("more names than commands", [OURS], ["a", "b"], "--name b: there are more names than --controller"),
        ("a name without any command", [], ["a"], "--name a: there are more names than --controller"),
        ("two of one name", [OURS, OURS], ["same", "same"], "two contenders are called 'same'"),
        ("the ideal client's name", [OURS], ["ideal"], "two contenders are called 'ideal'"),
    ],
)
def test_words_that_cannot_be_used(what, commands, told, message) -> None:
    with pytest.raises(BenchError, match=message):
        contenders(commands, told, True)
