"""Finalize: the `onExit` steps of a flow whose end is decided.

In: a snapshot, its graph, where the steps stand once the others were closed. Out: the same Advance, with those onExit
steps advanced whose time has come: the outcome is committed, and no Job of another step is live any more. From then on
they are steps like any other, with gates and probes among themselves, and run once: what has settled is committed.
They have no say in the outcome. Nobody's deletion of the flow runs them, and neither does a spec that cannot be run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from jobflow.api.status import FlowPhase, FlowState, Reason, StepPhase
from jobflow.reconcile.advance import Advance, advance_steps
from jobflow.reconcile.graph import Graph
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.phase import FINAL_PHASES, TELLING
from jobflow.reconcile.snapshot import Flow, Snapshot


def finalize(snapshot: Snapshot, graph: Graph, advance: Advance) -> None:
    """Advance the onExit steps, or say what they wait for."""
    waits_for = _waits_for(snapshot, graph, advance)
    if not waits_for:
        advance_steps(snapshot, graph, advance, on_exit=True)
        return
    for step in graph.on_exit:
        standing = advance.standings[step.name]
        if standing.phase is StepPhase.WAITING:
            advance.standings[step.name] = replace(standing, reason=Reason.DEPENDENCY, message=waits_for)


def with_on_exit(flow: Flow, standings: Collection[Standing], state: FlowState) -> FlowState:
    """What `status.state` is where the flow has onExit steps, and would be `state` without them."""
    if state.phase not in FINAL_PHASES or flow.committed.state.phase in FINAL_PHASES:
        return state
    mine = [standing for standing in standings if standing.step.on_exit]
    if not all(standing.phase.settled for standing in mine):
        return FlowState(FlowPhase.RUNNING, Reason.FINALIZING, _meanwhile(mine, state))
    failed = [f"onExit step {s.step.name}: {s.message}" for s in mine if s.phase is StepPhase.FAILED and not s.good]
    if not failed:
        return state
    told = "; ".join([state.message, *failed] if state.message else failed)
    return replace(state, reason=state.reason or Reason.ON_EXIT_FAILED, message=told)


def _meanwhile(mine: Iterable[Standing], state: FlowState) -> str:
    """How the flow will end, and what keeps an onExit step from starting."""
    ended = "has succeeded" if state.phase is FlowPhase.SUCCEED else f"has failed ({state.message})"
    said = f"the flow {ended}; its onExit steps are still to end"
    stuck = next((standing for standing in mine if standing.reason in TELLING and standing.message), None)
    return f"{said}: step {stuck.step.name}: {stuck.message}" if stuck else said


def _waits_for(snapshot: Snapshot, graph: Graph, advance: Advance) -> str:
    """Why the onExit steps may not start yet, or nothing."""
    committed = snapshot.flow.committed
    if committed.outcome is None or snapshot.flow.deleting or committed.state.phase in FINAL_PHASES:
        return "it is for the end of the flow"
    live = [step.name for step in graph.main if advance.standings[step.name].phase.live]
    if live:
        return f"it starts when {live[0]}{f' and {len(live) - 1} more' if len(live) > 1 else ''} has ended"
    mine = {step.name for step in graph.on_exit}
    left = [c for c in snapshot.children if not c.phase.terminal and (c.node is None or c.node.step not in mine)]
    return f"it starts when Job {left[0].name} has ended" if left else ""
