"""`reconcile_flow`: from a snapshot of one flow to a plan. The policies' order is this file; each has its own.

    observe -> outputs -> retry -> deadlines -> gate -> conditions -> evidence -> start -> outcome -> endings -> onExit
    -> status -> deletions -> urgency, events

Then pause, which has the last word.

In: a Snapshot. Out: a Plan. Pure: no clock, no I/O, no logging; the same snapshot gives the same plan.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from jobflow.api.config_keys import ConfigKeys
from jobflow.api.exits import ExitsOf
from jobflow.api.outputs import OutputsOf
from jobflow.api.probes import Question
from jobflow.api.status import FlowState, JobFlowStatus, Outcome, Reason
from jobflow.reconcile.advance import Advance, advance_steps, close
from jobflow.reconcile.arguments import kept_questions
from jobflow.reconcile.deadlines import end_overdue, kept_for, next_due
from jobflow.reconcile.endings import end_the_rest, ends, too_late
from jobflow.reconcile.events import events
from jobflow.reconcile.facts import Facts
from jobflow.reconcile.finalize import finalize, with_on_exit
from jobflow.reconcile.graph import Graph, Step, graph_of
from jobflow.reconcile.observe import observe
from jobflow.reconcile.outcome import Decision, decide
from jobflow.reconcile.outputs import collect
from jobflow.reconcile.pause import pause
from jobflow.reconcile.phase import flow_state, is_finished
from jobflow.reconcile.plan import Plan
from jobflow.reconcile.retain import deletions
from jobflow.reconcile.retry import retry_failed
from jobflow.reconcile.snapshot import Flow, Snapshot
from jobflow.reconcile.status import build_status
from jobflow.reconcile.stored import stored
from jobflow.reconcile.urgency import status_within

KEPT = ConfigKeys | OutputsOf | ExitsOf  # questions that are answered once


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
    return frozenset(asked for asked in plan.questions if isinstance(asked, KEPT) and asked in snapshot.answers)


def _in_progress(snapshot: Snapshot) -> Plan:
    flow = snapshot.flow
    problem = spec_problem(flow)
    graph = _committed_graph(flow.committed) if problem else flow.compiled.graph
    advance = Advance(observe(snapshot, graph.steps))
    advance.questions |= collect(snapshot, graph, advance.standings) | kept_questions(snapshot)
    if not problem and not flow.deleting:
        if graph.retried:
            advance.questions |= retry_failed(snapshot, graph, advance.standings)
        end_overdue(snapshot, graph, advance.standings)
        advance_steps(snapshot, graph, advance)
    decision = _invalid(flow, problem) if problem else _decided(snapshot, graph, advance)
    if decision is not None or flow.deleting:
        advance = Advance(close(advance.standings, decision), questions=advance.questions)
    if not problem and not flow.deleting:
        end_the_rest(snapshot, advance.standings, decision)
    if graph.on_exit:
        finalize(snapshot, graph, advance)
    return _plan(
        snapshot, advance, build_status(snapshot, advance.standings, _state(flow, advance, decision), decision)
    )


def _decided(snapshot: Snapshot, graph: Graph, advance: Advance) -> Decision | None:
    facts = Facts(snapshot.flow, snapshot.answers)
    return decide(snapshot.flow, graph, advance.standings, facts, too_late(snapshot))


def _invalid(flow: Flow, problem: str) -> Decision:
    """The end of a flow whose spec cannot be run."""
    return Decision(flow.committed.outcome or Outcome.FAILED, Reason.INVALID_SPEC, problem)


def _state(flow: Flow, advance: Advance, decision: Decision | None) -> FlowState:
    standings = advance.standings.values()
    state = flow_state(flow, standings, decision)
    return with_on_exit(flow, standings, state) if flow.compiled.graph.on_exit else state


def spec_problem(flow: Flow) -> str:
    """Why the spec cannot be run, or nothing."""
    if flow.compiled.problems:
        return "; ".join(f"{problem.path}: {problem.message}" for problem in flow.compiled.problems)
    if flow.committed.specHash and flow.committed.specHash != flow.compiled.spec_hash:
        return "spec: steps, edges and parameters are frozen from the flow's creation; create another JobFlow instead"
    return ""


def _plan(snapshot: Snapshot, advance: Advance, desired: JobFlowStatus) -> Plan:
    committed = snapshot.flow.committed
    leaving = deletions(snapshot)
    changed = desired != committed
    write = _is_worth_a_write(snapshot, desired)
    return Plan(
        creates=tuple(advance.creates),
        deletes=leaving.now,
        ends=ends(snapshot),
        status=desired if write else None,
        unstored=desired if changed and not write else None,
        status_within=status_within(committed, desired) if changed else 0.0,
        events=events(committed, desired) if changed else (),
        wake_at=_earliest([*advance.retries, leaving.next_due]),
        due_in=next_due(snapshot, advance.standings),
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
    left = kept_for(snapshot)
    over = left is not None and left <= 0 and status is None  # the status first: its write changes what is deleted
    return Plan(
        deletes=leaving.now,
        status=status,
        wake_at=leaving.next_due,
        due_in=left if left is not None and left > 0 else None,
        delete_flow=f"{flow.compiled.ttl} s after it finished" if over else "",
    )


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
