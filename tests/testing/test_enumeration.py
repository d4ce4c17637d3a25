"""Enumeration covers what an undisturbed run reaches, and nothing beyond."""

from __future__ import annotations

from random import Random

from jobflow.testing.enumeration import pairs, plans
from jobflow.testing.faults import FAULTS, CrashAfter, CrashAtAwait, CrashBefore, Cut, Plan, parse_plan
from jobflow.testing.scenarios import STANDARD
from jobflow.testing.world import play

REFERENCE = play(STANDARD["chain"])
PLANS = plans(REFERENCE)
SINGLES = {plan[0] for plan in PLANS if len(plan) == 1}


def test_every_kind_of_fault_is_in_it() -> None:
    assert {type(fault) for fault in SINGLES} == set(FAULTS.values())


def test_every_write_is_crashed_at_before_and_after_its_commit() -> None:
    writes = range(1, REFERENCE.reach.writes + 1)
    assert {fault.write for fault in SINGLES if isinstance(fault, CrashBefore)} == set(writes)
    assert {fault.write for fault in SINGLES if isinstance(fault, CrashAfter)} == set(writes)


def test_every_await_is_crashed_at() -> None:
    awaits = {fault.step for fault in SINGLES if isinstance(fault, CrashAtAwait)}
    assert awaits == set(range(1, REFERENCE.reach.awaits + 1))


def test_a_watch_is_cut_at_every_position_in_every_way() -> None:
    for kind in ("Job", "JobFlow", "JobTemplate"):
        cuts = {(fault.event, fault.how) for fault in SINGLES if isinstance(fault, Cut) and fault.kind == kind}
        assert len(cuts) == 4 * REFERENCE.reach.events[kind]


def test_no_plan_is_in_it_twice_and_each_can_be_typed() -> None:
    assert len(set(PLANS)) == len(PLANS)
    assert all(parse_plan(str(plan)) == plan for plan in PLANS)


def test_pairs_are_drawn_from_a_seed() -> None:
    drawn = pairs(REFERENCE, Random(1), 50)
    assert drawn == pairs(REFERENCE, Random(1), 50)
    assert all(isinstance(plan, Plan) and len(set(plan)) == 2 for plan in drawn)
