"""What docs/simulation.md shows is run: its test, the names it tells of, and what it says of a flow that never ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobflow.testing import volcano
from jobflow.testing.mutants import MUTANTS
from jobflow.testing.scenarios import Scenario
from jobflow.testing.world import play

PAGE = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text()
(SHOWN,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    """The names that the page's example defines."""
    names: dict[str, Any] = {}
    exec(compile(SHOWN, "docs/simulation.md", "exec"), names)
    return names


@pytest.mark.parametrize("name", re.findall(r"^def (test_\w+)", SHOWN, re.MULTILINE))
def test_the_tests_that_are_shown_pass(shown: dict[str, Any], name: str) -> None:
    test: Callable[[], None] = shown[name]
    test()


def test_a_flow_that_never_ends_says_what_the_page_says(shown: dict[str, Any]) -> None:
    scenario = Scenario.from_yaml("stuck", shown["FLOW"], walks={"train": volcano.NEVER_ENDS})
    assert f"`{play(scenario, virtual_limit=600).never_ended}`" in PAGE


def test_the_walks_that_are_named_are_all_there_are() -> None:
    walks = {name for name, value in vars(volcano).items() if isinstance(value, volcano.Walk)}
    assert {name for name in walks if not name.startswith("_")} == set(re.findall(r"`([A-Z_]{5,})`", PAGE)) & walks
    assert all(f"`{name}`" in PAGE for name in walks if not name.startswith("_"))


def test_every_mutant_is_in_the_list() -> None:
    assert [name for name in MUTANTS if name not in PAGE] == []
