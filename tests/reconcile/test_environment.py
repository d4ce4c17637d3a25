"""What the containers are told of where they are, and that nothing which is no container stands in the way."""

from __future__ import annotations

import copy

import pytest

from jobflow.api.children import Node
from jobflow.api.outputs import OutputsFound, Said
from jobflow.api.status import StepPhase
from jobflow.reconcile.environment import tell
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import child, flow

FAILED, WAITING = StepPhase.FAILED, StepPhase.WAITING  # the latter to be created, as far as we can tell
MESSAGE = {"name": "n", "from": {"terminationMessage": {}}}


def pod(**spec):
    return {"tasks": [{"name": "main", "template": {"spec": spec}}]}


def names(container):
    return [variable["name"] for variable in container["env"] if isinstance(variable, dict)]


TOLD = ["JOBFLOW_NAME", "JOBFLOW_STEP", "JOBFLOW_INDEX", "JOBFLOW_ATTEMPT"]


def test_every_container_is_told_before_what_it_says_itself():
    spec = pod(containers=[{"name": "a"}, {"env": [{"name": "X"}]}], initContainers=[{"env": None}])
    tell(spec, "f", Node("s", None, 2))
    told = spec["tasks"][0]["template"]["spec"]
    assert [names(one) for one in told["containers"]] == [TOLD, [*TOLD, "X"]]
    assert [variable["value"] for variable in told["initContainers"][0]["env"]] == ["f", "s", "0", "2"]


def test_what_a_container_says_itself_stays():
    spec = pod(containers=[{"env": [{"name": "JOBFLOW_STEP", "value": "mine"}]}])
    tell(spec, "f", Node("s", None, 0))
    (container,) = spec["tasks"][0]["template"]["spec"]["containers"]
    assert sorted(names(container)) == sorted(TOLD)
    assert container["env"][-1]["value"] == "mine"


ODD = [True, 1, "x", ["x"], [["x"]], [None], {"A": "1"}]


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize(
    "around",
    [
        lambda odd: {"tasks": odd},
        lambda odd: {"tasks": [{"template": odd}]},
        lambda odd: {"tasks": [{"template": {"spec": odd}}]},
        lambda odd: pod(initContainers=odd),
        lambda odd: pod(containers=odd),
    ],
)
def test_what_is_of_another_type_is_left_for_the_api_server_to_refuse(around, odd):
    spec = around(odd)
    before = copy.deepcopy(spec)
    tell(spec, "f", Node("s", None, 0))
    assert spec == before


@pytest.mark.parametrize("env", ["x", {"A": "1"}])
def test_an_environment_that_is_no_list_is_left_too(env):
    spec = pod(containers=[{"name": "a", "env": env}, {"name": "b"}])
    tell(spec, "f", Node("s", None, 0))
    first, second = spec["tasks"][0]["template"]["spec"]["containers"]
    assert first["env"] == env
    assert names(second) == TOLD


def test_variables_that_are_none_stay_after_those_that_are():
    spec = pod(containers=[{"env": ["A", {"name": ["x"]}]}])
    tell(spec, "f", Node("s", None, 0))
    assert spec["tasks"][0]["template"]["spec"]["containers"][0]["env"][-2:] == ["A", {"name": ["x"]}]


def test_a_patch_of_another_type_keeps_no_other_step_from_starting():
    patch = {"spec": pod(containers=[{"name": "main", "env": {"A": "1"}}])}
    plan = reconcile_flow(flow("f").step("a").having(patch=patch).step("b").snapshot())
    assert [create.name for create in plan.creates] == ["f-a", "f-b"]


@pytest.mark.parametrize(
    ("patch", "said", "phase"),
    [
        (pod(containers=[{"name": "main", "env": "$(steps.a.outputs.n)"}]), '{"A":"1"}', FAILED),
        (pod(initContainers="$(steps.a.outputs.n)"), '{"A":"1"}', FAILED),
        ({"tasks": [{"name": "new", "template": "$(steps.a.outputs.n)"}]}, '["x"]', FAILED),
        ({"tasks": [{"name": "main", "dependsOn": {"name": "$(steps.a.outputs.n)"}}]}, '[{"x":1}]', WAITING),
        ({"ttlSecondsAfterFinished": "$(steps.a.outputs.n)"}, "9223372036854775807", FAILED),
        ({"ttlSecondsAfterFinished": "$(steps.a.outputs.n)"}, "1.5", FAILED),
    ],
)
def test_no_output_keeps_a_flow_from_being_reconciled(patch, said, phase):
    of = flow("f").step("a").having(outputs=[MESSAGE]).step("b", after="a").having(patch={"spec": patch})
    done = child("a", of="f").completed().view()
    plan = reconcile_flow(of.snapshot(done))
    (question,) = plan.questions
    plan = reconcile_flow(of.status(plan.status).snapshot(done, answers={question: OutputsFound((Said(said),))}))
    plan = reconcile_flow(of.status(plan.status).snapshot(done))
    steps = {entry.name: entry for entry in plan.status.flowStatuses}
    assert steps["b"].phase is phase
