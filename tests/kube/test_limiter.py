"""The limiter's turns and how its limit moves, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from jobflow.clock import SystemClock
from jobflow.kube.limiter import AdaptiveLimiter

pytestmark = pytest.mark.looptime


@pytest.fixture
def limiter() -> AdaptiveLimiter:
    return AdaptiveLimiter(SystemClock(), 8)


async def answered_in(limiter: AdaptiveLimiter, seconds: float, times: int) -> None:
    """Full load: every answer comes while all turns are taken."""
    for _ in range(times):
        turns = limiter.limit
        for _ in range(turns):
            await limiter.acquire()
        await asyncio.sleep(seconds)
        for _ in range(turns):
            limiter.answered(seconds)
        for _ in range(turns):
            limiter.release()


async def test_turns_are_given_first_come_first_served(limiter):
    order = []

    async def take(number: int) -> None:
        await limiter.acquire()
        order.append(number)
        await asyncio.sleep(1)
        limiter.release()

    await asyncio.gather(*(take(number) for number in range(40)))
    assert order == list(range(40))
    assert limiter.in_flight == 0


async def test_who_stops_waiting_loses_no_turn(limiter):
    for _ in range(8):
        await limiter.acquire()
    waiting = [asyncio.create_task(limiter.acquire()) for _ in range(4)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # while it waits
    await asyncio.sleep(0)
    limiter.release()
    limiter.release()
    waiting[1].cancel()  # when it has just been given its turn
    await asyncio.wait(waiting[:3])
    assert [task.cancelled() for task in waiting[:3]] == [True, True, False]
    await asyncio.wait_for(waiting[3], 1)
    assert limiter.in_flight == 8


async def test_429_halves_the_limit_once_a_second(limiter):
    for _ in range(5):
        limiter.throttled()
    assert limiter.limit == 4
    await asyncio.sleep(1.1)
    limiter.throttled()
    assert limiter.limit == 2
    await asyncio.sleep(1.1)
    limiter.throttled()
    assert limiter.limit == 2  # never closes wholly


async def test_it_grows_back_by_about_one_a_round(limiter):
    limiter.throttled()
    await answered_in(limiter, 0.01, times=1)
    assert limiter.limit in (4, 5)
    await answered_in(limiter, 0.01, times=10)
    assert limiter.limit == 8


async def test_it_does_not_grow_when_nobody_needs_it(limiter):
    limiter.throttled()
    for _ in range(100):
        await limiter.acquire()
        limiter.answered(0.01)
        limiter.release()
    assert limiter.limit == 4


async def test_answers_that_become_slow_shrink_it(limiter):
    await answered_in(limiter, 0.02, times=10)
    assert limiter.limit == 8
    await answered_in(limiter, 0.8, times=20)
    assert limiter.limit < 5


async def test_a_server_that_is_always_slow_is_no_reason_to_shrink(limiter):
    await answered_in(limiter, 0.8, times=20)
    assert limiter.limit == 8


async def test_fast_answers_may_vary(limiter):
    await answered_in(limiter, 0.002, times=10)
    await answered_in(limiter, 0.1, times=20)
    assert limiter.limit == 8


async def test_slow_answers_leave_a_quarter_where_only_429_goes_lower(limiter):
    await answered_in(limiter, 0.02, times=10)
    await answered_in(limiter, 0.8, times=100)
    assert limiter.limit in (2, 3)


async def test_a_limit_that_429_brought_down_grows_back_although_answers_are_slow():
    wide = AdaptiveLimiter(SystemClock(), 64)
    await answered_in(wide, 0.02, times=3)
    for _ in range(5):
        wide.throttled()
        await asyncio.sleep(1.1)
    assert wide.limit == 2
    await answered_in(wide, 0.8, times=25)
    assert 14 <= wide.limit <= 17


@pytest.mark.parametrize(("in_flight", "busy"), [(0, False), (2, False), (3, True)])
async def test_busy_is_more_than_a_quarter_of_all_turns(in_flight, busy, limiter):
    for _ in range(in_flight):
        await limiter.acquire()
    assert limiter.busy is busy
