"""Which keys are due, each once, to one worker at a time. All in virtual time."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from jobflow.testing.clock import VirtualClock
from jobflow.work.queue import FIRST_BACK_OFF_SECONDS, LAST_BACK_OFF_SECONDS, QueueClosed, WorkQueue

pytestmark = pytest.mark.looptime


def namespace_of(key: str) -> str:
    return key.split("/", maxsplit=1)[0]


@pytest.fixture
async def queue():
    queue = WorkQueue(VirtualClock(), namespace_of, Random(1))
    yield queue
    queue.close()


def seconds() -> float:
    return asyncio.get_running_loop().time()


async def take(queue, count):
    taken = []
    for _ in range(count):
        taken.append(await queue.get())
        queue.done(taken[-1])
    return taken


async def nothing_is_due(queue):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 1000)
    return True


async def test_upstream_16_a_key_added_twice_is_handed_out_once(queue):
    queue.add("n/a")
    queue.add("n/b")
    queue.add("n/a")
    assert len(queue) == 2
    assert await take(queue, 2) == ["n/a", "n/b"]
    assert await nothing_is_due(queue)


async def test_a_held_key_is_not_handed_to_another_worker_and_comes_again_after_done(queue):
    queue.add("n/a")
    key = await queue.get()
    queue.add("n/a")
    assert (queue.held, await nothing_is_due(queue)) == (1, True)
    queue.done(key)
    assert await queue.get() == "n/a"


async def test_a_key_that_was_added_while_it_was_held_comes_again_once(queue):
    queue.add("n/a")
    key = await queue.get()
    queue.add("n/a")
    queue.done(key)
    queue.done(await queue.get())
    assert await nothing_is_due(queue)


async def test_a_key_that_never_failed_may_be_forgotten(queue):
    queue.forget("n/a")
    queue.add("n/a")
    assert await take(queue, 1) == ["n/a"]


async def test_keys_that_were_handed_out_are_counted(queue):
    queue.add("n/a")
    queue.add("n/b")
    await take(queue, 2)
    assert queue.taken == 2


async def test_a_key_that_was_not_added_again_does_not_come_again(queue):
    queue.add("n/a")
    queue.done(await queue.get())
    assert await nothing_is_due(queue)


async def test_namespaces_take_turns(queue):
    for key in ("big/1", "big/2", "big/3", "big/4", "small/1", "other/1"):
        queue.add(key)
    assert await take(queue, 6) == ["big/1", "small/1", "other/1", "big/2", "big/3", "big/4"]


async def test_the_oldest_of_a_namespace_comes_first(queue):
    for key in ("n/c", "n/a", "n/b"):
        queue.add(key)
    assert await take(queue, 3) == ["n/c", "n/a", "n/b"]


async def test_a_delay(queue):
    queue.add_after("n/a", 30)
    assert len(queue) == 0
    assert await queue.get() == "n/a"
    assert seconds() == pytest.approx(30)


async def test_the_earliest_of_several_delays_wins_and_the_others_are_void(queue):
    for delay in (30, 10, 20):
        queue.add_after("n/a", delay)
    assert await take(queue, 1) == ["n/a"]
    assert seconds() == pytest.approx(10)
    assert await nothing_is_due(queue)


async def test_being_due_now_makes_a_delay_void(queue):
    queue.add_after("n/a", 10)
    queue.add("n/a")
    assert await take(queue, 1) == ["n/a"]
    assert seconds() == 0
    assert await nothing_is_due(queue)


async def test_no_delay_is_at_once(queue):
    queue.add_after("n/a", 0)
    assert len(queue) == 1


async def test_a_delay_that_ends_while_the_key_is_held_brings_it_again(queue):
    queue.add("n/a")
    key = await queue.get()
    queue.add_after("n/a", 5)
    await asyncio.sleep(10)
    queue.done(key)
    assert await queue.get() == "n/a"
    assert seconds() == pytest.approx(10)


async def test_back_off_doubles_up_to_a_minute_with_jitter_and_starts_anew_after_success(queue):
    waits = [queue.retry("n/a") for _ in range(12)]
    for failure, wait in enumerate(waits):
        full = min(FIRST_BACK_OFF_SECONDS * 2**failure, LAST_BACK_OFF_SECONDS)
        assert full / 2 <= wait <= full
    queue.forget("n/a")
    assert queue.retry("n/a") <= FIRST_BACK_OFF_SECONDS


async def test_the_servers_own_wish_is_the_least_back_off(queue):
    assert queue.retry("n/a", at_least=17) == 17


async def test_back_off_of_one_key_does_not_touch_another(queue):
    for _ in range(10):
        queue.retry("n/a")
    assert queue.retry("n/b") <= FIRST_BACK_OFF_SECONDS


async def test_closing_sends_every_worker_home(queue):
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.add_after("n/a", 5)
    queue.close()
    results = await asyncio.gather(*workers, return_exceptions=True)
    assert all(isinstance(result, QueueClosed) for result in results)
    queue.add("n/b")
    with pytest.raises(QueueClosed):
        await queue.get()


async def test_a_key_is_not_lost_with_a_worker_that_is_cancelled_as_it_is_woken(queue):
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await asyncio.sleep(0)
    queue.add("n/a")
    first.cancel()
    assert await asyncio.wait_for(second, 1) == "n/a"
    assert first.cancelled()


async def test_many_workers_share_many_keys_and_none_is_lost(queue):
    done = []

    async def work():
        while True:
            key = await queue.get()
            await asyncio.sleep(0.5)
            done.append(key)
            queue.done(key)

    workers = [asyncio.create_task(work()) for _ in range(7)]
    for number in range(200):
        queue.add_after(f"n{number % 5}/{number}", (number % 11) / 3)
    await asyncio.sleep(60)
    for worker in workers:
        worker.cancel()
    assert sorted(done) == sorted(f"n{number % 5}/{number}" for number in range(200))
