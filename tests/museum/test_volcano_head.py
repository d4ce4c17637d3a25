"""What Volcano's own JobFlow controller does wrong as its code stands, and must not happen here.

The numbers 83 to 97 are those of the list of cases that the tests of `reconcile` use, too
(tests/reconcile/test_upstream.py); here each is played in a world.

Not at this stage: retries and loops are not there, and upstream's faults in them neither.
"""

from __future__ import annotations

from datetime import datetime

import pytest

from jobflow.api.status import Outcome
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import child, flow, template
from jobflow.testing.history import is_controller, phase_of
from jobflow.testing.scenarios import STANDARD, scenario
from jobflow.testing.volcano import ABORTS, IS_COMPLETED, RESTARTS, TERMINATES

CHAIN = STANDARD["chain"]
CHILDREN = ["chain-a", "chain-b", "chain-c"]


def created(history, name):
    """When the Job was created first."""
    return next(c.at for c in history.commits if (c.kind, c.name, c.before) == ("Job", name, None))


def completed(history, name):
    """When the flow's completionTime was committed."""
    ours = (commit for commit in history.of("JobFlow") if commit.name == name and commit.after)
    return next(commit.at for commit in ours if "completionTime" in commit.after.get("status", {}))


def statuses(history):
    return [c.after["status"] for c in history.of("JobFlow") if c.subresource == "status" and c.after]


def test_83_a_missing_template_keeps_back_its_own_branch_only_and_is_told(exhibit):
    """The pass ended at the missing template: later branches were not started, the status stayed empty."""
    diamond = exhibit(STANDARD["diamond"])
    history = diamond.with_faults("template-absent:c")
    assert created(history, "diamond-d") < 60 < created(history, "diamond-c")
    told = [status["state"] for status in statuses(history) if status["state"].get("reason")]
    assert {state["reason"] for state in told} == {"TemplateNotFound"}
    assert "JobTemplate c" in told[0]["message"]


def test_83_where_nothing_has_started_the_flow_is_pending(exhibit):
    """Users look at the phase: it was empty."""
    history = exhibit(CHAIN).with_faults("template-late:a:60")
    first = statuses(history)[0]["state"]
    assert (first["phase"], first["reason"]) == ("Pending", "TemplateNotFound")


def test_84_a_template_that_comes_after_half_an_hour_starts_its_step_at_once(exhibit):
    """After 15 tries, 164 s, the flow was forgotten, and a template that came wakes nobody."""
    history = exhibit(CHAIN).with_faults("template-absent:b")
    (came,) = (c.at for c in history.commits if (c.kind, c.name, c.before) == ("JobTemplate", "b", None))
    assert came > 1000
    assert created(history, "chain-b") - came < 1


@pytest.mark.parametrize("step", ["a", "c"])
def test_85_a_finished_job_that_somebody_deletes_does_not_run_again(exhibit, creates, step):
    """It was created again at the next event of the flow, whether it ran or had succeeded."""
    chain = exhibit(CHAIN)
    ended = chain.commit("Job", f"chain-{step}", "Completed").number
    for later in (0, 1, 3):
        assert creates(chain.with_faults(f"stranger-deletes:chain-{step}:{ended + later}")) == CHILDREN


def test_85_after_a_restart_children_that_were_deleted_by_their_ttl_do_not_run_again(exhibit, creates):
    """ttlSecondsAfterFinished in a template was a trap: a restart ran every such step again."""
    ttl = exhibit(STANDARD["ttl"])
    deleted = next(c.number for c in ttl.undisturbed.of("Job") if c.after is None)
    write = next(call.write for call in ttl.undisturbed.calls if call.verb == "delete")
    assert deleted
    for fault in (f"crash-before:{write}", f"crash-after:{write}", f"crash-after:{write + 1}"):
        assert sorted(creates(ttl.with_faults(fault))) == ["ttl-a", "ttl-b", "ttl-c"]


def test_85_the_ttl_of_a_template_is_kept_from_volcano_and_honoured_by_us(exhibit):
    """Volcano would delete the Job before anybody has written down how it ended."""
    history = exhibit(STANDARD["ttl"]).undisturbed
    jobs = [commit for commit in history.of("Job") if commit.before is None]
    assert all("ttlSecondsAfterFinished" not in commit.after["spec"] for commit in jobs)
    gone = [commit for commit in history.of("Job") if commit.after is None and is_controller(commit.who)]
    assert {commit.name for commit in gone} == {commit.name for commit in jobs}


