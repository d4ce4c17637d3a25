"""Watches: the streams that fill the cache, and the order in which they do it.

In: which namespaces to see. Out: reflectors of the kinds that flows are made of, started children first and flows last
(`app.py` says why), and what keeps any of them from being in sync. Where the controller is confined to namespaces, each
is filled by itself: a flow needs nothing from another, and rights that are missing in one keep only its own flows
waiting. Where it sees the whole cluster, one more watch, of CRDs, wakes those whose kind was absent.

ClusterJobTemplates are in no namespace: they are watched where that was asked for, and by a controller that sees the
whole cluster.

What may not be seen (403) is told by `unseen`, at the start and later: without flows or children nothing is done, since
nobody knows what there is; without templates only the steps wait that need one which is not known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jobflow.api import names
from jobflow.api.access import Rule, Scope
from jobflow.api.objects import FlowObject, TemplateObject, flow_view, template_view
from jobflow.api.resources import (
    CLUSTER_JOB_TEMPLATE,
    CUSTOM_RESOURCE_DEFINITION,
    JOB_FLOW,
    JOB_TEMPLATE,
    POD,
    Resource,
)
from jobflow.cache.cache import Cache
from jobflow.cache.installed import Installed
from jobflow.cache.scoped import Scoped, WholeSink
from jobflow.clock import Clock
from jobflow.kinds import pod, vcjob
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.reflector import Reflector, Selection, Sink
from jobflow.schemas import CustomResourceDefinition, Definition, definition

READ = ("list", "watch")

ACCESS = (
    *(Rule(resource, READ) for resource in (vcjob.RESOURCE, POD, JOB_TEMPLATE, JOB_FLOW)),
    Rule(CUSTOM_RESOURCE_DEFINITION, READ, scope=Scope.CLUSTER),
)
CLUSTER_TEMPLATES_ACCESS = (Rule(CLUSTER_JOB_TEMPLATE, READ, scope=Scope.CLUSTER),)  # where they are switched on
CONFINED = "the controller works in some namespaces only, and sees no kind that is the whole cluster's"
SWITCHED_OFF = "the controller runs without --enable-cluster-templates"


class Whole(Sink[Any], WholeSink[Any], Protocol):
    """A sink that takes the lists of one reflector, or the parts of several."""


@dataclass
class Watch:
    """One stream: of a kind, in one namespace or in all (None)."""

    resource: Resource
    namespace: str | None
    codec: Codec[Any]
    reflector: Reflector[Any]
    filled: bool = False  # its first list is in the cache, or its kind was found to be absent

    def __str__(self) -> str:
        return f"{self.resource} in {self.namespace}" if self.namespace else str(self.resource)


@dataclass(frozen=True, slots=True)
class Sights:
    """What a controller looks at: these namespaces, or all; the cluster's templates too."""

    namespaces: Sequence[str] = ()
    cluster_templates: bool = False


