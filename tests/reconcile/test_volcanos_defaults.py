"""Volcano's own CRD writes `maxRetry: 3` and `queue: default` into every patch.jobSpec: they do not count there."""

from __future__ import annotations

import pytest

from jobflow.api.jobflow import INJECTED, JobFlowSpec, Patch
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.graph import hash_of
from jobflow.testing.builders import flow, template

WORKER = template("worker").task("worker", replicas=2).having(maxRetry=5, queue="research")
OF_THE_TEMPLATE = (5, "research")


def job(**patch):
    one = flow("f").step("worker").having(patch=patch)
    (create,) = reconcile_flow(one.snapshot(templates=[WORKER.view()])).creates
    return create.body["spec"]


@pytest.mark.parametrize(
    ("said", "patch", "expect"),
    [
        ("as an API server stores a jobSpec that says neither", {"jobSpec": dict(INJECTED)}, OF_THE_TEMPLATE),
        ("a queue of its own beside the retries put in", {"jobSpec": {"maxRetry": 3, "queue": "night"}}, (5, "night")),
        (
            "retries of its own beside the queue put in",
            {"jobSpec": {"maxRetry": 9, "queue": "default"}},
            (9, "research"),
        ),
        ("both of its own", {"jobSpec": {"maxRetry": 9, "queue": "night"}}, (9, "night")),
        ("only a queue: no CRD put that in", {"jobSpec": {"queue": "default"}}, (5, "default")),
        ("only retries: nor that", {"jobSpec": {"maxRetry": 3}}, (3, "research")),
        ("in patch.spec, which Volcano's CRD does not know", {"spec": dict(INJECTED)}, (3, "default")),
        ("nothing", {"jobSpec": {}}, OF_THE_TEMPLATE),
    ],
)
def test_what_counts(said, patch, expect):
    spec = job(**patch)
    assert (spec["maxRetry"], spec["queue"]) == expect, said


def test_the_rest_of_the_patch_counts_as_ever():
    spec = job(jobSpec={**INJECTED, "minAvailable": 1, "tasks": [{"name": "worker", "replicas": 7}]})
    assert (spec["minAvailable"], spec["tasks"][0]["replicas"]) == (1, 7)
    assert (spec["maxRetry"], spec["queue"]) == OF_THE_TEMPLATE


def test_of_what_the_template_does_not_say_nothing_is_set():
    bare = template("worker").task("worker")
    one = flow("f").step("worker").having(patch={"jobSpec": dict(INJECTED)})
    (create,) = reconcile_flow(one.snapshot(templates=[bare.view()])).creates
    assert not INJECTED.keys() & create.body["spec"].keys()


def test_a_patch_that_means_what_it_says_is_not_copied():
    patch = Patch.model_validate({"jobSpec": {"maxRetry": 4}})
    assert patch.meant is patch


def test_the_hash_of_a_flow_is_of_what_is_stored():
    """It was so before these values were left out of account: flows that run keep their hash."""
    steps = [{"name": "worker", "patch": {"jobSpec": dict(INJECTED)}}]
    assert hash_of(JobFlowSpec.model_validate({"flows": steps}).flows) != hash_of(
        JobFlowSpec.model_validate({"flows": [{"name": "worker", "patch": {"jobSpec": {}}}]}).flows
    )