def test_an_unfinished_job_that_somebody_deletes_is_created_again_at_once(exhibit, creates, final):
    """There was no handler for a deleted Job: nothing happened until the flow's next event, if one came."""
    chain = exhibit(CHAIN)
    runs = chain.commit("Job", "chain-b", "Running").number
    history = chain.with_faults(f"stranger-deletes:chain-b:{runs}")
    assert creates(history) == ["chain-a", "chain-b", "chain-b", "chain-c"]
    (deleted,) = (c.at for c in history.of("Job") if c.after is None and c.who == "stranger")
    again = [c.at for c in history.of("Job") if c.before is None and c.name == "chain-b"][1]
    assert again - deleted < 1
    entries = {entry["name"]: entry.get("recreations", 0) for entry in final(history, "chain")["flowStatuses"]}
    assert entries == {"a": 0, "b": 1, "c": 0}


def test_86_a_flow_without_steps_succeeds_at_once(exhibit, final):
    """It stayed Pending for ever."""
    history = exhibit(scenario("empty", [flow("empty")], templates=[])).undisturbed
    assert final(history, "empty")["state"]["phase"] == "Succeed"


@pytest.mark.parametrize(
    ("walk", "listed"),
    [
        (RESTARTS, "completedJobs"),
        (IS_COMPLETED, "completedJobs"),
        (TERMINATES, "terminatedJobs"),
        (ABORTS, "failedJobs"),
    ],
    ids=["Restarting", "Completing", "Terminating", "Aborting"],
)
def test_88_in_no_phase_is_a_child_in_no_list(exhibit, final, walk, listed):
    """Completing and Terminating were in no list; Restarting, Aborting and Aborted hung the flow."""
    outcome = Outcome.SUCCEEDED if listed == "completedJobs" else Outcome.FAILED
    history = exhibit(
        scenario("walk", [flow("walk").step("a")], walks={"a": walk}, expected={"walk": outcome})
    ).undisturbed
    assert final(history, "walk")[listed] == ["walk-a"]
    assert final(history, "walk")["outcome"] == outcome


def test_89_after_a_failure_what_runs_beside_it_is_observed_to_its_end(exhibit, creates, final):
    """The first failure froze the status: what still ran was never told of again."""
    history = exhibit(STANDARD["failing"]).undisturbed
    status = final(history, "failing")
    assert (status["failedJobs"], status["completedJobs"]) == (["failing-b"], ["failing-a", "failing-c"])
    assert "failing-d" not in creates(history)
    failed = next(c.at for c in history.of("JobFlow") if phase_of(c.after) == "Failed")
    assert completed(history, "failing") > failed


def test_90_a_conflict_costs_no_status(exhibit, final):
    """The cached object was changed before the write: after a conflict it looked as if it had been written."""
    failing = exhibit(STANDARD["failing"])
    for write in failing.writes("/jobflows/failing/status"):
        assert final(failing.with_faults(f"answer:{write}:409"), "failing")["state"]["phase"] == "Failed"


def test_91_a_strangers_job_with_the_childs_name_is_not_adopted(exhibit, creates):
    """AlreadyExists was taken for success: the stranger's end decided the flow's."""
    chain = exhibit(CHAIN)
    history = chain.with_faults("foreign-job:chain-b")
    assert "NameConflict" in {status["state"].get("reason") for status in statuses(history)}
    assert creates(history) == CHILDREN
    touched = [
        c
        for c in history.of("Job")
        if is_controller(c.who) and c.before and "ownerReferences" not in c.before["metadata"]
    ]
    assert touched == []


def test_91_flows_whose_children_come_to_the_same_name_do_not_share_one(exhibit, creates, final):
    """JobFlow `a-b` with step `c` and JobFlow `a` with step `b-c` both want Job `a-b-c`."""
    first = child("b-c", of="a")
    assert first.name == child("c", of="a-b").name
    late = flow("a-b").step("c")
    told = reconcile_flow(late.snapshot(first.completed().view()))
    assert [create.name for create in told.creates] == ["a-b-c"]  # and the API server says whose it is
    assert told.status is None or not told.status.completedJobs


def test_92_long_names_are_cut_and_the_flow_runs(exhibit, creates, final):
    """Labels and names over 63 characters were refused at each try, and the flow was given up after 15."""
    name, step = "nightly-" + "rebuild-" * 6, "train-" + "model-" * 4
    long = flow(name + "x").step(step + "x")
    history = exhibit(scenario("long", [long])).undisturbed
    (job,) = creates(history)
    assert len(job) + len("-main-1") <= 63
    assert final(history, name + "x")["completedJobs"] == [job]
    (body,) = (c.after for c in history.of("Job") if c.before is None)
    assert all(len(value) <= 63 for value in body["metadata"]["labels"].values())


