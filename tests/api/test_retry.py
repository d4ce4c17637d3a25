"""What a `retry` means, and how long an attempt waits."""

from __future__ import annotations

import pytest

from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.retry import Backoff, Retry, RetryPolicy, RetrySpec, retry_of
from jobflow.api.validate import flow_problems

DELAYS = [
    # said, backoff, waits of the first attempts in seconds
    ("nothing is said", {}, [0, 0, 0]),
    ("always the same", {"duration": "30s"}, [30, 30, 30]),
    ("twice as long each time", {"duration": "30s", "factor": 2}, [30, 60, 120, 240]),
    ("up to a longest", {"duration": "30s", "factor": 2, "maxDuration": "100s"}, [30, 60, 100, 100]),
    ("up to an hour where nothing is said", {"duration": "20m", "factor": 2}, [1200, 2400, 3600, 3600]),
    ("longer than an hour where that is the first", {"duration": "2h", "factor": 2}, [7200, 7200]),
    ("fractions of a second", {"duration": "500ms", "factor": 3}, [0.5, 1.5, 4.5]),
]


@pytest.mark.parametrize(("said", "backoff", "expect"), DELAYS, ids=[row[0] for row in DELAYS])
def test_waits(said, backoff, expect):
    retry = retry_of(RetrySpec(limit=9, backoff=Backoff.model_validate(backoff)))
    assert retry is not None
    assert [retry.delay("uid", "a", attempt) for attempt in range(1, len(expect) + 1)] == expect


def test_jitter_makes_waits_longer_by_at_most_that_fraction_and_differs_between_steps_flows_and_attempts():
    retry = Retry(9, first=100.0, jitter=0.5)
    waits = {retry.delay(uid, step, n) for uid in ("u", "v") for step in ("a", "b") for n in range(1, 6)}
    assert len(waits) == 20
    assert 100.0 <= min(waits) < 115.0
    assert 135.0 < max(waits) < 150.0


def test_jitter_is_the_same_each_time_it_is_asked():
    first, second = (Retry(9, first=100.0, jitter=0.5).delay("u", "a", 1) for _ in range(2))
    assert first == second


def test_the_largest_numbers_that_are_allowed_give_a_wait():
    retry = retry_of(RetrySpec(limit=100, backoff=Backoff(duration="8760h", factor=100, jitter="1")))
    assert retry is not None
    assert retry.delay("u", "a", 100) <= 2 * 365 * 86400


def test_an_attempt_that_somebody_made_up_has_a_delay_too():
    retry = Retry(9, first=1.0, factor=100)
    assert retry.delay("u", "a", 10_000) == retry.longest


@pytest.mark.parametrize(
    ("said", "spec"),
    [
        ("ours", RetrySpec(limit=3, backoff=Backoff(duration="5s"))),
        ("Work-Flow's", RetrySpec.model_validate({"maxRetries": 3, "interval": "5s"})),
        ("both, which agree", RetrySpec(limit=3, max_retries=3, interval="5000ms", backoff=Backoff(duration="5s"))),
    ],
)
def test_spellings(said, spec):
    assert retry_of(spec) == Retry(3, RetryPolicy.ON_FAILURE, first=5.0)


@pytest.mark.parametrize("spec", [None, RetrySpec(limit=0), RetrySpec.model_validate({"maxRetries": 0})])
def test_without_another_attempt_there_is_no_retry(spec):
    assert retry_of(spec) is None


