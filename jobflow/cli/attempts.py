"""Attempts: which try of a step is shown, of how many, and when the next one begins.

In: a flow and a step's entry of its status. Out: a Tried, and the phrase for it: `attempt 2 of 4 in 8 s`. When an
attempt is due is not in the status: it follows from the spec and the end of the last attempt, here as in the
controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from math import ceil

from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.objects import FlowView
from jobflow.api.retry import Retry, RetrySpec, retry_of
from jobflow.api.status import FlowStatus, Reason, StepPhase

SPECS_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt that is not the first. `number` counts from 1; `of` is 0 where nobody knows any more."""

    number: int
    of: int = 0
    due: datetime | None = None  # between two attempts: when it begins
    before: str = ""  # between two attempts: what became of the last


def tried(flow: FlowView, entry: FlowStatus) -> Tried | None:
    """Which attempt the step stands at; None for the first, and for one that failed, whose message tells."""
    if not entry.attempt or entry.phase is StepPhase.FAILED:
        return None
    retry = _retries(flow.spec).get(entry.name)
    number, of = entry.attempt + 1, retry.attempts if retry else 0
    if entry.reason != Reason.RETRY_BACKOFF or not entry.attempts:
        return Tried(number, of)
    last = entry.attempts[-1]
    code = f", exit code {last.exitCode}" if last.exitCode is not None else ""
    delay = retry.delay(flow.uid, entry.name, entry.attempt) if retry else 0.0
    due = last.completionTime + timedelta(seconds=delay) if last.completionTime else None
    return Tried(number, of, due, f"{last.message or last.reason}{code}")


def phrase(attempt: Tried, now: datetime) -> str:
    """`attempt 2 of 4`; between two attempts with when it begins and what became of the last."""
    told = f"attempt {attempt.number}" + (f" of {attempt.of}" if attempt.of else "")
    left = ceil((attempt.due - now).total_seconds()) if attempt.due is not None else 0
    if left > 0:
        told += f" in {left} s" if left < 120 else f" in {left // 60} min"
    return f"{told}; {attempt.before}" if attempt.before else told


@lru_cache(maxsize=SPECS_KEPT)
def _retries(spec: bytes) -> Mapping[str, Retry]:
    """Of the steps that are tried again; of a spec that cannot be read none, which the flow's status then says."""
    if b'"retry' not in spec:
        return {}
    try:
        parsed = JobFlowSpec.model_validate_json(spec)
        found = ((step.name, _plain(step.meant_retry or parsed.retry)) for _, step in parsed.every_step)
        return {name: retry for name, retry in found if retry is not None}
    except ValueError:
        return {}


def _plain(spec: RetrySpec | None) -> Retry | None:
    """Without its conditions, which nobody evaluates here."""
    return retry_of(spec.model_copy(update={"when": None})) if spec is not None else None
