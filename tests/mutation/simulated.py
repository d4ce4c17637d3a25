"""Simulated: histories that a mutant has to get through; part of `inside.py`, which starts it.

In: which histories, or how many. Out: the first promise that one of them breaks, or None.
"""

from __future__ import annotations

from functools import cache
from random import Random

from jobflow.testing.enumeration import plans
from jobflow.testing.faults import Plan, parse_plan
from jobflow.testing.history import History
from jobflow.testing.scenarios import STANDARD
from jobflow.testing.sweep import Run, check
from jobflow.testing.world import play

SEEDS = 5


def histories(wanted: list[str]) -> str | None:
    """Play the histories, each `SCENARIO` or `SCENARIO:PLAN`, up to the first that breaks a promise.

    Each in several schedules: a bug that is a race shows in some.
    """
    parsed = [(name, parse_plan(plan)) for name, _, plan in (one.partition(":") for one in wanted)]
    undisturbed = [(name, Plan()) for name in dict.fromkeys(name for name, _ in parsed)]
    return next((told for seed in range(SEEDS) if (told := _first_broken([*undisturbed, *parsed], seed))), None)


def hunt(count: int, seed: int) -> str | None:
    """Play every scenario undisturbed, then about `count` plans drawn from all of them."""
    if killed_by := _first_broken([(name, Plan()) for name in STANDARD]):
        return killed_by
    random, each = Random(seed), -(-count // len(STANDARD))
    drawn = [(name, plan) for name in STANDARD for plan in random.sample(plans(_reference(name)), each)]
    random.shuffle(drawn)
    return _first_broken(drawn)


def _first_broken(wanted: list[tuple[str, Plan]], seed: int = 0) -> str | None:
    return next((told for told in (_broken(name, plan, seed) for name, plan in wanted) if told), None)


def _broken(name: str, plan: Plan, seed: int) -> str | None:
    """What is broken in one history. Its reference is played with the same code, so it has to be sound itself."""
    failure = check(Run(STANDARD[name], plan, seed), _reference(name) if plan else None)
    if failure is None:
        return None
    said = failure.violations[0].oracle if failure.violations else failure.error.splitlines()[0]
    return f"{said} in {name}{f':{plan}' if plan else ''}"


@cache
def _reference(name: str) -> History:
    return play(STANDARD[name])
