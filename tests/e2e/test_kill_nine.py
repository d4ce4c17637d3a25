"""kill -9 of the controller right after the API server committed its k-th write and before it heard of it, for every k.

The controller is a process of its own that reaches `jobflow up --no-controller --data` through a proxy. The proxy
counts the answers to writes; instead of handing over the k-th it kills the controller. A second controller then
brings the flow to its end. Every step's process leaves a line in a file when it starts: no step may leave two.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import yaml
from aiohttp import web

pytestmark = [pytest.mark.e2e, pytest.mark.blocking]

STEPS = {"a": [], "b": ["a"], "c": ["a"], "d": ["a"], "e": ["b", "c", "d"]}
FINISH_SECONDS = 60.0
MOST_WRITES = 60  # a flow that takes more of the controller's writes than this is a bug by itself


@dataclass
class Proxy:
    """Forwards to the API server; kills `victim` instead of answering its `fatal`-th committed write."""

    url: str
    session: aiohttp.ClientSession
    fatal: int = 0
    writes: int = 0
    victim: asyncio.subprocess.Process | None = None

    async def forward(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name in ("Accept", "Content-Type")}
        async with self.session.request(
            request.method, self.url + request.path_qs, data=body or None, headers=headers
        ) as answer:
            if request.method == "GET" and "watch=true" in request.query_string:
                return await self.stream(request, answer)
            whole = await answer.read()
        if request.method != "GET" and answer.status < 300:
            self.writes += 1
            if self.writes == self.fatal and self.victim is not None:
                self.victim.send_signal(signal.SIGKILL)
                await self.victim.wait()
                raise ConnectionResetError
        return web.Response(status=answer.status, body=whole, content_type=answer.content_type)

    async def stream(self, request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        out = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
        await out.prepare(request)
        try:
            async for line in answer.content:
                await out.write(line)
        except (aiohttp.ClientError, ConnectionResetError):
            pass  # the controller is gone, or the server is
        return out


@asynccontextmanager
async def proxy_to(kubeconfig: Path, directory: Path) -> AsyncIterator[tuple[Proxy, Path]]:
    """A proxy on loopback and a kubeconfig that points at it."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    trust = ssl.create_default_context(cadata=_pem(cluster))
    headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
    connector = aiohttp.TCPConnector(ssl=trust, limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        proxy = Proxy(cluster["server"], session)
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", proxy.forward)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{port}"}
        through = directory / "through-the-proxy"
        through.write_text(yaml.safe_dump(config))
        try:
            yield proxy, through
        finally:
            await runner.cleanup()


def _pem(cluster: dict[str, str]) -> str:
    import base64

    return base64.b64decode(cluster["certificate-authority-data"]).decode()


async def controller(kubeconfig: Path, log: Path) -> asyncio.subprocess.Process:
    with log.open("ab") as out:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "jobflow", "controller", "--kubeconfig", str(kubeconfig), stdout=out, stderr=out
        )


def templates(starts: Path, then: str = "") -> list[dict[str, object]]:
    """One template a step; its process tells on which flow's behalf it starts (the Job's name is in HOSTNAME)."""
    return [
        {
            "apiVersion": "flow.volcano.sh/v1alpha1",
            "kind": "JobTemplate",
            "metadata": {"name": step},
            "spec": {
                "tasks": [
                    {
                        "name": "t",
                        "replicas": 1,
                        "template": {
                            "spec": {
                                "restartPolicy": "Never",
                                "containers": [
                                    {
                                        "name": "c",
                                        "image": "busybox",
                                        "command": ["sh", "-c", f"echo $HOSTNAME >> {starts}{then}"],
                                    }
                                ],
                            }
                        },
                    }
                ]
            },
        }
        for step in STEPS
    ]


def flow(name: str, policy: str) -> dict[str, object]:
    return flow_of(name, policy, [{"name": step, "dependsOn": {"targets": targets}} for step, targets in STEPS.items()])


def flow_of(name: str, policy: str, flows: list[dict[str, object]]) -> dict[str, object]:
    return {
        "apiVersion": "flow.volcano.sh/v1alpha1",
        "kind": "JobFlow",
        "metadata": {"name": name},
        "spec": {"jobRetainPolicy": policy, "flows": flows},
    }


