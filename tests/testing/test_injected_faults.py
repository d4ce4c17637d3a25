"""Each fault does what it says, where it says, once; and the flow ends all the same."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from jobflow.testing.faults import parse_plan
from jobflow.testing.history import Call, Commit, History, phase_of
from jobflow.testing.scenarios import STANDARD
from jobflow.testing.world import play

CHAIN = STANDARD["chain"]
REFERENCE = play(CHAIN)


def chain(plan: str) -> History:
    """The chain under a plan whose faults all took effect, and after which it ended well."""
    history = play(CHAIN, parse_plan(plan))
    assert [str(fault) for fault in parse_plan(plan)] == sorted(history.injected, key=plan.index)
    assert not history.never_ended
    assert not history.errors
    return history


def write(history: History, number: int) -> Call:
    return next(call for call in history.calls if call.write == number)


def by(history: History, who: str) -> list[Commit]:
    return [commit for commit in history.commits if commit.who == who]


def mark(history: History, text: str) -> float:
    return next(mark.at for mark in history.marks if mark.text == text)


def marked(history: History) -> list[str]:
    return [mark.text for mark in history.marks]


def outcome(history: History) -> str:
    return str(history.objects()[("JobFlow", "default", "chain")]["status"].get("outcome"))


def answers(history: History, verb: str, plural: str) -> list[int]:
    return [call.status for call in history.calls if call.verb == verb and call.path.endswith(plural)]


def until(commits: Sequence[Commit], order: int) -> list[Commit]:
    return [commit for commit in commits if commit.order < order]


@pytest.mark.parametrize(("plan", "committed"), [("crash-before:4", False), ("crash-after:4", True)])
def test_a_crash_at_a_write_comes_before_or_after_its_commit(plan: str, committed: bool) -> None:
    history = chain(plan)

    assert (write(history, 4).committed, write(history, 4).status) == (committed, 0)
    assert marked(history) == ["controller-1 starts", f"fault {plan}", "controller-1 crashed", "controller-2 starts"]
    crashed = next(mark for mark in history.marks if mark.text.endswith("crashed"))
    assert mark(history, "controller-2 starts") == crashed.at + 1
    assert until(by(history, "controller-1"), crashed.order) == by(history, "controller-1"), "the dead write nothing"
    assert outcome(history) == "Succeeded"


def test_a_crash_at_an_await_ends_every_task_of_the_controller_at_once() -> None:
    crashes = [chain(f"crash-at-await:{step}") for step in (1, 40, 80, 120, 160, 200, REFERENCE.reach.awaits)]

    for history in crashes:
        crashed = next(mark for mark in history.marks if mark.text == "controller-1 crashed")
        assert all(commit.order < crashed.order for commit in by(history, "controller-1"))
        assert outcome(history) == "Succeeded"
    assert len({mark(history, "controller-1 crashed") for history in crashes}) > 2


@pytest.mark.parametrize("status", [403, 409, 413, 429, 500, 503, 504])
def test_a_refused_write_is_not_carried_out(status: int) -> None:
    history = chain(f"answer:1:{status}")

    refused = write(history, 1)
    assert (refused.status, refused.committed, refused.fault) == (status, False, f"answer:1:{status}")
    assert outcome(history) == "Succeeded"


def test_a_create_that_can_never_be_accepted_fails_the_step() -> None:
    assert outcome(chain("answer:1:422")) == "Failed"


def test_retry_after_is_told_and_honoured() -> None:
    plain, told = chain("answer:1:429"), chain("answer:1:429:retry-after=2")

    assert write(plain, 2).at - write(plain, 1).at < 2
    assert write(told, 2).at - write(told, 1).at >= 2


def test_a_refused_read_is_asked_again() -> None:
    history = chain("answer-read:3:500")

    assert [call.status for call in history.calls if call.fault] == [500]


def test_a_lost_answer_is_committed_and_told_as_a_timeout() -> None:
    history = chain("lost-answer:1")

    lost = write(history, 1)
    assert (lost.committed, lost.status) == (True, 0)
    created = next(commit for commit in history.of("Job") if commit.before is None)
    assert lost.at == created.at + 30


def test_dropped_events_are_seen_by_a_list_only() -> None:
    history = chain("drop:Job:3-5")

    watches = [call for call in history.calls if call.verb == "watch" and call.path.endswith("/jobs")]
    assert watches[0].status == 200
    assert 503 in [call.status for call in watches], "nobody connects while they happen"
    assert [call.status for call in watches if call.fault][-1] == 410
    assert answers(history, "list", "/jobs") == [200, 200]


def test_a_duplicate_event_changes_nothing() -> None:
    history = chain("duplicate:Job:4")

    assert history.reach.commits == REFERENCE.reach.commits


def test_swapped_events_are_about_two_objects() -> None:
    history = play(STANDARD["diamond"], parse_plan("reorder:Job:12"))

    assert history.injected == ("reorder:Job:12",)
    assert not history.never_ended


@pytest.mark.parametrize("seconds", [10, 600])
def test_a_delayed_watch_brings_nothing_before_its_time(seconds: int) -> None:
    """The Running of the first Job (its third change) is known to the controller so much later."""
    history = chain(f"delay:Job:3:{seconds}")

    running = next(commit for commit in history.of("Job") if phase_of(commit.after) == "Running")
    told = next(commit for commit in history.of("JobFlow") if phase_of(commit.after) == "Running")
    assert told.at >= running.at + seconds
    assert answers(history, "list", "/jobs") == [200], "its bookmarks go on, so nobody lists anew"


@pytest.mark.parametrize(
    ("how", "lists", "seconds"),
    [("eof", 1, 0), ("truncated", 1, 0), ("silence", 1, 90), ("gone", 2, 0)],
)
def test_a_cut_watch_is_opened_again(how: str, lists: int, seconds: float) -> None:
    history = chain(f"cut:Job:4:{how}")

    assert answers(history, "list", "/jobs") == [200] * lists
    watches = [call.at for call in history.calls if call.verb == "watch" and call.path.endswith("/jobs")]
    cut = mark(history, f"fault cut:Job:4:{how}")
    again = next(at for at in watches if at >= cut)
    assert cut + seconds <= again < cut + seconds + 1


def test_a_stale_replica_brings_later_events_late_after_a_restart() -> None:
    history = chain("stale:JobFlow:4")

    assert "controller-2 starts" in marked(history)
    lag_ends = mark(history, "fault stale:JobFlow:4") + 31
    own = [commit for commit in history.of("JobFlow") if commit.who == "controller-2"]
    assert own[1].at >= lag_ends, "its second status write waits until the watch has brought back the first"


def test_a_list_that_expires_between_two_pages_begins_anew() -> None:
    history = chain("compact-list:Job")

    assert answers(history, "list", "/jobs") == [200, 200, 410, 200]


def test_a_slow_list_tells_what_was_true_when_it_was_asked_for() -> None:
    """After the crash the first Job ends while the list of Jobs is on its way."""
    history = chain("crash-at-await:80 slow-list:Job:2:20")

    slow = next(call for call in history.calls if call.fault == "slow-list:Job:2:20")
    assert slow.at == mark(history, "controller-2 starts") + 20
    assert all(commit.at >= slow.at for commit in by(history, "controller-2"))


def test_a_forbidden_namespace_stays_so_for_five_minutes_and_does_not_delay_another() -> None:
    history = play(STANDARD["neighbours"], parse_plan("forbid:team-a"))

    ends = {
        commit.name: commit.at
        for commit in history.of("JobFlow")
        if commit.after is not None and phase_of(commit.after) == "Succeed" and phase_of(commit.before) != "Succeed"
    }
    undisturbed = play(STANDARD["neighbours"]).ended_at
    assert ends["here"] > 300
    assert undisturbed is not None
    assert ends["there"] <= undisturbed
    assert {call.status for call in history.calls if call.fault} == {403}


def test_a_flow_made_again_runs_again_from_the_start() -> None:
    history = chain("recreate-flow:14")

    flows = {commit.uid for commit in history.of("JobFlow")}
    created = [commit for commit in history.of("Job") if commit.before is None]
    again = next(commit for commit in history.of("JobFlow") if commit.before is None and commit.number > 14)
    assert len(flows) == 2
    assert [commit.name for commit in created if commit.number > again.number] == ["chain-a", "chain-b", "chain-c"]


def test_a_deleted_flow_takes_its_jobs_along() -> None:
    history = chain("delete-flow:14")

    assert {kind for kind, _, _ in history.objects()} == {"JobTemplate", "Event"}


@pytest.mark.parametrize(("plan", "seconds"), [("foreground-delete:14", 0), ("held-delete:14", 60)])
def test_a_flow_that_is_being_deleted_starts_nothing_and_is_gone_in_the_end(plan: str, seconds: float) -> None:
    history = chain(plan)

    going = next(c for c in history.of("JobFlow") if c.after and "deletionTimestamp" in c.after["metadata"])
    gone = next(c for c in history.of("JobFlow") if c.after is None)
    assert gone.at - going.at == seconds
    assert [c.name for c in history.of("Job") if c.before is None and c.at > going.at] == []
    assert {kind for kind, _, _ in history.objects()} == {"JobTemplate", "Event"}


def test_another_flow_made_under_the_name_runs_its_own_steps() -> None:
    history = chain("remake-flow:14")

    again = [c for c in history.of("JobFlow") if c.before is None][1]
    assert again.after is not None
    assert [step["name"] for step in again.after["spec"]["flows"]] == ["a", "b"]
    created = [c.name for c in history.of("Job") if c.before is None and c.number > again.number]
    assert created == ["chain-a", "chain-b"]


def test_a_touch_of_the_flow_changes_its_version_and_nothing_else() -> None:
    history = chain("touch-flow:14")

    flow = history.objects()[("JobFlow", "default", "chain")]
    assert flow["metadata"]["annotations"] == {"example.com/touched": "by a stranger"}
    assert [c.name for c in by(history, "user") if c.kind == "JobFlow"][:2] == ["chain", "chain"]
    assert outcome(history) == "Succeeded"


def test_a_copy_of_a_child_has_its_labels_and_no_owner() -> None:
    history = chain("copied-job:chain-b")

    copied, child = (c.after for c in history.of("Job") if c.name == "chain-b" and c.before is None)
    assert copied is not None
    assert child is not None
    assert copied["metadata"]["labels"].items() <= child["metadata"]["labels"].items()
    assert "ownerReferences" not in copied["metadata"]
    assert outcome(history) == "Succeeded"


@pytest.mark.parametrize(
    ("plan", "earliest"),
    [("template-absent:b", 1800), ("template-late:b:60", 60), ("template-deleted:b:5", 600)],
)
def test_a_step_waits_for_its_template(plan: str, earliest: float) -> None:
    history = chain(plan)

    created = {commit.name: commit.at for commit in history.of("Job") if commit.before is None}
    assert created["chain-a"] < 10
    assert created["chain-b"] >= earliest


def test_an_edited_template_makes_another_job() -> None:
    history = chain("template-edited:b:5")

    job = history.objects()[("Job", "default", "chain-b")]
    assert job["spec"]["maxRetry"] == 7


@pytest.mark.parametrize("seconds", ["+3600", "-3600"])
def test_a_jump_of_the_controllers_clock_is_seen_by_nobody_else(seconds: str) -> None:
    history = chain(f"clock:5:{seconds}")

    events = [commit.after for commit in history.of("Event") if commit.after is not None]
    hours = {str(event["firstTimestamp"])[11:13] for event in events}
    assert hours == {"13" if seconds[0] == "+" else "11"}
    created = [commit.after for commit in history.of("Job") if commit.after is not None]
    assert {str(job["metadata"]["creationTimestamp"])[11:13] for job in created} == {"12"}


def test_a_child_that_a_stranger_deletes_is_made_again() -> None:
    history = chain("stranger-deletes:chain-b:14")

    assert [commit.name for commit in by(history, "stranger")] == ["chain-b"]
    created = [commit.name for commit in history.of("Job") if commit.before is None]
    assert created == ["chain-a", "chain-b", "chain-b", "chain-c"]


def test_a_touch_by_a_stranger_stays_on_the_child() -> None:
    history = chain("stranger-touches:chain-b:1")

    annotations = history.objects()[("Job", "default", "chain-b")]["metadata"]["annotations"]
    assert annotations["example.com/touched"] == "by a stranger"


def test_a_foreign_job_with_the_childs_name_is_left_alone_until_its_owner_deletes_it() -> None:
    history = chain("foreign-job:chain-b")

    foreign = [commit for commit in history.of("Job") if commit.name == "chain-b"]
    assert foreign[0].who == "user"
    gone = next(commit for commit in foreign if commit.after is None)
    assert gone.who == "user"
    assert gone.at >= 600
    assert next(commit for commit in foreign if commit.order > gone.order).who == "controller-1"


def test_a_fault_whose_place_is_never_reached_takes_no_effect() -> None:
    history = play(CHAIN, parse_plan("crash-before:9999 cut:Job:9999:eof"))

    assert history.injected == ()
    assert history.commits == REFERENCE.commits