WRONG = [
    # said, spec, the problem
    ("no limit", {"retry": {}}, "spec.flows[0].retry.limit: it is required"),
    (
        "limits that disagree",
        {"retry": {"limit": 1, "maxRetries": 2}},
        "spec.flows[0].retry.maxRetries: it says 2 and limit says 1",
    ),
    (
        "waits that disagree",
        {"retry": {"limit": 1, "interval": "5s", "backoff": {"duration": "6s"}}},
        "spec.flows[0].retry.interval: it says 5s and backoff.duration says 6s",
    ),
    (
        "two retries that disagree",
        {"retry": {"limit": 1}, "retryPolicy": {"limit": 2}},
        "spec.flows[0].retryPolicy: it says otherwise than retry",
    ),
    (
        "a wait that is none",
        {"retryPolicy": {"limit": 1, "backoff": {"duration": "soon"}}},
        'spec.flows[0].retryPolicy.backoff.duration: invalid duration "soon"',
    ),
    (
        "a wait before its time",
        {"retry": {"limit": 1, "interval": "-5s"}},
        "spec.flows[0].retry.interval: -5s is out of range",
    ),
    (
        "a longest wait that is shorter than the first",
        {"retry": {"limit": 1, "interval": "5m", "backoff": {"maxDuration": "1m"}}},
        "spec.flows[0].retry.backoff.maxDuration: 1m is less than the first wait, 5m",
    ),
    (
        "jitter that is no fraction",
        {"retry": {"limit": 1, "backoff": {"jitter": "10%"}}},
        'spec.flows[0].retry.backoff.jitter: "10%" is no fraction',
    ),
    (
        "a condition that is none",
        {"retry": {"limit": 1, "when": [{"cel": "steps['a'].exitCode =="}]}},
        "spec.flows[0].retry.when[0].cel: at character",
    ),
    (
        "a condition on another step",
        {"retry": {"limit": 1, "when": [{"cel": "steps['b'].exitCode == 1"}]}},
        "spec.flows[0].retry.when[0].cel: it sees the attempt that failed, as steps['a'], and no other step; not b",
    ),
    (
        "a condition on a parameter that is not there",
        {"retry": {"limit": 1, "when": [{"cel": "params.agian"}]}},
        'spec.flows[0].retry.when[0].cel: params.agian: the flow has no parameter agian; did you mean "again"?',
    ),
    (
        "a condition on the context",
        {"retry": {"limit": 1, "when": [{"cel": "context.phase == 'Failed'"}]}},
        "spec.flows[0].retry.when[0].cel: context.phase is not available here",
    ),
]


def problems(step, **flow):
    spec = {"flows": [{"name": "a", **step}, {"name": "b"}], "parameters": [{"name": "again", "value": True}], **flow}
    return [str(problem) for problem in flow_problems(JobFlowSpec.model_validate(spec))]


@pytest.mark.parametrize(("said", "step", "expect"), WRONG, ids=[row[0] for row in WRONG])
def test_what_is_wrong_is_told_once_with_its_field(said, step, expect):
    (found,) = problems(step)
    assert found.startswith(expect)


@pytest.mark.parametrize(
    "step",
    [
        {"retry": {"limit": 3, "when": [{"cel": "steps['a'].exitCode == 75 && params.again"}]}},
        {"retry": {"limit": 3}, "retryPolicy": {"limit": 3}},
        {"retryPolicy": {"maxRetries": 3, "interval": "5s"}},
        {"retry": {"limit": 1, "backoff": {"jitter": "0.25"}}},
        {"retry": {"limit": 0}},
    ],
)
def test_what_is_right_is_no_problem(step):
    assert problems(step) == []


def test_a_flows_default_is_looked_at_too_and_names_no_step():
    (found,) = problems({}, retry={"limit": 1, "when": [{"cel": "steps['a'].exitCode == 1"}]})
    assert found.startswith("spec.retry.when[0].cel: a default for all steps cannot name one, and this names a")


@pytest.mark.parametrize(
    ("name", "limit", "clash"), [("a-r1", 1, True), ("a-r3", 2, False), ("a-r0", 2, False), ("a-r01", 2, False)]
)
def test_a_step_that_is_called_as_a_retry_of_another_is_a_problem(name, limit, clash):
    spec = JobFlowSpec.model_validate({"flows": [{"name": "a"}, {"name": name}], "retry": {"limit": limit}})
    found = [str(problem) for problem in flow_problems(spec)]
    said = f'spec.flows[1].name: "{name}" is also what retry 1 of step "a" is called; rename one of the two'
    assert found == ([said] if clash else [])
