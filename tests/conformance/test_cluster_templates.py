"""ClusterJobTemplates on both control planes: from their CRD's arrival to its going, with one controller at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
import pytest_asyncio
from conformance.volcano import playing
from conformance.world import DRAIN_SECONDS, World

from jobflow.api import names
from jobflow.api.crd import cluster_job_template_crd
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, CUSTOM_RESOURCE_DEFINITION, JOB_FLOW
from jobflow.app import App
from jobflow.clock import SystemClock
from jobflow.config import Settings
from jobflow.kube.errors import ApiError, NotFound
from jobflow.testing.builders import TemplateBuilder, cluster_template, flow

pytestmark = pytest.mark.asyncio(loop_scope="session")

CRD = cluster_job_template_crd()
CRD_NAME = CRD["metadata"]["name"]
OF_THE_CLUSTER = {"name": "trainer", "kind": "ClusterJobTemplate"}
CHAIN = (
    flow("chain")
    .step("early")
    .having(templateRef=OF_THE_CLUSTER)
    .step("late", after="early")
    .having(templateRef=OF_THE_CLUSTER)
)


@asynccontextmanager
async def controller_of_the_cluster(world: World) -> AsyncIterator[App]:
    """It sees all namespaces, and so what other tests have left as well."""
    stop = asyncio.Event()
    app = App(world.client, SystemClock(), Settings(enable_cluster_templates=True))
    running = asyncio.create_task(app.run(stop), name="controller")
    try:
        yield app
    finally:
        stop.set()
        async with asyncio.timeout(DRAIN_SECONDS):
            await running


async def _gone(world: World) -> bool:
    try:
        await world.client.get(CUSTOM_RESOURCE_DEFINITION, None, CRD_NAME)
    except NotFound:
        return True
    return False


@pytest_asyncio.fixture(loop_scope="session")
async def without_the_kind(world: World) -> AsyncIterator[World]:
    """A server that does not have the CRD, before and after."""
    assert await _gone(world)
    yield world
    try:
        await world.client.delete(CUSTOM_RESOURCE_DEFINITION, None, CRD_NAME)
    except NotFound:
        return
    await world.eventually(lambda: _gone(world))


async def _install(world: World, built: TemplateBuilder) -> None:
    await world.client.apply(CUSTOM_RESOURCE_DEFINITION, None, CRD_NAME, CRD)
    body = built.body()
    written = {**body, "metadata": {"name": body["metadata"]["name"]}}

    async def created() -> bool:
        try:  # the kind is served some time after its CRD was taken
            await world.client.create(CLUSTER_JOB_TEMPLATE, None, written)
        except ApiError:
            return False
        return True

    await world.eventually(created)


async def test_a_step_waits_for_the_kind_and_runs_the_template_as_it_is_by_then(without_the_kind):
    world = without_the_kind
    await world.create(JOB_FLOW, CHAIN.body())
    async with playing(world.client, world.namespace, held={"early"}) as volcano, controller_of_the_cluster(world):
        await world.until("chain", lambda told: _reason(told) == "TemplateNotFound")
        await _install(world, cluster_template("trainer").task("main"))
        await world.until("chain", lambda told: told.get("runningJobs") == ["chain-early"])
        await world.client.patch(CLUSTER_JOB_TEMPLATE, None, "trainer", {"spec": {"maxRetry": 7}})
        await world.eventually(lambda: _is_counted(world, 1))
        volcano.held.clear()
        await world.until("chain", lambda told: "completionTime" in told)
        await world.eventually(lambda: _is_counted(world, 2))
    jobs = await world.jobs()
    told = [jobs[name]["metadata"] for name in ("chain-early", "chain-late")]
    assert [meta["annotations"][names.TEMPLATE_GENERATION] for meta in told] == ["1", "2"]
    assert [meta["labels"][names.CLUSTER_TEMPLATE] for meta in told] == ["trainer", "trainer"]
    assert [jobs[name]["spec"]["maxRetry"] for name in ("chain-early", "chain-late")] == [3, 7]


def _reason(status):
    return next((entry.get("reason") for entry in status.get("flowStatuses", ())), None)


async def _is_counted(world, jobs):
    template = msgspec.json.decode(await world.client.get(CLUSTER_JOB_TEMPLATE, None, "trainer"))
    return template.get("status") == {"jobDependsOnTotal": jobs}


async def test_a_controller_of_some_namespaces_says_that_it_sees_none_of_them(world):
    await world.create(JOB_FLOW, CHAIN.body())
    async with world.controller():
        status = await world.until("chain", lambda told: _reason(told) == "TemplateUnreadable")
    assert "the controller works in some namespaces only" in status["flowStatuses"][0]["message"]


async def test_what_templateref_may_name(world):
    wrong = flow("wrong").step("a").having(templateRef={"name": "trainer", "kind": "CronJob"})
    with pytest.raises(ApiError, match=r"spec\.flows\[0\]\.templateRef\.kind.*ClusterJobTemplate"):
        await world.create(JOB_FLOW, wrong.body())
