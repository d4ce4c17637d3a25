"""How many connections of probes begin in a second, and when fewer do."""

from __future__ import annotations

import asyncio

import pytest

from jobflow.probe.pace import LATE_SECONDS, Limits, Pace
from jobflow.testing.clock import VirtualClock

LIMITS = Limits(at_once=100, at_once_per_host=100, per_second=10.0, least_per_second=2.0)


class BusyClock(VirtualClock):
    """Of an event loop that wakes its sleepers late."""

    late = 0.0

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds + self.late)


async def starts(pace: Pace, clock: VirtualClock, count: int) -> list[float]:
    """When so many connections to one host began, in seconds from now."""
    began = clock.monotonic()
    times: list[float] = []

    async def one() -> None:
        async with pace.turn("10.0.0.7"):
            times.append(clock.monotonic() - began)

    await asyncio.gather(*(one() for _ in range(count)))
    return sorted(times)


@pytest.mark.looptime
async def test_connections_begin_one_after_another():
    clock = VirtualClock()
    assert await starts(Pace(clock, LIMITS), clock, 5) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


@pytest.mark.looptime
async def test_a_late_event_loop_begins_fewer_down_to_the_least():
    clock = BusyClock()
    pace = Pace(clock, LIMITS)
    clock.late = 2 * LATE_SECONDS
    seen = []
    for _ in range(20):
        await starts(pace, clock, 20)
        seen.append(pace.per_second)
    assert seen == sorted(seen, reverse=True)
    assert (seen[0], seen[-1]) == (pytest.approx(10.0), pytest.approx(2.0))


@pytest.mark.looptime
async def test_it_begins_fewer_once_a_second_at_most():
    clock = BusyClock()
    pace = Pace(clock, Limits(per_second=1000.0, least_per_second=1.0))
    clock.late = 50 * LATE_SECONDS
    began = clock.monotonic()
    while clock.monotonic() < began + 4.0:
        await starts(pace, clock, 5)
    assert pace.per_second >= 1000.0 / 2**5


@pytest.mark.looptime
async def test_one_late_moment_is_no_reason():
    clock = BusyClock()
    pace = Pace(clock, LIMITS)
    await starts(pace, clock, 20)
    clock.late = 0.4
    await starts(pace, clock, 1)
    clock.late = 0.0
    await starts(pace, clock, 20)
    assert pace.per_second == pytest.approx(10.0)


@pytest.mark.looptime
async def test_it_recovers_once_the_event_loop_is_in_time():
    clock = BusyClock()
    pace = Pace(clock, LIMITS)
    clock.late = 4 * LATE_SECONDS
    await starts(pace, clock, 100)
    assert pace.per_second == pytest.approx(2.0)
    clock.late = LATE_SECONDS / 4
    await starts(pace, clock, 300)
    assert pace.per_second == pytest.approx(10.0)


@pytest.mark.looptime
async def test_who_need_not_wait_learns_nothing():
    clock = BusyClock()
    pace = Pace(clock, LIMITS)
    clock.late = 5.0
    for _ in range(5):
        await starts(pace, clock, 1)
        await VirtualClock().sleep(1.0)
    assert pace.per_second == pytest.approx(10.0)


@pytest.mark.looptime
async def test_what_a_moment_of_lateness_cost_is_made_up_for():
    clock = BusyClock()
    clock.late = LATE_SECONDS / 2
    pace = Pace(clock, Limits(at_once=100, at_once_per_host=100, per_second=100.0))
    assert (await starts(pace, clock, 50))[-1] == pytest.approx(0.49, abs=0.06)


@pytest.mark.looptime
async def test_who_came_while_it_was_slow_starts_at_the_pace_of_now():
    clock = BusyClock()
    pace = Pace(clock, LIMITS)
    clock.late = 4 * LATE_SECONDS
    await starts(pace, clock, 100)
    assert pace.per_second == pytest.approx(2.0)
    clock.late = 0.0
    assert (await starts(pace, clock, 400))[-1] < 150, "not the 200 s of two in a second"


@pytest.mark.looptime
async def test_while_flows_wait_for_a_worker_as_few_begin_as_ever_do():
    clock = VirtualClock()
    pace = Pace(clock, LIMITS)
    pace.waiting = lambda: 1 if clock.monotonic() - began < 1.0 else 0
    began = clock.monotonic()
    assert await starts(pace, clock, 5) == pytest.approx([0.0, 0.5, 1.0, 1.1, 1.2])
