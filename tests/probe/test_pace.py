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
    for _ in range(6):
        await starts(pace, clock, 8)
        seen.append(pace.per_second)
    assert seen[0] == pytest.approx(5.0)
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == pytest.approx(2.0)


@pytest.mark.looptime
async def test_sleepers_of_one_late_moment_slow_it_once():
    clock = BusyClock()
    pace = Pace(clock, LIMITS)
    clock.late = 2 * LATE_SECONDS
    await starts(pace, clock, 8)  # within a second
    assert pace.per_second == pytest.approx(5.0)


@pytest.mark.looptime
async def test_it_recovers_once_the_event_loop_is_in_time():
    clock = BusyClock()
    pace = Pace(clock, LIMITS)
    clock.late = 2 * LATE_SECONDS
    await starts(pace, clock, 12)
    clock.late = LATE_SECONDS / 2
    await starts(pace, clock, 150)
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
