"""Bugs of Tekton Pipelines, which must not happen here."""

from __future__ import annotations

import pytest

from jobflow.testing.builders import flow
from jobflow.testing.scenarios import STANDARD, scenario


@pytest.mark.parametrize("name", sorted(STANDARD))
def test_8495_a_flow_at_rest_is_not_reconciled_again_and_again(exhibit, name):
    """A reconciler that woke itself: thousands of passes for one run. Each change here is worth two at most."""
    history = exhibit(STANDARD[name]).undisturbed
    assert history.reconciles <= 2 * len(history.commits)


def test_4102_between_two_steps_there_is_no_gap_under_load(exhibit):
    """With many runs at once seconds to minutes passed between the end of one step and the start of the next."""
    many = [flow(f"many-{number}").step("a").step("b", after="a") for number in range(40)]
    history = exhibit(scenario("many", many)).undisturbed
    ended = {c.name: c.at for c in reversed(history.of("Job")) if _phase(c.after) == "Completed"}
    begun = {c.name: c.at for c in history.of("Job") if c.before is None}
    gaps = [begun[f"many-{number}-b"] - ended[f"many-{number}-a"] for number in range(40)]
    assert max(gaps) < 1.0


def _phase(job):
    return ((job or {}).get("status") or {}).get("state", {}).get("phase")
