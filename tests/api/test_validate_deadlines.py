"""Deadlines as users write them: their rules, and what they are not part of."""

from __future__ import annotations

import json

import pytest

from jobflow.api.crd import job_flow_crd
from jobflow.api.deadlines import MAX_SECONDS, Deadlines
from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.validate import flow_problems
from jobflow.reconcile.graph import compile_flow


def spec_of(step=None, **fields) -> dict:
    return {"flows": [{"name": "a", **(step or {})}], **fields}


def compiled(spec):
    return compile_flow("f", json.dumps(spec).encode())


@pytest.mark.parametrize(
    ("said", "spec", "path", "message"),
    [
        (
            "zero for a run",
            spec_of({"activeDeadlineSeconds": 0}),
            "spec.flows[0].activeDeadlineSeconds",
            "0 s would end it before it has done anything; take the field away where there is no limit",
        ),
        (
            "zero for a wait",
            spec_of({"pendingDeadlineSeconds": 0}),
            "spec.flows[0].pendingDeadlineSeconds",
            "0 s would end it before Volcano has looked at it; take the field away where there is no limit",
        ),
        (
            "less than nothing",
            spec_of({"pendingDeadlineSeconds": -1}),
            "spec.flows[0].pendingDeadlineSeconds",
            "-1 s are less than nothing; give a whole number of seconds from 1",
        ),
        (
            "longer than anybody lives, whatever the number",
            spec_of(activeDeadlineSeconds=10**30),
            "spec.activeDeadlineSeconds",
            f"{10**30} s are more than 2147483647 (68 years); take the field away where there is no limit",
        ),
        (
            "zero for the flow",
            spec_of(activeDeadlineSeconds=0),
            "spec.activeDeadlineSeconds",
            "0 s would end it before it has done anything; take the field away where there is no limit",
        ),
        (
            "kept for less than nothing",
            spec_of(ttlSecondsAfterFinished=-60),
            "spec.ttlSecondsAfterFinished",
            "-60 s are less than nothing; 0 deletes the JobFlow as soon as it has ended",
        ),
        (
            "kept for ever, in seconds",
            spec_of(ttlSecondsAfterFinished=2**31),
            "spec.ttlSecondsAfterFinished",
            "2147483648 s are more than 2147483647 (68 years); take the field away where there is no limit",
        ),
        (
            "of a step of onExit",
            spec_of(onExit=[{"name": "clean", "activeDeadlineSeconds": 0}]),
            "spec.onExit[0].activeDeadlineSeconds",
            "0 s would end it before it has done anything; take the field away where there is no limit",
        ),
    ],
)
def test_what_is_refused(said, spec, path, message):
    assert [(p.path, p.message) for p in flow_problems(JobFlowSpec.model_validate(spec))] == [(path, message)]
    assert [str(problem) for problem in compiled(spec).problems] == [f"{path}: {message}"]


@pytest.mark.parametrize(
    "spec",
    [
        spec_of({"activeDeadlineSeconds": 1, "pendingDeadlineSeconds": MAX_SECONDS}),
        spec_of(activeDeadlineSeconds=MAX_SECONDS, ttlSecondsAfterFinished=0),
        spec_of({"activeDeadlineSeconds": 60}, activeDeadlineSeconds=30),  # never reached: lint warns
    ],
)
def test_what_is_accepted(spec):
    assert flow_problems(JobFlowSpec.model_validate(spec)) == []


def test_a_flow_without_deadlines_is_not_timed():
    assert not compiled(spec_of()).timed


@pytest.mark.parametrize(
    "spec",
    [spec_of({"pendingDeadlineSeconds": 5}), spec_of(activeDeadlineSeconds=5), spec_of(ttlSecondsAfterFinished=0)],
)
def test_any_of_them_makes_a_flow_timed(spec):
    assert compiled(spec).timed


def test_a_step_has_both_of_its_deadlines_at_hand():
    (step,) = compiled(spec_of({"activeDeadlineSeconds": 7, "pendingDeadlineSeconds": 9})).graph.timed
    assert (step.deadlines, step.extended) == (Deadlines(active=7, pending=9), True)


def test_those_of_the_flow_may_change_any_time_and_those_of_a_step_may_not():
    plain = compiled(spec_of()).spec_hash
    assert compiled(spec_of(activeDeadlineSeconds=9, ttlSecondsAfterFinished=9)).spec_hash == plain
    assert compiled(spec_of({"activeDeadlineSeconds": 9})).spec_hash != plain


def test_a_flow_whose_spec_cannot_be_run_is_neither_timed_nor_deleted():
    wrong = compiled(spec_of({"name": "A!"}, activeDeadlineSeconds=9, ttlSecondsAfterFinished=9))
    assert (bool(wrong.problems), wrong.timed) == (True, False)


def test_the_crd_has_the_same_limits():
    schema = job_flow_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    step = schema["flows"]["items"]["properties"]
    limits = {
        name: (at[name]["type"], at[name]["minimum"], at[name]["maximum"])
        for at, name in [
            (step, "activeDeadlineSeconds"),
            (step, "pendingDeadlineSeconds"),
            (schema, "activeDeadlineSeconds"),
            (schema, "ttlSecondsAfterFinished"),
        ]
    }
    assert limits == {
        "activeDeadlineSeconds": ("integer", 1, MAX_SECONDS),
        "pendingDeadlineSeconds": ("integer", 1, MAX_SECONDS),
        "ttlSecondsAfterFinished": ("integer", 0, MAX_SECONDS),
    }
