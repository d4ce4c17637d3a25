"""News: waiting for the next time that something is told, or for the first of several things.

In: `tell`, from anywhere. Out: an Event to wait for; whoever took it before looking misses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class News:
    """Something that is told again and again."""

    def __init__(self) -> None:
        self.next = asyncio.Event()

    def tell(self) -> None:
        """Wake all who wait; those who wait from now on wait for the next time."""
        self.next.set()
        self.next = asyncio.Event()


async def first_of(*waits: Coroutine[Any, Any, Any]) -> None:
    """Wait until one of them is done; the others are cancelled."""
    tasks = {asyncio.ensure_future(wait) for wait in waits}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
