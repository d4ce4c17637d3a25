"""Broken control: decisions about branches, attempts, deadlines and ends, each with one rule taken out of it.

In and out: as the part that each stands in for: `reconcile_flow`, or Snapshots. `control_mutants.py` puts them there.
A step that is to be judged otherwise is compiled otherwise; what a process should not remember is counted from when it
began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from msgspec import structs

from jobflow.act.memory import FlowMemory
from jobflow.api.dependencies import Strategy
from jobflow.api.ends import SuccessType
from jobflow.api.objects import FlowView
from jobflow.api.status import FlowStatus, StepPhase
from jobflow.reconcile.deadlines import kept_for
from jobflow.reconcile.endings import ends
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.graph import Compiled, Step, graph_of
from jobflow.reconcile.plan import CreateChild, Plan
from jobflow.reconcile.snapshot import Since, Snapshot
from jobflow.snapshots import Snapshots


def tries_once_too_often(snapshot: Snapshot) -> Plan:
    """The limit is that of attempts after which there may be one more."""
    return reconcile_flow(_otherwise(snapshot, lambda step: _retried(step, more=1)))


def tries_again_at_once(snapshot: Snapshot) -> Plan:
    """A back-off is for those who have time."""
    return reconcile_flow(_otherwise(snapshot, lambda step: _retried(step, first=0.0)))


def tries_again_before_the_commit(snapshot: Snapshot) -> Plan:
    """What will be written may be taken for written."""
    plan = reconcile_flow(snapshot)
    if plan.status is None or plan.creates:
        return plan
    hurried = _otherwise(_as_committed(snapshot, plan), lambda step: _retried(step, first=0.0))
    return replace(plan, creates=tuple(c for c in reconcile_flow(hurried).creates if c.node.attempt))


def never_tries_again(snapshot: Snapshot) -> Plan:
    """A failure is a failure."""
    return reconcile_flow(_otherwise(snapshot, lambda step: replace(step, retry=None)))


def takes_each_failure_for_the_last(snapshot: Snapshot) -> Plan:
    """For those who wait for a failure the first one will do; the step itself is tried again."""
    plan = reconcile_flow(snapshot)
    if snapshot.flow.committed.outcome is not None or snapshot.flow.deleting:
        return plan
    retried = {step.name for step in snapshot.flow.compiled.graph.retried}
    final = reconcile_flow(_otherwise(snapshot, lambda step: replace(step, retry=None)))
    return _with_creates(plan, (c for c in final.creates if c.node.step not in retried))


def ends_nothing(snapshot: Snapshot) -> Plan:
    """What runs ends by itself, sooner or later."""
    return replace(reconcile_flow(snapshot), ends=())


def ends_before_the_commit(snapshot: Snapshot) -> Plan:
    """Why a Job is ended can be written down when it has ended."""
    plan = reconcile_flow(snapshot)
    return plan if plan.status is None else replace(plan, ends=ends(_as_committed(snapshot, plan)))


def forgets_to_go_on(snapshot: Snapshot) -> Plan:
    """continueOnFail is a nice word."""
    return reconcile_flow(_otherwise(snapshot, lambda step: replace(step, continue_on_fail=False)))


def cleans_up_beside_the_others(snapshot: Snapshot) -> Plan:
    """onExit once the outcome is committed; what still runs will not mind."""
    plan, committed = reconcile_flow(snapshot), snapshot.flow.committed
    if committed.outcome is None or snapshot.flow.deleting or committed.completionTime is not None:
        return plan
    last = {step.name for step in snapshot.flow.compiled.graph.on_exit}
    seen = tuple(c for c in snapshot.children if c.phase.terminal or (c.node is not None and c.node.step in last))
    alone = reconcile_flow(replace(snapshot, children=seen))
    return _with_creates(plan, (create for create in alone.creates if create.node.step in last))


def takes_any_for_all(snapshot: Snapshot) -> Plan:
    """Any of several targets is all of them."""
    return reconcile_flow(_otherwise(snapshot, _needing_all))


def looks_at_one_group(snapshot: Snapshot) -> Plan:
    """What dependsOn itself says is the only way to start."""
    return reconcile_flow(_otherwise(snapshot, _alone))


def asks_no_conditions(snapshot: Snapshot) -> Plan:
    """What may start starts."""
    return reconcile_flow(_otherwise(snapshot, lambda step: replace(step, when=())))


def takes_skipped_for_failed(snapshot: Snapshot) -> Plan:
    """A step that did not run has not succeeded."""
    committed = snapshot.flow.committed
    told = tuple(_failed(r) if r.phase is StepPhase.SKIPPED else r for r in committed.flowStatuses)
    seen = structs.replace(committed, flowStatuses=told)
    return reconcile_flow(replace(snapshot, flow=replace(snapshot.flow, committed=seen)))


def takes_some_for_all(snapshot: Snapshot) -> Plan:
    """Whatever successPolicy says, a failure is a failure."""
    return reconcile_flow(_ending(snapshot, success=SuccessType.ALL))


def stops_at_the_first_failure(snapshot: Snapshot) -> Plan:
    """RunIndependent is for those who do not mind."""
    return reconcile_flow(_ending(snapshot, failure=None))


def goes_at_once(snapshot: Snapshot) -> Plan:
    """A flow that has a time to live after its end has ended."""
    plan = reconcile_flow(snapshot)
    return plan if kept_for(snapshot) is None else replace(plan, delete_flow="it has ended")


class CountsAttemptsAnew(Snapshots):
    """So many attempts as the limit says, for each process that looks after the flow."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._before: dict[str, dict[str, int]] = {}

    def _freeze(self, view: FlowView, memory: FlowMemory) -> Snapshot:
        snapshot = super()._freeze(view, memory)
        told = {record.name: record.attempt for record in snapshot.flow.committed.flowStatuses}
        before = self._before.setdefault(view.uid, told)
        return _otherwise(snapshot, lambda step: _retried(step, more=before.get(step.name, 0)))


