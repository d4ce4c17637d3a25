"""Probes on both control planes: each kind, in each spelling, against servers that answer late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from conformance.volcano import playing

from jobflow.api.resources import JOB_FLOW, POD, VOLCANO_JOB
from jobflow.kinds.pod import JOB_NAME, TASK_SPEC
from jobflow.kube.errors import Invalid
from jobflow.local.names import local_world
from jobflow.testing.builders import flow

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUICK = {"periodSeconds": 1}
LOOPBACK = ("127.0.0.0/8",)


class Server:
    """A health check that says 503 until it is told to say 200."""

    def __init__(self) -> None:
        self.ready = False
        self.asked: list[web.Request] = []

    async def health(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        return web.Response(status=200 if self.ready else 503)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, int]]:
    server = Server()
    application = web.Application()
    application.router.add_get("/health", server.health)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield server, runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def probing(world) -> AsyncIterator[None]:
    """The controller, allowed to ask on loopback."""
    async with world.controller() as app:
        app.runner.world = local_world(world.client, LOOPBACK)
        yield


async def pod_of(world, job_name: str, address: str = "127.0.0.1") -> None:
    """What Volcano and a kubelet would make of the Job: one running pod of its task `main`."""
    job = await world.read(VOLCANO_JOB, job_name)
    labels = job["spec"]["tasks"][0]["template"].get("metadata", {}).get("labels", {})
    owner = {"apiVersion": VOLCANO_JOB.api_version, "kind": VOLCANO_JOB.kind, "name": job_name, "controller": True}
    pod = {
        "metadata": {"name": f"{job_name}-main-0"},
        "spec": {"containers": [{"name": "main", "image": "busybox"}]},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    }
    await world.create(
        POD,
        pod,
        labels=labels | {JOB_NAME: job_name, TASK_SPEC: "main"},
        ownerReferences=[owner | {"uid": job["metadata"]["uid"]}],
    )


def waits(status) -> bool:
    return status.get("state", {}).get("reason") == "WaitingForProbe"


def fails(status) -> bool:
    return any(entry.get("reason") == "ProbeFailing" for entry in status.get("flowStatuses", ()))


HEADER = {"name": "X-Token", "value": "t"}


@pytest.mark.parametrize(
    ("spelling", "more"),
    [
        ("httpGet", {"httpHeader": [HEADER]}),
        ("httpGetList", {"httpHeader": HEADER}),
        ("httpGet", {"httpHeaders": [HEADER]}),
    ],
)
async def test_http_of_a_host(world, spelling, more):
    await world.templates("a", "b")
    async with serving() as (server, port), playing(world.client, world.namespace) as volcano, probing(world):
        entry = {"host": "127.0.0.1", "port": port, "path": "/health", **more}
        probe = {spelling: [entry] if spelling.endswith("List") else entry} | QUICK
        await world.create(JOB_FLOW, flow("f").step("a").step("b", after="a", probe=probe).body())
        status = await world.until("f", fails)
        said = f"GET http://127.0.0.1:{port}/health -> 503"
        assert status["state"]["reason"] == "WaitingForProbe"
        assert said in status["state"]["message"]
        assert volcano.born == ["f-a"]
        server.ready = True
        await world.phase("f", "Succeed")
        assert volcano.born == ["f-a", "f-b"]
        assert server.asked[0].headers["X-Token"] == "t"


@pytest.mark.parametrize("spelling", ["tcpSocket", "tcpSocketList"])
async def test_tcp_of_a_task(world, spelling):
    await world.templates("a", "b")
    async with (
        serving() as (_, port),
        playing(world.client, world.namespace, held={"a"}) as volcano,
        probing(world),
    ):
        entry = {"taskName": "main", "port": port}
        probe = {spelling: [entry] if spelling.endswith("List") else entry} | QUICK
        await world.create(JOB_FLOW, flow("f").step("a").step("b", after="a", probe=probe).body())
        status = await world.until("f", waits)
        assert "0 of 1 pods of task main of Job f-a run" in status["state"]["message"]
        await pod_of(world, "f-a")
        await world.until("f", lambda told: "f-b" in told.get("completedJobs", ()))
        assert (await world.flow("f"))["status"]["runningJobs"] == ["f-a"], "it started while its target runs"
        volcano.held.clear()
        await world.phase("f", "Succeed")


@pytest.mark.parametrize(
    ("spelling", "entry"),
    [
        ("taskStatusCount", {"taskName": "main", "count": 1, "status": "Completed"}),
        ("taskStatusList", {"taskName": "main", "phase": "Succeeded"}),
    ],
)
async def test_status_of_a_task(world, spelling, entry):
    await world.templates("a", "b")
    probe = {spelling: [entry] if spelling.endswith("List") else entry}
    async with playing(world.client, world.namespace, held={"a"}) as volcano, probing(world):
        one = flow("f").step("a").step("b", after="a", probe=probe, waitFor="Running")
        await world.create(JOB_FLOW, one.body())
        await world.until("f", waits)
        counts = {"status": {"taskStatusCount": {"main": {"phase": {"Succeeded": 1}}}}}
        await world.client.patch(VOLCANO_JOB, world.namespace, "f-a", counts, subresource="status")
        await world.until("f", lambda told: "f-b" in told.get("completedJobs", ()))
        volcano.held.clear()
        await world.phase("f", "Succeed")


async def test_a_target_that_ends_before_its_task_answered_fails_the_flow(world):
    await world.templates("a", "b")
    probe = {"tcpSocket": {"taskName": "main", "port": 9}} | QUICK
    async with playing(world.client, world.namespace) as volcano, probing(world):
        await world.create(JOB_FLOW, flow("f").step("a").step("b", after="a", probe=probe).body())
        status = await world.phase("f", "Failed")
        assert status["flowStatuses"][1]["reason"] == "ProbeTargetGone"
        assert volcano.born == ["f-a"]
        await world.is_quiet("f")


async def test_a_probe_is_asked_again_by_a_controller_that_was_started_again(world):
    await world.templates("a", "b")
    async with serving() as (server, port), playing(world.client, world.namespace) as volcano:
        probe = {"httpGet": {"host": "127.0.0.1", "port": port, "path": "/health"}} | QUICK
        async with probing(world):
            await world.create(JOB_FLOW, flow("f").step("a").step("b", after="a", probe=probe).body())
            await world.until("f", fails)
        before = len(server.asked)
        await asyncio.sleep(1.5)
        assert len(server.asked) == before, "nobody asks while there is no controller"
        server.ready = True
        async with probing(world):
            await world.phase("f", "Succeed")
        assert volcano.born == ["f-a", "f-b"]


@pytest.mark.parametrize(
    "entry",
    [
        {"tcpSocket": {"host": "db", "port": 0}},
        {"tcpSocket": {"host": "db", "port": 70000}},
        {"httpGet": {"host": "m", "port": 80, "path": "/a\r\nX: y"}},
        {"taskStatusCount": {"taskName": "w", "status": "Done"}},
    ],
)
async def test_what_no_probe_can_be_is_refused_by_the_api_server(world, entry):
    with pytest.raises(Invalid):
        await world.create(JOB_FLOW, flow("f").step("a").step("b", after="a", probe=entry).body())
