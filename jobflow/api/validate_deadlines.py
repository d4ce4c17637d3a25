"""Rules of deadlines: numbers of seconds that can be meant.

In: a parsed spec. Out: Problems. That a deadline can never be reached, because another one comes first, is no error:
`jobflow lint` warns of it (`cli/check_deadlines.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from jobflow.api.deadlines import MAX_SECONDS
from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.problems import Problem

ACTIVE = "activeDeadlineSeconds"
PENDING = "pendingDeadlineSeconds"
TTL = "ttlSecondsAfterFinished"

OF_ZERO = {
    ACTIVE: "0 s would end it before it has done anything; take the field away where there is no limit",
    PENDING: "0 s would end it before Volcano has looked at it; take the field away where there is no limit",
}


def deadline_problems(spec: JobFlowSpec) -> Iterator[Problem]:
    """What is wrong with the deadlines of a flow and of its steps, in the order of the spec."""
    for path, step in spec.every_step:
        yield from _deadline(step.active_deadline, f"{path}.{ACTIVE}", ACTIVE)
        yield from _deadline(step.pending_deadline, f"{path}.{PENDING}", PENDING)
    yield from _deadline(spec.active_deadline, f"spec.{ACTIVE}", ACTIVE)
    yield from _ttl(spec.ttl, f"spec.{TTL}")


def _deadline(seconds: int | None, path: str, field: str) -> Iterator[Problem]:
    if seconds is None:
        return
    if seconds == 0:
        yield Problem.plain(path, OF_ZERO[field])
    elif seconds < 0:
        yield Problem(path, f"{seconds} s are less than nothing; give a whole number of seconds from 1")
    else:
        yield from _too_long(seconds, path)


def _ttl(seconds: int | None, path: str) -> Iterator[Problem]:
    if seconds is None:
        return
    if seconds < 0:
        said = f"{seconds} s are less than nothing; 0 deletes the JobFlow as soon as it has ended"
        yield Problem(path, said)
    else:
        yield from _too_long(seconds, path)


def _too_long(seconds: int, path: str) -> Iterator[Problem]:
    if seconds > MAX_SECONDS:
        said = f"{seconds} s are more than {MAX_SECONDS} (68 years); take the field away where there is no limit"
        yield Problem(path, said)
