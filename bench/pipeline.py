"""Pipeline: the controller without its network: line -> decode -> cache -> queue -> snapshot -> reconcile -> plan.

In: watch lines of three kinds. Out: plans, given to a `Carry` that says what would have become of them. The parts are
the controller's own, put together as `jobflow.term` and `jobflow.watches` do; what is left out is sending and logging.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from random import Random
from typing import Any, NamedTuple, Protocol

from jobflow.api.objects import FlowObject, TemplateObject, flow_view, template_view
from jobflow.api.resources import JOB_FLOW, Key
from jobflow.cache.expectations import Expectations
from jobflow.clock import SystemClock
from jobflow.kinds import vcjob
from jobflow.kube.codec import Codec, Event, EventType
from jobflow.kube.reflector import Sink
from jobflow.obs.measures import Measures
from jobflow.observations import Observations
from jobflow.ownership import Ownership
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.plan import CreateChild, Plan
from jobflow.reconcile.snapshot import Flow
from jobflow.snapshots import Snapshots, Taken
from jobflow.work.interests import Interests
from jobflow.work.measured import MeasuredQueue
from jobflow.work.route import Route


class Kind(Enum):
    """Which watch a line is of."""

    JOB = "jobs"
    TEMPLATE = "jobtemplates"
    FLOW = "jobflows"


class Line(NamedTuple):
    """One line of a watch."""

    kind: Kind
    data: bytes


class Carry(Protocol):
    """What the API server would have answered."""

    def created(self, flow: Flow, wanted: CreateChild) -> str:
        """The UID of the child."""

    def written(self, flow: Flow, status: object) -> str:
        """The flow's new version."""


class Pipeline:
    """One controller's memory and its queue. To be made in a running loop."""

    def __init__(self, carry: Carry) -> None:
        self._carry = carry
        self._clock = SystemClock()
        ownership = Ownership()
        self._cache = ownership.cache
        self._cache.expectations = Expectations(self._cache.children)
        self._interests = Interests()
        measures = Measures()
        self._observations = Observations(self._clock, measures)
        self._queue = MeasuredQueue[Key](self._clock, lambda key: key.namespace, measures, jitter=Random(1))
        self._snapshots = Snapshots(self._cache, self._clock)
        ownership.begin(self._observations, Route(self._queue, self._interests))
        jobs = Codec(vcjob.Job, vcjob.view)
        templates = Codec(TemplateObject, template_view)
        flows = Codec(FlowObject, flow_view)
        self._ways: dict[Kind, tuple[Callable[[bytes], Event[Any]], Sink[Any]]] = {
            Kind.JOB: (jobs.event, self._cache.children),
            Kind.TEMPLATE: (templates.event, self._cache.templates),
            Kind.FLOW: (flows.event, self._cache.flows),
        }
        self.passes = 0
        self.planned = 0  # plans that ask for something

    async def feed(self, line: Line) -> None:
        """Take a line, and handle every key that it makes due."""
        decode, sink = self._ways[line.kind]
        event = decode(line.data)
        assert event.object is not None, "recordings have no bookmarks"
        assert event.type is not EventType.DELETED, "nor deletions"
        sink.put(event.object)
        while len(self._queue):
            key = await self._queue.get()
            if key.kind == JOB_FLOW.kind:
                self._handle(key)
            self._queue.done(key)

    def _handle(self, key: Key) -> None:
        match self._snapshots.take(key):
            case Taken(snapshot, _):
                plan = reconcile_flow(snapshot)
                self._interests.set(key, plan.awaits)
                self._observations.planned(snapshot.flow, plan)
                self._carry_out(snapshot.flow, plan)
                self.passes += 1

    def _carry_out(self, flow: Flow, plan: Plan) -> None:
        """As `jobflow.act.flow` does, where nothing fails."""
        expectations = self._cache.expectations
        for wanted in plan.creates:
            self.planned += 1
            expectations.created(flow.uid, self._carry.created(flow, wanted), self._clock.monotonic())
        if plan.creates or plan.status is None or plan.status_within > 0:
            return
        self.planned += 1
        expectations.wrote_status(flow.uid, self._carry.written(flow, plan.status), self._clock.monotonic())

    def close(self) -> None:
        """End the queue's timers."""
        self._queue.close()


async def let_go() -> None:
    """Give the loop a turn, so that cancelled timers end."""
    await asyncio.sleep(0)
