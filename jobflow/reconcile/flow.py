"""`reconcile_flow`: from a snapshot of one flow to a plan. The policies' order is this file; each has its own.

    observe -> outputs -> gate -> evidence -> start -> outcome -> status -> deletions -> urgency, events

Then pause, which has the last word.

In: a Snapshot. Out: a Plan. Pure: no clock, no I/O, no logging; the same snapshot gives the same plan.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from jobflow.api.config_keys import ConfigKeys
from jobflow.api.outputs import OutputsOf
from jobflow.api.probes import Question
from jobflow.api.status import FlowPhase, FlowState, JobFlowStatus, Outcome, Reason
from jobflow.reconcile.advance import Advance, advance_steps, close
from jobflow.reconcile.arguments import kept_questions
from jobflow.reconcile.events import events
from jobflow.reconcile.graph import Graph, Step, graph_of
from jobflow.reconcile.observe import observe
from jobflow.reconcile.outputs import collect
from jobflow.reconcile.pause import pause
from jobflow.reconcile.phase import FINAL_PHASES, flow_state, outcome
from jobflow.reconcile.plan import Plan
from jobflow.reconcile.retain import deletions
from jobflow.reconcile.snapshot import Flow, Snapshot
from jobflow.reconcile.status import build_status
from jobflow.reconcile.stored import stored
from jobflow.reconcile.urgency import status_within


def reconcile_flow(snapshot: Snapshot) -> Plan:
    """What should be done about the flow now."""
    finished = is_finished(snapshot.flow.committed)
    plan = _after_the_end(snapshot) if finished else _in_progress(snapshot)
    paused = pause(snapshot)
    if paused is None or (finished and not plan.acts):
        return plan
    return Plan(wake_at=paused.until, pause=paused, questions=_kept(snapshot, plan))


def _kept(snapshot: Snapshot, plan: Plan) -> frozenset[Question]:
    """What has been read for a flow that is left alone stays known; nothing new is asked, and nobody is probed."""
    return frozenset(
        asked for asked in plan.questions if isinstance(asked, ConfigKeys | OutputsOf) and asked in snapshot.answers
    )


def _in_progress(snapshot: Snapshot) -> Plan:
    flow = snapshot.flow
    problem = spec_problem(flow)
    graph = _committed_graph(flow.committed) if problem else flow.compiled.graph
    advance = Advance(observe(snapshot, graph.steps))
    advance.questions |= collect(snapshot, graph, advance.standings) | kept_questions(snapshot)
    if not problem and not flow.deleting:
        advance_steps(snapshot, graph, advance)
    decided = flow.committed.outcome or (Outcome.FAILED if problem else outcome(advance.standings.values()))
    if decided is not None or flow.deleting:
        advance = Advance(close(advance.standings, decided), questions=advance.questions)
    state = invalid_state(flow, problem) if problem else flow_state(flow, advance.standings.values(), decided)
    return _plan(snapshot, advance, build_status(snapshot, advance.standings, state, decided))


def is_finished(committed: JobFlowStatus) -> bool:
    """The end is committed, by us or by another controller: such a status is never filled in afterwards."""
    if committed.completionTime is not None:
        return True
    return committed.state.phase in FINAL_PHASES and not committed.flowStatuses and committed.outcome is None


def spec_problem(flow: Flow) -> str:
    """Why the spec cannot be run, or nothing."""
    if flow.compiled.problems:
        return "; ".join(f"{problem.path}: {problem.message}" for problem in flow.compiled.problems)
    if flow.committed.specHash and flow.committed.specHash != flow.compiled.spec_hash:
        return "spec: steps, edges and parameters are frozen from the flow's creation; create another JobFlow instead"
    return ""


def invalid_state(flow: Flow, problem: str) -> FlowState:
    """`status.state` of a flow whose spec cannot be run."""
    if flow.deleting or flow.committed.state.phase in FINAL_PHASES:
        return flow_state(flow, (), None)
    return FlowState(FlowPhase.FAILED, Reason.INVALID_SPEC, problem)


def _plan(snapshot: Snapshot, advance: Advance, desired: JobFlowStatus) -> Plan:
    committed = snapshot.flow.committed
    leaving = deletions(snapshot)
    changed = desired != committed
    write = _is_worth_a_write(snapshot, desired)
    return Plan(
        creates=tuple(advance.creates),
        deletes=leaving.now,
        status=desired if write else None,
        unstored=desired if changed and not write else None,
        status_within=status_within(committed, desired) if changed else 0.0,
        events=events(committed, desired) if changed else (),
        wake_at=_earliest([*advance.retries, leaving.next_due]),
        awaits=frozenset(advance.awaits),
        questions=frozenset(advance.questions),
    )


def _after_the_end(snapshot: Snapshot) -> Plan:
    """Only retention goes on, and a later edit of a control field is acknowledged."""
    flow, leaving = snapshot.flow, deletions(snapshot)
    ours = flow.committed.observedGeneration > 0
    stale = ours and flow.committed.observedGeneration != flow.generation
    desired = replace(flow.committed, observedGeneration=flow.generation) if stale else flow.committed
    status = desired if _is_worth_a_write(snapshot, desired) else None
    return Plan(deletes=leaving.now, status=status, wake_at=leaving.next_due)


def _is_worth_a_write(snapshot: Snapshot, desired: JobFlowStatus) -> bool:
    """Whether the API server would hold anything else afterwards."""
    flow, missing = snapshot.flow, snapshot.missing
    held = flow.committed if flow.stored is None else flow.stored
    return desired != held and (not missing or stored(desired, missing) != stored(held, missing))


def _committed_graph(committed: JobFlowStatus) -> Graph:
    """The steps that are known to have existed, of a flow whose spec can no longer be read."""
    return graph_of(Step(record.name, record.name) for record in committed.flowStatuses)


def _earliest(times: Iterable[datetime | None]) -> datetime | None:
    return min((time for time in times if time is not None), default=None)
