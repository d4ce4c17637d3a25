"""Branches on both control planes: what runs, what is skipped, what is frozen, what is refused."""

from __future__ import annotations

import pytest
from conformance.volcano import playing

from jobflow.api.resources import JOB_FLOW
from jobflow.kube.errors import Invalid
from jobflow.testing.builders import flow

pytestmark = pytest.mark.asyncio(loop_scope="session")

BRANCHES = (
    flow("f")
    .parameter("size", "large")
    .step("here")
    .step("there")
    .step("behind", after="here")
    .step("join", after=["behind", "there"])
    .setting(
        switch=[
            {
                "input": "$(params.size)",
                "cases": [{"values": ["small", 1], "flows": ["here"]}],
                "default": ["there"],
            }
        ]
    )
)


async def test_one_branch_of_a_switch_runs_and_the_branches_join(world):
    await world.templates("here", "there", "behind", "join")
    async with playing(world.client, world.namespace) as volcano, world.controller():
        await world.create(JOB_FLOW, BRANCHES.body())
        status = await world.phase("f", "Succeed")
        assert volcano.born == ["f-there", "f-join"]
        await world.is_quiet("f")
    assert {entry["name"]: (entry["phase"], entry.get("reason")) for entry in status["flowStatuses"]} == {
        "here": ("Skipped", "WhenFalse"),
        "there": ("Succeeded", None),
        "behind": ("Skipped", "TargetsSkipped"),
        "join": ("Succeeded", None),
    }
    assert (status["outcome"], status["progress"]) == ("Succeeded", "4/4")


async def test_what_a_failure_opens_runs_and_the_flow_succeeds(world):
    built = (
        flow("f")
        .step("a")
        .step("b")
        .step("first", after=["a", "b"], strategy="Any")
        .step("rescue", targetsWithStatus=[{"name": "a", "phase": "Failed"}])
        .step("either", after=["a"], orGroups=[{"targets": ["rescue"]}])
        .step("told", expression="steps.a.phase == 'Failed' && steps.rescue.exitCode == 0")
        .step("never", expression="steps.b.phase == 'Failed'")
    )
    await world.templates("a", "b", "first", "rescue", "either", "told", "never")
    async with playing(world.client, world.namespace, fails={"a"}) as volcano, world.controller():
        await world.create(JOB_FLOW, built.body())
        status = await world.phase("f", "Succeed")
        assert sorted(volcano.born) == [f"f-{name}" for name in ("a", "b", "either", "first", "rescue", "told")]
        await world.is_quiet("f")
    assert {entry["name"]: entry["phase"] for entry in status["flowStatuses"] if entry["phase"] != "Succeeded"} == {
        "a": "Failed",
        "never": "Unreachable",
    }


async def test_a_controller_that_takes_over_asks_no_condition_again(world):
    built = flow("f").step("a").step("b", after="a").having(when=[{"cel": "steps.a.phase == 'Failed'"}])
    built = built.step("c", after="a")
    await world.templates("a", "b", "c")
    async with playing(world.client, world.namespace, held={"c"}) as volcano:
        await world.create(JOB_FLOW, built.body())
        async with world.controller():
            await world.until("f", lambda told: told.get("runningJobs") == ["f-c"])
        volcano.held.clear()
        async with world.controller():
            status = await world.phase("f", "Succeed")
        assert volcano.born == ["f-a", "f-c"]
    assert [entry["phase"] for entry in status["flowStatuses"]] == ["Succeeded", "Skipped", "Succeeded"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"dependsOn": {"targets": ["a"], "strategy": "Some"}}, "spec.flows[1].dependsOn.strategy"),
        ({"dependsOn": {"targetsWithStatus": [{"name": "a"}]}}, "spec.flows[1].dependsOn.targetsWithStatus[0].phase"),
        ({"dependsOn": {"orGroups": [{}] * 17}}, "spec.flows[1].dependsOn.orGroups"),
        ({"when": [{"cel": "x" * 2049}]}, "spec.flows[1].when[0].cel"),
        ({"when": [{"input": "x", "operator": "Is", "values": ["x"]}]}, "spec.flows[1].when[0].operator"),
    ],
)
async def test_what_the_schema_refuses(world, fields, path):
    with pytest.raises(Invalid) as refused:
        await world.create(JOB_FLOW, flow("f").step("a").step("b").having(**fields).body())
    assert path in str(refused.value)


async def test_a_switch_is_frozen(world):
    body = BRANCHES.body()
    await world.create(JOB_FLOW, body)
    edited = body["spec"]["switch"][0] | {"default": []}
    with pytest.raises(Invalid, match="the switches of a flow are frozen"):
        await world.client.patch(JOB_FLOW, world.namespace, "f", {"spec": {"switch": [edited]}})
