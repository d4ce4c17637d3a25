"""`retry` as users write it, of a step or as the default of a flow, and what it means.

In: parsed YAML or JSON, in our spelling or in Work-Flow's (`maxRetries`, `interval`). Out: pydantic models, from which
the CRD is made; `retry_of`, a Retry the engine decides by; and `Retry.delay`, how long an attempt has to wait. The
delay has no chance in it: a controller that starts anew, and the command line, come to the same time. What is wrong
with a `retry` says `validate_retry.py`; whether a failed attempt is followed by another, `jobflow/reconcile/retry.py`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from jobflow.api.durations import parse_duration

if TYPE_CHECKING:
    from jobflow.api.expressions import Expression

MAX_LIMIT = 100  # each attempt is a Job of its own; who needs more has a service, not a step
MAX_FACTOR = 100
MAX_CONDITIONS = 8
MAX_CEL_CHARACTERS = 2048
MAX_TEXT_CHARACTERS = 32
DEFAULT_MAX_SECONDS = 3600.0  # a factor of 2 is at a day after 17 attempts; nobody means that
JITTER_STEPS = 2**32


class RetryPolicy(StrEnum):
    """Which failures are worth another attempt."""

    ON_FAILURE = "OnFailure"
    ON_EVICTION = "OnEviction"
    ALWAYS = "Always"


class RetryModel(BaseModel):
    """Base of the retry models."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class RetryCondition(RetryModel):
    """What has to hold of the attempt that failed."""

    cel: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_CEL_CHARACTERS,
            description="A CEL expression over steps['<this step>'].exitCode, .attempt and .reason of the attempt that "
            "failed, and params. exitCode is -1 where no container is known to have ended with an error.",
        ),
    ]


class Backoff(RetryModel):
    """How long the next attempt waits after the end of the last."""

    duration: Annotated[
        str | None,
        Field(
            max_length=MAX_TEXT_CHARACTERS,
            description="Before the first retry, as a Go duration such as 30s. Default 0s.",
        ),
    ] = None
    factor: Annotated[
        int | None,
        Field(
            ge=1,
            le=MAX_FACTOR,
            description="Each retry after that waits so many times as long. Default 1.",
            json_schema_extra={"format": "int32"},
        ),
    ] = None
    max_duration: Annotated[
        str | None,
        Field(
            alias="maxDuration",
            max_length=MAX_TEXT_CHARACTERS,
            description="No retry waits longer. Default 1h, or duration where that is longer.",
        ),
    ] = None
    jitter: Annotated[
        str | None,
        Field(
            max_length=MAX_TEXT_CHARACTERS,
            description='By how much a wait may be longer, as a fraction of it from "0" to "1", so that steps that '
            "failed together are not tried again together. Default 0.",
        ),
    ] = None


class RetrySpec(RetryModel):
    """Whether a failed attempt is followed by another, and when."""

    limit: Annotated[
        int | None,
        Field(
            ge=0,
            le=MAX_LIMIT,
            description="How many more attempts there may be after the first. 0 switches retries off.",
            json_schema_extra={"format": "int32"},
        ),
    ] = None
    max_retries: Annotated[
        int | None,
        Field(
            alias="maxRetries",
            ge=0,
            le=MAX_LIMIT,
            description="The same as limit, in Work-Flow's spelling.",
            json_schema_extra={"format": "int32"},
        ),
    ] = None
    policy: Annotated[
        RetryPolicy | None,
        Field(
            description="OnFailure: after a Job that failed, was terminated or aborted, or passed a deadline of the "
            "step. OnEviction: only where its pods were evicted, or somebody else ended it. Always: also where an "
            "output is too large. Default OnFailure."
        ),
    ] = None
    when: Annotated[
        list[RetryCondition] | None,
        Field(max_length=MAX_CONDITIONS, description="Conditions that all have to hold for another attempt."),
    ] = None
    backoff: Annotated[Backoff | None, Field(description="How long the next attempt waits. Default: not at all.")] = (
        None
    )
    interval: Annotated[
        str | None,
        Field(
            max_length=MAX_TEXT_CHARACTERS,
            description="The same as backoff.duration, in Work-Flow's spelling.",
        ),
    ] = None

    @property
    def meant_limit(self) -> int:
        """The limit in whichever spelling; 0 where there is neither."""
        return self.limit if self.limit is not None else self.max_retries or 0

    @property
    def meant_duration(self) -> str:
        """The first wait in whichever spelling."""
        written = self.backoff.duration if self.backoff else None
        return written if written is not None else self.interval if self.interval is not None else "0s"


@dataclass(frozen=True, slots=True)
class When:
    """One condition, compiled. `path` is its field, relative to the step or to the spec: `retry.when[0]`."""

    path: str
    text: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Retry:
    """What a `retry` means. Seconds; `limit` is at least 1, else there is no Retry."""

    limit: int
    policy: RetryPolicy = RetryPolicy.ON_FAILURE
    when: tuple[When, ...] = ()
    first: float = 0.0
    factor: int = 1
    longest: float = DEFAULT_MAX_SECONDS
    jitter: float = 0.0

    @property
    def attempts(self) -> int:
        """How many attempts there may be, with the first."""
        return self.limit + 1

    def delay(self, flow_uid: str, step: str, attempt: int) -> float:
        """Seconds from the end of the attempt before to the start of `attempt`, which counts from 0."""
        retries = min(attempt - 1, MAX_LIMIT)  # a status or an annotation may say anything
        wait = min(self.first * float(self.factor) ** retries, self.longest)
        return wait * (1.0 + self.jitter * _share(f"{flow_uid}/{step}/{attempt}")) if self.jitter else wait


def retry_of(spec: RetrySpec | None, path: str = "retry") -> Retry | None:
    """The spec as the engine sees it; None where there is no other attempt. The spec has no problems."""
    if spec is None or not spec.meant_limit:
        return None
    backoff = spec.backoff or Backoff()
    first = parse_duration(spec.meant_duration)
    longest = parse_duration(backoff.max_duration) if backoff.max_duration is not None else None
    return Retry(
        limit=spec.meant_limit,
        policy=spec.policy or RetryPolicy.ON_FAILURE,
        when=_compiled(spec.when or (), path),
        first=first,
        factor=backoff.factor or 1,
        longest=longest if longest is not None else max(DEFAULT_MAX_SECONDS, first),
        jitter=float(backoff.jitter or 0),
    )


def _compiled(conditions: list[RetryCondition] | tuple[()], path: str) -> tuple[When, ...]:
    if not conditions:
        return ()
    from jobflow.api.expressions import compile_expression  # CEL is loaded where a flow has an expression

    return tuple(
        When(f"{path}.when[{index}]", condition.cel, compile_expression(condition.cel))
        for index, condition in enumerate(conditions)
    )


def _share(text: str) -> float:
    """A number from 0 to 1 (without 1) that depends on the text only, evenly spread over texts."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) / JITTER_STEPS
