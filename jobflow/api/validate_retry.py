"""Rules of `retry` that a schema cannot say: spellings that disagree, durations, conditions, names of attempts.

In: a parsed spec. Out: Problems with field paths, of the flow's default first, then of the steps.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator

from jobflow.api.durations import parse_duration
from jobflow.api.jobflow import FlowStep, JobFlowSpec
from jobflow.api.problems import Problem, suggestion_or_list
from jobflow.api.retry import RetryCondition, RetrySpec

MAX_SECONDS = 365 * 86400.0  # later than any flow's end, and still a date
_FRACTION = re.compile(r"0(\.[0-9]+)?|1(\.0+)?|\.[0-9]+")


def retry_problems(spec: JobFlowSpec) -> list[Problem]:
    """What is wrong with the retries of a flow."""
    steps = spec.every_step
    written = [(path, step) for path, step in steps if step.retry or step.retry_policy]
    if spec.retry is None and not written:
        return []
    params = {parameter.name for parameter in spec.parameters or ()}
    problems = list(_of(spec.retry, "spec.retry", None, params)) if spec.retry else []
    for path, step in written:
        if step.retry and step.retry_policy and step.retry != step.retry_policy:
            said = "it says otherwise than retry, which means the same; take one of them away"
            problems.append(Problem(f"{path}.retryPolicy", said))
        for field, one in (("retry", step.retry), ("retryPolicy", step.retry_policy)):
            if one is not None and (field == "retry" or one != step.retry):
                problems += _of(one, f"{path}.{field}", step.name, params)
    return problems + list(_name_clashes(spec, steps))


def _of(retry: RetrySpec, path: str, step: str | None, params: set[str]) -> Iterator[Problem]:
    yield from _limit(retry, path)
    yield from _backoff(retry, path)
    for index, condition in enumerate(retry.when or ()):
        yield from _condition(condition, f"{path}.when[{index}].cel", step, params)


def _limit(retry: RetrySpec, path: str) -> Iterator[Problem]:
    if retry.limit is None and retry.max_retries is None:
        yield Problem(f"{path}.limit", "it is required: say how many more attempts there may be after the first")
    elif None not in (retry.limit, retry.max_retries) and retry.limit != retry.max_retries:
        said = (
            f"it says {retry.max_retries} and limit says {retry.limit}, and both mean the same; take one of them away"
        )
        yield Problem(f"{path}.maxRetries", said)


def _backoff(retry: RetrySpec, path: str) -> Iterator[Problem]:
    backoff = retry.backoff
    first = longest = interval = None
    if backoff is not None:
        first = yield from _duration(backoff.duration, f"{path}.backoff.duration")
        longest = yield from _duration(backoff.max_duration, f"{path}.backoff.maxDuration")
        if backoff.jitter is not None and not _FRACTION.fullmatch(backoff.jitter):
            said = f'"{backoff.jitter}" is no fraction from "0" to "1"; write it like "0.1"'
            yield Problem(f"{path}.backoff.jitter", said)
    interval = yield from _duration(retry.interval, f"{path}.interval")
    if first is not None and interval is not None and first != interval:
        said = f"it says {retry.interval} and backoff.duration says {backoff and backoff.duration}"
        yield Problem(f"{path}.interval", f"{said}, and both mean the same; take one of them away")
    begin = first if first is not None else interval
    if begin is not None and longest is not None and longest < begin:
        said = f"{backoff and backoff.max_duration} is less than the first wait, {retry.meant_duration}; make it longer"
        yield Problem(f"{path}.backoff.maxDuration", said)


def _duration(text: str | None, path: str) -> Generator[Problem, None, float | None]:
    """Seconds; None where there is none that could be used."""
    if text is None:
        return None
    try:
        seconds = parse_duration(text)
    except ValueError as problem:
        yield Problem(path, str(problem))
        return None
    if not 0 <= seconds <= MAX_SECONDS:
        yield Problem(path, f"{text} is out of range: a wait is at least 0s and at most a year, 8760h")
        return None
    return seconds


def _condition(condition: RetryCondition, path: str, step: str | None, params: set[str]) -> Iterator[Problem]:
    """`step` is the one it is of; None for the flow's default."""
    from jobflow.api.expressions import ExpressionProblem, compile_expression  # only where there is one

    try:
        expression = compile_expression(condition.cel)
    except ExpressionProblem as problem:
        yield Problem(path, str(problem))
        return
    for name in sorted(expression.steps):
        if step is None:
            said = f"a default for all steps cannot name one, and this names {name}; write retry in the step"
            yield Problem(path, said)
        elif name != step:
            yield Problem(path, f"it sees the attempt that failed, as steps['{step}'], and no other step; not {name}")
    for name in sorted(expression.params - params):
        hint = suggestion_or_list(name, sorted(params), "its parameters are")
        yield Problem(path, f"params.{name}: the flow has no parameter {name}{hint}")
    for name in sorted(expression.context):
        yield Problem(path, f"context.{name} is not available here; use steps and params")


def _name_clashes(spec: JobFlowSpec, steps: Iterable[tuple[str, FlowStep]]) -> Iterator[Problem]:
    """`<flow>-<step>-r<n>` may be the Job of the nth retry of one step, or the first of another that is called so."""
    limits = {step.name: retry.meant_limit for _, step in steps if (retry := step.meant_retry or spec.retry)}
    for path, step in steps:
        stem, _, number = step.name.rpartition("-r")
        if stem in limits and re.fullmatch("[1-9][0-9]{0,2}", number) and int(number) <= limits[stem]:
            said = f'"{step.name}" is also what retry {number} of step "{stem}" is called; rename one of the two'
            yield Problem(f"{path}.name", said)
