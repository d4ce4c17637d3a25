"""Several replicas, one leader: whatever happens to them, each flow ends right and nobody writes out of turn.

The whole control plane and all replicas run in this process, in virtual time. A replica is a machine with a clock, a
network and a controller; it can crash, freeze, be cut off, or be stopped in order.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE, LEASE, VOLCANO_JOB
from jobflow.app import App
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.errors import Unavailable
from jobflow.kube.fenced import FencedTransport
from jobflow.kube.leadership import Timing
from jobflow.kube.lease import Election
from jobflow.kube.lease_records import LeaseRecords
from jobflow.kube.transport import Request, Transport
from jobflow.local.controlplane import ControlPlane, LocalSettings
from jobflow.testing.builders import flow, template
from jobflow.testing.clock import EPOCH, VirtualClock

pytestmark = pytest.mark.looptime

STEPS = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
TIMING = Timing()
TAKEOVER_SECONDS = TIMING.duration + TIMING.retry + 0.5  # the last: the round itself, and the first pass
WHO: ContextVar[str] = ContextVar("who", default="")


class MachineClock(VirtualClock):
    """Shows another wall time where it is skewed. A process that is frozen does not notice that its sleep is over."""

    def __init__(self, skew: timedelta) -> None:
        super().__init__(EPOCH + skew)
        self.running = asyncio.Event()
        self.running.set()
        self.standstill = 0.0  # seconds by which the monotonic clock fell behind while the machine was paused

    def monotonic(self) -> float:
        return super().monotonic() - self.standstill

    def now(self):
        return super().now() + timedelta(seconds=self.standstill)

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await self.running.wait()


class Process(Transport):
    """What a process says to the API server: nothing goes out or comes in while it is frozen."""

    def __init__(self, inner: Transport, clock: MachineClock) -> None:
        self._inner = inner
        self._clock = clock

    async def request(self, request: Request, timeout: float):
        await self._clock.running.wait()
        try:
            return await self._inner.request(request, timeout)
        finally:
            await self._clock.running.wait()

    @asynccontextmanager
    async def stream(self, request: Request, silence: float) -> AsyncIterator[Any]:
        async with self._inner.stream(request, silence) as stream:
            lines = stream.lines

            async def held() -> AsyncIterator[bytes]:
                async for line in lines():
                    await self._clock.running.wait()
                    yield line

            stream.lines = held
            yield stream

    async def close(self) -> None:
        await self._inner.close()


class Network(Transport):
    """The way from one machine to the API server; says who is asking."""

    def __init__(self, inner: Transport, clock: MachineClock, who: str) -> None:
        self._inner = inner
        self._clock = clock
        self._who = who
        self.cut = self.dead = False

    async def request(self, request: Request, timeout: float):
        if self.dead:
            raise Unavailable("a dead process sends nothing")
        if self.cut:
            await self._clock.sleep(timeout)
            raise Unavailable(f"no answer within {timeout:g} s")
        token = WHO.set(self._who)
        try:
            return await self._inner.request(request, timeout)
        finally:
            WHO.reset(token)

    def stream(self, request: Request, silence: float):
        if self.cut or self.dead:
            raise Unavailable("no way to the API server")
        return self._inner.stream(request, silence)

    async def close(self) -> None:
        await self._inner.close()


class Replica:
    """One controller on a machine of its own."""

    def __init__(self, plane: ControlPlane, name: str, skew: timedelta = timedelta()) -> None:
        self.name = name
        self.clock = MachineClock(skew)
        self.network = Network(plane.transport(), self.clock, name)
        records = LeaseRecords(Process(self.network, self.clock), "default", "jobflow-controller")
        self.election = Election(records, self.clock, name, random=Random(name))
        fenced = FencedTransport(self.network, self.election.may_write)
        client = Client(Process(fenced, self.clock), self.clock, random=Random(name))
        self.app = App(client, self.clock, Settings(workers=8), Random(name), self.election)
        self._stop = asyncio.Event()
        self.task = asyncio.create_task(self.app.run(self._stop), name=name)

    @property
    def leads(self) -> bool:
        return self.election.leadership is not None

    async def crash(self) -> None:
        """kill -9: nothing of it reaches the API server any more."""
        self.network.dead = True
        await self.end()

    async def end(self) -> None:
        self.clock.running.set()
        self.task.cancel()
        await asyncio.wait({self.task})

    async def stop(self) -> None:
        """SIGTERM."""
        self._stop.set()
        await self.task

    def freeze(self) -> None:
        self.clock.running.clear()

    def thaw(self) -> None:
        self.clock.running.set()


@dataclass(frozen=True)
class Write:
    """A write of a replica, and who held the lease when it was committed."""

    at: float
    who: str
    holder: str
    what: str


@dataclass
class Cluster:
    """The control plane, what replicas wrote, and a user."""

    plane: ControlPlane
    client: Client
    holder: str = ""
    writes: list[Write] = field(default_factory=list)
    replicas: list[Replica] = field(default_factory=list)

    def replica(self, name: str, **more: Any) -> Replica:
        self.replicas.append(Replica(self.plane, name, **more))
        return self.replicas[-1]

    def saw(self, collection: Any, event: Any) -> None:
        if collection.plural == LEASE.plural:
            lease = {} if event.type == "DELETED" else msgspec.json.decode(event.object.data)
            self.holder = lease.get("spec", {}).get("holderIdentity") or ""

    def committed(self, request: Request, number: int) -> None:
        if (who := WHO.get()) and f"/{LEASE.plural}" not in request.path:
            what = f"{request.method} {request.path}"
            if request.method == "POST":
                what += "/" + msgspec.json.decode(request.body)["metadata"]["name"]
            self.writes.append(Write(asyncio.get_running_loop().time(), who, self.holder, what))

    def writes_of(self, replica: Replica) -> list[Write]:
        return [write for write in self.writes if write.who == replica.name]

    async def templates(self) -> None:
        for step in STEPS:
            await self.client.create(JOB_TEMPLATE, "default", written(template(step).task("main").body()))

    async def submit(self, name: str) -> None:
        built = flow(name)
        for step, targets in STEPS.items():
            built = built.step(step, after=targets)
        await self.client.create(JOB_FLOW, "default", written(built.body()))

    async def flows(self) -> dict[str, str]:
        pages = self.client.list(JOB_FLOW, "default")
        found = [item async for page in pages for item in msgspec.json.decode(page)["items"]]
        return {item["metadata"]["name"]: item.get("status", {}).get("state", {}).get("phase", "") for item in found}

    async def finished(self, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while set((await self.flows()).values()) != {"Succeed"}:
                await asyncio.sleep(1)

    async def lease(self) -> dict[str, Any]:
        return msgspec.json.decode(await self.client.get(LEASE, "default", "jobflow-controller"))["spec"]

    def in_turn(self) -> None:
        """Nobody wrote who was not the leader."""
        assert [write for write in self.writes if write.who != write.holder] == []

    def once_each(self) -> None:
        """No child was created twice."""
        created = Counter(write.what for write in self.writes if f"POST {VOLCANO_JOB.path('default')}/" in write.what)
        assert {what: times for what, times in created.items() if times != 1} == {}


def written(body: dict[str, Any]) -> dict[str, Any]:
    return {key: body[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": body["metadata"]["name"]}}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    clock = VirtualClock()
    async with ControlPlane(LocalSettings(scratch=tmp_path, runtime="simulate", controller=False), clock) as plane:
        found = Cluster(plane, Client(plane.transport(), clock))
        plane.server.tell(found.saw)
        plane.server.after_commit = found.committed
        await found.templates()
        yield found
        for replica in found.replicas:
            if not replica.task.done():
                await replica.end()


async def until(condition, seconds: float) -> float:
    """Wait for it; how long that took."""
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)
    return asyncio.get_running_loop().time() - began


async def leader_and_standby(cluster: Cluster, **more: Any) -> tuple[Replica, Replica]:
    first = cluster.replica("first")
    await until(lambda: first.leads, 5)
    second = cluster.replica("second", **more)
    await asyncio.sleep(5)
    assert first.leads
    assert not second.leads
    return first, second


async def test_the_first_leads_and_works(cluster):
    first, second = await leader_and_standby(cluster)
    await cluster.submit("one")
    await cluster.finished(60)
    assert cluster.writes_of(first)
    assert not cluster.writes_of(second)


async def test_a_replica_that_stands_by_has_its_cache_filled(cluster):
    _, second = await leader_and_standby(cluster)
    await cluster.submit("one")
    await cluster.finished(60)
    assert second.app.unready() == []
    assert len(second.app.cache.flows) == 1
    assert len(second.app.cache.children) == len(STEPS)
    assert len(second.app.queue) == 0, "what it will not work on does not pile up"


async def test_what_a_standby_knows_does_not_grow_with_what_comes_and_goes(cluster):
    _, second = await leader_and_standby(cluster)
    for number in range(5):
        await cluster.submit(f"flow-{number}")
    await cluster.finished(60)
    for number in range(5):
        await cluster.client.delete(JOB_FLOW, "default", f"flow-{number}")
    await asyncio.sleep(30)
    children = second.app.cache.children
    assert (len(children), len(children._vanished), len(children._incarnations)) == (0, 0, 0)


async def test_after_a_crash_another_leads_within_a_lease_and_a_retry(cluster):
    first, second = await leader_and_standby(cluster)
    await cluster.submit("one")
    await asyncio.sleep(3)
    await first.crash()
    assert await until(lambda: second.leads, 60) <= TAKEOVER_SECONDS
    await cluster.finished(60)
    cluster.once_each()
    assert (await cluster.lease())["leaseTransitions"] == 1


async def test_a_leader_that_stops_in_order_hands_over_at_once(cluster):
    first, second = await leader_and_standby(cluster)
    await cluster.submit("one")
    await asyncio.sleep(3)
    await first.stop()
    assert await until(lambda: second.leads, 60) <= TIMING.retry + 0.1
    await cluster.finished(60)
    cluster.once_each()
    cluster.in_turn()


async def test_a_standby_that_stops_leaves_the_leader_alone(cluster):
    first, second = await leader_and_standby(cluster)
    await second.stop()
    await asyncio.sleep(30)
    assert first.leads
    assert (await cluster.lease())["leaseTransitions"] == 0


@pytest.mark.parametrize("seconds", [12, 16, 60, 3600])
async def test_a_leader_that_froze_and_thaws_does_not_write(cluster, seconds):
    first, second = await leader_and_standby(cluster)
    for number in range(10):
        await cluster.submit(f"flow-{number}")
    await until(lambda: cluster.writes_of(first), 10)  # in the middle of its work: creates are queued
    first.freeze()
    frozen_at = asyncio.get_running_loop().time()
    await asyncio.sleep(seconds)
    first.thaw()
    await asyncio.sleep(1)
    late = [write for write in cluster.writes_of(first) if write.at > frozen_at and not first.leads]
    assert late == []
    await cluster.finished(120)
    assert seconds < TIMING.duration or second.leads
    cluster.in_turn()
    cluster.once_each()


async def test_a_machine_that_was_paused_does_not_write_though_its_monotonic_clock_stood_still(cluster):
    first, second = await leader_and_standby(cluster)
    for number in range(10):
        await cluster.submit(f"flow-{number}")
    await until(lambda: cluster.writes_of(first), 10)
    first.freeze()
    await asyncio.sleep(0.1)  # what the kernel already had still arrives
    before = len(cluster.writes_of(first))
    await asyncio.sleep(60)
    first.clock.standstill = 60.0
    first.thaw()
    await asyncio.sleep(1)
    assert len(cluster.writes_of(first)) == before
    await cluster.finished(120)
    assert second.leads
    cluster.in_turn()
    cluster.once_each()


async def test_a_leader_that_cannot_reach_the_api_server_stops_before_another_begins(cluster):
    first, second = await leader_and_standby(cluster)
    await cluster.submit("one")
    await asyncio.sleep(3)
    first.network.cut = True
    await until(lambda: not first.leads, TIMING.duration)
    assert not second.leads, "the work had ended before the lease did"
    assert first.app.queue.held == 0
    await until(lambda: second.leads, TAKEOVER_SECONDS)
    first.network.cut = False
    await cluster.finished(120)
    assert not first.leads
    cluster.in_turn()
    cluster.once_each()


async def test_it_leads_again_when_the_api_server_is_back(cluster):
    only = cluster.replica("only")
    await cluster.submit("one")
    await asyncio.sleep(3)
    snapshots = only.app.snapshots
    only.network.cut = True
    await asyncio.sleep(60)
    assert not only.leads
    only.network.cut = False
    await cluster.submit("two")
    await cluster.finished(120)
    assert only.app.snapshots is not snapshots, "memories of an earlier term are not used"
    cluster.once_each()


@pytest.mark.parametrize("hours", [-1, 1])
async def test_an_hour_between_their_clocks_changes_nothing(cluster, hours):
    first, second = await leader_and_standby(cluster, skew=timedelta(hours=hours))
    await asyncio.sleep(60)
    assert first.leads
    assert (await cluster.lease())["leaseTransitions"] == 0
    await first.crash()
    taken = await until(lambda: second.leads, 60)
    assert TIMING.duration - TIMING.renew_every - 0.5 <= taken <= TAKEOVER_SECONDS


async def test_a_lease_that_somebody_deleted_is_not_a_lease_given_back(cluster):
    first, second = await leader_and_standby(cluster)
    await cluster.client.delete(LEASE, "default", "jobflow-controller")
    await asyncio.sleep(TIMING.renew_every + 1)
    assert first.leads
    assert not second.leads
    assert (await cluster.lease())["holderIdentity"] == "first"


async def disturb(how: str, leader: Replica, seconds: float) -> None:
    match how:
        case "crash":
            await leader.crash()
        case "stop":
            await leader.stop()
        case "freeze":
            leader.freeze()
            asyncio.get_running_loop().call_later(seconds, leader.thaw)
        case "cut":
            leader.network.cut = True
            asyncio.get_running_loop().call_later(seconds, setattr, leader.network, "cut", False)


@pytest.mark.parametrize("seed", range(4))
async def test_fifty_flows_end_whatever_happens_to_their_leaders(cluster, seed):
    random = Random(seed)
    for name in ("r0", "r1"):
        cluster.replica(name)
    for number in range(10):
        for each in range(5):
            await cluster.submit(f"flow-{number}-{each}")
        await asyncio.sleep(random.uniform(0, 6))
        for leader in [replica for replica in cluster.replicas if replica.leads and not replica.task.done()]:
            await disturb(random.choice(["crash", "freeze", "stop", "cut"]), leader, random.uniform(5, 40))
            cluster.replica(f"r{number + 2}")
        await asyncio.sleep(random.uniform(0, 20))
    await cluster.finished(600)
    assert len(await cluster.flows()) == 50
    assert len({write.who for write in cluster.writes}) >= 4
    cluster.in_turn()
    cluster.once_each()
