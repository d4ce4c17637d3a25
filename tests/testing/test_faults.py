"""The text form of faults: what is typed is what happens, and what cannot be meant is refused with what can."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.testing.faults import FAULTS, Fault, Plan, parse_fault, parse_plan, usage
from jobflow.testing.words import ENDS, STATUSES, WATCHED_KINDS, Span, word

COUNTS = st.integers(1, 10**6)
SECONDS = st.floats(0, 1e9, allow_nan=False)
BY_USAGE: dict[str, st.SearchStrategy[Any]] = {
    "N": COUNTS,
    "STATUS": st.sampled_from(STATUSES),
    "SECONDS": SECONDS,
    "+SECONDS": SECONDS | SECONDS.map(lambda value: -value),
    "[retry-after=SECONDS]": st.none() | SECONDS,
    "FIRST-LAST": st.tuples(COUNTS, COUNTS).map(lambda ends: Span(min(ends), max(ends))),
    "NAME": st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?", fullmatch=True),
    "KIND": st.sampled_from(WATCHED_KINDS),
    "eof|truncated|silence|gone": st.sampled_from(ENDS),
}


def faults_of(kind: type[Fault]) -> st.SearchStrategy[Fault]:
    return st.builds(kind, **{name: BY_USAGE[codec.usage] for name, codec in word.fields(kind)})


FAULT = st.one_of(*(faults_of(kind) for kind in FAULTS.values()))


@given(st.lists(FAULT, max_size=5).map(Plan))
def test_a_plan_is_read_as_it_was_told(plan: Plan) -> None:
    assert parse_plan(str(plan)) == plan


@pytest.mark.parametrize("kind", FAULTS.values(), ids=lambda kind: kind.NAME)
def test_each_fault_says_what_it_does_and_how_it_is_written(kind: type[Fault]) -> None:
    assert kind.__doc__
    assert usage(kind).startswith(kind.NAME)


def test_a_plan_may_be_written_with_commas_and_may_be_empty() -> None:
    assert parse_plan("crash-after:7, cut:Job:4:eof") == parse_plan("crash-after:7 cut:Job:4:eof")
    assert parse_plan("") == Plan()
    assert str(Plan()) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("crash-befor:7", "no fault is called 'crash-befor'.*known are answer, .*crash-before"),
        ("crash-before", "0 words after the name, where 1 are needed; it reads crash-before:N"),
        ("crash-before:0", "'0' is not a number from 1 on"),
        ("crash-before:seven", "'seven' is not a number from 1 on"),
        ("crash-before:7:8", "2 words after the name"),
        ("answer:7:200", "'200' is not one of 400, .*409.*it reads answer:N:STATUS"),
        ("answer:7:429:soon", r"'soon' is not retry-after=\.\.\."),
        ("cut:Pod:4:eof", "'Pod' is not one of Job, JobFlow, JobTemplate"),
        ("cut:Job:4:bang", "'bang' is not one of eof, truncated, silence, gone"),
        ("drop:Job:5-3", "'5-3' ends before it begins"),
        ("drop:Job:5", "'5' is not a span such as 3-5"),
        ("delay:Job:4:-1", "'-1' is not a number of seconds"),
        ("delay:Job:4:nan", "'nan' is not a number of seconds"),
        ("clock:5:3600", r"'3600' is not a jump such as \+3600"),
        ("forbid:Team_A", "'Team_A' is not the name of an object"),
    ],
)
def test_text_that_cannot_be_meant_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_fault(text)
