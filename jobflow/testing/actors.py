"""Actors: who does something in a simulated world. A task belongs to the actor that it was spawned for.

In: a coroutine and an actor's name. Out: a task, whose own tasks are the actor's too; and the clock of an actor that
can die.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context, copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from jobflow.clock import Clock
from jobflow.testing.loop import ACTOR
from jobflow.testing.recorder import ASKED

T = TypeVar("T")


def context_of(actor: str) -> Context:
    """A context in which the actor runs."""
    context = copy_context()
    context.run(ACTOR.set, actor)
    context.run(ASKED.set, None)
    return context


def spawn(actor: str, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """Start a task of an actor."""
    return asyncio.get_running_loop().create_task(work, name=name, context=context_of(actor))


@dataclass
class WallClock:
    """What the clock on the wall of the controller's node shows, beside the true time; it outlives crashes."""

    offset: float = 0.0  # seconds

    def jump(self, seconds: float) -> None:
        """From now on it shows so much more."""
        self.offset += seconds


class MortalClock:
    """The clock of one incarnation of the controller: its wall time may jump, and for the dead no wait ends well."""

    def __init__(self, clock: Clock, wall: WallClock) -> None:
        self._clock = clock
        self._wall = wall
        self.dead = False

    def now(self) -> datetime:
        """Wall time as the node has it."""
        return self._clock.now() + timedelta(seconds=self._wall.offset)

    def monotonic(self) -> float:
        """Seconds that pass evenly, whatever the wall clock does."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait; a killed controller is cancelled instead, so that nothing holds up its end."""
        if self.dead:
            raise asyncio.CancelledError
        await self._clock.sleep(seconds)
