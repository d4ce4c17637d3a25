"""Broken parts: subclasses of the controller's parts, each with one rule taken out of it.

In and out: as the part that they stand in for; `mutants.py` puts them there, through constructors. They override
what the rule is made of, which is why they know the insides of their parents.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from msgspec import structs

from jobflow.act.flow import FlowActor
from jobflow.act.memory import FlowMemory
from jobflow.act.outcome import Done, Outcome
from jobflow.api.objects import FlowView
from jobflow.api.resources import JOB_FLOW, Key, Resource
from jobflow.api.status import JobFlowStatus
from jobflow.cache.expectations import Expectations
from jobflow.kube.client import Client
from jobflow.kube.errors import AlreadyExists, Conflict
from jobflow.reconcile.plan import CreateChild, Plan
from jobflow.reconcile.snapshot import Flow, Snapshot
from jobflow.snapshots import Absent, Snapshots
from jobflow.work.interests import Interests
from jobflow.work.measured import MeasuredQueue

IMPATIENT_SECONDS = 0.02


class ForgetsCreates(Expectations):
    """A create is no reason to wait for the watch."""

    def created(self, flow_uid: str, uid: str, now: float) -> None:
        """Nothing is expected."""


class ForgetsDeletes(Expectations):
    """A delete is no reason to wait for the watch."""

    def deleted(self, flow_uid: str, uid: str, now: float) -> None:
        """Nothing is expected."""


class ForgetsStatuses(Expectations):
    """A status write is no reason to wait for the watch."""

    def wrote_status(self, flow_uid: str, resource_version: str, now: float) -> None:
        """Nothing is expected."""


class WakesNobody(Interests):
    """A template that comes is nobody's business."""

    def set(self, flow: Key, awaits: frozenset[Key]) -> None:
        """Nobody is remembered."""


class DropsKeys(MeasuredQueue[Key]):
    """After five failures in a row a key is given up."""

    def retry(self, key: Key, at_least: float = 0.0) -> float:
        """Again, five times."""
        return 0.0 if self._failures.get(key, 0) >= 5 else super().retry(key, at_least)


class RetriesAtOnce(MeasuredQueue[Key]):
    """What failed may work a moment later, and a moment after that."""

    def retry(self, key: Key, at_least: float = 0.0) -> float:
        """Again in 20 ms, whatever was asked for."""
        self.add_after(key, IMPATIENT_SECONDS)
        return IMPATIENT_SECONDS


class HandsOutTwice(MeasuredQueue[Key]):
    """A key that is due goes to the next worker, also while another holds it."""

    def add(self, key: Key) -> None:
        """Due now."""
        self._held.discard(key)
        super().add(key)


class LosesWakeUps(MeasuredQueue[Key]):
    """A key that is held is being looked after already."""

    def add(self, key: Key) -> None:
        """Due now, unless somebody is at it."""
        if key not in self._held:
            super().add(key)


class ForgetsTheVanished(Snapshots):
    """What is gone is gone, and how it ended with it."""

    def _freeze(self, view: FlowView, memory: FlowMemory) -> Snapshot:
        return replace(super()._freeze(view, memory), vanished=())


class RemembersResultsByName(Snapshots):
    """The last status of a flow of this name does where there is none yet."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._last: dict[tuple[str, str], JobFlowStatus] = {}

    def _freeze(self, view: FlowView, memory: FlowMemory) -> Snapshot:
        snapshot = super()._freeze(view, memory)
        if view.status.flowStatuses:
            self._last[view.namespace, view.name] = view.status
        committed = self._last.get((view.namespace, view.name), view.status)
        return replace(snapshot, flow=replace(snapshot.flow, committed=committed))


class CompilesByName(Snapshots):
    """A flow's spec is known by its name and generation."""

    def take(self, key: Key) -> Any:
        """The snapshot; what is known of the name is kept."""
        known = self._memories.get(key)
        taken = super().take(key)
        if isinstance(taken, Absent) and known is not None:
            self._memories[key] = known
        return taken

    def _memory(self, key: Key, view: FlowView) -> FlowMemory:
        if (known := self._memories.get(key)) is not None:
            known.uid = view.uid
        return super()._memory(key, view)


class NeverForgets(Snapshots):
    """Memories of flows that are gone do no harm."""

    def take(self, key: Key) -> Any:
        """The snapshot."""
        known = self._memories.get(key)
        taken = super().take(key)
        if isinstance(taken, Absent) and known is not None:
            self._memories[key] = known
        return taken


class TakesALabelForAnOwner(Snapshots):
    """A Job with our label and the child's name is the child."""

    def _freeze(self, view: FlowView, memory: FlowMemory) -> Snapshot:
        snapshot = super()._freeze(view, memory)
        named = (f"{view.name}-{step.name}" for step in memory.compiled.graph.steps)
        found = (self._cache.children.named(view.namespace, name) for name in named)
        adopted = (structs.replace(job, flow_uid=view.uid) for job in found if job is not None and not job.flow_uid)
        return replace(snapshot, children=(*snapshot.children, *adopted))


class SwallowsConflicts(FlowActor):
    """Somebody wrote first: so somebody has seen to it."""

    async def execute(self, flow: Flow, plan: Plan, memory: FlowMemory) -> Outcome:
        """Make it so, or leave it."""
        try:
            return await super().execute(flow, plan, memory)
        except Conflict:
            return Done()


class TakesRefusalsForFinal(FlowActor):
    """What the API server refused once it will refuse again."""

    async def _create(self, flow: Flow, wanted: CreateChild, memory: FlowMemory) -> Any:
        created = await super()._create(flow, wanted, memory)
        for name, refusal in memory.refusals.items():
            memory.refusals[name] = replace(refusal, final=True)
        return created


class OneCallAfterAnother(FlowActor):
    """The next call when the last one was answered."""

    async def _creates_and_deletes(self, flow: Flow, plan: Plan, memory: FlowMemory) -> Any:
        made = [await self._create(flow, wanted, memory) for wanted in plan.creates]
        for wanted in plan.deletes:
            await self._delete(flow, wanted)
        return [child for child in made if child is not None], None


class OverwritesStatuses(FlowActor):
    """A status is written over whatever is there by now."""

    async def _write(self, flow: Flow, status: JobFlowStatus, *more: Any) -> None:
        live = msgspec.json.decode(await self.client.get(JOB_FLOW, flow.namespace, flow.name))
        await super()._write(replace(flow, resource_version=live["metadata"]["resourceVersion"]), status, *more)


class AdoptsTheName(Client):
    """A Job that exists already is the Job."""

    async def create(self, resource: Resource, namespace: str | None, body: object) -> bytes:
        """Create, or take what has the name."""
        try:
            return await super().create(resource, namespace, body)
        except AlreadyExists:
            assert isinstance(body, dict)
            return await self.get(resource, namespace, body["metadata"]["name"])


class DeletesByName(Client):
    """A name is enough to delete by."""

    async def delete(self, *arguments: Any, **options: Any) -> None:
        """Delete, without the UID."""
        await super().delete(*arguments, **{**options, "uid": None})
