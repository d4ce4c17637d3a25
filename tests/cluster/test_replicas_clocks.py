"""Two replicas whose wall clocks are an hour apart, on a real cluster: nobody compares them.

A machine's clock cannot be set by a test, so both controllers run in this process, each over a clock of its own and
with an account of its own; the API server, its Lease and the flows are real.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from cluster.diamonds import Diamonds
from cluster.installed import Account, Cluster
from cluster.processes import Processes

from jobflow.app import App
from jobflow.clock import SystemClock
from jobflow.config import Settings
from jobflow.deploy.names import NAMESPACE as SYSTEM
from jobflow.kube.client import Client
from jobflow.kube.errors import Unavailable
from jobflow.kube.fenced import FencedTransport
from jobflow.kube.http import connect
from jobflow.kube.leadership import Timing
from jobflow.kube.lease import Election
from jobflow.kube.lease_records import LeaseRecords
from jobflow.kube.transport import Request, Response, Stream, Transport

pytestmark = [pytest.mark.real, pytest.mark.blocking]

TIMING = Timing.of(6)
WAIT_SECONDS = 120.0  # against hanging


class SkewedClock(SystemClock):
    """A machine whose wall clock is wrong."""

    def __init__(self, skew: timedelta) -> None:
        self._skew = skew

    def now(self) -> datetime:
        return super().now() + self._skew


class Wire(Transport):
    """The way to the API server, until the machine is gone."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.cut = False

    async def request(self, request: Request, timeout: float) -> Response:
        if self.cut:
            raise Unavailable("the machine is gone")
        return await self._inner.request(request, timeout)

    @asynccontextmanager
    async def stream(self, request: Request, silence: float) -> AsyncIterator[Stream]:
        if self.cut:
            raise Unavailable("the machine is gone")
        async with self._inner.stream(request, silence) as stream:
            yield stream

    async def close(self) -> None:
        await self._inner.close()


@dataclass
class Machine:
    """A controller, its clock and its wire."""

    user: str
    wire: Wire
    election: Election
    task: asyncio.Task[None]

    @property
    def leads(self) -> bool:
        return self.election.leadership is not None

    async def crash(self) -> None:
        """Nothing of it reaches the API server any more, the lease is not given back."""
        self.wire.cut = True
        await self.end()

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})
        await self.wire.close()


@asynccontextmanager
async def machine(account: Account, lease: str, skew: timedelta) -> AsyncIterator[Machine]:
    clock = SkewedClock(skew)
    wire = Wire(await connect(account.kubeconfig))
    election = Election(LeaseRecords(wire, SYSTEM, lease), clock, account.user, TIMING)
    client = Client(FencedTransport(wire, election.may_write), clock)
    app = App(client, clock, Settings(), election=election)
    found = Machine(account.user, wire, election, asyncio.create_task(app.run(asyncio.Event())))
    try:
        yield found
    finally:
        await found.end()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("hours", [-1, 1])
async def test_an_hour_between_their_clocks_changes_nothing(
    cluster: Cluster, processes: Processes, figure: Callable[[str], None], hours: int
) -> None:
    lease = f"clocks-{hours}"
    diamonds = Diamonds(cluster, processes.player(cluster.plane.kubeconfig), (cluster.namespace("clocks"),))
    diamonds.prepare()
    right, wrong = cluster.account("right"), cluster.account("wrong")
    async with machine(right, lease, timedelta()) as first:
        await until(lambda: first.leads)
        async with machine(wrong, lease, timedelta(hours=hours)) as second:
            await asyncio.to_thread(diamonds.submit, 5)
            await asyncio.sleep(TIMING.duration + TIMING.retry)
            assert first.leads
            assert not second.leads
            assert cluster.lease(lease)["leaseTransitions"] == 0, "a lease that is renewed is not taken"

            await asyncio.to_thread(diamonds.submit, 5)
            began = time.monotonic()
            await first.crash()
            await until(lambda: second.leads)
            taken = time.monotonic() - began
            assert taken > TIMING.duration - TIMING.renew_every - 1, "one that is not renewed is waited out"
            figure(f"clock off by {hours} h: another led after {taken:.2f} s of a lease of {TIMING.duration} s")
            await asyncio.to_thread(diamonds.succeed, processes)
    diamonds.each_step_ran_once()
    diamonds.each_child_was_created_once()
    assert cluster.audit.out_of_turn(lease, first.user, second.user) == []
    assert [one.user for one in cluster.audit.reigns(lease)] == [first.user, second.user]
