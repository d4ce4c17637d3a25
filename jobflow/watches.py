"""Watches: the streams that fill the cache, and the order in which they do it.

In: which namespaces to see. Out: reflectors of the kinds that flows are made of, started children first and flows last
(`app.py` says why), and what keeps any of them from being in sync. Where the controller is confined to namespaces, each
is filled by itself: a flow needs nothing from another, and rights that are missing in one keep only its own flows
waiting. Where it sees the whole cluster, one more watch, of CRDs, wakes those whose kind was absent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec import Struct

from jobflow.api import names
from jobflow.api.access import Rule, Scope
from jobflow.api.metadata import ObjectMeta
from jobflow.api.objects import FlowObject, TemplateObject, flow_view, template_view
from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, JOB_FLOW, JOB_TEMPLATE, Resource
from jobflow.cache.cache import Cache
from jobflow.cache.scoped import Scoped, WholeSink
from jobflow.clock import Clock
from jobflow.kinds import vcjob
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.reflector import Reflector, Selection, Sink

READ = ("list", "watch")

ACCESS = (
    *(Rule(resource, READ) for resource in (vcjob.RESOURCE, JOB_TEMPLATE, JOB_FLOW)),
    Rule(CUSTOM_RESOURCE_DEFINITION, READ, scope=Scope.CLUSTER),
)


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


class Watches:
    """All streams of one controller."""

    def __init__(self, client: Client, clock: Clock, namespaces: Sequence[str], cache: Cache) -> None:
        self._client = client
        self._clock = clock
        self._namespaces = namespaces
        self._kinds = (  # in the order in which they start
            self._of(vcjob.RESOURCE, Codec(vcjob.Job, vcjob.view), cache.children, names.CREATED_BY_JOB_FLOW),
            self._of(JOB_TEMPLATE, Codec(TemplateObject, template_view), cache.templates),
            self._of(JOB_FLOW, Codec(FlowObject, flow_view), cache.flows),
        )
        self.usable = asyncio.Event()  # one namespace, or the cluster, is filled: work may begin

    @property
    def all(self) -> Sequence[Watch]:
        """In the order in which they start."""
        return [watch for kind in self._kinds for watch in kind]

    @property
    def waiting(self) -> list[str]:
        """Those whose first list is not in the cache, each with what keeps it."""
        return [f"{watch}: {watch.reflector.problem or 'listing'}" for watch in self.all if not watch.filled]

    @property
    def troubled(self) -> int:
        """How many are not in sync now."""
        return sum(watch.reflector.problem is not None for watch in self.all)

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
        for watch in watches:
            spawn(watch.reflector)
            await watch.reflector.synced()
            watch.filled = True
        self.usable.set()

    def kind_arrivals(self) -> Reflector[str]:
        """A watch of CRDs, which wakes the reflectors of kinds that were absent."""
        arrivals = _Arrivals(lambda: [watch.reflector for watch in self.all if watch.reflector.problem])
        codec = Codec(_CustomResourceDefinition, lambda crd: crd.metadata.name)
        return Reflector(self._client, self._clock, CUSTOM_RESOURCE_DEFINITION, codec, arrivals)

    def _of(self, resource: Resource, codec: Codec[Any], sink: Whole, labels: str = "") -> tuple[Watch, ...]:
        """One watch of the kind, or one for each namespace the controller is confined to."""

        def watch(namespace: str | None, into: Sink[Any]) -> Watch:
            selection = Selection(namespace, labels)
            reflector = Reflector(self._client, self._clock, resource, codec, into, selection)
            return Watch(resource, namespace, codec, reflector)

        if not self._namespaces:
            return (watch(None, sink),)
        return tuple(watch(namespace, Scoped(sink, _name_of)) for namespace in self._namespaces)


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
