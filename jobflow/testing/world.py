"""World: one simulated run, from a scenario, a plan of faults and a seed to its History.

In: what `play` is given. Inside one event loop in virtual time: the embedded API server, the real controller (client,
reflectors, queue, reconcile, act), a scripted Volcano, a user, now and then a stranger. Out: a History. A crash kills
the controller's tasks where they stand, with its cache, queue and timers; a new one starts a second later.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable
from random import Random

import msgspec

from jobflow.api.crd import command_crd, product_crds, volcano_job_crd
from jobflow.api.resources import COMMAND, CUSTOM_RESOURCE_DEFINITION, NAMESPACE, VOLCANO_JOB
from jobflow.app import App
from jobflow.clock import Clock
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.transport import Request
from jobflow.local.apiserver.server import ApiServer
from jobflow.testing.actors import WallClock, context_of, spawn
from jobflow.testing.clock import VirtualClock
from jobflow.testing.controllers import AppFactory, Controllers
from jobflow.testing.faults import Fault, Plan
from jobflow.testing.history import COLLECTOR, USER, VOLCANO, Body, History, Reach
from jobflow.testing.injection import Injection
from jobflow.testing.interventions import Interventions
from jobflow.testing.logs import heard_logs
from jobflow.testing.loop import ACTOR, SimulatedLoop, simulate
from jobflow.testing.recorder import Recorder, now
from jobflow.testing.scenario import Scenario
from jobflow.testing.transport import NotedTransport
from jobflow.testing.volcano import ScriptedVolcano

START_SECONDS = 1.0  # the controller's first lists are over by then: flows arrive by its watches
SETTLE_SECONDS = 180.0  # after the last flow's end: expectations are given up after 120 s, templates told after 3 s
QUIET_SECONDS = 3600.0
CLEARED_SECONDS = 300.0  # after flows were deleted, until their traces are looked for
VIRTUAL_LIMIT = 7200.0
LOOK_SECONDS = 1.0  # how often the world looks whether its flows have ended
WORLD = "world"  # the actor of what is neither user nor server nor controller
COMMANDS = f"{COMMAND.plural}.{COMMAND.group}"
WORKERS = 8  # enough for keys to be handled side by side


def play(
    scenario: Scenario,
    plan: Iterable[Fault] = (),
    seed: int = 0,
    *,
    virtual_limit: float = VIRTUAL_LIMIT,
    app_factory: AppFactory | None = None,
) -> History:
    """Run the scenario under the plan; the same arguments give the same History.

    `virtual_limit` is how many virtual seconds the flows may take until they have ended; a History whose flows did
    not says so in `never_ended`. `app_factory` builds another controller than the real one.
    """
    world = World(scenario, Plan(plan), seed, app_factory or real_app)
    limit = virtual_limit + SETTLE_SECONDS + QUIET_SECONDS + CLEARED_SECONDS + VIRTUAL_LIMIT
    with heard_logs(world.recorder):
        return simulate(functools.partial(world.run, virtual_limit), seed=seed, virtual_limit=limit)


def real_app(client: Client, clock: Clock, random: Random) -> App:
    """The controller as it is shipped."""
    return App(client, clock, Settings(workers=WORKERS), random)


@functools.cache
def _crds() -> tuple[tuple[str, bytes], ...]:
    """The CRDs of the kinds that a flow is made of, encoded once: making them takes longer than a whole run."""
    crds = (*product_crds(), volcano_job_crd(), command_crd())
    return tuple((crd["metadata"]["name"], msgspec.json.encode(crd)) for crd in crds)


class World:
    """The parts of one run, and its stages."""

    def __init__(self, scenario: Scenario, plan: Plan, seed: int, app_factory: AppFactory) -> None:
        self._scenario = scenario
        self._plan = plan
        self._seed = seed
        self._factory = app_factory
        self._clock = VirtualClock()
        self.recorder = Recorder()
        wall = WallClock()
        self._injection = Injection(plan, self.recorder, crash=lambda fault: self._controllers.crash(fault))
        self._controllers = Controllers(self._injection, wall, self._clock)
        self._people = Interventions(scenario, self._clock, self._injection, wall, self.recorder.objects)
        self._volcano = ScriptedVolcano(self._clock, scenario.walks, self._job)

    async def run(self, virtual_limit: float) -> History:
        """Play it: until the flows have ended, an hour of rest, and until nothing is left of them."""
        ACTOR.set(COLLECTOR)  # what the server does by itself is garbage collection
        async with ApiServer(self._clock, random=Random(f"server {self._seed}")) as server:
            ACTOR.set(WORLD)
            client = Client(NotedTransport(server.transport()), self._clock, random=Random(f"people {self._seed}"))
            await self._install(server, client)
            server.tell(self.recorder.saw)
            self.recorder.begin()
            keeper = spawn(WORLD, self._controllers.run(server, self._factory, self._seed), "controllers")
            try:
                return await self._stages(client, keeper, virtual_limit)
            finally:
                await self._controllers.stop()
                keeper.cancel()

    async def _install(self, server: ApiServer, client: Client) -> None:
        for name, body in _crds():
            if name == COMMANDS and not self._scenario.commands:
                continue
            path = CUSTOM_RESOURCE_DEFINITION.path(None)
            response = await server.handle(Request("POST", path, (), body))
            if response.status != 201:
                raise RuntimeError(f"the CRD {name} was not taken: {response.body.decode()}")
        for name in self._scenario.namespaces:
            if name != "default":
                await client.create(
                    NAMESPACE, None, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
                )

    async def _stages(self, client: Client, keeper: asyncio.Task[None], virtual_limit: float) -> History:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        loop.on_step = self._controllers.stepped
        volcano = context_of(VOLCANO)
        self.recorder.listeners += [
            lambda commit: self._volcano.saw(commit, client, volcano.copy()),
            self._controllers.saw,
            self._people.saw,
        ]
        await self._clock.sleep(START_SECONDS)
        await spawn(USER, self._people.begin(client), "user begins")
        ended_at = await self._settled(keeper, virtual_limit)
        never_ended = "" if ended_at is not None else "; ".join(self._people.unended()) or "it ended after the bound"
        reach, loop.on_step = self._reach(), None
        self._injection.close()
        quiet_from = now()
        await self._clock.sleep(QUIET_SECONDS)
        quiet_until = now()
        self._controllers.check_cache_at_rest()
        await spawn(USER, self._people.clear(), "user clears")
        await self._clock.sleep(CLEARED_SECONDS)
        if keeper.done():
            await keeper
        return History(
            scenario=self._scenario.name,
            plan=str(self._plan),
            seed=self._seed,
            commits=self.recorder.commits,
            calls=list(self.recorder.calls),
            marks=list(self.recorder.marks),
            reconciles=self._controllers.reconciles,
            leaks=await self._controllers.leaks(),
            ended_at=ended_at,
            never_ended=never_ended,
            quiet_from=quiet_from,
            quiet_until=quiet_until,
            reach=reach,
            expected={flow: str(outcome) for flow, outcome in self._scenario.expected.items()},
            phases=self._scenario.phases,
            injected=tuple(self.recorder.injected),
            errors=tuple(self.recorder.errors),
            untrue=tuple((at, text) for text, at in self._controllers.untrue.items()),
        )

    async def _settled(self, keeper: asyncio.Task[None], virtual_limit: float) -> float | None:
        """When the flows had ended for good: what the plan does a little after their end may begin it all again."""
        while True:
            ended_at = await self._ended(keeper, virtual_limit)
            lasting = max(self._injection.over_at - now(), 0.0)
            await self._clock.sleep(lasting + SETTLE_SECONDS + self._scenario.longest_ttl)
            if ended_at is None or (self._people.ended() and self._injection.over_at <= now() - SETTLE_SECONDS):
                return ended_at

    async def _ended(self, keeper: asyncio.Task[None], virtual_limit: float) -> float | None:
        """When every flow had ended as its user wants it; None where the bound passed first."""
        while not self._people.ended():
            if keeper.done():
                await keeper
            if now() > virtual_limit:
                return None
            await self._clock.sleep(LOOK_SECONDS)
        return now()

    def _reach(self) -> Reach:
        return Reach(
            writes=self._injection.writes,
            reads=self._injection.reads,
            awaits=self._injection.steps,
            commits=len(self.recorder.commits),
            events=dict(self.recorder.events),
            lists=dict(self._injection.lists),
            turns=tuple(self._controllers.turns),
        )

    def _job(self, namespace: str, name: str) -> Body | None:
        return self.recorder.objects.get((VOLCANO_JOB.kind, namespace, name))
