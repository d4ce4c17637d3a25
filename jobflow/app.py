"""App: the controller's parts, in the order in which they start and stop.

In: a client, a clock, settings; an election where there are other replicas. Out: a running controller, until `stop` is
set (it then drains: keys in hand are finished, nothing new is taken, the lease is given back) or until it is cancelled
(everything ends where it stands, which is safe at any moment). The cache is filled first, so that a replica that stands
by leads at once when its turn comes; only a leader works (`term.py`). Children are listed before flows: a flow's
committed status is then at least as new as the view of its children, so that a child which is missing because it was
deleted after its result was committed is never taken for one that has yet to run.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import structlog

from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, JOB_TEMPLATE, POD, Key
from jobflow.api.status import FlowPhase, Reason
from jobflow.cache.cache import Cache
from jobflow.cache.installed import KINDS
from jobflow.clock import Clock
from jobflow.config import Settings
from jobflow.controller import Controller
from jobflow.kinds import vcjob
from jobflow.kube.client import Client
from jobflow.kube.leadership import Leadership
from jobflow.kube.lease import Election
from jobflow.kube.reflector import Reflector
from jobflow.obs.measures import Measures, Readings
from jobflow.ownership import Ownership
from jobflow.probe.addresses import rules_of
from jobflow.probe.dial import Dialer
from jobflow.probe.pods import Pods
from jobflow.probe.resolve import Dns
from jobflow.probe.runner import Runner, World
from jobflow.schemas import SchemaLook
from jobflow.snapshots import Snapshots
from jobflow.term import Means, Term
from jobflow.watches import Sights, Watches
from jobflow.work.queue import WorkQueue

DRAIN_SECONDS = 20.0  # less than a pod's usual grace period of 30
PAUSES = (Reason.CRD_OUTDATED, Reason.FOREIGN_CONTROLLER)
NO_PHASE_YET = "None"  # of a flow that no controller has looked at

log = structlog.get_logger(__name__)


class App:
    """One controller process, apart from its signals and its flags."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        settings: Settings,
        random: Random | None = None,
        election: Election | None = None,
        measures: Measures | None = None,
    ) -> None:
        """`random` is the jitter of the work queue; that of requests and watches is the client's.

        With an election, the client's transport has to be fenced by it (`kube/fenced.py`).
        """
        self._client = client
        self._clock = clock
        self._settings = settings
        self._election = election
        self._means = _means(client, clock, settings, random or Random(), measures or Measures())
        self._ownership = Ownership()
        self._watches = Watches(client, clock, _sights(settings), self.cache, self._in_sight_again)
        self.cache.unseen = self._watches.unseen
        self._term = self._new_term()
        self._events_dropped = 0  # in earlier terms
        self._leading = False
        self.synced = asyncio.Event()

    @property
    def cache(self) -> Cache:
        """What is known of the cluster."""
        return self._ownership.cache

    @property
    def queue(self) -> WorkQueue[Key]:
        """The keys of this term, or of the last one."""
        return self._term.queue

    @property
    def snapshots(self) -> Snapshots:
        """What is remembered of flows in this term, or in the last one."""
        return self._term.snapshots

    @property
    def controller(self) -> Controller:
        """The loop of this term, or of the last one."""
        return self._term.controller

    @property
    def runner(self) -> Runner:
        """Who asks the probes' questions."""
        return self._means.runner

    @property
    def reflectors(self) -> Sequence[Reflector[Any]]:
        """All watches of kinds that flows are made of."""
        return [watch.reflector for watch in self._watches.all]

    def unready(self) -> list[str]:
        """What is missing from the cache, or the right to lead; a replica that could lead stands by and is ready."""
        refusal = self._election.refusal if self._election is not None else ""
        return [*self._watches.waiting, *([refusal] if refusal else [])]

    def _in_sight_again(self) -> None:
        """Rights were given: flows that were left alone meanwhile are due, whether or not anything has changed."""
        if self._leading:
            self._term.look_at_all()

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then drain; or until cancelled."""
        async with asyncio.TaskGroup() as background:
            tasks: list[asyncio.Task[None]] = []
            if not self._settings.namespaces:
                tasks.append(background.create_task(self._watches.arrivals.run(), name="kind arrivals"))
            else:
                look = SchemaLook(self._client, self._clock, self.cache.installed)
                tasks.append(background.create_task(look.run(), name="schemas"))
            working = background.create_task(self._start(background, tasks), name="start")
            await stop.wait()
            await self._drain(working)
            for task in tasks:
                task.cancel()
        await self.runner.close()

    async def _start(self, background: asyncio.TaskGroup, tasks: list[asyncio.Task[None]]) -> None:
        """Fill the cache; then work, or stand by until it is our turn to."""

        def spawn(reflector: Reflector[Any]) -> None:
            tasks.append(background.create_task(reflector.run(), name="reflector"))

        tasks.append(background.create_task(self._fill(spawn), name="fill the cache"))
        await self._watches.usable.wait()
        if self._election is None:
            await self._lead()
        else:
            await self._election.run(self._lead)

    async def _fill(self, spawn: Callable[[Reflector[Any]], None]) -> None:
        await self._watches.fill(spawn)
        self.synced.set()
        log.info("cache filled", flows=len(self.cache.flows), children=len(self.cache.children))

    async def _lead(self, leadership: Leadership | None = None) -> None:
        """One term: until the queue is closed, or until leadership is lost, which cancels us."""
        if self._term.begun:
            self._events_dropped += self._term.recorder.dropped
            self._term = self._new_term()
        self._leading = True
        try:
            await self._term.run(self._settings.workers)
        finally:
            self._leading = False

    def _new_term(self) -> Term:
        return Term(self._means, self._ownership)

    async def _drain(self, working: asyncio.Task[None]) -> None:
        log.info("draining", held=self.queue.held)
        self._term.close()
        if not self._leading:
            working.cancel()
        drained = asyncio.create_task(self._clock.sleep(DRAIN_SECONDS), name="drain deadline")
        try:
            await asyncio.wait({working, drained}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            drained.cancel()
            working.cancel()

    def readings(self) -> Readings:
        """How things stand now, for metrics; counts the flows, which takes a millisecond for ten thousand."""
        cluster_templates = self._settings.enable_cluster_templates
        limiter, installed, paused = self._client.limiter, self.cache.installed, self.snapshots.paused()
        phases = Counter(flow.status.state.phase or NO_PHASE_YET for flow in self.cache.flows.values())
        return Readings(
            leading=self._leading,
            synced=self.synced.is_set(),
            keys_ready=len(self.queue),
            keys_held=self.queue.held,
            keys_delayed=self._term.queue.delayed,
            flows={phase: phases[phase] for phase in (*FlowPhase, NO_PHASE_YET)},
            cached={
                str(vcjob.RESOURCE): len(self.cache.children),
                str(JOB_TEMPLATE): len(self.cache.templates),
                str(JOB_FLOW): len(self.cache.flows),
                str(POD): len(self.cache.pods),
                **({str(CLUSTER_JOB_TEMPLATE): len(self.cache.cluster_templates)} if cluster_templates else {}),
            },
            undecodable=self._watches.undecodable,
            probes=self.runner.probes,
            troubled=self._watches.troubled,
            paused={reason: paused[reason] for reason in PAUSES},
            fields_missing={str(kind): len(installed.told(kind)) for kind in KINDS},
            events_dropped=self._events_dropped + self._term.recorder.dropped,
            requests_in_flight=limiter.in_flight,
            requests_limit=limiter.limit,
        )


def _sights(settings: Settings) -> Sights:
    return Sights(settings.namespaces, settings.enable_cluster_templates)


def _means(client: Client, clock: Clock, settings: Settings, random: Random, measures: Measures) -> Means:
    rules = rules_of(settings.probe_allow_cidrs, settings.probe_deny_cidrs)
    world = World(Dialer(Dns(), rules), Pods(client))
    return Means(client, clock, measures, random, Runner(clock, world, measures, random))
