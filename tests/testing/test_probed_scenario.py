"""A step that starts beside its running target, in the simulated world: when it may, and who notices where it does not.

A sweep of all its plans is the lab's work; a few of each family are here.
"""

from __future__ import annotations

import dataclasses

import pytest

from jobflow.testing.enumeration import plans
from jobflow.testing.faults import (
    AnswerRead,
    CrashAfter,
    CrashBefore,
    Cut,
    Delay,
    Drop,
    Plan,
    Stale,
    StrangerDeletes,
    TemplateAbsent,
)
from jobflow.testing.history import History, phase_of
from jobflow.testing.oracles import judge
from jobflow.testing.scenarios import STANDARD
from jobflow.testing.words import Span
from jobflow.testing.world import play

PROBED = STANDARD["probed"]
MOST_PLANS = 1500  # a sweep of all scenarios has its time
FAULTS = (
    *(crash(write) for crash in (CrashBefore, CrashAfter) for write in (4, 5, 6, 7)),
    *(Delay("Job", event, 600.0) for event in (2, 3)),
    *(Drop("Job", Span(event, event + 1)) for event in (2, 3)),
    Cut("Job", 3, "truncated"),
    Stale("Job", 3),
    AnswerRead(3, 410),
    StrangerDeletes("probed-server", 8),
    TemplateAbsent("client"),
)


@pytest.fixture(scope="module")
def undisturbed() -> History:
    return play(PROBED)


def test_the_step_starts_when_the_pods_of_its_target_run_and_not_before(undisturbed) -> None:
    assert judge(undisturbed, undisturbed) == []
    server, client = (
        [commit for commit in undisturbed.of("Job") if commit.name == name and commit.after]
        for name in ("probed-server", "probed-client")
    )
    running = next(commit for commit in server if phase_of(commit.after) == "Running")
    ended = next(commit for commit in server if phase_of(commit.after) == "Completed")
    assert running.number < client[0].number < ended.number


def test_its_plans_are_few_enough_for_a_sweep(undisturbed) -> None:
    assert len(plans(undisturbed)) <= MOST_PLANS


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_no_fault_starts_it_early_or_twice(fault, undisturbed) -> None:
    history = play(PROBED, Plan((fault,)))
    assert history.injected == (str(fault),)
    assert judge(history, undisturbed) == []


def test_a_step_that_starts_before_its_target_runs_is_noticed(undisturbed) -> None:
    """The same history, told as if the pods had never been seen to run."""

    def unseen(body):
        counts = ((body or {}).get("status") or {}).get("taskStatusCount")
        return body and {**body, "status": body["status"] | {"taskStatusCount": {}}} if counts else body

    told = [
        dataclasses.replace(commit, before=unseen(commit.before), after=unseen(commit.after))
        if commit.kind == "Job"
        else commit
        for commit in undisturbed.commits
    ]
    found = {violation.oracle for violation in judge(dataclasses.replace(undisturbed, commits=told), undisturbed)}
    assert "gate was open" in found
