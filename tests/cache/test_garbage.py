"""What Python's garbage collector looks at, and when."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from jobflow.cache.garbage import ALL_EVERY_SECONDS, EVERY_SECONDS, short_collections
from jobflow.testing.clock import VirtualClock


class Knot:
    """Refers to itself, so that only a collection takes it."""

    def __init__(self) -> None:
        self.itself = self


def looked_at() -> set[int]:
    """Of which objects a full collection would follow the references."""
    return {id(one) for one in gc.get_objects()}


@pytest.fixture
def filled():
    event = asyncio.Event()
    event.set()
    return event


@pytest.mark.looptime
async def test_nothing_is_set_aside_before_the_caches_are_filled():
    before = gc.get_freeze_count()
    filled = asyncio.Event()
    async with short_collections(VirtualClock(), filled, lambda: True):
        await asyncio.sleep(EVERY_SECONDS)
        assert gc.get_freeze_count() == before
        filled.set()
        await asyncio.sleep(0.1)
        assert gc.get_freeze_count() > before


@pytest.mark.looptime
async def test_what_has_lived_for_a_minute_is_looked_at_no_more(filled):
    async with short_collections(VirtualClock(), filled, lambda: True):
        await asyncio.sleep(1.0)
        kept = [[number] for number in range(1000)]
        ids = {id(one) for one in kept}
        assert ids <= looked_at()
        await asyncio.sleep(EVERY_SECONDS)
        assert not ids & looked_at()


@pytest.mark.looptime
async def test_a_cycle_that_is_given_up_within_a_minute_goes(filled):
    async with short_collections(VirtualClock(), filled, lambda: True):
        await asyncio.sleep(1.0)
        gone = weakref.ref(Knot())
        await asyncio.sleep(EVERY_SECONDS)
        assert gone() is None


@pytest.mark.looptime
async def test_an_older_cycle_goes_within_the_hour_when_nothing_is_due(filled):
    busy = True
    async with short_collections(VirtualClock(), filled, lambda: not busy):
        await asyncio.sleep(1.0)
        knot = Knot()
        given_up = weakref.ref(knot)
        await asyncio.sleep(2 * EVERY_SECONDS)
        del knot
        await asyncio.sleep(2 * ALL_EVERY_SECONDS)
        assert given_up() is not None  # something was due each time
        busy = False
        await asyncio.sleep(EVERY_SECONDS)
        assert given_up() is None


@pytest.mark.looptime
async def test_afterwards_all_is_looked_at_again(filled):
    async with short_collections(VirtualClock(), filled, lambda: True):
        await asyncio.sleep(1.0)
    assert gc.get_freeze_count() == 0
