"""Status: the whole status of a flow as it should be.

In: the flow, where its steps stand, how it ended if it did. Out: a JobFlowStatus to compare with the committed one
and to write if it differs. Order is the order of the spec throughout, so that equal facts give equal bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from msgspec.structs import replace

from jobflow.api.children import ChildView, StatusList
from jobflow.api.status import FlowState, FlowStatus, JobCondition, JobFlowStatus, JobStatus, StepPhase
from jobflow.reconcile.deadlines import first_ran
from jobflow.reconcile.gate import Open, gate
from jobflow.reconcile.graph import Step
from jobflow.reconcile.history import STEPS_WITH_HISTORIES, end_of, job_condition, job_status
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.outcome import Decision
from jobflow.reconcile.phase import FINAL_PHASES
from jobflow.reconcile.snapshot import Flow, Snapshot

LISTS = tuple(which.value for which in StatusList)
UNFINISHED = (StatusList.PENDING.value, StatusList.RUNNING.value, StatusList.UNKNOWN.value)
_committed_lists = attrgetter(*LISTS)


def build_status(
    snapshot: Snapshot, standings: Mapping[str, Standing], state: FlowState, decision: Decision | None
) -> JobFlowStatus:
    """The status that tells of `standings`."""
    committed, now = snapshot.flow.committed, snapshot.now.replace(microsecond=0)
    ordered = list(standings.values())
    flow_statuses = tuple(flow_status(standing, now) for standing in ordered)
    old_entries = {entry.name: entry for entry in committed.jobStatusList}
    entries, conditions = _job_entries(ordered, old_entries, committed.conditions, now)
    ended = state.phase in FINAL_PHASES and not _is_any_live(snapshot, ordered)
    return JobFlowStatus(
        **_lists(ordered, committed),
        jobStatusList=entries,
        conditions=conditions,
        state=state,
        **_outcome(snapshot.flow, decision),
        observedGeneration=snapshot.flow.generation,
        specHash=committed.specHash or snapshot.flow.compiled.spec_hash,
        startTime=committed.startTime or _first_start(flow_statuses),
        completionTime=(committed.completionTime or _last_end(flow_statuses, now)) if ended else None,
        progress=_progress(ordered),
        nextFlows=_next_flows(standings) if decision is None else (),
        flowStatuses=flow_statuses,
    )


def _outcome(flow: Flow, decision: Decision | None) -> dict[str, Any]:
    """How the flow ends; also why, where its state says something else until the onExit steps have ended."""
    if decision is None:
        return {}
    told: dict[str, Any] = {"outcome": decision.outcome}
    if flow.compiled.graph.on_exit:
        told |= {"outcomeReason": decision.reason, "outcomeMessage": decision.message}
    return told


def flow_status(standing: Standing, now: datetime) -> FlowStatus:
    """The step's entry of flowStatuses."""
    record, child = standing.record, standing.child
    if standing.becomes is not None:
        return standing.becomes
    if record is not None and standing.frozen:
        return record
    if child is None:
        return FlowStatus(
            name=standing.step.name,
            phase=standing.phase,
            reason=standing.reason,
            message=standing.message,
            attempt=record.attempt if record else 0,
            recreations=record.recreations if record else 0,
            jobName=record.jobName if record else "",
            jobUID=record.jobUID if record else "",
            startTime=record.startTime if record else None,
            runningTime=record.runningTime if record else None,
            completionTime=now if standing.ending else None,  # it was to end, and is gone
            attempts=record.attempts if record else (),
            outputs=standing.outputs,
        )
    recreated = record is not None and record.jobUID not in ("", child.uid)
    return FlowStatus(
        name=standing.step.name,
        phase=standing.phase,
        reason=standing.reason,
        message=standing.message,
        attempt=standing.attempt,
        recreations=(record.recreations if record else 0) + recreated,
        jobName=child.name,
        jobUID=child.uid,
        startTime=child.created,
        runningTime=_running_time(standing, child, now),
        completionTime=end_of(child, now) if child.phase.terminal and standing.phase.settled else None,
        podFailureRatio=f"{child.failed_pods}/{child.pods}" if child.pods else "",
        exitCode=standing.exit_code,
        attempts=record.attempts if record else (),
        outputs=standing.outputs,
    )


