"""Controllers with a known bug are caught, each in the history that is known to show it; the shipped one is not."""

from __future__ import annotations

import pytest

from jobflow.testing.faults import parse_plan
from jobflow.testing.mutants import KNOWN_SEEDS, MUTANTS, Mutant, judge_mutant
from jobflow.testing.oracles import ORACLES, judge
from jobflow.testing.scenarios import STANDARD
from jobflow.testing.sweep import Run, check
from jobflow.testing.world import play


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.name)
def test_it_is_caught_where_it_is_known_to_show(mutant: Mutant) -> None:
    verdict = judge_mutant(mutant)

    assert verdict.caught, verdict.line()
    assert verdict.oracle in ORACLES, "a promise was broken; that the run did not end would say less"
    assert verdict.histories <= KNOWN_SEEDS, f"found only by looking further, {verdict.line()}: correct its shown_in"


@pytest.mark.parametrize("shown_in", sorted({mutant.shown_in for mutant in MUTANTS.values()}))
def test_the_shipped_controller_breaks_nothing_there(shown_in: str) -> None:
    name, _, plan = shown_in.partition(":")
    failure = check(Run(STANDARD[name], parse_plan(plan), 0), play(STANDARD[name]))
    assert failure is None, failure.line()


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("adopt what has the name", "strangers are told of"),
        ("open gates early", "gate was open"),
        ("change what is cached", "cache is true"),
    ],
)
def test_it_is_caught_by_the_oracle_of_its_own_rule(name: str, oracle: str) -> None:
    scenario, _, plan = MUTANTS[name].shown_in.partition(":")
    history = play(STANDARD[scenario], parse_plan(plan), app_factory=MUTANTS[name].app)
    assert oracle in {violation.oracle for violation in judge(history, play(STANDARD[scenario]))}


def test_every_mutant_says_which_rule_it_breaks() -> None:
    assert all(len(mutant.breaks) > 20 and mutant.breaks.endswith(".") for mutant in MUTANTS.values())
