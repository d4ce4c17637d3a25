"""Shrink finds the one fault that matters, in the plan and among the seeds."""

from __future__ import annotations

import pytest

from jobflow.testing.faults import CrashAfter, Plan, parse_plan
from jobflow.testing.history import History
from jobflow.testing.scenarios import STANDARD
from jobflow.testing.shrink import shrink
from jobflow.testing.world import play

CHAIN = STANDARD["chain"]
NOISE = "duplicate:Job:4 answer:3:429 crash-after:7 cut:JobFlow:2:eof reorder:Job:6"


def has_crashed(history: History) -> bool:
    return any(mark.text.endswith("crashed") for mark in history.marks)


def test_the_one_fault_that_matters_is_found() -> None:
    assert shrink(CHAIN, parse_plan(NOISE), 5, has_crashed) == (Plan((CrashAfter(7),)), 0)


def test_two_faults_that_matter_together_are_kept_together() -> None:
    def both(history: History) -> bool:
        return has_crashed(history) and any(call.fault.startswith("answer:3") for call in history.calls)

    plan, _ = shrink(CHAIN, parse_plan(NOISE), 0, both)

    assert str(plan) == "answer:3:429 crash-after:7"


def test_what_fails_without_any_fault_shrinks_to_nothing() -> None:
    assert shrink(CHAIN, parse_plan(NOISE), 3, lambda history: bool(history.commits)) == (Plan(), 0)


def test_a_seed_that_matters_is_kept() -> None:
    wanted = play(CHAIN, seed=3).reach

    plan, seed = shrink(CHAIN, (), 3, lambda history: history.seed == 3 and history.reach == wanted)

    assert (plan, seed) == (Plan(), 3)


def test_a_plan_that_does_not_fail_is_refused() -> None:
    with pytest.raises(ValueError, match="scenario chain with plan 'duplicate:Job:4' and seed 0 does not fail"):
        shrink(CHAIN, parse_plan("duplicate:Job:4"), 0, has_crashed)
