"""Snapshots: freeze what the cache knows of one flow.

In: a flow's key. Out: a Snapshot and what is remembered of the flow, or why there is none yet. No I/O. A spec is
compiled once per (uid, generation); memory goes when its flow does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobflow.act.memory import FlowMemory
from jobflow.api.children import ChildView
from jobflow.api.fields import Path
from jobflow.api.objects import FlowView, TemplateView
from jobflow.api.probes import Answer, PodView, Question
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, JOB_TEMPLATE, POD, VOLCANO_JOB, Key
from jobflow.api.status import JobFlowStatus, Reason
from jobflow.cache.cache import Cache
from jobflow.clock import Clock
from jobflow.reconcile.deadlines import beginnings
from jobflow.reconcile.graph import compile_flow
from jobflow.reconcile.pause import uses
from jobflow.reconcile.snapshot import Flow, ForeignWrite, Since, Snapshot
from jobflow.reconcile.stored import stored

_RECONCILED = {kind.kind: kind for kind in (JOB_FLOW, JOB_TEMPLATE, CLUSTER_JOB_TEMPLATE)}

Answers = Callable[[Key], Mapping[Question, Answer]]


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such flow (any more)."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The cache has not seen our own last writes; it has at the latest in `seconds`, or never will."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Unseen:
    """The flow, or its children, may not be seen any more: what the cache has of them gets older and older."""

    problem: str


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

    def __init__(self, cache: Cache, clock: Clock, answers: Answers = lambda key: {}) -> None:
        """`answers` is asked what the probes of a flow have found."""
        self._cache = cache
        self._clock = clock
        self._answers = answers
        self._started = clock.now()
        self._first_look: tuple[datetime, float] | None = None  # by both clocks, when work began
        self._memories: dict[Key, FlowMemory] = {}

    def __len__(self) -> int:
        return len(self._memories)

    def begin(self) -> None:
        """From now on time passes for flows as by a clock that nobody sets; the API server's time is known by now."""
        self._steady(self._clock.monotonic())

    def take(self, key: Key) -> Taken | Absent | Behind | Unseen | Unreadable:
        """What is known of the flow now."""
        if hidden := self.hidden(key):
            return Unseen(hidden)
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
        memory = self._memory(key, view)
        self.begin()
        self._cache.children.settle(view.uid, self._committed(view, memory))
        self._drop_refusals_of_freed_names(view, memory)
        return Taken(self._freeze(view, memory), memory)

    def paused(self) -> Counter[str]:
        """How many flows are left alone now, by reason."""
        return Counter(memory.pause.reason for memory in self._memories.values() if memory.pause is not None)

    def hidden(self, key: Key) -> str:
        """Why nothing should be concluded about a flow or a template: it, or its children, may not be seen."""
        kind = _RECONCILED[key.kind]
        return self._cache.unseen(kind, key.namespace) or self._cache.unseen(VOLCANO_JOB, key.namespace)

    def _memory(self, key: Key, view: FlowView) -> FlowMemory:
        memory = self._memories.get(key)
        if memory is None or memory.uid != view.uid:
            self._forget(memory)
            memory = FlowMemory(view.uid, compile_flow(view.name, view.spec), view.generation, foreign=view.foreign)
            memory.uses, memory.lost = self._uses(view), view.lost
            self._memories[key] = memory
        elif memory.generation != view.generation or (memory.lost and memory.lost != view.lost):
            memory.compiled, memory.generation = compile_flow(view.name, view.spec), view.generation
            memory.uses, memory.lost = self._uses(view), view.lost
        memory.saw_write(view.foreign, self._clock.now())
        return memory

    def _uses(self, view: FlowView) -> tuple[tuple[Path, str], ...]:
        return uses(view.spec, self._cache.installed.added(JOB_FLOW))

    def _committed(self, view: FlowView, memory: FlowMemory) -> JobFlowStatus:
        """What is committed: more than is stored, where the CRD has dropped what we wrote since."""
        if memory.told is None or memory.told == view.status:
            return view.status
        added = self._cache.installed.added(JOB_FLOW)
        return memory.told if stored(memory.told, added) == stored(view.status, added) else view.status

    def _probed_pods(self, view: FlowView, memory: FlowMemory) -> dict[str, tuple[PodView, ...]]:
        """By Job; nothing, and no work, for the flows that ask no pods."""
        if not memory.compiled.graph.asks_pods:
            return {}
        return {child.uid: self._cache.pods.of_job(child.uid) for child in self._cache.children.of_flow(view.uid)}

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

    def _templates(self, namespace: str, names: frozenset[str]) -> dict[str, TemplateView]:
        """Those of these names that there are; the cluster's are in no namespace."""
        if not names:
            return {}
        store = self._cache.templates_in(namespace)
        found = [(name, store.get((namespace, name))) for name in names]
        return {name: template for name, template in found if template is not None}

    def _freeze(self, view: FlowView, memory: FlowMemory) -> Snapshot:
        committed = self._committed(view, memory)
        flow = Flow(
            namespace=view.namespace,
            name=view.name,
            uid=view.uid,
            resource_version=view.resource_version,
            generation=view.generation,
            deleting=view.deleting,
            compiled=memory.compiled,
            committed=committed,
            stored=None if committed is view.status else view.status,
            uses=memory.uses,
            lost=view.lost,
        )
        children, now = self._cache.children.of_flow(view.uid), self._clock.now()
        write = memory.foreign
        since = view.wrote or self._started
        graph = memory.compiled.graph
        return Snapshot(
            flow=flow,
            now=now,
            templates=self._templates(view.namespace, graph.templates),
            cluster_templates=self._templates("", graph.cluster_templates),
            children=children,
            vanished=self._cache.children.vanished(view.uid),
            refusals=dict(memory.refusals),
            answers=self._answers(Key(JOB_FLOW.kind, view.namespace, view.name)),
            pods=self._probed_pods(view, memory),
            pods_unseen=self._cache.unseen(POD, view.namespace),
            templates_unseen=self._cache.unseen(JOB_TEMPLATE, view.namespace),
            cluster_templates_unseen=self._cache.unseen(CLUSTER_JOB_TEMPLATE, "") if graph.cluster_templates else "",
            missing=self._cache.installed.missing(JOB_FLOW),
            foreign=None if write is None else ForeignWrite(write.manager, write.at, since, memory.noticed),
            elapsed=self._elapsed(flow, children, memory, now) if flow.compiled.timed else {},
        )

    def _elapsed(
        self, flow: Flow, children: tuple[ChildView, ...], memory: FlowMemory, now: datetime
    ) -> Mapping[Since, float]:
        """How much has passed of what deadlines count, by the monotonic clock.

        Of what is seen for the first time, by the wall clock as it is and as it would be had nobody set it: the earlier
        of the two, since either may be the one that the beginning was not stamped by.
        """
        monotonic = self._clock.monotonic()
        return memory.elapsed(beginnings(flow, children, now), min(now, self._steady(monotonic)), monotonic)

    def _steady(self, monotonic: float) -> datetime:
        """The wall clock as it was when work began, and what has passed since."""
        if self._first_look is None:
            self._first_look = (self._clock.now(), monotonic)
        at, then = self._first_look
        return at + timedelta(seconds=monotonic - then)
