"""May a step start now, given where its targets stand?"""

from __future__ import annotations

import pytest

from jobflow.api.probes import WaitFor
from jobflow.api.status import Reason, StepPhase
from jobflow.reconcile.gate import Closed, Never, Open, gate
from jobflow.reconcile.graph import Step
from jobflow.reconcile.observe import Standing
from jobflow.testing.builders import child

WAITING, PENDING, RUNNING = StepPhase.WAITING, StepPhase.PENDING, StepPhase.RUNNING
SUCCEEDED, FAILED, UNREACHABLE = StepPhase.SUCCEEDED, StepPhase.FAILED, StepPhase.UNREACHABLE


def WAIT(message):  # noqa: N802 - a row of the table reads as a sentence
    return Closed(Reason.DEPENDENCY, message)


def NEVER(message):  # noqa: N802
    return Never(Reason.DEPENDENCY_FAILED, message)


@pytest.mark.parametrize(
    ("said", "targets", "expect"),
    [
        ("no targets", {}, Open()),
        ("the only one succeeded", {"a": SUCCEEDED}, Open()),
        ("both succeeded", {"a": SUCCEEDED, "b": SUCCEEDED}, Open()),
        ("one has not started", {"a": WAITING}, WAIT("waits for a (Waiting)")),
        ("one is pending", {"a": PENDING}, WAIT("waits for a (Pending)")),
        ("one of two runs", {"a": SUCCEEDED, "b": RUNNING}, WAIT("waits for b (Running)")),
        ("the only one failed", {"a": FAILED}, NEVER("cannot start: a (Failed)")),
        ("one failed, one runs", {"a": RUNNING, "b": FAILED}, NEVER("cannot start: b (Failed)")),
        ("one can never start", {"a": SUCCEEDED, "b": UNREACHABLE}, NEVER("cannot start: b (Unreachable)")),
        (
            "as many as fit a line",
            dict.fromkeys("abc", RUNNING),
            WAIT("waits for a (Running), b (Running), c (Running)"),
        ),
        (
            "one more than fits",
            dict.fromkeys("abcd", RUNNING),
            WAIT("waits for a (Running), b (Running), c (Running) and 1 more"),
        ),
        (
            "many are waited for",
            dict.fromkeys("abcde", RUNNING),
            WAIT("waits for a (Running), b (Running), c (Running) and 2 more"),
        ),
    ],
)
def test_gate(said, targets, expect):
    standings = {name: Standing(Step(name, name), phase) for name, phase in targets.items()}
    assert gate(Step("s", "s", tuple(targets)), standings) == expect


@pytest.mark.parametrize("wait_for", WaitFor)
@pytest.mark.parametrize(
    ("said", "job", "expect"),
    [
        ("a Job that runs", child("a", of="f").running(), {WaitFor.RUNNING: Open()}),
        ("a Job that completed, while it is read", child("a", of="f").completed(), {WaitFor.RUNNING: Open()}),
        (
            "a Job that failed, while it is read",
            child("a", of="f").failed(),
            dict.fromkeys(WaitFor, WAIT("waits for a (its Job has failed)")),
        ),
    ],
)
def test_a_target_that_stands_at_running_for_what_its_job_is(said, job, expect, wait_for):
    target = Standing(Step("a", "a"), RUNNING, child=job.view())
    step = Step("s", "s", ("a",), wait_for=wait_for)
    assert gate(step, {"a": target}) == expect.get(wait_for, WAIT("waits for a (Running)"))
