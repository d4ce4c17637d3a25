"""Snapshots: freeze what the cache knows of one flow.

In: a flow's key. Out: a Snapshot and what is remembered of the flow, or why there is none yet. No I/O. A spec is
compiled once per (uid, generation); memory goes when its flow does.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobflow.act.memory import FlowMemory
from jobflow.api.objects import FlowView
from jobflow.api.resources import Key
from jobflow.api.status import Reason
from jobflow.cache.cache import Cache
from jobflow.clock import Clock
from jobflow.reconcile.graph import compile_flow
from jobflow.reconcile.snapshot import Flow, Snapshot


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such flow (any more)."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The cache has not seen our own last writes; it has at the latest in `seconds`, or never will."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The flow's stored status cannot be read, so that nobody knows what it has already run."""

    problem: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot, and the flow's memory."""

    snapshot: Snapshot
    memory: FlowMemory


class Snapshots:
    """Builds snapshots from the cache."""

    def __init__(self, cache: Cache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock
        self._memories: dict[Key, FlowMemory] = {}

    def __len__(self) -> int:
        return len(self._memories)

    def take(self, key: Key) -> Taken | Absent | Behind | Unreadable:
        """What is known of the flow now."""
        view = self._cache.flows.get((key.namespace, key.name))
        if view is None:
            self._forget(self._memories.pop(key, None))
            self._cache.children.forget(key.namespace, key.name)
            return Absent()
        if view.status_problem:
            return Unreadable(view.status_problem)
        wait = self._cache.expectations.waiting(view.uid, view.resource_version, self._clock.monotonic())
        if wait is not None:
            return Behind(wait)
        self._cache.children.settle(view.uid, view.status)
        memory = self._memory(key, view)
        self._drop_refusals_of_freed_names(view, memory)
        return Taken(self._freeze(view, memory), memory)

    def _memory(self, key: Key, view: FlowView) -> FlowMemory:
        memory = self._memories.get(key)
        if memory is None or memory.uid != view.uid:
            self._forget(memory)
            memory = FlowMemory(view.uid, compile_flow(view.name, view.spec), view.generation)
            self._memories[key] = memory
        elif memory.generation != view.generation:
            memory.compiled, memory.generation = compile_flow(view.name, view.spec), view.generation
        return memory

    def _drop_refusals_of_freed_names(self, view: FlowView, memory: FlowMemory) -> None:
        """An earlier incarnation's child that was seen, and has gone since, keeps no step waiting any longer."""
        for name, refusal in list(memory.refusals.items()):
            if refusal.reason is not Reason.PREVIOUS_CHILD_TERMINATING:
                continue
            if self._cache.children.named(view.namespace, name) is not None:
                memory.holders.add(name)
            elif name in memory.holders:
                memory.holders.discard(name)
                memory.accepted(name)

    def _forget(self, memory: FlowMemory | None) -> None:
        """An incarnation is gone. Asked here, where no write of it can be under way: the key is in one hand."""
        if memory is not None:
            self._cache.expectations.forget(memory.uid)

    def _freeze(self, view: FlowView, memory: FlowMemory) -> Snapshot:
        flow = Flow(
            namespace=view.namespace,
            name=view.name,
            uid=view.uid,
            resource_version=view.resource_version,
            generation=view.generation,
            deleting=view.deleting,
            compiled=memory.compiled,
            committed=view.status,
        )
        named = {step.template for step in memory.compiled.graph.steps}
        found = ((name, self._cache.templates.get((view.namespace, name))) for name in named)
        return Snapshot(
            flow=flow,
            now=self._clock.now(),
            templates={name: template for name, template in found if template is not None},
            children=self._cache.children.of_flow(view.uid),
            vanished=self._cache.children.vanished(view.uid),
            refusals=dict(memory.refusals),
        )