class World:
    """What the test does and asks as a user, past the proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    async def create(self, plural: str, body: dict[str, object]) -> None:
        url = f"{self.proxy.url}/apis/flow.volcano.sh/v1alpha1/namespaces/default/{plural}"
        async with self.proxy.session.post(url, json=body) as answer:
            assert answer.status == 201, await answer.text()

    async def get(self, path: str) -> dict[str, object]:
        async with self.proxy.session.get(f"{self.proxy.url}{path}") as answer:
            return json.loads(await answer.read())

    async def flow(self, name: str) -> dict[str, object]:
        return await self.get(f"/apis/flow.volcano.sh/v1alpha1/namespaces/default/jobflows/{name}")

    async def jobs(self, name: str) -> list[object]:
        selector = f"?labelSelector=jobflow.volcano.sh/name={name}"
        listed = await self.get(f"/apis/batch.volcano.sh/v1alpha1/namespaces/default/jobs{selector}")
        return listed["items"]  # type: ignore[return-value]

    async def at_rest(self, name: str, policy: str) -> bool:
        status = (await self.flow(name)).get("status") or {}
        if not status.get("completionTime"):  # type: ignore[attr-defined]
            return False
        return policy == "retain" or not await self.jobs(name)


async def _until_rest(world: World, name: str, policy: str, process: asyncio.subprocess.Process | None = None) -> bool:
    """Until the flow has ended, or `process` has. False where it was the process."""
    deadline = asyncio.get_running_loop().time() + FINISH_SECONDS
    while not await world.at_rest(name, policy):
        if process is not None and process.returncode is not None:
            return False
        assert asyncio.get_running_loop().time() < deadline, json.dumps(await world.flow(name), indent=1)
        await asyncio.sleep(0.05)
    return True


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)
    await process.wait()


async def _die_after_each_write(
    world: World, kubeconfig: Path, log: Path, policy: str, make: Callable[[str, str], dict[str, object]]
) -> int:
    """Run a flow for each write that it takes, whose controller dies after that one; how many there were."""
    proxy = world.proxy
    for k in range(1, MOST_WRITES):
        name = f"{policy}-{k}"
        proxy.fatal, proxy.writes = k, 0
        proxy.victim = await controller(kubeconfig, log)
        await world.create("jobflows", make(name, policy))
        survived = await _until_rest(world, name, policy, proxy.victim)
        await _end(proxy.victim)
        if survived:
            return k - 1  # it had fewer than k writes to make
        proxy.fatal, proxy.victim = 0, None
        second = await controller(kubeconfig, log)
        await _until_rest(world, name, policy)
        await _end(second)
        status = (await world.flow(name))["status"]
        assert status["outcome"] == "Succeeded", status  # type: ignore[index]
    pytest.fail(f"more than {MOST_WRITES} writes for one flow")


@pytest.mark.parametrize("policy", ["retain", "delete"])
async def test_no_step_runs_twice_whichever_write_the_controller_dies_after(up, tmp_path: Path, policy: str) -> None:
    server = up("--no-controller", "--data", str(tmp_path / "data"))
    starts = tmp_path / "starts"
    log = tmp_path / "controller.log"
    async with proxy_to(server.kubeconfig, tmp_path) as (proxy, kubeconfig):
        world = World(proxy)
        for template in templates(starts):
            await world.create("jobtemplates", template)
        died = await _die_after_each_write(world, kubeconfig, log, policy, flow)
    ran = Counter(starts.read_text().split())
    twice = {pod: count for pod, count in ran.items() if count != 1}
    assert not twice, f"started more than once: {twice}"
    assert len(ran) == (died + 1) * len(STEPS)
    assert died >= len(STEPS) + 4, "as many writes as children and levels, at the least"
    print(f"policy {policy}: killed after each of {died} writes, {len(ran)} steps ran, each once", os.linesep)


def retried(name: str, policy: str) -> dict[str, object]:
    """A flow whose first step fails twice and then does not, and is tried again after a moment each time."""
    again = {"limit": 2, "backoff": {"duration": "200ms"}}
    return flow_of(name, policy, [{"name": "a", "retry": again}, {"name": "b", "dependsOn": {"targets": ["a"]}}])


@pytest.mark.parametrize("policy", ["retain", "delete"])
async def test_no_attempt_runs_twice_whichever_write_the_controller_dies_after(up, tmp_path: Path, policy: str) -> None:
    server = up("--no-controller", "--data", str(tmp_path / "data"))
    starts, then = tmp_path / "starts", '; case "$HOSTNAME" in *-a-t-0|*-a-r1-t-0) exit 75;; esac'
    async with proxy_to(server.kubeconfig, tmp_path) as (proxy, kubeconfig):
        world = World(proxy)
        for template in templates(starts, then):
            await world.create("jobtemplates", template)
        died = await _die_after_each_write(world, kubeconfig, tmp_path / "controller.log", policy, retried)
    ran = Counter(starts.read_text().split())
    jobs = ("a", "a-r1", "a-r2", "b")
    assert ran == Counter(f"{policy}-{k}-{job}-t-0" for k in range(1, died + 2) for job in jobs)
    assert died >= 3 * len(jobs), "that it is there, that it has begun or ended, and its creation"
    print(f"policy {policy}: killed after each of {died} writes, each attempt ran once", os.linesep)
