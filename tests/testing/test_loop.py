"""The simulated loop: time costs nothing, the seed is the schedule, the machine is out of reach, actors can die."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextvars import copy_context

import pytest
from blockbuster import BlockingError

from jobflow.testing.loop import ACTOR, NeverEnded, RealWorldTouched, SimulatedLoop, simulate

WORKERS = 4
ROUNDS = 5


async def schedule() -> list[int]:
    """Which worker went on when, of several that are ready at the same moments."""
    order: list[int] = []

    async def work(number: int) -> None:
        for _ in range(ROUNDS):
            await asyncio.sleep(1)
            order.append(number)

    await asyncio.gather(*(work(number) for number in range(WORKERS)))
    return order


def test_a_year_asleep_takes_no_time() -> None:
    async def sleep() -> float:
        await asyncio.sleep(365 * 24 * 3600)
        return asyncio.get_running_loop().time()

    started = time.process_time()
    assert simulate(sleep, seed=0, virtual_limit=float("inf")) == 365 * 24 * 3600
    assert time.process_time() - started < 1


def test_the_same_seed_gives_the_same_order() -> None:
    for seed in range(10):
        assert simulate(schedule, seed=seed, virtual_limit=60) == simulate(schedule, seed=seed, virtual_limit=60)


def test_other_seeds_give_other_orders_of_what_is_ready_together() -> None:
    orders = {tuple(simulate(schedule, seed=seed, virtual_limit=60)) for seed in range(20)}
    assert len(orders) == 20
    for order in orders:
        rounds = [sorted(order[start : start + WORKERS]) for start in range(0, len(order), WORKERS)]
        assert rounds == [list(range(WORKERS))] * ROUNDS, "time must not be shuffled, only what is ready together"


async def connects() -> None:
    await asyncio.open_connection("localhost", 80)


async def listens() -> None:
    await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)


async def uses_a_thread() -> None:
    await asyncio.to_thread(print)


async def starts_a_process() -> None:
    await asyncio.create_subprocess_exec("true")


async def makes_a_socket() -> None:
    socket.socket()


async def looks_up_a_name() -> None:
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)


async def runs_a_command() -> None:
    subprocess.run(["true"], check=True)  # noqa: ASYNC221 -- it is to be refused


async def watches_a_descriptor() -> None:
    asyncio.get_running_loop().add_reader(0, print)


@pytest.mark.parametrize(
    ("touch", "name"),
    [
        (connects, "loop.create_connection"),
        (listens, "loop.create_server"),
        (uses_a_thread, "loop.run_in_executor"),
        (starts_a_process, "loop.subprocess_exec"),
        (looks_up_a_name, "loop.getaddrinfo"),
        (watches_a_descriptor, "loop.add_reader"),
        (makes_a_socket, "socket.__new__"),
        (runs_a_command, "subprocess.Popen"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
@pytest.mark.blocking  # else the test suite's own guard would be first
def test_what_reaches_for_the_machine_is_refused_by_name(touch: Callable[[], Awaitable[None]], name: str) -> None:
    with pytest.raises(RealWorldTouched, match=rf"^{name} was called inside a simulation"):
        simulate(touch, seed=0, virtual_limit=60)


def test_a_real_sleep_is_refused_by_name() -> None:
    """CPython reports time.sleep from 3.13 on; before, the test suite's guard finds it."""

    async def sleeps() -> None:
        time.sleep(0.01)  # noqa: ASYNC251 -- it is to be refused

    with pytest.raises((RealWorldTouched, BlockingError), match=r"time\.sleep"):
        simulate(sleeps, seed=0, virtual_limit=60)


def test_the_machine_is_there_again_after_a_simulation() -> None:
    simulate(schedule, seed=0, virtual_limit=60)
    socket.socket().close()


def test_what_never_ends_is_stopped_and_told_with_what_it_waits_for() -> None:
    async def waits_for_godot() -> None:
        while True:
            await asyncio.sleep(60)

    with pytest.raises(NeverEnded, match=r"3600 virtual seconds have passed; these wait: .*waits_for_godot"):
        simulate(waits_for_godot, seed=0, virtual_limit=3600)


def test_what_nobody_will_ever_wake_is_told_at_once() -> None:
    async def main() -> None:
        lonely = asyncio.create_task(asyncio.Event().wait(), name="the lonely one")
        await lonely

    with pytest.raises(NeverEnded, match=r"nothing will ever happen again; .*the lonely one in .*Event\.wait"):
        simulate(main, seed=0, virtual_limit=3600)


def test_a_loop_that_lets_no_time_pass_is_stopped() -> None:
    async def hot() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(NeverEnded, match=r"100000 rounds of the loop without any time passing; .*hot"):
        simulate(hot, seed=0, virtual_limit=3600)


def test_what_refuses_to_end_is_told() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        task = asyncio.create_task(stubborn(), name="the stubborn one")
        await asyncio.wait({task}, timeout=1)

    with pytest.raises(NeverEnded, match="the stubborn one"):
        simulate(main, seed=0, virtual_limit=10)


def test_the_killed_end_before_anybody_else_goes_on() -> None:
    told: list[str] = []

    async def victim(number: int) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            told.append(f"victim {number} ended")

    async def bystander() -> None:
        while True:
            told.append("bystander")
            await asyncio.sleep(0.25)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        context = copy_context()
        context.run(ACTOR.set, "victim")
        victims = [loop.create_task(victim(number), context=context.copy()) for number in range(3)]
        other = asyncio.create_task(bystander())
        await asyncio.sleep(1)
        assert len(loop.alive("victim")) == 3
        told.clear()
        loop.kill("victim")
        await asyncio.sleep(0)
        assert not loop.alive("victim")
        assert all(task.cancelled() for task in victims)
        other.cancel()

    simulate(main, seed=0, virtual_limit=60)
    assert told[:3] == ["victim 0 ended", "victim 1 ended", "victim 2 ended"]