def _running_time(standing: Standing, child: ChildView, now: datetime) -> datetime | None:
    """When the child first ran, of a step with deadlines, which count from it; what is committed of it stands."""
    record = standing.record
    if standing.step.deadlines is None:
        return record.runningTime if record is not None and record.jobUID == child.uid else None
    return first_ran(child, record, now)


def _is_any_live(snapshot: Snapshot, standings: Iterable[Standing]) -> bool:
    return any(standing.phase.live for standing in standings) or any(not c.phase.terminal for c in snapshot.children)


def _job_entries(
    standings: list[Standing],
    old_entries: Mapping[str, JobStatus],
    old_conditions: Mapping[str, JobCondition],
    now: datetime,
) -> tuple[tuple[JobStatus, ...], dict[str, JobCondition]]:
    many_steps = len(standings) > STEPS_WITH_HISTORIES
    entries: list[JobStatus] = []
    conditions: dict[str, JobCondition] = {}
    for standing in standings:
        name = _job_name(standing)
        if not name:
            continue  # it never had a child: nothing is told of it
        entry = job_status(standing, old_entries.get(name), now, many_steps)
        condition = job_condition(standing, old_conditions.get(name))
        if entry is not None:
            entries.append(entry)
        if condition is not None:
            conditions[name] = condition
    return tuple(entries), conditions


def _lists(standings: Iterable[Standing], committed: JobFlowStatus) -> dict[str, Any]:
    """Upstream's six lists; a child that is gone stays in the list that had it, so that none is in no list."""
    before = {name: which for which, listed in zip(LISTS, _committed_lists(committed), strict=True) for name in listed}
    lists: defaultdict[str, list[str]] = defaultdict(list)
    for standing in standings:
        name = _job_name(standing)
        frozen, child = standing.frozen, standing.child
        which = before.get(name) if frozen or child is None else child.listed.value
        if which in UNFINISHED and child is None and not frozen and (standing.phase.settled or standing.becomes):
            which = StatusList.TERMINATED.value  # unfinished, deleted by somebody, and not created again
        if which is not None:
            lists[which].append(name)
    return {which: tuple(names) for which, names in lists.items()}


def _job_name(standing: Standing) -> str:
    if standing.child is not None:
        return standing.child.name
    record = standing.record
    if record is not None and not record.jobName and record.attempts:
        return record.attempts[-1].jobName  # until the next attempt has begun
    return record.jobName if record is not None else ""


def _first_start(statuses: tuple[FlowStatus, ...]) -> datetime | None:
    """When the first Job was created; also one of an attempt that failed before anything of it was written."""
    began = [status.startTime for status in statuses]
    began += [status.attempts[0].startTime for status in statuses if status.attempts]
    return min((at for at in began if at), default=None)


def _last_end(statuses: tuple[FlowStatus, ...], now: datetime) -> datetime:
    """When the last child ended; a flow that never had one ended when that was seen."""
    return max((status.completionTime for status in statuses if status.completionTime), default=now)


def _progress(standings: list[Standing]) -> str:
    """The onExit steps are no part of the way to the flow's end."""
    main = [standing for standing in standings if not standing.step.on_exit]
    done = sum(standing.good or standing.phase is StepPhase.SKIPPED for standing in main)
    return f"{done}/{len(main)}"


def _next_flows(standings: Mapping[str, Standing]) -> tuple[str, ...]:
    """Waiting steps that wait for nothing but children that now live."""
    return tuple(
        name
        for name, standing in standings.items()
        if standing.phase is StepPhase.WAITING and _is_next(standing.step, standings)
    )


def _is_next(step: Step, standings: Mapping[str, Standing]) -> bool:
    """Whether it may start once the children that live have completed."""
    if step.needs is None:
        return bool(step.targets) and all(
            (target := standings[name]).phase.live or target.good or target.phase is StepPhase.SKIPPED
            for name in step.targets
        )
    ended = {name: _as_if_ended(standings[name]) for name in step.edges}
    return isinstance(gate(step, ended), Open)


def _as_if_ended(standing: Standing) -> Standing:
    return replace(standing, phase=StepPhase.SUCCEEDED) if standing.phase.live else standing
