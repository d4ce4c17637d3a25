"""Which keys are due later."""

from __future__ import annotations

from jobflow.work.timers import STALE_TIMERS, Timers


def test_keys_come_in_the_order_of_their_times() -> None:
    timers = Timers[str]()
    for key, due in (("b", 2.0), ("c", 3.0), ("a", 1.0)):
        timers.put(key, due)
    assert timers.next_ring == timers.earliest == 1.0
    assert timers.take(2.0) == ["a", "b"]
    assert (len(timers), timers.take(2.9), timers.take(3.0)) == (1, [], ["c"])


def test_the_earliest_of_several_times_wins_and_rings_once() -> None:
    timers = Timers[str]()
    for due in (5.0, 2.0, 9.0):
        timers.put("a", due)
    assert timers.take(10.0) == ["a"]
    assert timers.take(20.0) == []


def test_a_dropped_timer_does_not_ring() -> None:
    timers = Timers[str]()
    timers.put("a", 1.0)
    timers.drop("a")
    assert (len(timers), timers.earliest, timers.take(2.0)) == (0, None, [])
    timers.put("a", 5.0)
    assert (timers.take(4.0), timers.take(5.0)) == ([], ["a"])


def test_void_timers_do_not_pile_up() -> None:
    timers = Timers[str]()
    for _ in range(10 * STALE_TIMERS):
        timers.put("a", 86_400.0)
        timers.drop("a")
    assert len(timers._heap) <= STALE_TIMERS + 2
