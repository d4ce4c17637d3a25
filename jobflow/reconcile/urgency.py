"""Urgency: how long may the write of a status wait for company?

In: the committed status and the new one. Out: seconds. Every status write goes to etcd and comes back to every
watcher, so what nobody acts on rides with the next write: that a child began to run waits a second for its siblings,
and counts of pods wait ten. What users or we act on (a phase, a reason, a new child, an end) is written at once;
that a probe goes on failing, in whatever words, is nothing of the kind. What waits is written as news: after all that
somebody waits for (`jobflow.work.queue`).
Nothing is lost meanwhile: ends of children that vanish before the write are kept by the cache.
"""

from __future__ import annotations

from jobflow.api.status import READING, JobFlowStatus, Reason, StepPhase

AT_ONCE = 0.0
STEP_SECONDS = 1.0  # children of one level change together; a person watching does not see one second
COUNT_SECONDS = 10.0  # pods of a large task become ready one by one

Told = tuple[object, ...]


def status_within(committed: JobFlowStatus, desired: JobFlowStatus) -> float:
    """Seconds that the write of `desired` may wait."""
    if _of_flow(committed) != _of_flow(desired):
        return AT_ONCE
    before, after = _of_steps(committed), _of_steps(desired)
    if _children(committed) != _children(desired):
        return AT_ONCE
    return STEP_SECONDS if before != after else COUNT_SECONDS


def _of_flow(status: JobFlowStatus) -> Told:
    state = status.state
    return (
        state.phase,
        state.reason,
        "" if state.reason == Reason.PROBE else state.message,
        status.outcome,
        status.observedGeneration,
        status.specHash,
        status.startTime,
        status.completionTime,
    )


def _children(status: JobFlowStatus) -> list[Told]:
    return [
        (entry.name, entry.jobUID, entry.phase is StepPhase.FAILED, _pressing(entry.reason), entry.outputs)
        for entry in status.flowStatuses
    ]


def _pressing(reason: str) -> str:
    """That a Job is being read is over in a moment, or else it is the flow's state as well."""
    return "" if reason in READING else reason


def _of_steps(status: JobFlowStatus) -> list[Told]:
    return [(entry.phase, entry.reason, entry.message) for entry in status.flowStatuses]
