"""The engine on both control planes: the same flows come to the same end."""

from __future__ import annotations

import pytest
from conformance.volcano import playing

from jobflow.api.resources import JOB_FLOW, VOLCANO_JOB
from jobflow.testing.builders import flow, template

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHAIN = flow("chain").step("a").step("b", after="a").step("c", after="b")
DIAMOND = flow("diamond").step("a").step("b", after="a").step("c", after="a").step("d", after=["b", "c"])


async def test_a_chain_runs_in_its_order(world):
    await world.templates("a", "b", "c")
    await world.create(JOB_FLOW, CHAIN.body())
    async with playing(world.client, world.namespace) as volcano, world.controller():
        status = await world.until("chain", lambda told: "completionTime" in told)
        assert status["state"]["phase"] == "Succeed"
        assert status["completedJobs"] == ["chain-a", "chain-b", "chain-c"]
        assert status["progress"] == "3/3"
        assert volcano.born == ["chain-a", "chain-b", "chain-c"]
        await world.is_quiet("chain")
    assert sorted(await world.jobs()) == ["chain-a", "chain-b", "chain-c"], "retain is the default"


async def test_a_diamond_runs_its_branches_side_by_side(world):
    await world.templates("a", "b", "c", "d")
    await world.create(JOB_FLOW, DIAMOND.body())
    async with playing(world.client, world.namespace, held={"b", "c"}) as volcano, world.controller():
        await world.until("diamond", lambda told: told.get("runningJobs") == ["diamond-b", "diamond-c"])
        volcano.held.clear()
        status = await world.phase("diamond", "Succeed")
        assert status["completedJobs"] == ["diamond-a", "diamond-b", "diamond-c", "diamond-d"]


async def test_delete_takes_the_jobs_of_a_flow_that_succeeded(world):
    await world.templates("a", "b", "c")
    await world.create(JOB_FLOW, CHAIN.policy("delete").body())
    async with playing(world.client, world.namespace) as volcano, world.controller():
        await world.until("chain", lambda told: "completionTime" in told)
        await world.eventually(lambda: _none(world))
        status = (await world.flow("chain"))["status"]
        assert status["completedJobs"] == ["chain-a", "chain-b", "chain-c"]
        await world.is_quiet("chain")
        assert volcano.born == ["chain-a", "chain-b", "chain-c"], "none ran twice"


async def _none(world):
    return not await world.jobs()


async def test_a_failure_ends_the_flow_and_its_jobs_stay(world):
    await world.templates("a", "b", "c")
    await world.create(JOB_FLOW, CHAIN.policy("delete").body())
    async with playing(world.client, world.namespace, fails={"b"}), world.controller():
        status = await world.until("chain", lambda told: "completionTime" in told)
        assert (status["state"]["phase"], status["outcome"]) == ("Failed", "Failed")
        assert (status["completedJobs"], status["failedJobs"]) == (["chain-a"], ["chain-b"])
        await world.is_quiet("chain")
    assert sorted(await world.jobs()) == ["chain-a", "chain-b"]


async def test_the_ttl_of_a_template_is_ours(world):
    await world.templates(template("a").task("main").ttl(1))
    await world.create(JOB_FLOW, flow("ttl").step("a").body())
    async with playing(world.client, world.namespace) as volcano, world.controller():
        status = await world.phase("ttl", "Succeed")
        await world.eventually(lambda: _none(world))
        assert status["completedJobs"] == ["ttl-a"]
        assert volcano.born == ["ttl-a"]


async def test_a_template_that_comes_late_starts_its_step(world):
    await world.templates("a")
    await world.create(JOB_FLOW, flow("late").step("a").step("b", after="a").body())
    async with playing(world.client, world.namespace), world.controller():
        await world.until("late", lambda told: told.get("state", {}).get("reason") == "TemplateNotFound")
        await world.templates("b")
        await world.phase("late", "Succeed")


async def test_a_controller_that_is_started_again_goes_on_where_it_was(world):
    await world.templates("a", "b", "c")
    await world.create(JOB_FLOW, CHAIN.body())
    async with playing(world.client, world.namespace, held={"b"}) as volcano:
        async with world.controller():
            await world.until("chain", lambda told: told.get("runningJobs") == ["chain-b"])
        volcano.held.clear()
        await world.eventually(lambda: _ended(volcano, "chain-b"))
        async with world.controller():
            await world.phase("chain", "Succeed")
        assert volcano.born == ["chain-a", "chain-b", "chain-c"]


async def _ended(volcano, name):
    return name in volcano.ended


async def test_a_flow_that_is_deleted_takes_its_jobs_along(world):
    await world.templates("a", "b", "c")
    await world.create(JOB_FLOW, CHAIN.body())
    async with playing(world.client, world.namespace, held={"b"}), world.controller():
        await world.until("chain", lambda told: told.get("runningJobs") == ["chain-b"])
        await world.client.delete(JOB_FLOW, world.namespace, "chain")
        await world.eventually(lambda: _none(world))
        assert await world.read(VOLCANO_JOB, "chain-c") is None
