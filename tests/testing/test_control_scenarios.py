"""What a simulated world has for flows that branch, try again and run out of time, and who notices where they err."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from jobflow.api.status import Outcome
from jobflow.testing.builders import flow
from jobflow.testing.control_scenarios import BACKOFF_SECONDS, CONTROL, FLOW_SECONDS
from jobflow.testing.history import Body, Commit, History, phase_of
from jobflow.testing.oracles import judge
from jobflow.testing.scenario import Scenario, scenario
from jobflow.testing.volcano import ABORTS, COMPLETES, FAILS, NEVER_ENDS, Walk
from jobflow.testing.world import play

ACTIONS = {"TerminateJob": ["Terminating", "Terminated"], "AbortJob": ["Aborting", "Aborted"]}


def jobs(history: History) -> list[tuple[str, float]]:
    """The Jobs in the order of their creation, and when."""
    return [(commit.name, commit.at) for commit in history.of("Job") if commit.before is None]


def phases(history: History, job: str) -> list[str]:
    told = [phase_of(commit.after) for commit in history.of("Job") if commit.name == job and commit.after]
    return list(dict.fromkeys(phase for phase in told if phase))


def entry(history: History, name: str, step: str) -> Body:
    status = history.objects()["JobFlow", "default", name]["status"]
    return next(told for told in status["flowStatuses"] if told["name"] == step)


def told_otherwise(history: History, change: Any) -> set[str]:
    """The oracles that are not content with the history where each commit of the flow is changed."""
    commits = [change(commit) if commit.kind == "JobFlow" else commit for commit in history.commits]
    return {violation.oracle for violation in judge(dataclasses.replace(history, commits=commits))}


def with_status(commit: Commit, **fields: Any) -> Commit:
    """Also what was there before: the status has been so from the start."""

    def changed(body: Body | None) -> Body | None:
        return body and {**body, "status": (body.get("status") or {}) | fields}

    return dataclasses.replace(commit, before=changed(commit.before), after=changed(commit.after))


@pytest.mark.parametrize("one", CONTROL.values(), ids=lambda one: one.name)
def test_each_flow_ends_as_its_fields_say_and_keeps_every_promise(one: Scenario) -> None:
    history = play(one)
    assert [str(violation) for violation in judge(history, history)] == [], history.timeline()


def test_each_attempt_has_its_walk_and_the_last_one_is_for_all_others() -> None:
    again = flow("x").step("a").having(retry={"limit": 3})
    history = play(scenario("x", [again], walks={"a": (FAILS, ABORTS, COMPLETES)}))
    assert [name for name, _ in jobs(history)] == ["x-a", "x-a-r1", "x-a-r2"]
    assert [phases(history, name)[-1] for name, _ in jobs(history)] == ["Failed", "Aborted", "Completed"]
    failing = play(scenario("x", [again], walks={"a": (ABORTS, FAILS)}, expected={"x": Outcome.FAILED}))
    assert [phases(failing, name)[-1] for name, _ in jobs(failing)] == ["Aborted", "Failed", "Failed", "Failed"]


def test_the_back_off_grows_with_each_attempt() -> None:
    starts = [at for _, at in jobs(play(CONTROL["exhausted"]))]
    seconds = 6.0  # a Job that fails does so after so many
    assert [starts[1] - starts[0], starts[2] - starts[1]] == [seconds + BACKOFF_SECONDS, seconds + 2 * BACKOFF_SECONDS]


def test_a_command_takes_a_job_off_its_walk_and_is_gone_before_that() -> None:
    history = play(CONTROL["step-deadline"])
    assert phases(history, "step-deadline-a")[-2:] == ACTIONS["TerminateJob"]
    created, deleted = history.of("Command")
    assert (created.before, deleted.after, deleted.who) == (None, None, "volcano")
    terminating = next(commit for commit in history.of("Job") if phase_of(commit.after) == "Terminating")
    assert deleted.number < terminating.number


def test_where_commands_are_not_served_a_job_is_deleted_to_end_it() -> None:
    history = play(CONTROL["uncommanded"])
    (gone,) = [commit for commit in history.of("Job") if commit.after is None and commit.at < history.quiet_until]
    assert history.of("Command") == []
    assert FLOW_SECONDS <= gone.at - 1.0 <= FLOW_SECONDS + 2.0
    assert entry(history, "uncommanded", "a")["reason"] == "DeadlineExceeded"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"phases": {"y": {"a": "Failed"}}}, "phases names y; known are x"),
        ({"phases": {"x": {"b": "Failed"}}}, "phases names b; known are a, x-a"),
        ({"walks": {"b": (FAILS, COMPLETES)}}, "walks names b"),
    ],
    ids=["a flow of nobody", "a step of nobody", "walks of nobody"],
)
def test_a_scenario_that_makes_no_sense_is_refused(more: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        scenario("x", [flow("x").step("a")], **more)


def test_a_flow_that_goes_when_its_time_is_over_has_ended() -> None:
    history = play(CONTROL["flow-ttl"])
    gone = next(commit for commit in history.of("JobFlow") if commit.after is None)
    assert gone.who == "controller-1"
    assert gone.at < (history.ended_at or 0.0) + 60
    assert not history.never_ended


NOTICED = {
    "attempts are few": ("retry", lambda flow: {"retry": {"limit": 0}}),
    "one attempt after the other": ("retry", lambda flow: {"retry": {"limit": 2, "backoff": {"duration": "1h"}}}),
}


@pytest.mark.parametrize("oracle", NOTICED)
def test_an_attempt_that_the_spec_does_not_allow_is_noticed(oracle: str) -> None:
    name, asked = NOTICED[oracle]

    def change(commit: Commit) -> Commit:
        def other(body: Body | None) -> Body | None:
            if body is None:
                return None
            steps = [step | asked(body) if step["name"] == "a" else step for step in body["spec"]["flows"]]
            return {**body, "spec": {**body["spec"], "flows": steps}}

        return dataclasses.replace(commit, before=other(commit.before), after=other(commit.after))

    assert oracle in told_otherwise(play(CONTROL[name]), change)


def test_an_attempt_before_the_end_of_the_last_one_is_committed_is_noticed() -> None:
    assert "one attempt after the other" in told_otherwise(
        play(CONTROL["retry"]), lambda commit: with_status(commit, flowStatuses=[])
    )


def test_an_attempt_that_is_forgotten_is_noticed() -> None:
    def forgetful(commit: Commit) -> Commit:
        told = (commit.after or {}).get("status", {}).get("flowStatuses", ())
        if "completionTime" not in (commit.after or {}).get("status", {}):
            return commit
        bare = [{key: value for key, value in one.items() if key != "attempts"} for one in told]
        after = {**(commit.after or {}), "status": {**(commit.after or {})["status"], "flowStatuses": bare}}
        return dataclasses.replace(commit, after=after)

    assert "attempts are remembered" in told_otherwise(play(CONTROL["retry"]), forgetful)


def test_a_job_that_is_ended_for_no_reason_is_noticed() -> None:
    assert "ended for a reason" in told_otherwise(
        play(CONTROL["fail-fast"]), lambda commit: with_status(commit, flowStatuses=[])
    )


def test_a_clean_up_before_the_outcome_is_noticed() -> None:
    assert "onExit comes last" in told_otherwise(
        play(CONTROL["on-exit"]), lambda commit: with_status(commit, outcome=None)
    )


def test_a_clean_up_that_never_was_is_noticed() -> None:
    assert "onExit is done" in told_otherwise(
        play(CONTROL["on-exit"]), lambda commit: with_status(commit, flowStatuses=[])
    )


def test_a_skipped_step_with_a_job_is_noticed() -> None:
    skipped = {"name": "a", "phase": "Skipped"}
    assert "skipped has no child" in told_otherwise(
        play(CONTROL["retry"]), lambda commit: with_status(commit, flowStatuses=[skipped])
    )


@pytest.mark.parametrize(
    ("oracle", "seconds"), [("deadlines are kept", FLOW_SECONDS - 30), ("deadlines are no sooner", FLOW_SECONDS + 30)]
)
def test_a_deadline_that_was_another_is_noticed(oracle: str, seconds: int) -> None:
    def change(commit: Commit) -> Commit:
        def other(body: Body | None) -> Body | None:
            return body and {**body, "spec": {**body["spec"], "activeDeadlineSeconds": seconds}}

        return dataclasses.replace(commit, before=other(commit.before), after=other(commit.after))

    assert oracle in told_otherwise(play(CONTROL["deadline"]), change)


def test_a_flow_that_waits_for_what_cannot_come_is_noticed() -> None:
    """The same history, as if the second step's Job had never been there."""
    history = play(scenario("x", [flow("x").step("a").step("b", after="a")]))
    commits = [commit for commit in history.commits if commit.name != "x-b"]
    found = {violation.oracle for violation in judge(dataclasses.replace(history, commits=commits))}
    assert "nothing waits in vain" in found


