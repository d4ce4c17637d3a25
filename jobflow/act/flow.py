"""Carry out a flow's plan: creates and deletes side by side, then the status, then the events.

In: the snapshot's flow, its plan, what is remembered of the flow. Out: an Outcome. A pass that created children
does not write the status: the watch brings them back, and the pass after that writes what is then seen, so that
the status tells of children that exist and costs one write a level. A call that failed keeps back neither the other
calls nor the status: one step's trouble must not hide what became of another. Should the watch never bring a child,
or the end of one, (the watch was broken, or an answer was wrong) the flow is looked at again after a while.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from jobflow.act.children import Created, Refused, create_child, delete_child
from jobflow.act.endings import AGAIN_SECONDS, Ended, delete_flow, end_child
from jobflow.act.memory import FlowMemory, Tries
from jobflow.act.outcome import Again, Done, Outcome
from jobflow.act.status import write_status
from jobflow.api.metadata import ObjectMeta, ObjectReference
from jobflow.api.resources import JOB_FLOW
from jobflow.api.status import JobFlowStatus, Reason
from jobflow.cache.expectations import GIVE_UP_SECONDS, Expectations
from jobflow.cache.installed import Installed
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.events import EventRecorder
from jobflow.reconcile.events import NORMAL, WARNING
from jobflow.reconcile.plan import CreateChild, DeleteChild, EmitEvent, EndChild, Plan
from jobflow.reconcile.snapshot import Flow

NAMED_CHILDREN = 10  # in one Created event; a step of a thousand items must not fill a screen

SERVERS_WORDS = frozenset({Reason.CHILD_REJECTED, Reason.CHILD_INVALID})  # refusals told as the API server tells them

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Child:
    """A child that exists since this pass, or that was `found` to exist already."""

    name: str
    found: bool


@dataclass(frozen=True)
class FlowActor:
    """Executes plans of flows."""

    client: Client
    clock: Clock
    recorder: EventRecorder
    expectations: Expectations
    installed: Installed = field(default_factory=Installed)

    async def execute(self, flow: Flow, plan: Plan, memory: FlowMemory) -> Outcome:
        """Make it so. Raises ApiError where a call failed that says nothing about the plan."""
        self._tell_pause(flow, plan, memory)
        if plan.pause is not None:
            return Done(self._seconds_until(plan))
        children, failure = await self._creates_and_deletes(flow, plan, memory)
        if children:
            self._tell_created(flow, [child.name for child in children if not child.found])
            outcome: Outcome = Done(_earliest(GIVE_UP_SECONDS, self._seconds_until(plan)))
        elif plan.creates and failure is None:
            outcome = Again()
        else:
            told = await self._tell(flow, plan, memory)
            outcome = Done(_earliest(GIVE_UP_SECONDS, told.again_in), told.tell_in) if plan.deletes else told
            if plan.delete_flow and failure is None and self._is_worth_a_try(flow.uid, memory):
                await self._delete_flow(flow, plan, memory)
        if failure is not None:
            raise failure
        return outcome

    async def _tell(self, flow: Flow, plan: Plan, memory: FlowMemory) -> Done:
        """Write the status, now or when its time has come; then the events."""
        if plan.status is None:
            memory.unwritten_since = None
            if plan.unstored is not None:
                memory.told = plan.unstored
                self._emit_all(flow, plan)
            return Done(self._seconds_until(plan))
        wait = self._wait_for_company(plan, memory)
        if wait > 0:
            return Done(self._seconds_until(plan), tell_in=wait)
        await self._write(flow, plan.status, memory)
        memory.unwritten_since = None
        self._emit_all(flow, plan)
        return Done(self._seconds_until(plan))

    async def _creates_and_deletes(
        self, flow: Flow, plan: Plan, memory: FlowMemory
    ) -> tuple[list[_Child], BaseException | None]:
        """The children that exist now, and the first error: one call's does not keep back another."""
        calls = [self._create(flow, wanted, memory) for wanted in plan.creates]
        calls += [self._delete(flow, wanted) for wanted in plan.deletes]
        calls += [self._end(flow, wanted, memory) for wanted in plan.ends if self._is_worth_a_try(wanted.uid, memory)]
        if not calls:  # as in most passes: to gather nothing would still take a turn of the event loop
            return [], None
        results = await asyncio.gather(*calls, return_exceptions=True)
        failure = next((result for result in results if isinstance(result, BaseException)), None)
        return [result for result in results if isinstance(result, _Child)], failure

    async def _create(self, flow: Flow, wanted: CreateChild, memory: FlowMemory) -> _Child | None:
        match await create_child(self.client, flow, wanted):
            case Created(uid, found):
                memory.accepted(wanted.name)
                self.expectations.created(flow.uid, uid, self.clock.monotonic())
                said = "child found" if found else "child created"
                log.info(said, step=wanted.node.step, job=wanted.name, because=wanted.reason)
                return _Child(wanted.name, found)
            case Refused(reason, message, final):
                memory.refused(wanted.name, wanted.basis, reason, message, final, self.clock.now())
                # A 422 quotes fields, and so users' values; so may an admission webhook where values were put in.
                quotes = final or (wanted.private and reason in SERVERS_WORDS)
                said = "as the step tells" if quotes else message
                log.warning("child refused", step=wanted.node.step, job=wanted.name, reason=reason, message=said)
                return None

    async def _delete(self, flow: Flow, wanted: DeleteChild) -> None:
        deleted = await delete_child(self.client, flow, wanted)
        self.expectations.deleted(flow.uid, wanted.uid, self.clock.monotonic())
        log.info("child deleted" if deleted else "child was gone", job=wanted.name, because=wanted.reason)

    async def _delete_flow(self, flow: Flow, plan: Plan, memory: FlowMemory) -> None:
        await delete_flow(self.client, flow)
        now = self.clock.monotonic()
        memory.ends[flow.uid] = Tries(now, now)
        log.info("flow deleted", because=plan.delete_flow)

    def _is_worth_a_try(self, uid: str, memory: FlowMemory) -> bool:
        tried = memory.ends.get(uid)
        return tried is None or self.clock.monotonic() - tried.last >= AGAIN_SECONDS

    async def _end(self, flow: Flow, wanted: EndChild, memory: FlowMemory) -> None:
        now = self.clock.monotonic()
        first_try = wanted.uid not in memory.ends
        tried = memory.ends.get(wanted.uid, Tries(now, now))
        how, why = await end_child(self.client, flow, wanted, now - tried.first)
        memory.ends[wanted.uid] = Tries(tried.first, now)
        if how is Ended.DELETED:
            self.expectations.deleted(flow.uid, wanted.uid, self.clock.monotonic())
        if why:
            log.warning("child not ended by a Command", job=wanted.name, error=why)
        log.info("child ended", how=how.name.lower(), job=wanted.name, because=wanted.reason)
        if how is Ended.DELETED or (how is Ended.ASKED and first_try):
            self._emit(flow, EmitEvent(NORMAL, "Ended", f"{how.value} Job {wanted.name}: {wanted.message}"))

    async def _write(self, flow: Flow, status: JobFlowStatus, memory: FlowMemory) -> None:
        identity = ObjectMeta(flow.name, flow.namespace, flow.uid, flow.resource_version)
        written = await write_status(self.client, JOB_FLOW, identity, status)
        self.expectations.wrote_status(flow.uid, written.resource_version, self.clock.monotonic())
        lost = self.installed.saw_answer(JOB_FLOW, status, written.status)
        memory.told = status if lost else None
        if lost and (said := self.installed.mention(JOB_FLOW)):
            self._emit(flow, EmitEvent(WARNING, Reason.CRD_OUTDATED, said))
        log.info("status written", phase=status.state.phase, progress=status.progress, reason=status.state.reason)

    def _wait_for_company(self, plan: Plan, memory: FlowMemory) -> float:
        now = self.clock.monotonic()
        if memory.unwritten_since is None:
            memory.unwritten_since = now
        return memory.unwritten_since + plan.status_within - now

    def _seconds_until(self, plan: Plan) -> float | None:
        """Until time alone will change the plan, or what it began has to be tried again."""
        waits = [] if plan.wake_at is None else [max((plan.wake_at - self.clock.now()).total_seconds(), 0.0)]
        waits += [] if plan.due_in is None else [plan.due_in]
        waits += [AGAIN_SECONDS] if plan.ends or plan.delete_flow else []
        return min(waits, default=None)

    def _tell_pause(self, flow: Flow, plan: Plan, memory: FlowMemory) -> None:
        before, memory.pause = memory.pause, plan.pause
        if plan.pause is None:
            if before is not None:
                log.info("flow goes on", was=before.reason)
                self._emit(flow, EmitEvent(NORMAL, "Resumed", "this flow is looked after again"))
        elif before is None or (before.reason, before.message) != (plan.pause.reason, plan.pause.message):
            log.warning("flow paused", reason=plan.pause.reason, message=plan.pause.message)
            self._emit(flow, EmitEvent(WARNING, plan.pause.reason, plan.pause.message))

    def _emit_all(self, flow: Flow, plan: Plan) -> None:
        for event in plan.events:
            self._emit(flow, event)

    def _tell_created(self, flow: Flow, created: list[str]) -> None:
        if not created:
            return
        shown = ", ".join(created[:NAMED_CHILDREN])
        more = f" and {len(created) - NAMED_CHILDREN} more" if len(created) > NAMED_CHILDREN else ""
        self._emit(flow, EmitEvent("Normal", "Created", f"created Job {shown}{more}"))

    def _emit(self, flow: Flow, event: EmitEvent) -> None:
        about = ObjectReference(JOB_FLOW, flow.namespace, flow.name, flow.uid)
        self.recorder.emit(about, event.type, event.reason, event.message)


def _earliest(first: float, second: float | None) -> float:
    return first if second is None else min(first, second)
