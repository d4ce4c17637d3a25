"""Retry: is a failed attempt followed by another, and when?

In: a snapshot, its graph, where the steps stand by their Jobs. Out: where those stand whose attempt has failed, and the
questions to be asked meanwhile. What keeps the next attempt from starting is in `attempts.py`.

    failed -> ReadingExitCode -> RetryBackoff (committed, with the failed attempt in `attempts`) -> the next attempt
                              -> Failed, and why it is not tried again

The next attempt is created only once it is committed that the last one is over; that record also says which attempt it
is, and since when it waits. So a crash at any moment leads to the same attempt and the same time. A Job that was
deleted before it ended is created again, and is no other attempt. Nothing is tried again once the end of the flow is
decided, save the onExit steps; nor what another attempt cannot mend: a Job that cannot be made, an expression that
cannot be evaluated.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from jobflow.api.children import ChildPhase
from jobflow.api.config_keys import ConfigKeys
from jobflow.api.exits import ExitsFound, ExitsOf
from jobflow.api.probes import Question
from jobflow.api.retry import Retry, RetryPolicy, When
from jobflow.api.status import AttemptStatus, FlowStatus, Reason, StepPhase
from jobflow.reconcile.arguments import CannotFill, Unread
from jobflow.reconcile.attempts import due, waits
from jobflow.reconcile.facts import Facts
from jobflow.reconcile.graph import Graph
from jobflow.reconcile.history import STEPS_WITH_HISTORIES, end_of
from jobflow.reconcile.observe import Standing, upstream_record
from jobflow.reconcile.snapshot import Flow, Snapshot

OF_JOB = frozenset(
    {
        Reason.JOB_FAILED,
        Reason.JOB_TERMINATED,
        Reason.JOB_ABORTED,
        Reason.DEADLINE_EXCEEDED,
        Reason.PENDING_DEADLINE_EXCEEDED,
    }
)
ENDED_BY_SOMEBODY = (Reason.JOB_TERMINATED, Reason.JOB_ABORTED)  # or by a policy of the Job, after a pod failed
ATTEMPTS_OF_STEP = 10  # newest that are told
ATTEMPTS_OF_FLOW = 1000  # of all steps: a flow and its status share one object of about a megabyte
MESSAGE_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class _Reading:
    """It cannot be said yet."""

    message: str = ""
    asks: ConfigKeys | None = None


@dataclass(frozen=True, slots=True)
class _Final:
    """There is no other attempt; why, where the step is to say so."""

    why: str = ""


def retry_failed(snapshot: Snapshot, graph: Graph, standings: dict[str, Standing]) -> set[Question]:
    """Put in place where the steps stand whose attempt has failed and is not committed as the last; what to ask."""
    asked: set[Question] = set()
    being_read = {
        record.name
        for record in snapshot.flow.committed.flowStatuses
        if record.reason == Reason.COLLECTING_OUTPUTS and not record.phase.settled
    }
    for step in graph.retried:
        failed = _failed(snapshot.flow, standings[step.name], being_read)
        if failed is not None:
            standings[step.name] = _judged(snapshot, failed, asked)
    return asked


def _failed(flow: Flow, standing: Standing, being_read: Collection[str]) -> Standing | None:
    """The step as it failed; None where it has not, or where that is committed already.

    Of those that were `being_read` the result is what was concluded of a Job that is gone, and is not committed yet.
    """
    if standing.phase is StepPhase.FAILED:
        return standing if not standing.frozen or standing.step.name in being_read else None
    record = standing.record
    if standing.phase is not StepPhase.WAITING or record is None or record.reason != Reason.READING_EXIT_CODE:
        return None
    entry = next((entry for entry in flow.committed.jobStatusList if entry.name == record.jobName), None)
    ended = upstream_record(record.name, entry) if entry is not None else None
    if ended is None or not ended.phase.settled:
        return None
    gone = replace(record, completionTime=ended.completionTime)
    message = f"Job {record.jobName} ended, and is gone"
    reason = ended.reason or Reason.OUTPUT_TOO_LARGE  # of a Job that did well nothing else is asked
    return replace(standing, phase=StepPhase.FAILED, reason=reason, message=message, record=gone)


def _judged(snapshot: Snapshot, standing: Standing, asked: set[Question]) -> Standing:
    """Where a step stands whose attempt has failed."""
    retry = standing.step.retry
    if retry is None or standing.reason not in OF_JOB | {Reason.OUTPUT_TOO_LARGE}:
        return standing
    exits = _exits(snapshot, standing, asked)
    if isinstance(exits, _Reading):
        return _being_read(standing, exits.message)
    standing = replace(standing, exit_code=exits.exit_code)
    match _decided(snapshot, standing, retry, exits):
        case _Reading(message, asks):
            asked |= {asks} if asks else set()
            return _being_read(standing, message)
        case _Final(why):
            standing = replace(standing, message=f"{standing.message}; {why}" if why else standing.message)
            return _without_job(standing) if standing.child is None else standing
        case None:
            return _again(snapshot, standing, retry)


def _exits(snapshot: Snapshot, standing: Standing, asked: set[Question]) -> ExitsFound | _Reading:
    """How its pods ended; nothing where nobody can tell."""
    child = standing.child
    if child is None or child.phase is not ChildPhase.FAILED:
        return ExitsFound()
    question = ExitsOf(child.namespace, child.name, child.uid)
    asked.add(question)
    answer = snapshot.answers.get(question)
    if not isinstance(answer, ExitsFound):
        return _Reading()
    if answer.problem and snapshot.flow.committed.outcome is None:
        return _Reading(answer.problem)
    return answer


def _being_read(standing: Standing, problem: str) -> Standing:
    """Until it is read. Of a Job that was ended by us it is committed why, and stays so."""
    if standing.ending and standing.record is not None:
        reason, message = standing.record.reason, standing.record.message
    else:
        reason, message = Reason.READING_EXIT_CODE, problem
    return replace(standing, phase=StepPhase.RUNNING, reason=reason, message=message, outputs=())


def _decided(snapshot: Snapshot, standing: Standing, retry: Retry, exits: ExitsFound) -> _Final | _Reading | None:
    """Why there is no other attempt, or why that is not known yet; None where there is one."""
    if snapshot.flow.committed.outcome is not None and not standing.step.on_exit:
        return _Final()
    attempt = standing.attempt
    if attempt >= retry.limit:
        return _Final(f"attempt {attempt + 1} of {retry.attempts}")
    if not _is_worth_it(retry.policy, standing.reason, exits):
        return _Final(f"not tried again: retry.policy is {retry.policy}{_but(standing.reason)}")
    for condition in retry.when:
        found = _asked(snapshot, standing, condition)
        if found is not None:
            return found
    return None


def _is_worth_it(policy: RetryPolicy, reason: str, exits: ExitsFound) -> bool:
    match policy:
        case RetryPolicy.ALWAYS:
            return True
        case RetryPolicy.ON_FAILURE:
            return reason in OF_JOB
        case RetryPolicy.ON_EVICTION:
            return bool(exits.evicted) or (reason in ENDED_BY_SOMEBODY and not exits.by_itself)


def _but(reason: str) -> str:
    if reason == Reason.OUTPUT_TOO_LARGE:
        return ", and another attempt is likely to leave as much"
    return ", and nothing shows that its pods were evicted"


def _asked(snapshot: Snapshot, standing: Standing, condition: When) -> _Final | _Reading | None:
    """What a condition says against another attempt. It sees the one that failed, and no other step."""
    step, facts = standing.step, Facts(snapshot.flow, snapshot.answers)
    try:
        holds = facts.holds(condition.expression, step, {step.name: standing})
    except Unread as unread:
        return _Reading(unread.message, unread.asks)
    except CannotFill as problem:
        return _Final(f"not tried again: {condition.path} cannot be evaluated: {problem}")
    return None if holds else _Final(f"not tried again: {condition.path} does not hold: {condition.text}")


def _again(snapshot: Snapshot, standing: Standing, retry: Retry) -> Standing:
    """Between two attempts: as it is to be committed before the next one begins."""
    record = standing.record
    attempt = standing.attempt
    kept = max(1, min(ATTEMPTS_OF_STEP, ATTEMPTS_OF_FLOW // max(len(snapshot.flow.compiled.graph.steps), 1)))
    becomes = FlowStatus(
        name=standing.step.name,
        phase=StepPhase.WAITING,
        reason=Reason.RETRY_BACKOFF,
        attempt=attempt + 1,
        recreations=_recreations(standing),
        attempts=(*(record.attempts if record else ()), _ended(snapshot, standing))[-kept:],
    )
    at = due(snapshot.flow.uid, replace(standing, record=becomes))
    becomes = replace(becomes, message=waits(retry, becomes, at))
    return replace(
        standing, phase=StepPhase.WAITING, reason=becomes.reason, message=becomes.message, outputs=(), becomes=becomes
    )


def _ended(snapshot: Snapshot, standing: Standing) -> AttemptStatus:
    """The attempt that failed, as it is kept."""
    child, record, now = standing.child, standing.record, snapshot.now.replace(microsecond=0)
    began: datetime | None = None
    name = uid = ""
    over = now
    if child is not None:
        name, uid, began, over = child.name, child.uid, child.created, end_of(child, now)
    elif record is not None:
        name, uid, began, over = record.jobName, record.jobUID, record.startTime, record.completionTime or now
    many = len(snapshot.flow.compiled.graph.steps) > STEPS_WITH_HISTORIES
    message = "" if many else standing.message
    if len(message) > MESSAGE_CHARACTERS:
        message = f"{message[: MESSAGE_CHARACTERS - 3]}..."
    return AttemptStatus(
        attempt=standing.attempt,
        jobName=name,
        jobUID=uid,
        startTime=began,
        completionTime=over,
        reason=standing.reason,
        message=message,
        exitCode=standing.exit_code,
    )


def _without_job(standing: Standing) -> Standing:
    """The result of a last attempt whose Job is gone."""
    if standing.record is None or standing.record.completionTime is None:
        return standing
    settled = replace(standing.record, phase=StepPhase.FAILED, reason=standing.reason, message=standing.message)
    return replace(standing, becomes=settled)


def _recreations(standing: Standing) -> int:
    record, child = standing.record, standing.child
    recreated = record is not None and child is not None and record.jobUID not in ("", child.uid)
    return (record.recreations if record else 0) + recreated