class Watches:
    """All streams of one controller. `on_sight` is called when what was refused may be seen (again)."""

    def __init__(
        self, client: Client, clock: Clock, sights: Sights, cache: Cache, on_sight: Callable[[], None]
    ) -> None:
        self._client = client
        self._clock = clock
        self._namespaces = sights.namespaces
        self._on_sight = on_sight
        of_cluster = self._of(CLUSTER_JOB_TEMPLATE, Codec(TemplateObject, template_view), cache.cluster_templates)
        self._kinds = (  # in the order in which they start
            self._of(vcjob.RESOURCE, Codec(vcjob.Job, vcjob.view), cache.children, names.CREATED_BY_JOB_FLOW),
            self._of(POD, Codec(pod.Pod, pod.view), cache.pods, names.PROBED),
            self._of(JOB_TEMPLATE, Codec(TemplateObject, template_view), cache.templates),
            *([of_cluster] if sights.cluster_templates and not self._namespaces else ()),
            self._of(JOB_FLOW, Codec(FlowObject, flow_view), cache.flows),
        )
        self._by_place = {(watch.resource, watch.namespace): watch for watch in self.all}
        self.arrivals = self._kind_arrivals(cache.installed)
        self.usable = asyncio.Event()  # one namespace, or the cluster, is filled: work may begin

    @property
    def all(self) -> Sequence[Watch]:
        """In the order in which they start."""
        return [watch for kind in self._kinds for watch in kind]

    @property
    def waiting(self) -> list[str]:
        """Those that need something: a first list, or a right that was taken away. Each with what keeps it."""
        return [
            f"{watch}: {watch.reflector.refusal or watch.reflector.problem or 'listing'}"
            for watch in self.all
            if not watch.filled or watch.reflector.refusal
        ]

    @property
    def troubled(self) -> int:
        """How many are not in sync now."""
        reflectors: list[Reflector[Any]] = [watch.reflector for watch in self.all]
        if not self._namespaces:
            reflectors.append(self.arrivals)
        return sum(reflector.problem is not None for reflector in reflectors)

    def unseen(self, resource: Resource, namespace: str) -> str:
        """Why the cluster may have other objects of this kind in this namespace than the cache has; or nothing."""
        watch = self._by_place.get((resource, namespace if self._namespaces else None))
        if watch is None and resource == CLUSTER_JOB_TEMPLATE:
            return CONFINED if self._namespaces else SWITCHED_OFF
        return watch.reflector.refusal if watch is not None else ""

    @property
    def undecodable(self) -> Mapping[str, int]:
        """Objects that were left out since the start, by kind; the streams of one kind share a codec."""
        return {str(watch.resource): watch.codec.left_out for watch in self.all}

    async def fill(self, spawn: Callable[[Reflector[Any]], object]) -> None:
        """Start them all; returns once everything there is, is in the cache."""
        async with asyncio.TaskGroup() as namespaces:
            for watches in zip(*self._kinds, strict=True):
                namespaces.create_task(self._fill_one(watches, spawn), name=f"fill {watches[0].namespace or 'all'}")

    async def _fill_one(self, watches: Sequence[Watch], spawn: Callable[[Reflector[Any]], object]) -> None:
        """Children, pods, templates, flows. Flows wait for the templates' list or its refusal, not for the right."""
        async with asyncio.TaskGroup() as group:
            for watch in watches:
                spawn(watch.reflector)
                listed = group.create_task(self._filled(watch), name=f"fill {watch}")
                if watch.resource in (JOB_TEMPLATE, CLUSTER_JOB_TEMPLATE):
                    await watch.reflector.synced_or_refused()
                elif watch.resource != POD:  # steps that ask pods wait for them; nothing else does
                    await listed
            self.usable.set()

    async def _filled(self, watch: Watch) -> None:
        await watch.reflector.synced()
        watch.filled = True

    def _kind_arrivals(self, installed: Installed) -> Reflector[Definition]:
        """A watch of CRDs: it wakes the reflectors of kinds that were absent, and shows which fields are installed."""
        arrivals = _Arrivals(lambda: [watch.reflector for watch in self.all if watch.reflector.problem], installed)
        codec = Codec(CustomResourceDefinition, definition)
        return Reflector(self._client, self._clock, CUSTOM_RESOURCE_DEFINITION, codec, arrivals)

    def _of(self, resource: Resource, codec: Codec[Any], sink: Whole, labels: str = "") -> tuple[Watch, ...]:
        """One watch of the kind, or one for each namespace the controller is confined to."""

        def watch(namespace: str | None, into: Sink[Any]) -> Watch:
            selection = Selection(namespace, labels)
            reflector = Reflector(self._client, self._clock, resource, codec, into, selection)
            reflector.on_sight = self._on_sight
            return Watch(resource, namespace, codec, reflector)

        if not self._namespaces:
            return (watch(None, sink),)
        return tuple(watch(namespace, Scoped(sink, _name_of)) for namespace in self._namespaces)


class _Arrivals:
    """The sink of the CRD watch: any change of a CRD is a reason to look again for kinds that are missing."""

    def __init__(self, troubled: Callable[[], Sequence[Reflector[Any]]], installed: Installed) -> None:
        self._troubled = troubled
        self._installed = installed

    def replace(self, objects: Sequence[Definition], resource_version: str) -> None:
        for obj in objects:
            self._look(obj)
        self._wake()

    def put(self, obj: Definition) -> None:
        self._look(obj)
        self._wake()

    def remove(self, obj: Definition) -> None:
        """A CRD that leaves ends its kind's watch by itself."""

    def _look(self, obj: Definition) -> None:
        if obj.resource is not None and obj.shape is not None:
            self._installed.saw_schema(obj.resource, obj.shape, obj.uid)

    def _wake(self) -> None:
        for reflector in self._troubled():
            reflector.retry_now()


def _name_of(obj: Any) -> Hashable:
    return (obj.namespace, obj.name)
