"""How many flows may tell that a probe goes on as before."""

from __future__ import annotations

from jobflow.probe.news import PER_SECOND, SAVED, Allowance


def test_so_many_in_a_second() -> None:
    allowance = Allowance()
    told = sum(allowance.take(1, quarter / 4) for quarter in range(4000))
    assert PER_SECOND * 999 + SAVED <= told <= PER_SECOND * 1000 + SAVED


def test_what_was_not_used_is_saved_for_a_moment_only() -> None:
    allowance = Allowance()
    assert sum(allowance.take(1, 86_400.0) for _ in range(1000)) == SAVED


def test_many_that_wait_for_one_probe_tell_together_and_then_nobody_for_as_long_as_that_takes() -> None:
    allowance = Allowance()
    assert allowance.take(1000, 0.0)
    owed = (1000 - SAVED + 1) / PER_SECOND
    assert not allowance.take(1, owed - 1)
    assert allowance.take(1, owed + 1)
