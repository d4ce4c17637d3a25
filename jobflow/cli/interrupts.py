"""Interrupts: Ctrl-C and SIGTERM while a verb runs in an event loop.

In: signals. Out: `interruptible` work, which is cancelled by the first signal and has some seconds to stop in order.
A second signal, or the end of those seconds, ends the process at once. That leaves nothing behind: the parent of all
pods' processes kills them when it sees its pipe to us closed.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from jobflow.clock import Clock

T = TypeVar("T")

HANDLED = (signal.SIGINT, signal.SIGTERM)
STOP_SECONDS = 15.0  # a control plane with many pods takes one or two


class Interrupted(Exception):
    """A signal ended the work."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


async def interruptible(work: Coroutine[Any, Any, T], clock: Clock, stopping: Callable[[], None]) -> T:
    """The result of `work`. Raises Interrupted once a signal came, `stopping` was told and `work` was cancelled."""
    with Interrupts() as interrupts:
        working = asyncio.create_task(work, name="interruptible")
        interrupted = asyncio.create_task(interrupts.received(), name="interrupts")
        await asyncio.wait({working, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            interrupted.cancel()
            return working.result()
        number = interrupted.result()
        stopping()
        working.cancel()
        deadline = asyncio.create_task(clock.sleep(STOP_SECONDS), name="deadline of the stop")
        await asyncio.wait({working, deadline}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            os._exit(128 + number)
        deadline.cancel()
        raise Interrupted(number)


class Interrupts:
    """Takes SIGINT and SIGTERM over while it is entered; a second one ends the process."""

    def __init__(self) -> None:
        self._received = asyncio.Event()
        self.number: int | None = None

    def __enter__(self) -> Interrupts:
        loop = asyncio.get_running_loop()
        for number in HANDLED:
            loop.add_signal_handler(number, self._take, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in HANDLED:
            loop.remove_signal_handler(number)

    @property
    def event(self) -> asyncio.Event:
        """Set once a signal came."""
        return self._received

    async def received(self) -> int:
        """Wait for a signal and say which."""
        await self._received.wait()
        return self.number or signal.SIGINT

    def _take(self, number: int) -> None:
        if self.number is not None:
            os._exit(128 + number)
        self.number = number
        self._received.set()
