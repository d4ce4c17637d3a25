"""Term: one time of leading, with everything in it that must not outlive it.

In: the filled cache. Out: workers over a queue, until the queue is closed (they finish what they hold) or the term is
cancelled (they end where they stand). Queue, memories and expectations are new in each term: what an earlier one
remembered is older than what another leader has done since. A term begins with all flows due, oldest first, so that
flows that were begun first end first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from jobflow.act.flow import FlowActor
from jobflow.api.resources import JOB_FLOW, Key
from jobflow.cache.expectations import Expectations
from jobflow.clock import Clock
from jobflow.controller import Controller
from jobflow.kube.client import Client
from jobflow.kube.events import EventRecorder
from jobflow.obs.measures import Measures
from jobflow.observations import Observations
from jobflow.ownership import Ownership
from jobflow.probe.runner import Runner
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.plan import Plan
from jobflow.reconcile.snapshot import Snapshot
from jobflow.snapshots import Snapshots
from jobflow.upgrades import Upgrades
from jobflow.work.interests import Interests
from jobflow.work.measured import MeasuredQueue
from jobflow.work.route import TEMPLATE_SECONDS, Route
from jobflow.work.turns import Rank

UNKNOWN_AGE = datetime.max.replace(tzinfo=UTC)  # no API server leaves out when an object was created


@dataclass(frozen=True)
class Parts:
    """What a term is built of. The simulation puts broken ones in, to see that its oracles find out."""

    queue: type[MeasuredQueue[Key]] = MeasuredQueue
    expectations: type[Expectations] = Expectations
    interests: type[Interests] = Interests
    snapshots: type[Snapshots] = Snapshots
    actor: type[FlowActor] = FlowActor
    reconcile: Callable[[Snapshot], Plan] = reconcile_flow


SHIPPED = Parts()


@dataclass(frozen=True)
class Means:
    """What every term of a controller works with. `random` is the jitter of the work queue."""

    client: Client
    clock: Clock
    measures: Measures
    random: Random
    runner: Runner


class Term:
    """What works while we lead."""

    def __init__(self, means: Means, ownership: Ownership, parts: Parts = SHIPPED) -> None:
        client, clock, measures, cache = means.client, means.clock, means.measures, ownership.cache
        cache.expectations = parts.expectations(cache.children)
        interests = parts.interests()
        self._ownership = ownership
        self._observations = Observations(clock, measures)
        self.queue = parts.queue(clock, lambda key: key.namespace, measures, means.random, self._rank)
        self._route = Route(self.queue, interests)
        self.recorder = EventRecorder(client, clock)
        self._runner = means.runner
        self.snapshots = parts.snapshots(cache, clock, self._runner.answers)
        actor = parts.actor(client, clock, self.recorder, cache.expectations, cache.installed)
        self.controller = Controller(
            client,
            cache,
            self.queue,
            interests,
            self.snapshots,
            actor,
            measures,
            self._observations.planned,
            parts.reconcile,
            self._runner.ask,
        )
        self._upgrades = Upgrades(cache.installed, self.recorder, self.look_at_all)
        self.begun = False

    def close(self) -> None:
        """No key is handed out any more: `run` ends when the keys in hand are done."""
        self.queue.close()

    def _rank(self, key: Key) -> Rank:
        """Flows that were begun first end first; what tells of templates comes after them."""
        if key.kind != JOB_FLOW.kind:
            return (float("inf"), key.name)
        flow = self._ownership.cache.flows.get((key.namespace, key.name))
        return (flow.created.timestamp() if flow and flow.created else 0.0, key.name)

    def look_at_all(self) -> None:
        """Every flow and every template is due, oldest flow first."""
        cache = self._ownership.cache
        for flow in sorted(cache.flows.values(), key=lambda flow: flow.created or UNKNOWN_AGE):
            self.queue.add(Key(JOB_FLOW.kind, flow.namespace, flow.name))
        for template in (*cache.templates.values(), *cache.cluster_templates.values()):
            self.queue.add_after(template.key, TEMPLATE_SECONDS)

    async def run(self, workers: int) -> None:
        """Work until closed. The events of the last passes are sent before it ends, for two seconds at most."""
        self.begun = True
        async with asyncio.TaskGroup() as group:
            recording = group.create_task(self.recorder.run(), name="event recorder")
            try:
                self._begin()
                async with asyncio.TaskGroup() as workers_group:
                    for _ in range(workers):
                        workers_group.create_task(self.controller.work(), name="worker")
            finally:
                self._ownership.end()
                self._upgrades.end()
                self.queue.close()
                recording.cancel()
                await self._runner.end()

    def _begin(self) -> None:
        """Look at everything once; in one step, so that no change falls between the look and the listening."""
        self.snapshots.begin()
        self.look_at_all()
        self._ownership.begin(self._observations, self._route)
        self._upgrades.begin()
        self._runner.begin(self.queue.add, self.queue.add_news, lambda: self.queue.waiting)
