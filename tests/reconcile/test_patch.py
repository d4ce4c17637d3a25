"""One template, many sizes: a step's patch and templateRef, from the spec to the Job."""

from __future__ import annotations

import pytest

from jobflow.api.status import Outcome, Reason, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import flow, template

WORKER = template("worker").task("worker", replicas=2).having(minAvailable=2, maxRetry=5, queue="research")
EIGHT = {"spec": {"minAvailable": 8, "tasks": [{"name": "worker", "replicas": 8}]}}


def job(one, *templates):
    (create,) = reconcile_flow(one.snapshot(templates=[each.view() for each in templates])).creates
    return create.body


def lost(one, *templates):
    plan = reconcile_flow(one.snapshot(templates=[each.view() for each in templates]))
    assert plan.creates == ()
    assert plan.status.outcome is Outcome.FAILED
    (entry,) = plan.status.flowStatuses
    assert entry.phase is StepPhase.FAILED
    return entry.reason, entry.message


def variables(body):
    return {one["name"]: one["value"] for one in body["spec"]["tasks"][0]["template"]["spec"]["containers"][0]["env"]}


def test_a_template_at_another_size():
    spec = job(flow("f").step("worker").having(patch=EIGHT), WORKER)["spec"]
    assert (spec["minAvailable"], spec["tasks"][0]["replicas"]) == (8, 8)
    assert (spec["maxRetry"], spec["queue"]) == (5, "research"), "what is not said stays the template's"


def test_one_template_under_two_names():
    one = flow("f").step("small").having(templateRef={"name": "worker"})
    one = one.step("large").having(templateRef={"name": "worker"}, patch=EIGHT)
    plan = reconcile_flow(one.snapshot(templates=[WORKER.view()]))
    assert {create.name: create.body["spec"]["tasks"][0]["replicas"] for create in plan.creates} == {
        "f-small": 2,
        "f-large": 8,
    }
    labels = {create.body["metadata"]["labels"]["volcano.sh/createdByJobTemplate"] for create in plan.creates}
    assert labels == {"default.worker"}


def test_volcanos_spelling_is_the_same():
    guide = job(flow("f").step("worker").having(patch=EIGHT), WORKER)
    volcanos = job(flow("f").step("worker").having(patch={"jobSpec": EIGHT["spec"]}), WORKER)
    assert guide == volcanos


def test_a_task_that_is_misspelt_is_no_new_task():
    wrong = {"spec": {"tasks": [{"name": "wroker", "replicas": 8}]}}
    reason, message = lost(flow("f").step("worker").having(patch=wrong), WORKER)
    assert reason == Reason.PATCH_INVALID
    said = 'patch.spec.tasks: "wroker" is no task of the template, and has no containers; did you mean "worker"?'
    assert message.endswith(said)
    pod = {"spec": {"containers": [{"name": "main", "image": "busybox"}]}}
    added = {"spec": {"tasks": [{"name": "logger", "replicas": 1, "template": pod}]}}
    spec = job(flow("f").step("worker").having(patch=added), WORKER)["spec"]
    assert [task["name"] for task in spec["tasks"]] == ["worker", "logger"]


def test_the_template_in_the_cache_is_not_touched():
    view = WORKER.view()
    before = bytes(view.spec)
    reconcile_flow(flow("f").step("worker").having(patch=EIGHT).snapshot(templates=[view]))
    assert view.spec == before


def test_the_patch_of_the_flow_is_not_touched_either():
    one = flow("f").step("worker").having(patch=EIGHT).snapshot(templates=[WORKER.view()])
    first, second = reconcile_flow(one), reconcile_flow(one)
    first.creates[0].body["spec"]["tasks"][0]["replicas"] = 99
    assert second.creates[0].body["spec"]["tasks"][0]["replicas"] == 8
    assert reconcile_flow(one).creates == second.creates


def test_the_ttl_of_a_patch_is_ours_as_a_templates_is():
    body = job(flow("f").step("worker").having(patch={"spec": {"ttlSecondsAfterFinished": 0}}), WORKER)
    assert "ttlSecondsAfterFinished" not in body["spec"]
    assert body["metadata"]["annotations"]["jobflow.volcano.sh/ttl-seconds-after-finished"] == "0"


def test_labels_and_annotations_of_a_patch_are_added():
    patch = {"metadata": {"labels": {"team": "ml"}, "annotations": {"why": "size"}}}
    meta = job(flow("f").step("worker").having(patch=patch), WORKER)["metadata"]
    assert meta["labels"]["team"] == "ml"
    assert meta["annotations"]["why"] == "size"
    assert meta["labels"]["volcano.sh/createdByJobFlow"] == "default.f"


