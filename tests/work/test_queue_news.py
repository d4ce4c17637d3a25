"""Keys that are due for news only: after all that somebody waits for, but not never. All in virtual time."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from jobflow.testing.clock import VirtualClock
from jobflow.work.queue import NEWS_AT_ONCE, NEWS_EVERY, WorkQueue

pytestmark = pytest.mark.looptime


@pytest.fixture
async def queue():
    queue = WorkQueue(VirtualClock(), lambda key: key.split("/", maxsplit=1)[0], Random(1))
    yield queue
    queue.close()


async def take(queue, count):
    taken = []
    for _ in range(count):
        taken.append(await asyncio.wait_for(queue.get(), 20))
        queue.done(taken[-1])
    return taken


async def nothing_is_due(queue):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 1000)
    return True


async def test_news_comes_after_all_else_even_of_another_namespace(queue):
    queue.add_news("a/told")
    for key in ("n/1", "n/2", "n/3"):
        queue.add(key)
    assert await take(queue, 4) == ["n/1", "n/2", "n/3", "a/told"]


async def test_news_comes_at_once_where_nothing_else_is_due(queue):
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(1)
    queue.add_news("n/a")
    assert await asyncio.wait_for(waiting, 0.1) == "n/a"


async def test_news_is_not_starved(queue):
    queue.add_news("n/told")
    for number in range(2 * NEWS_EVERY):
        queue.add(f"n/{number}")
    assert "n/told" in await take(queue, NEWS_EVERY)


async def test_few_workers_at_once_are_busy_with_news(queue):
    for number in range(NEWS_AT_ONCE + 2):
        queue.add_news(f"n/{number}")
    held = [await asyncio.wait_for(queue.get(), 1) for _ in range(NEWS_AT_ONCE)]
    next_one = asyncio.create_task(queue.get())
    await asyncio.sleep(1)
    assert (next_one.done(), len(queue), queue.held) == (False, 2, NEWS_AT_ONCE)
    queue.done(held[0])
    assert await asyncio.wait_for(next_one, 0.1) == f"n/{NEWS_AT_ONCE}"
    queue.add("n/other")
    assert await asyncio.wait_for(queue.get(), 0.1) == "n/other", "who waits for it is not kept by news"


async def test_a_key_that_becomes_due_for_more_than_news_moves_up_and_comes_once(queue):
    queue.add_news("n/a")
    queue.add("n/b")
    queue.add("n/a")
    queue.add_news("n/a")
    queue.add("n/c")
    assert await take(queue, 3) == ["n/b", "n/a", "n/c"]
    assert await nothing_is_due(queue)


async def test_news_of_a_key_that_is_held_comes_after_it_is_done_and_as_news(queue):
    queue.add("n/a")
    await queue.get()
    queue.add_news("n/a")
    assert await nothing_is_due(queue)
    queue.add("n/b")
    queue.done("n/a")
    assert await take(queue, 2) == ["n/b", "n/a"]
    assert await nothing_is_due(queue)


async def test_a_held_key_that_is_due_for_both_comes_once_and_soon(queue):
    queue.add("n/a")
    await queue.get()
    queue.add_news("n/a")
    queue.add("n/a")
    queue.done("n/a")
    queue.add("n/b")
    assert await take(queue, 2) == ["n/a", "n/b"]
    assert await nothing_is_due(queue)


async def test_delayed_news_leaves_another_delay_as_it_is(queue):
    queue.add_after("n/a", 10)
    queue.add_news_after("n/a", 2)
    assert queue.delayed == 2
    assert await take(queue, 1) == ["n/a"]
    assert asyncio.get_running_loop().time() == pytest.approx(2, abs=0.01)
    assert await asyncio.wait_for(queue.get(), 20) == "n/a"
    assert asyncio.get_running_loop().time() == pytest.approx(10, abs=0.01)


async def test_what_makes_a_key_due_now_makes_its_delayed_news_void(queue):
    queue.add_news_after("n/a", 2)
    queue.add("n/a")
    assert await take(queue, 1) == ["n/a"]
    assert await nothing_is_due(queue)
