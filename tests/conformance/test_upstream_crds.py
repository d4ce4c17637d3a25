"""A cluster that has upstream's CRDs and never had ours: fields of ours are pruned, and flows run all the same.

What a flow remembers is then upstream's jobStatusList alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from conformance.upstream import UPSTREAM_STATUS, upstream_crds
from conformance.volcano import playing
from conformance.world import World
from envtest.control_plane import ControlPlane
from envtest.plugin import EMBEDDED, REAL

from jobflow.api.crd import volcano_job_crd
from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, JOB_FLOW, VOLCANO_JOB, Resource
from jobflow.clock import SystemClock
from jobflow.kube.client import Client
from jobflow.kube.errors import ApiError
from jobflow.kube.transport import Transport
from jobflow.local.apiserver.server import ApiServer
from jobflow.testing.builders import flow, template

pytestmark = pytest.mark.asyncio(loop_scope="session")

INSTALL_SECONDS = 30.0
CHAIN = flow("chain").step("a").step("b", after="a").step("c", after="b")


async def _install(transport: Transport) -> Client:
    client = Client(transport, SystemClock())
    crds = [*upstream_crds(), volcano_job_crd()]
    for crd in crds:
        await client.apply(CUSTOM_RESOURCE_DEFINITION, None, crd["metadata"]["name"], crd)
    for crd in crds:
        names, group = crd["spec"]["names"], crd["spec"]["group"]
        version = crd["spec"]["versions"][0]["name"]
        kind = Resource(group, version, names["plural"], names["kind"])
        async with asyncio.timeout(INSTALL_SECONDS):
            while not await _served(client, kind):
                await asyncio.sleep(0.05)
    return client


async def _served(client: Client, kind: Resource) -> bool:
    try:
        return [page async for page in client.list(kind, "default")] != []
    except ApiError:
        return False


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def embedded_upstream() -> AsyncIterator[Client]:
    async with ApiServer(SystemClock()) as server:
        yield await _install(server.transport())


@pytest.fixture(scope="module")
def second_control_plane(
    real_control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """Another one beside the session's: CRDs are the whole cluster's."""
    plane = ControlPlane(tmp_path_factory.mktemp("upstream"))
    plane.start()
    yield plane
    plane.stop()


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def real_upstream(second_control_plane: ControlPlane) -> AsyncIterator[Client]:
    transport = await second_control_plane.transport()
    try:
        yield await _install(transport)
    finally:
        await transport.close()


@pytest.fixture(
    params=[
        pytest.param("embedded_upstream", marks=[pytest.mark.conformance, pytest.mark.plane(EMBEDDED)], id="embedded"),
        pytest.param("real_upstream", marks=[pytest.mark.real, pytest.mark.plane(REAL)], id="real"),
    ]
)
def upstream(request: pytest.FixtureRequest) -> World:
    return World(request.param, request.getfixturevalue(request.param), "default")


async def test_a_chain_succeeds_and_tells_it_in_upstreams_fields(upstream):
    await upstream.templates("a", "b", "c")
    await upstream.create(JOB_FLOW, CHAIN.body())
    async with playing(upstream.client, upstream.namespace) as volcano, upstream.controller():
        status = await upstream.phase("chain", "Succeed")
        assert status["completedJobs"] == ["chain-a", "chain-b", "chain-c"]
        assert [entry["state"] for entry in status["jobStatusList"]] == ["Completed"] * 3
        assert set(status) <= UPSTREAM_STATUS
        assert set(status["state"]) == {"phase"}
        assert volcano.born == ["chain-a", "chain-b", "chain-c"]
        await upstream.is_quiet("chain")


async def test_what_this_crd_puts_into_a_patch_is_not_put_over_the_template(upstream):
    await upstream.templates(template("sized").task("main").having(maxRetry=5, queue="research"))
    patch = {"jobSpec": {"tasks": [{"name": "main", "replicas": 2, "template": {}}]}}
    await upstream.create(JOB_FLOW, flow("patched").step("sized").having(patch=patch).body())
    stored = (await upstream.flow("patched"))["spec"]["flows"][0]["patch"]["jobSpec"]
    assert (stored["maxRetry"], stored["queue"]) == (3, "default"), "put in by the API server"
    async with playing(upstream.client, upstream.namespace), upstream.controller():
        await upstream.phase("patched", "Succeed")
    spec = (await upstream.jobs())["patched-sized"]["spec"]
    assert (spec["maxRetry"], spec["queue"], spec["tasks"][0]["replicas"]) == (5, "research", 2)


async def test_a_finished_step_whose_job_is_gone_does_not_run_again(upstream):
    await upstream.templates(*(template(step).task("main") for step in ("x", "y")))
    await upstream.create(JOB_FLOW, flow("memory").step("x").step("y", after="x").body())
    async with playing(upstream.client, upstream.namespace, held={"y"}) as volcano:
        async with upstream.controller():
            await upstream.until("memory", lambda told: told.get("runningJobs") == ["memory-y"])
        await upstream.client.delete(VOLCANO_JOB, upstream.namespace, "memory-x")
        async with upstream.controller():
            volcano.held.clear()
            await upstream.phase("memory", "Succeed")
        assert volcano.born.count("memory-x") == 1


async def test_delete_takes_the_jobs(upstream):
    await upstream.templates("p", "q")
    await upstream.create(JOB_FLOW, flow("brief").step("p").step("q", after="p").policy("delete").body())
    async with playing(upstream.client, upstream.namespace), upstream.controller():
        await upstream.phase("brief", "Succeed")
        await upstream.eventually(lambda: _none_of(upstream, "brief"))
        await upstream.is_quiet("brief")


async def _none_of(upstream, name):
    return not [job for job in await upstream.jobs() if job.startswith(f"{name}-")]


async def test_jobs_that_run_beside_a_failed_step_are_observed_to_their_end(upstream):
    await upstream.templates("m", "n")
    await upstream.create(JOB_FLOW, flow("sides").step("m").step("n").body())
    async with playing(upstream.client, upstream.namespace, fails={"m"}, held={"n"}) as volcano, upstream.controller():
        status = await upstream.phase("sides", "Failed")
        assert (status["failedJobs"], status["runningJobs"]) == (["sides-m"], ["sides-n"])
        volcano.held.clear()
        await upstream.until("sides", lambda told: told.get("completedJobs") == ["sides-n"])
        await upstream.is_quiet("sides")


async def test_the_time_to_live_of_a_template_is_kept_across_a_restart(upstream):
    await upstream.templates(template("brief").task("main").ttl(2), template("long").task("main"))
    await upstream.create(JOB_FLOW, flow("timed").step("brief").step("long", after="brief").body())
    async with playing(upstream.client, upstream.namespace, held={"long"}) as volcano:
        async with upstream.controller():
            await upstream.until("timed", lambda told: told.get("runningJobs") == ["timed-long"])
        async with upstream.controller():
            await upstream.eventually(lambda: _is_gone(upstream, "timed-brief"))
            volcano.held.clear()
            status = await upstream.phase("timed", "Succeed")
    assert status["completedJobs"] == ["timed-brief", "timed-long"]
    assert volcano.born.count("timed-brief") == 1


async def test_a_step_whose_jobs_name_was_cut_is_remembered(upstream):
    step = "a-step-whose-name-is-so-long-that-the-name-of-its-job-is-cut"
    await upstream.templates(step, "after")
    await upstream.create(JOB_FLOW, flow("cut").step(step).step("after", after=step).body())
    async with playing(upstream.client, upstream.namespace, held={"after"}) as volcano:
        async with upstream.controller():
            status = await upstream.until("cut", lambda told: told.get("runningJobs") == ["cut-after"])
        (name,) = status["completedJobs"]
        assert name != f"cut-{step}"
        await upstream.client.delete(VOLCANO_JOB, upstream.namespace, name)
        async with upstream.controller():
            volcano.held.clear()
            await upstream.phase("cut", "Succeed")
    assert volcano.born.count(name) == 1


async def _is_gone(upstream, name):
    return name not in await upstream.jobs()
