"""Broken policies: `reconcile_flow` with one rule taken out of it, each as somebody could have written it.

In: a Snapshot. Out: a Plan that is wrong in one way. `mutants.py` puts them in the place of the one that is shipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from msgspec import structs

from jobflow.api import names
from jobflow.api.ends import RetainPolicy
from jobflow.api.status import FlowPhase, FlowState, Outcome, Reason, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.graph import Step
from jobflow.reconcile.observe import Standing, observe
from jobflow.reconcile.phase import is_finished
from jobflow.reconcile.plan import CreateChild, DeleteChild, Plan
from jobflow.reconcile.snapshot import Snapshot
from jobflow.reconcile.start import Ready, start

MayStart = Callable[[Step, dict[str, Standing]], bool]


def writes_what_is_written(snapshot: Snapshot) -> Plan:
    """Compare with nothing: every pass writes the status."""
    plan = reconcile_flow(snapshot)
    if plan.status is None and not is_finished(snapshot.flow.committed):
        return replace(plan, status=snapshot.flow.committed)
    return plan


def starts_after_the_outcome(snapshot: Snapshot) -> Plan:
    """A failed step closes no other branch: what waits goes on waiting, and starts when its gate opens."""
    plan, committed = reconcile_flow(snapshot), snapshot.flow.committed
    if plan.status is not None:
        entries = tuple(
            structs.replace(entry, phase=StepPhase.WAITING) if entry.reason == Reason.FLOW_FAILED else entry
            for entry in plan.status.flowStatuses
        )
        status = structs.replace(plan.status, flowStatuses=entries)
        plan = replace(plan, status=None if status == committed else status)
    if committed.outcome is not Outcome.FAILED or is_finished(committed):
        return plan
    return replace(plan, creates=_creates(snapshot, _all_succeeded))


def starts_while_being_deleted(snapshot: Snapshot) -> Plan:
    """A deletionTimestamp is nothing to look at."""
    return reconcile_flow(replace(snapshot, flow=replace(snapshot.flow, deleting=False)))


def opens_gates_early(snapshot: Snapshot) -> Plan:
    """One target that succeeded is enough."""
    plan = reconcile_flow(snapshot)
    if snapshot.flow.committed.outcome is not None or snapshot.flow.deleting:
        return plan
    return replace(plan, creates=_creates(snapshot, _any_succeeded))


def creates_again_without_a_look(snapshot: Snapshot) -> Plan:
    """What the cache lacks is gone."""
    plan = reconcile_flow(snapshot)
    return replace(plan, creates=tuple(replace(create, verify=False) for create in plan.creates))


def leaves_the_ttl_to_volcano(snapshot: Snapshot) -> Plan:
    """The template's spec as it is, ttlSecondsAfterFinished and all."""
    plan = reconcile_flow(snapshot)
    return replace(plan, creates=tuple(replace(create, body=_with_ttl(create)) for create in plan.creates))


def deletes_before_the_commit(snapshot: Snapshot) -> Plan:
    """Policy delete once all Jobs have ended, whether that is written down or not."""
    plan, flow = reconcile_flow(snapshot), snapshot.flow
    ended = len(snapshot.children) == len(flow.compiled.graph.steps) and all(
        c.phase.terminal for c in snapshot.children
    )
    if flow.compiled.retain is not RetainPolicy.DELETE or not ended or plan.deletes:
        return plan
    return replace(plan, deletes=tuple(DeleteChild(c.name, c.uid, "all have ended") for c in snapshot.children))


def changes_what_is_cached(snapshot: Snapshot) -> Plan:
    """Work on the committed status itself: it is at hand."""
    plan = reconcile_flow(snapshot)
    if plan.status is not None:
        snapshot.flow.committed.conditions.update(plan.status.conditions)
    return plan


def lets_one_trouble_keep_all_back(snapshot: Snapshot) -> Plan:
    """Where one step has to wait for its template, the others wait too."""
    plan = reconcile_flow(snapshot)
    return replace(plan, creates=()) if plan.awaits else plan


def lets_counts_be_zeroed(snapshot: Snapshot) -> Plan:
    """Pod counts as the Job has them now, whatever Volcano does to them after the end."""
    plan = reconcile_flow(snapshot)
    if plan.status is None:
        return plan
    settled = {entry.jobUID for entry in snapshot.flow.committed.flowStatuses if entry.phase.settled}
    zeroed = {c.name for c in snapshot.children if c.phase.terminal and not c.task_counts and c.uid not in settled}
    conditions = {
        name: structs.replace(told, taskStatusCount={}) if name in zeroed else told
        for name, told in plan.status.conditions.items()
    }
    return replace(plan, status=structs.replace(plan.status, conditions=conditions))


def changes_the_end(snapshot: Snapshot) -> Plan:
    """A flow that is being deleted is Terminating, whatever it was."""
    plan, flow = reconcile_flow(snapshot), snapshot.flow
    if not flow.deleting or is_finished(flow.committed) or flow.committed.state.phase is FlowPhase.TERMINATING:
        return plan
    status = plan.status or flow.committed
    return replace(plan, status=structs.replace(status, state=FlowState(FlowPhase.TERMINATING)))


def _all_succeeded(step: Step, standings: dict[str, Standing]) -> bool:
    return all(standings[name].phase is StepPhase.SUCCEEDED for name in step.targets)


def _any_succeeded(step: Step, standings: dict[str, Standing]) -> bool:
    return not step.targets or any(standings[name].phase is StepPhase.SUCCEEDED for name in step.targets)


def _creates(snapshot: Snapshot, may_start: MayStart) -> tuple[CreateChild, ...]:
    """The children of all steps that `may_start`, and of which none is there."""

    def ready() -> Iterator[CreateChild]:
        graph = snapshot.flow.compiled.graph
        standings = observe(snapshot, graph.steps)
        for step in graph.order:
            standing = standings[step.name]
            if standing.phase is StepPhase.WAITING and may_start(step, standings):
                match start(snapshot, standing):
                    case Ready(create):
                        yield create

    return tuple(ready())


def _with_ttl(create: CreateChild) -> dict[str, Any]:
    ttl = create.body["metadata"]["annotations"].get(names.OWNED_TTL)
    spec = create.body["spec"] if ttl is None else {**create.body["spec"], "ttlSecondsAfterFinished": int(ttl)}
    return {**create.body, "spec": spec}
