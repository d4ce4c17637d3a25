"""SimulatedLoop: an event loop whose time is virtual and whose order is drawn from a seed.

In: a coroutine function and a seed. Out: its result. Timers cost nothing: when nobody is ready, time goes on to the
next timer. Of all callbacks that are ready the seed picks the next, so that another seed is another legal schedule,
and the same seed the same. What would reach the machine is refused by name (`refusals.py`).

Every callback belongs to an actor (a context variable, inherited by tasks). An actor can be killed: its tasks are
cancelled, and nobody else's callbacks run until they are gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextvars import Context, ContextVar
from random import Random
from typing import Any, NamedTuple, TypeVar

from jobflow.testing.refusals import NoMachine, RealWorldTouched, watch_the_interpreter

__all__ = ["ACTOR", "NeverEnded", "RealWorldTouched", "SimulatedLoop", "simulate"]

T = TypeVar("T")

ACTOR: ContextVar[str] = ContextVar("actor", default="")  # who runs: "controller-1", "volcano", "user", ...

RESOLUTION_SECONDS = 1e-6  # timers closer together ring together; a float of some decades tells such steps apart
MAX_ROUNDS = 100_000  # of the loop in which no time passes: a hot loop, that would never let it pass
MAX_LAST_ROUNDS = 10_000  # of the loop, for tasks that were cancelled at the end; whoever takes more does not end
MANY_TASKS = 4096  # remembered tasks, beyond which those that are done are forgotten
SHOWN_WAITS = 12  # tasks named by NeverEnded


class NeverEnded(RuntimeError):
    """The simulation did not end within its virtual time; its message names what each task waited for."""


class _Owned(NamedTuple):
    task: asyncio.Task[Any]
    actor: str


class SimulatedLoop(NoMachine):
    """An event loop without a machine under it."""

    def __init__(self, seed: int, virtual_limit: float = float("inf")) -> None:
        super().__init__()
        self.random = Random(f"loop {seed}")
        self.on_step: Callable[[str], None] | None = None  # told the actor before each of its callbacks
        self._now = 0.0
        self._limit = virtual_limit
        self._rounds = 0  # since time last passed
        self._clock_resolution = RESOLUTION_SECONDS
        self._scheduled: list[asyncio.TimerHandle] = []
        self._selector = self  # BaseEventLoop asks its selector to wait: here it makes the time pass
        self._ready: Any = _Ready(self)
        self._owned: list[_Owned] = []  # in the order of their creation, unlike asyncio.all_tasks
        self.set_task_factory(_make_task)  # type: ignore[arg-type]

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Instead of waiting, let the time pass."""
        self._rounds += 1
        if self._rounds > MAX_ROUNDS:
            raise NeverEnded(f"{MAX_ROUNDS} rounds of the loop without any time passing; {self.waits()}")
        if timeout is None:
            raise NeverEnded(f"nothing will ever happen again; {self.waits()}")
        if timeout > 0 and self._scheduled:
            self._now, self._rounds = max(self._now, self._scheduled[0].when()), 0
            if self._now > self._limit:
                raise NeverEnded(f"{self._limit:g} virtual seconds have passed; {self.waits()}")
        return []

    def alive(self, actor: str = "") -> list[asyncio.Task[Any]]:
        """Tasks of an actor that have not ended, oldest first; of all actors where none is named."""
        self._owned = [owned for owned in self._owned if not owned.task.done()]
        return [owned.task for owned in self._owned if actor in ("", owned.actor)]

    def kill(self, actor: str) -> None:
        """Cancel all tasks of the actor; until they have ended nobody else's callbacks run."""
        self._ready.bury(actor)
        for task in self.alive(actor):
            task.cancel()

    def waits(self) -> str:
        """What each task waits for, in words."""
        told = [_wait_of(owned) for owned in self._owned if not owned.task.done()]
        more = f"; and {len(told) - SHOWN_WAITS} more" if len(told) > SHOWN_WAITS else ""
        return "these wait: " + "; ".join(told[:SHOWN_WAITS]) + more

    def remember(self, task: asyncio.Task[Any], actor: str) -> None:
        """Take note of a new task."""
        self._owned.append(_Owned(task, actor))
        if len(self._owned) > MANY_TASKS:
            self._owned = [owned for owned in self._owned if not owned.task.done()]

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no file descriptors."""

    def _write_to_self(self) -> None:
        if self.is_running() and threading.get_ident() != self._thread_id:  # type: ignore[attr-defined]
            raise RealWorldTouched("another thread called into the simulated loop")


class _Ready:
    """The ready queue of the loop: whoever asks for the next callback is given a random one.

    Callbacks of killed actors come first, in their order, and draw nothing from the seed: how an actor dies must
    not change what the living do.
    """

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self._random = loop.random.random
        self._handles: list[asyncio.Handle] = []
        self._dying: deque[asyncio.Handle] = deque()
        self._dead: set[str] = set()

    def __len__(self) -> int:
        return len(self._handles) + len(self._dying)

    def __iter__(self) -> Iterator[asyncio.Handle]:
        return iter([*self._dying, *self._handles])

    def append(self, handle: asyncio.Handle) -> None:
        if self._dead and _actor(handle) in self._dead:
            self._dying.append(handle)
        else:
            self._handles.append(handle)

    def popleft(self) -> asyncio.Handle:
        while not self._dying:
            handle = self._draw()
            on_step = self._loop.on_step
            if on_step is None or handle.cancelled() or not (actor := _actor(handle)):
                return handle
            on_step(actor)
            if actor not in self._dead:
                return handle
            self._dying.append(handle)
        return self._dying.popleft()

    def _draw(self) -> asyncio.Handle:
        handles = self._handles
        index = int(self._random() * len(handles))
        handles[index], handles[-1] = handles[-1], handles[index]
        return handles.pop()

    def bury(self, actor: str) -> None:
        self._dead.add(actor)
        self._dying.extend(handle for handle in self._handles if _actor(handle) == actor)
        self._handles = [handle for handle in self._handles if _actor(handle) != actor]

    def clear(self) -> None:
        self._handles.clear()
        self._dying.clear()


def simulate(main: Callable[[], Awaitable[T]], *, seed: int, virtual_limit: float) -> T:
    """Run `main` on a SimulatedLoop and return its result.

    Raises NeverEnded once `virtual_limit` seconds of virtual time have passed, or nothing can ever happen again;
    RealWorldTouched where something reaches for the machine.
    """
    watch_the_interpreter(_inside_a_simulation)
    loop = SimulatedLoop(seed, virtual_limit)
    with contextlib.closing(loop):
        try:
            return loop.run_until_complete(_awaited(main))
        finally:
            _end(loop)


async def _awaited(main: Callable[[], Awaitable[T]]) -> T:
    return await main()


def _inside_a_simulation() -> bool:
    return isinstance(asyncio._get_running_loop(), SimulatedLoop)


def _end(loop: SimulatedLoop) -> None:
    """Cancel what is left, so that nothing is destroyed while it is pending."""
    loop.on_step = None
    for task in loop.alive():
        task.cancel()
    for _ in range(MAX_LAST_ROUNDS):
        if not (left := loop.alive()):
            break
        loop.call_soon(loop.stop)
        loop.run_forever()
    else:
        raise NeverEnded(f"{len(left)} tasks were cancelled and did not end; {loop.waits()}")
    loop.run_until_complete(loop.shutdown_asyncgens())


def _make_task(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
    assert isinstance(loop, SimulatedLoop)
    task = asyncio.Task(work, loop=loop, **options)
    context: Context | None = options.get("context")
    loop.remember(task, ACTOR.get() if context is None else context.get(ACTOR, ""))
    return task


def _actor(handle: asyncio.Handle) -> str:
    context: Context = handle._context  # type: ignore[attr-defined]
    return context.get(ACTOR, "")


def _wait_of(owned: _Owned) -> str:
    """A task by its name, and the coroutines that wait for one another in it, the innermost last."""
    inner: Any = owned.task.get_coro()
    chain: list[str] = []
    while inner is not None and hasattr(inner, "cr_await"):
        chain.append(inner.__qualname__.replace(".<locals>", ""))
        inner = inner.cr_await
    return f"{owned.actor + ': ' if owned.actor else ''}{owned.task.get_name()} in {' > '.join(chain)}"
