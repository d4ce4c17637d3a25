"""MeasuredQueue: how long keys wait for a worker."""

from __future__ import annotations

import asyncio

import pytest

from jobflow.obs.measures import Measures
from jobflow.testing.clock import VirtualClock
from jobflow.work.measured import MeasuredQueue

pytestmark = pytest.mark.looptime


class Told(Measures):
    def __init__(self) -> None:
        self.waits: list[float] = []

    def key_waited(self, seconds: float) -> None:
        self.waits.append(round(seconds, 2))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def queue(told):
    queue = MeasuredQueue[str](VirtualClock(), lambda key: "ns", told)
    yield queue
    queue.close()


async def test_from_when_it_is_due(queue, told):
    queue.add("a")
    await asyncio.sleep(2)
    queue.add("a")  # due already
    await asyncio.sleep(1)
    await queue.get()
    assert told.waits == [3.0]


async def test_a_delay_is_not_a_wait(queue, told):
    queue.add_after("a", 10)
    assert queue.delayed == 1
    await queue.get()
    assert (told.waits, queue.delayed) == ([0.0], 0)


async def test_a_key_that_is_held_waits_from_when_it_was_added_again(queue, told):
    queue.add("a")
    await queue.get()
    queue.add("a")
    await asyncio.sleep(4)
    queue.done("a")
    await queue.get()
    assert told.waits == [0.0, 4.0]


async def test_for_news_nobody_waits(queue, told):
    queue.add_news("a")
    await asyncio.sleep(3)
    queue.done(await queue.get())
    queue.add_news("a")
    await asyncio.sleep(3)
    queue.add("a")
    await asyncio.sleep(1)
    await queue.get()
    assert told.waits == [1.0]


async def test_a_worker_that_waits_for_keys_has_them_at_once(queue, told):
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(5)
    queue.add("a")
    await waiting
    assert told.waits == [0.0]
