"""App: the controller's parts, in the order in which they start and stop.

In: a client, a clock, settings. Out: a running controller, until `stop` is set (it then drains: keys in hand are
finished, nothing new is taken) or until it is cancelled (everything ends where it stands, which is safe at any
moment). Children are listed before flows: a flow's committed status is then at least as new as the view of its
children, so that a child which is missing because it was deleted after its result was committed is never taken
for one that has yet to run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from random import Random
from typing import Any, Protocol

import structlog
from msgspec import Struct

from jobflow.act.flow import FlowActor
from jobflow.api import names
from jobflow.api.metadata import ObjectMeta
from jobflow.api.objects import FlowObject, TemplateObject, flow_view, template_view
from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, JOB_FLOW, JOB_TEMPLATE, Key, Resource
from jobflow.cache.cache import Cache
from jobflow.cache.scoped import Scoped, WholeSink
from jobflow.clock import Clock
from jobflow.config import Settings
from jobflow.controller import Controller
from jobflow.kinds import vcjob
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.events import EventRecorder
from jobflow.kube.reflector import Reflector, Selection, Sink
from jobflow.snapshots import Snapshots
from jobflow.work.interests import Interests
from jobflow.work.queue import WorkQueue
from jobflow.work.route import Route

DRAIN_SECONDS = 20.0  # less than a pod's usual grace period of 30

log = structlog.get_logger(__name__)


class Whole(Sink[Any], WholeSink[Any], Protocol):
    """A sink that takes the lists of one reflector, or the parts of several."""


class App:
    """One controller process, apart from its signals and its flags."""

    def __init__(self, client: Client, clock: Clock, settings: Settings, random: Random | None = None) -> None:
        """`random` is the jitter of the work queue; that of requests and watches is the client's."""
        self._client = client
        self._clock = clock
        self._settings = settings
        self.queue = WorkQueue[Key](clock, namespace=lambda key: key.namespace, jitter=random)
        interests = Interests()
        self.cache = Cache(Route(self.queue, interests))
        self.recorder = EventRecorder(client, clock)
        self.snapshots = Snapshots(self.cache, clock)
        actor = FlowActor(client, clock, self.recorder, self.cache.expectations)
        self.controller = Controller(client, self.cache, self.queue, interests, self.snapshots, actor)
        self._children = self._reflectors(
            vcjob.RESOURCE, Codec(vcjob.Job, vcjob.view), self.cache.children, names.CREATED_BY_JOB_FLOW
        )
        self._templates = self._reflectors(JOB_TEMPLATE, Codec(TemplateObject, template_view), self.cache.templates)
        self._flows = self._reflectors(JOB_FLOW, Codec(FlowObject, flow_view), self.cache.flows)
        self.synced = asyncio.Event()

    @property
    def reflectors(self) -> Sequence[Reflector[Any]]:
        """All watches of kinds that flows are made of."""
        return (*self._children, *self._templates, *self._flows)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then drain; or until cancelled."""
        async with asyncio.TaskGroup() as background:
            tasks = [background.create_task(self.recorder.run(), name="event recorder")]
            if not self._settings.namespaces:
                tasks.append(background.create_task(self._kind_arrivals().run(), name="kind arrivals"))
            working = background.create_task(self._start(background, tasks), name="start")
            await stop.wait()
            await self._drain(working)
            for task in tasks:
                task.cancel()

    async def _start(self, background: asyncio.TaskGroup, tasks: list[asyncio.Task[None]]) -> None:
        """Fill the cache, children first; then work until the queue is closed."""
        for reflectors in (self._children, (*self._templates, *self._flows)):
            tasks += [background.create_task(reflector.run(), name="reflector") for reflector in reflectors]
            for reflector in reflectors:
                await reflector.synced()
        self.synced.set()
        log.info("cache filled", flows=len(self.cache.flows), children=len(self.cache.children))
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._settings.workers):
                workers.create_task(self.controller.work(), name="worker")

    async def _drain(self, working: asyncio.Task[None]) -> None:
        self.queue.close()
        if not self.synced.is_set():
            working.cancel()
        log.info("draining", held=self.queue.held)
        drained = asyncio.create_task(self._clock.sleep(DRAIN_SECONDS), name="drain deadline")
        try:
            await asyncio.wait({working, drained}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            drained.cancel()
            working.cancel()

    def _reflectors(
        self, resource: Resource, codec: Codec[Any], sink: Whole, label_selector: str = ""
    ) -> tuple[Reflector[Any], ...]:
        """One watch of the kind, or one for each namespace the controller is confined to."""
        if not self._settings.namespaces:
            selection = Selection(None, label_selector)
            return (Reflector(self._client, self._clock, resource, codec, sink, selection),)
        return tuple(
            Reflector(
                self._client, self._clock, resource, codec, Scoped(sink, _name_of), Selection(namespace, label_selector)
            )
            for namespace in self._settings.namespaces
        )

    def _kind_arrivals(self) -> Reflector[str]:
        """A watch of CRDs, which wakes the reflectors of kinds that were absent."""
        arrivals = _Arrivals(lambda: [reflector for reflector in self.reflectors if reflector.problem])
        codec = Codec(_CustomResourceDefinition, lambda crd: crd.metadata.name)
        return Reflector(self._client, self._clock, CUSTOM_RESOURCE_DEFINITION, codec, arrivals)


class _CustomResourceDefinition(Struct):
    metadata: ObjectMeta


class _Arrivals:
    """The sink of the CRD watch: any change of a CRD is a reason to look again for kinds that are missing."""

    def __init__(self, troubled: Callable[[], Sequence[Reflector[Any]]]) -> None:
        self._troubled = troubled

    def replace(self, objects: Sequence[str], resource_version: str) -> None:
        self._wake()

    def put(self, obj: str) -> None:
        self._wake()

    def remove(self, obj: str) -> None:
        """A CRD that leaves ends its kind's watch by itself."""

    def _wake(self) -> None:
        for reflector in self._troubled():
            reflector.retry_now()


def _name_of(obj: Any) -> Hashable:
    return (obj.namespace, obj.name)
