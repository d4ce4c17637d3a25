"""Term: one time of leading, with everything in it that must not outlive it.

In: the filled cache. Out: workers over a queue, until the queue is closed (they finish what they hold) or the term is
cancelled (they end where they stand). Queue, memories and expectations are new in each term: what an earlier one
remembered is older than what another leader has done since. A term begins with all flows due, oldest first, so that
flows that were begun first end first.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from random import Random

from jobflow.act.flow import FlowActor
from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE, Key
from jobflow.cache.expectations import Expectations
from jobflow.clock import Clock
from jobflow.controller import Controller
from jobflow.kube.client import Client
from jobflow.kube.events import EventRecorder
from jobflow.obs.measures import Measures
from jobflow.observations import Observations
from jobflow.ownership import Ownership
from jobflow.snapshots import Snapshots
from jobflow.work.interests import Interests
from jobflow.work.measured import MeasuredQueue
from jobflow.work.route import TEMPLATE_SECONDS, Route

UNKNOWN_AGE = datetime.max.replace(tzinfo=UTC)  # no API server leaves out when an object was created


class Term:
    """What works while we lead."""

    def __init__(self, client: Client, clock: Clock, ownership: Ownership, measures: Measures, random: Random) -> None:
        cache = ownership.cache
        cache.expectations = Expectations(cache.children)
        interests = Interests()
        self._ownership = ownership
        self._observations = Observations(clock, measures)
        self.queue = MeasuredQueue[Key](clock, lambda key: key.namespace, measures, jitter=random)
        self._route = Route(self.queue, interests)
        self.recorder = EventRecorder(client, clock)
        self.snapshots = Snapshots(cache, clock)
        actor = FlowActor(client, clock, self.recorder, cache.expectations)
        self.controller = Controller(
            client, cache, self.queue, interests, self.snapshots, actor, measures, self._observations.planned
        )
        self.begun = False

    def close(self) -> None:
        """No key is handed out any more: `run` ends when the keys in hand are done."""
        self.queue.close()

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
                self.queue.close()
                recording.cancel()

    def _begin(self) -> None:
        """Look at everything once; in one step, so that no change falls between the look and the listening."""
        cache = self._ownership.cache
        for flow in sorted(cache.flows.values(), key=lambda flow: flow.created or UNKNOWN_AGE):
            self.queue.add(Key(JOB_FLOW.kind, flow.namespace, flow.name))
        for template in cache.templates.values():
            self.queue.add_after(Key(JOB_TEMPLATE.kind, template.namespace, template.name), TEMPLATE_SECONDS)
        self._ownership.begin(self._observations, self._route)