def test_the_pods_are_told_where_they_are():
    body = job(flow("f").step("worker").having(patch={"spec": {"minAvailable": 1}}), WORKER)
    assert variables(body) == {
        "JOBFLOW_NAME": "f",
        "JOBFLOW_STEP": "worker",
        "JOBFLOW_INDEX": "0",
        "JOBFLOW_ATTEMPT": "0",
    }


def test_what_the_container_says_itself_stays():
    env = [{"name": "JOBFLOW_STEP", "value": "mine"}]
    patch = {"spec": {"tasks": [{"template": {"spec": {"containers": [{"name": "main", "env": env}]}}}]}}
    assert variables(job(flow("f").step("worker").having(patch=patch), WORKER))["JOBFLOW_STEP"] == "mine"


def test_a_step_as_volcanos_controller_knows_it_gets_no_variables():
    body = job(flow("f").step("worker"), WORKER)
    assert body["spec"] == WORKER.spec


@pytest.mark.parametrize(
    ("said", "patch", "message"),
    [
        (
            "a type that clashes",
            {"tasks": [{"name": "worker", "replicas": ["8"]}]},
            "JobTemplate worker cannot be patched: patch.spec.tasks[0].replicas: must be a number, as in the template, "
            "and is a list",
        ),
        (
            "a Job that Volcano would refuse",
            {"minAvailable": 9},
            "minAvailable 9 is greater than the 2 replicas of all tasks, so the Job could never start "
            "(the patch says so)",
        ),
        (
            "an item without its key",
            {"tasks": [{"name": "worker", "template": {"spec": {"containers": [{"image": "x"}]}}}]},
            "patch.spec.tasks[0].template.spec.containers[0]: name must say which item is meant",
        ),
        ("no task is left", {"tasks": [{"name": "worker", "$patch": "delete"}]}, "a Job needs at least one task"),
    ],
)
def test_a_patch_that_does_not_fit_fails_its_step_and_says_why(said, patch, message):
    reason, told = lost(flow("f").step("worker").having(patch={"spec": patch}), WORKER)
    assert reason == Reason.PATCH_INVALID
    assert message in told


def test_it_is_said_when_the_template_itself_is_wrong():
    broken = WORKER.having(minAvailable=7)
    _, told = lost(flow("f").step("worker").having(patch={"spec": {"queue": "q"}}), broken)
    assert "(the template says so)" in told


@pytest.mark.parametrize(
    ("said", "fields", "path"),
    [
        ("both spellings", {"patch": {"spec": {}, "jobSpec": {}}}, "spec.flows[0].patch"),
        (
            "a label of ours",
            {"patch": {"metadata": {"labels": {"volcano.sh/createdByJobFlow": "x"}}}},
            "spec.flows[0].patch.metadata.labels[volcano.sh/createdByJobFlow]",
        ),
        (
            "an annotation of ours",
            {"patch": {"metadata": {"annotations": {"jobflow.volcano.sh/flow": "x"}}}},
            "spec.flows[0].patch.metadata.annotations[jobflow.volcano.sh/flow]",
        ),
        (
            "a value too long",
            {"patch": {"metadata": {"labels": {"a": "x" * 64}}}},
            "spec.flows[0].patch.metadata.labels[a]",
        ),
        ("a patch of a megabyte", {"patch": {"spec": {"queue": "x" * 1_000_000}}}, "spec.flows[0].patch.spec"),
        ("no template's name", {"templateRef": {"name": "A B"}}, "spec.flows[0].templateRef.name"),
    ],
)
def test_rules(said, fields, path):
    compiled = flow("f").step("worker").having(**fields).frozen().compiled
    assert [problem.path for problem in compiled.problems] == [path]


def test_the_patch_is_frozen_with_the_step():
    plain, patched = flow("f").step("a").frozen(), flow("f").step("a").having(patch=EIGHT).frozen()
    assert plain.compiled.spec_hash != patched.compiled.spec_hash
    renamed = flow("f").step("a").having(templateRef={"name": "b"}).frozen()
    assert plain.compiled.spec_hash != renamed.compiled.spec_hash


def test_a_step_waits_for_the_template_it_names():
    plan = reconcile_flow(flow("f").step("a").having(templateRef={"name": "worker"}).snapshot(templates=[]))
    assert plan.status.flowStatuses[0].message.startswith("JobTemplate worker is not in namespace default")
    assert {key.name for key in plan.awaits} == {"worker"}
