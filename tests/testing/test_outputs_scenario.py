"""Outputs in the simulated world: crashes, refusals and strangers between a Job's end and what is committed of it.

What a step left is read once more after a crash, the step that uses it gets what is committed, and no Job runs twice.
"""

from __future__ import annotations

import pytest

from jobflow.api.resources import POD
from jobflow.testing.builders import flow
from jobflow.testing.faults import AnswerRead, CrashAfter, CrashAtAwait, CrashBefore, Plan, StrangerDeletes
from jobflow.testing.history import History, phase_of
from jobflow.testing.oracles import judge
from jobflow.testing.scenarios import scenario
from jobflow.testing.world import play

PODS = {"name": "pods", "from": {"path": "status.succeeded"}, "default": 2}
SAID = {"name": "said", "from": {"terminationMessage": {}}, "default": "nothing"}  # there are no pods in that world
SIZED = {"spec": {"tasks": [{"name": "main", "replicas": "$(steps.a.outputs.pods)"}]}}

OUTPUTS = scenario(
    "outputs",
    [flow("outputs").step("a").having(outputs=[PODS, SAID]).step("b", after="a").having(patch=SIZED)],
)


@pytest.fixture(scope="module")
def undisturbed() -> History:
    return play(OUTPUTS)


def entries(history: History, step: int) -> list[dict]:
    """What the flow's status said of a step, commit by commit."""
    found = [commit.after for commit in history.of("JobFlow") if commit.after]
    return [told["flowStatuses"][step] for body in found if (told := body.get("status", {})).get("flowStatuses")]


def created(history: History, name: str) -> list[dict]:
    """The Jobs of this name that were created."""
    return [commit.after for commit in history.of("Job") if commit.name == name and commit.before is None]


def around_the_end(history: History) -> list[Plan]:
    """Faults between the end of the first Job and the start of the second; a sweep of all others is the lab's work."""
    ended = next(commit.number for commit in history.of("Job") if phase_of(commit.after) == "Completed")
    collected = next(call.write for call in history.calls if call.write and call.at >= history.commits[ended - 1].at)
    reads = history.reach.reads  # the last two are the Job and its pods
    faults = [
        *(crash(write) for crash in (CrashBefore, CrashAfter) for write in (collected, collected + 1)),
        *(AnswerRead(read, status) for read in (reads - 1, reads) for status in (403, 429, 500, 503)),
        *(StrangerDeletes("outputs-a", commit) for commit in (ended, ended + 1, ended + 2)),
        *(CrashAtAwait(turn) for turn in history.reach.turns[18:28]),
    ]
    return [Plan((fault,)) for fault in faults]


def test_undisturbed_it_costs_a_get_a_list_and_the_write_that_commits_them(undisturbed):
    assert judge(undisturbed, undisturbed) == []
    asked = [call for call in undisturbed.calls if call.verb in ("get", "list") and "/namespaces/" in call.path]
    assert [call.path.rpartition("/")[2] for call in asked] == ["outputs-a", POD.plural]
    plain = play(scenario("outputs", [flow("outputs").step("a").step("b", after="a")]))
    assert len(entries(undisturbed, 0)) == len(entries(plain, 0)) + 1
    assert entries(undisturbed, 0)[-1]["outputs"] == [
        {"name": "pods", "value": 2},
        {
            "name": "said",
            "value": "nothing",
            "message": "pod outputs-a-main-0 was not there any more when it was to be read",
        },
    ]


def test_one_fault_around_the_end_of_the_job(undisturbed):
    """Result and outputs are in one commit, the second Job has the size that is committed, nothing runs twice."""
    for plan in around_the_end(undisturbed):
        history = play(OUTPUTS, plan)
        assert [str(violation) for violation in judge(history, undisturbed)] == [], f"{plan}\n{history.timeline()}"
        for entry in entries(history, 0):
            assert (entry["phase"] == "Succeeded") == bool(entry.get("outputs")), f"{plan}\n{history.timeline()}"
        sizes = [job["spec"]["tasks"][0]["replicas"] for job in created(history, "outputs-b")]
        assert sizes == [entries(history, 0)[-1]["outputs"][0]["value"]] == [2], (
            f"{plan}: never what was set to zero since"
        )
