"""Garbage: Python's collector is kept from stopping the event loop.

In: when the caches are filled, and whether anything is due. Out: collections that are short. A full collection looks at
every object that is tracked, which stops all else for some hundred milliseconds beside thousands of live flows. But
what caches hold has no cycles and goes when nobody refers to it any more: so whatever has lived for a minute is set
aside (`gc.freeze`), where no collection looks at it. A cycle that is given up later than that stays until all is
looked at: once an hour, at a moment when nothing is due.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from jobflow.clock import Clock

EVERY_SECONDS = 60.0
ALL_EVERY_SECONDS = 3600.0


@asynccontextmanager
async def short_collections(clock: Clock, filled: asyncio.Event, idle: Callable[[], bool]) -> AsyncIterator[None]:
    """As long as the block lasts; afterwards the process is as it was before."""
    task = asyncio.create_task(_set_aside(clock, filled, idle), name="set aside from garbage collection")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        gc.unfreeze()


async def _set_aside(clock: Clock, filled: asyncio.Event, idle: Callable[[], bool]) -> None:
    await filled.wait()
    looked_at_all = clock.monotonic()
    while True:
        gc.collect()
        gc.freeze()
        await clock.sleep(EVERY_SECONDS)
        if clock.monotonic() - looked_at_all >= ALL_EVERY_SECONDS and idle():
            looked_at_all = clock.monotonic()
            gc.unfreeze()
