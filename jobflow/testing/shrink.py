"""Shrink: a failing plan with as few faults, and as small a seed, as still fail.

In: a plan that fails and how to tell. Out: the smallest that was found. Each try is a whole run, so that what is
returned has been seen to fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jobflow.testing.controllers import AppFactory
from jobflow.testing.faults import Fault, Plan
from jobflow.testing.history import History
from jobflow.testing.scenarios import Scenario
from jobflow.testing.world import play

Failing = Callable[[History], bool]


def shrink(
    scenario: Scenario,
    plan: Iterable[Fault],
    seed: int,
    failing: Failing,
    app_factory: AppFactory | None = None,
) -> tuple[Plan, int]:
    """The plan with the faults left out that do not matter, and seed 0 where that fails too.

    Raises ValueError where the plan does not fail to begin with.
    """
    plan = Plan(plan)

    def fails(smaller: Plan, its_seed: int) -> bool:
        return failing(play(scenario, smaller, its_seed, app_factory=app_factory))

    if not fails(plan, seed):
        raise ValueError(
            f"scenario {scenario.name} with plan {str(plan) or '(no faults)'!r} and seed {seed} does not fail"
        )
    plan = _fewest(plan, lambda smaller: fails(smaller, seed))
    return plan, 0 if seed and fails(plan, 0) else seed


def _fewest(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """Leave out one fault after another, in turns, until none can go."""
    if plan and fails(Plan()):
        return Plan()
    for index in range(len(plan)):
        smaller = Plan((*plan[:index], *plan[index + 1 :]))
        if smaller and fails(smaller):
            return _fewest(smaller, fails)
    return plan
