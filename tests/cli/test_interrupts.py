"""Signals: the first stops in order, with its number kept for the exit code."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from jobflow.cli.interrupts import Interrupted, interruptible
from jobflow.clock import SystemClock


async def test_work_that_ends_by_itself_gives_its_result():
    async def work() -> str:
        return "done"

    assert await interruptible(work(), SystemClock(), lambda: None) == "done"


async def test_what_the_work_raises_is_raised():
    async def work() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        await interruptible(work(), SystemClock(), lambda: None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_cancels_the_work_and_waits_until_it_has_stopped(number):
    told: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            told.append("stopped")

    with pytest.raises(Interrupted) as interrupted:
        await interruptible(work(), SystemClock(), lambda: told.append("stopping"))

    assert interrupted.value.number == number
    assert told == ["stopping", "stopped"]


async def test_afterwards_signals_are_as_they_were():
    before = signal.getsignal(signal.SIGTERM)

    await interruptible(asyncio.sleep(0), SystemClock(), lambda: None)

    assert signal.getsignal(signal.SIGTERM) == before