def test_93_a_template_with_a_dot_in_its_name_is_told_of_its_jobs_and_of_their_end(exhibit):
    """The label was split at dots: jobDependsOnList stayed empty; and it never shrank."""
    dotted = flow("x").step("train.v1")
    scene = scenario("dotted", [dotted], [template("train.v1").task("main")])
    lists = [
        commit.after["status"].get("jobDependsOnList", [])
        for commit in exhibit(scene).undisturbed.of("JobTemplate")
        if commit.after and commit.subresource == "status"
    ]
    assert lists == [["x-train.v1"], []]  # the second once the flow was deleted, and its Job with it


def test_94_a_failure_seen_together_with_a_first_running_child_is_told_at_once():
    """The flow went from Pending to Running, and to Failed only with the next event, which might not come."""
    pending = flow("f").step("a").step("b")
    pending = pending.status(
        reconcile_flow(pending.snapshot(child("a", of="f").view(), child("b", of="f").view())).status
    )
    ended, runs = child("a", of="f").state("Terminated").view(), child("b", of="f").running().view()
    state = reconcile_flow(pending.snapshot(ended, runs)).status.state
    assert (state.phase, state.reason) == ("Failed", "StepFailed")


def test_95_a_step_added_under_way_is_refused_not_started():
    """An edit was taken up at the next event of a child, half-way through. (A CRD of ours refuses it before.)"""
    begun = flow("f").step("a")
    status = reconcile_flow(begun.snapshot(child("a", of="f").running().view())).status
    plan = reconcile_flow(begun.step("b").status(status).snapshot(child("a", of="f").running().view()))
    assert plan.creates == ()
    assert (plan.status.state.phase, plan.status.state.reason) == ("Failed", "InvalidSpec")


def test_96_a_flow_that_is_being_deleted_starts_nothing():
    """Under foreground deletion it went on deploying."""
    plan = reconcile_flow(flow("f").step("a").deleting().snapshot())
    assert (plan.creates, plan.status.state.phase) == ((), "Terminating")


@pytest.mark.parametrize("how", ["foreground-delete", "held-delete"])
def test_96_nor_when_a_step_ends_while_it_goes(exhibit, creates, how):
    """In the foreground a flow stays until its Jobs are gone; a finalizer of somebody else's keeps it for as long."""
    chain = exhibit(CHAIN)
    for phase in ("Pending", "Running", "Completed"):
        number = chain.commit("Job", "chain-b", phase).number
        assert creates(chain.with_faults(f"{how}:{number}"))[:2] == ["chain-a", "chain-b"]
        assert "chain-c" not in creates(chain.with_faults(f"{how}:{chain.commit('Job', 'chain-b', 'Running').number}"))


@pytest.mark.parametrize("depends_on", [{"targets": []}, {}], ids=["no targets", "nothing"])
def test_97_depending_on_nothing_starts_at_once(exhibit, creates, depends_on):
    """So it does upstream, too: kept."""
    built = flow("f").step("a")
    scene = scenario("free", [built])
    body = {**scene.flows[0], "spec": {"flows": [{"name": "a", "dependsOn": depends_on}]}}
    assert creates(exhibit(type(scene)("free", (body,), scene.templates)).undisturbed) == ["f-a"]


def test_an_end_is_the_jobs_own_end_as_soon_as_it_is_seen(exhibit, final):
    """endTimestamp was creation + runningDuration, which Volcano writes later than the end: until then, nothing."""
    history = exhibit(CHAIN).undisturbed
    seen = {c.name: c for c in reversed(history.of("Job")) if phase_of(c.after) == "Completed"}
    for entry in final(history, "chain")["jobStatusList"]:
        ended = datetime.fromisoformat(entry["endTimestamp"]).timestamp()
        first = datetime.fromisoformat(seen[entry["name"]].after["status"]["state"]["lastTransitionTime"]).timestamp()
        assert abs(ended - first) <= 1


@pytest.mark.parametrize("status", [403, 409, 413, 429, 500, 503])
def test_a_call_that_fails_is_never_given_up(exhibit, creates, status):
    """After 15 tries a flow was forgotten until its next event, which for a flow without live Jobs never comes."""
    chain = exhibit(CHAIN)
    for write in range(1, chain.undisturbed.reach.writes + 1):
        assert creates(chain.with_faults(f"answer:{write}:{status}")) == CHILDREN


def test_a_namespace_that_is_forbidden_for_minutes_is_served_again_and_its_neighbour_all_the_time(exhibit, final):
    """Fifteen refusals and a flow was forgotten; a tenant's quota must not cost another's time."""
    neighbours = exhibit(STANDARD["neighbours"])
    history = neighbours.with_faults("forbid:team-a")

    def took(run, name):
        return next(
            c.at for c in run.of("JobFlow") if c.name == name and "completionTime" in (c.after or {}).get("status", {})
        )

    assert took(history, "here") > 300
    assert took(history, "there") - took(neighbours.undisturbed, "there") < 1
