"""Folding: never more rows than the height, nothing lost, failures last to fold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobflow.api.status import StepPhase
from jobflow.cli.folding import rows
from jobflow.cli.pictures import StepPicture

STEPS = st.lists(st.tuples(st.sampled_from(StepPhase), st.integers(0, 12)), min_size=1, max_size=120).map(
    lambda facts: [StepPicture(f"s{n}", phase, level=level) for n, (phase, level) in enumerate(facts)]
)


@given(STEPS, st.integers(1, 40))
def test_the_rows_fit_and_each_has_one_phase(steps, height):
    found = rows(steps, height)

    assert 1 <= len(found) <= height
    assert all(step.phase is row.phase for row in found for step in row.steps)


@given(STEPS, st.integers(len(StepPhase), 40))
def test_with_a_row_for_each_phase_no_step_is_lost_or_shown_twice(steps, height):
    shown = [step.name for row in rows(steps, height) for step in row.steps]

    assert sorted(shown) == sorted(step.name for step in steps)


@given(STEPS)
def test_without_a_height_each_step_has_its_row_in_order_of_levels(steps):
    found = rows(steps)

    assert [row.level for row in found] == sorted(step.level for step in steps)
    assert all(len(row.steps) == 1 for row in found)


@given(STEPS)
def test_in_the_least_height_a_failure_is_what_is_shown(steps):
    (row,) = rows(steps, 1)

    if any(step.phase is StepPhase.FAILED for step in steps) and len(steps) > 1:
        assert row.phase is StepPhase.FAILED


def test_a_long_chain_folds_what_is_done_and_what_waits_and_keeps_what_runs():
    phases = [StepPhase.SUCCEEDED] * 50 + [StepPhase.RUNNING] + [StepPhase.WAITING] * 50
    chain = [StepPicture(f"s{n}", phase, level=n) for n, phase in enumerate(phases)]

    assert [(len(row.steps), row.phase) for row in rows(chain, 10)] == [
        (50, StepPhase.SUCCEEDED),
        (1, StepPhase.RUNNING),
        (50, StepPhase.WAITING),
    ]