class CountsFromItsStart(Snapshots):
    """Deadlines begin when this process first hears of what has one."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._first: dict[Since, float] = {}

    def _freeze(self, view: FlowView, memory: FlowMemory) -> Snapshot:
        snapshot = super()._freeze(view, memory)
        elapsed = {since: passed - self._first.setdefault(since, passed) for since, passed in snapshot.elapsed.items()}
        return replace(snapshot, elapsed=elapsed)


class CleansUpOnceMore(Snapshots):
    """What an earlier process had run of onExit is run again, to be on the safe side."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._found: dict[str, frozenset[str]] = {}  # onExit steps that had ended when this process began, by flow

    def _freeze(self, view: FlowView, memory: FlowMemory) -> Snapshot:
        snapshot = super()._freeze(view, memory)
        committed = snapshot.flow.committed
        last = {step.name for step in snapshot.flow.compiled.graph.on_exit}
        ended = frozenset(r.name for r in committed.flowStatuses if r.name in last and r.phase.settled)
        again = self._found.setdefault(view.uid, ended)
        if not again or committed.completionTime is not None:
            return snapshot
        told = tuple(_anew(record) if record.name in again else record for record in committed.flowStatuses)
        seen = tuple(c for c in snapshot.children if c.node is None or c.node.step not in again or c.node.attempt)
        flow = replace(snapshot.flow, committed=structs.replace(committed, flowStatuses=told))
        return replace(snapshot, flow=flow, children=seen)


def _anew(record: FlowStatus) -> FlowStatus:
    return FlowStatus(name=record.name, phase=StepPhase.WAITING, attempt=1)


def _otherwise(snapshot: Snapshot, change: Callable[[Step], Step]) -> Snapshot:
    """The snapshot, of a flow whose steps are compiled otherwise."""
    compiled: Compiled = snapshot.flow.compiled
    graph = graph_of(map(change, compiled.graph.steps))
    return replace(snapshot, flow=replace(snapshot.flow, compiled=replace(compiled, graph=graph)))


def _retried(step: Step, more: int = 0, **changed: Any) -> Step:
    """The step with another retry, where it has one."""
    if step.retry is None:
        return step
    return replace(step, retry=replace(step.retry, limit=step.retry.limit + more, **changed))


def _needing_all(step: Step) -> Step:
    """The step, which waits for all of its targets."""
    if step.needs is None:
        return step
    return replace(step, needs=replace(step.needs, base=replace(step.needs.base, strategy=Strategy.ALL)))


def _alone(step: Step) -> Step:
    """The step without its orGroups."""
    return step if step.needs is None else replace(step, needs=replace(step.needs, others=()))


def _ending(snapshot: Snapshot, **changed: Any) -> Snapshot:
    """The snapshot, of a flow that ends by other policies."""
    compiled: Compiled = snapshot.flow.compiled
    other = replace(compiled, ends=replace(compiled.ends, **changed))
    return replace(snapshot, flow=replace(snapshot.flow, compiled=other))


def _failed(record: FlowStatus) -> FlowStatus:
    return structs.replace(record, phase=StepPhase.FAILED)


def _as_committed(snapshot: Snapshot, plan: Plan) -> Snapshot:
    """As if what the plan wants to write were written."""
    assert plan.status is not None
    return replace(snapshot, flow=replace(snapshot.flow, committed=plan.status))


def _with_creates(plan: Plan, more: Iterable[CreateChild]) -> Plan:
    named = {create.name for create in plan.creates}
    return replace(plan, creates=(*plan.creates, *(create for create in more if create.name not in named)))
