"""Controllers: the controller of a simulated world, its crashes, and the incarnations that follow.

In: an API server, the plan. Out: a running App under the actor name controller-1; after a crash nothing for a second,
then controller-2, from nothing but what is stored. A killed incarnation ends in the step in which it was killed:
its requests are refused and its waits cancelled, so that no `finally` of it reaches the cluster.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from jobflow.app import App
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.local.apiserver.server import ApiServer
from jobflow.testing.actors import MortalClock, WallClock, spawn
from jobflow.testing.caches import Sent
from jobflow.testing.faults import CompactList, CrashAtAwait, Fault, Stale
from jobflow.testing.history import CONTROLLER, Commit, Leaks, is_controller
from jobflow.testing.injection import Injection, Lag
from jobflow.testing.loop import SimulatedLoop
from jobflow.testing.recorder import Recorder, now
from jobflow.testing.transport import FaultyTransport

RESTART_SECONDS = 1.0
STALE_SECONDS = 30.0
CHANGES_TO_PAGE = 5  # of a kind, before its list is worth paging through
IDLE_SECONDS = 5.0  # after which a fresh controller of an empty cluster is idle
STOP_SECONDS = 60.0

AppFactory = Callable[[Client, Clock, Random], App]


@dataclass
class Incarnation:
    """One process, as far as there are processes here."""

    who: str
    app: App
    transport: FaultyTransport
    clock: MortalClock
    stop: asyncio.Event
    task: asyncio.Task[None]


class Controllers:
    """Starts the controller, lets it crash, starts it again."""

    def __init__(self, injection: Injection, wall: WallClock, clock: Clock) -> None:
        self._injection = injection
        self._recorder: Recorder = injection.recorder
        self._wall = wall
        self._clock = clock
        self._now: Incarnation | None = None
        self._started = 0
        self._crashed = asyncio.Event()
        self._taken = 0
        self._last_world: tuple[int, float] = (-1, -1.0)
        self._make: Callable[[str], Incarnation]
        self.turns: list[int] = []  # steps at which the world was not what it was at the step before
        self._sent = Sent()
        self.untrue: dict[str, float] = {}  # what caches were found to have otherwise than the API server, and when
        injection.before_write = self.check_cache
        self._recorder.listeners.append(self._sent.saw)

    @property
    def reconciles(self) -> int:
        """Keys handled so far, by all incarnations."""
        return self._taken + (self._now.app.queue.taken if self._now else 0)

    async def run(self, server: ApiServer, factory: AppFactory, seed: int) -> None:
        """Keep one controller running, until cancelled. Raises what an App died of by itself."""
        self._make = functools.partial(self._incarnation, server, factory, seed)
        while True:
            self._crashed.clear()
            self._now = self._start()
            who = self._now.who
            crashed = asyncio.create_task(self._crashed.wait(), name="crash of the controller")
            await asyncio.wait({crashed, self._now.task}, return_when=asyncio.FIRST_COMPLETED)
            if not self._crashed.is_set():
                crashed.cancel()
                await self._now.task  # ended by itself: with an error, or because it was stopped
                return
            self._now = None
            await self._clock.sleep(RESTART_SECONDS)
            if self._loop.alive(who):
                raise RuntimeError(f"{who} was killed and lives on; {self._loop.waits()}")

    def crash(self, fault: Fault | None = None) -> None:
        """Kill what runs now; between two incarnations there is nothing to kill."""
        dying = self._now
        if dying is None or dying.transport.dead:
            return
        if fault is not None:
            self._recorder.inject(fault)
        self._recorder.mark(f"{dying.who} crashed")
        self._taken += dying.app.queue.taken
        dying.transport.dead = dying.clock.dead = True
        self._now = None
        self._crashed.set()
        self._loop.kill(dying.who)

    def stepped(self, actor: str) -> None:
        """A task of an actor is about to go on."""
        if not is_controller(actor):
            return
        injection = self._injection
        injection.steps += 1
        world = (self._recorder.revision, now())
        if world != self._last_world:
            self._last_world = world
            self.turns.append(injection.steps)
        if fault := injection.take(CrashAtAwait, lambda crash: crash.step <= injection.steps, mark=False):
            self.crash(fault)

    def saw(self, commit: Commit) -> None:
        """A change was committed: perhaps one after which the plan restarts the controller."""
        kind, number = commit.kind, self._recorder.events[commit.kind]
        injection = self._injection
        if stale := injection.take(Stale, lambda stale: (stale.kind, stale.event) == (kind, number), mark=False):
            injection.lags[kind] = Lag(number + 1, injection.lasts(RESTART_SECONDS + STALE_SECONDS))
            self.crash(stale)
        if number >= CHANGES_TO_PAGE and (
            paged := injection.take(CompactList, lambda paged: paged.kind == kind, mark=False)
        ):
            injection.compacting.add(kind)
            self.crash(paged)

    def check_cache(self) -> None:
        """Look whether anybody has changed what is cached."""
        if self._now is not None:
            self.untrue |= dict.fromkeys(self._sent.altered(self._now.app.cache), now()) | self.untrue

    def check_cache_at_rest(self) -> None:
        """Look whether everything that is stored is cached as it is stored, and nothing else."""
        if self._now is not None:
            outdated = self._sent.outdated(self._now.app.cache, self._recorder.objects)
            self.untrue |= dict.fromkeys(outdated, now()) | self.untrue

    async def leaks(self) -> Leaks:
        """What the controller holds beyond what a fresh one of the same cluster does."""
        used = self._now
        if used is None:
            return Leaks()
        fresh = self._make(f"{CONTROLLER}-idle")
        await self._clock.sleep(IDLE_SECONDS)
        more_tasks = len(self._loop.alive(used.who)) - len(self._loop.alive(fresh.who))
        leaks = Leaks(
            tasks=max(more_tasks, 0),
            streams=max(used.transport.streams - fresh.transport.streams, 0),
            memories=len(used.app.snapshots),
            expectations=len(used.app.cache.expectations),
            interests=len(used.app.controller.interests),
        )
        self._loop.kill(fresh.who)
        return leaks

    async def stop(self) -> None:
        """Ask it to end, as a pod is asked; it drains."""
        if self._now is not None:
            self._now.stop.set()
            await asyncio.wait({self._now.task}, timeout=STOP_SECONDS)

    @property
    def _loop(self) -> SimulatedLoop:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        return loop

    def _start(self) -> Incarnation:
        self._started += 1
        who = f"{CONTROLLER}-{self._started}"
        self._recorder.mark(f"{who} starts")
        return self._make(who)

    def _incarnation(self, server: ApiServer, factory: AppFactory, seed: int, who: str) -> Incarnation:
        clock = MortalClock(self._clock, self._wall)
        transport = FaultyTransport(server.transport(), self._injection, clock)
        client = Client(transport, clock, random=Random(f"client {seed} {who}"))
        app = factory(client, clock, Random(f"queue {seed} {who}"))
        stop = asyncio.Event()
        return Incarnation(who, app, transport, clock, stop, spawn(who, app.run(stop), who))