def test_a_flow_that_outlives_its_time_is_noticed() -> None:
    history = play(CONTROL["on-exit"])

    def change(commit: Commit) -> Commit:
        def mortal(body: Body | None) -> Body | None:
            return body and {**body, "spec": {**body["spec"], "ttlSecondsAfterFinished": 10}}

        return dataclasses.replace(commit, before=mortal(commit.before), after=mortal(commit.after))

    assert "flows go in time" in told_otherwise(history, change)


def test_a_failure_with_attempts_left_is_noticed() -> None:
    failed = play(scenario("x", [flow("x").step("a")], walks={"a": FAILS}, expected={"x": Outcome.FAILED}))

    def change(commit: Commit) -> Commit:
        def patient(body: Body | None) -> Body | None:
            return body and {**body, "spec": {**body["spec"], "flows": [{"name": "a", "retry": {"limit": 1}}]}}

        return dataclasses.replace(commit, before=patient(commit.before), after=patient(commit.after))

    assert "attempts are used" in told_otherwise(failed, change)


@pytest.mark.parametrize("walk", [NEVER_ENDS, COMPLETES.slower(20)], ids=["never ends", "ends much later"])
def test_a_command_is_obeyed_wherever_the_job_is_on_its_walk(walk: Walk) -> None:
    late = flow("x").step("a").having(activeDeadlineSeconds=10)
    history = play(scenario("x", [late], walks={"a": walk}, expected={"x": Outcome.FAILED}))
    assert phases(history, "x-a")[-2:] == ACTIONS["TerminateJob"]
    assert judge(history, history) == []
