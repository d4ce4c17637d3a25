"""Writes that fail, or succeed unheard: the Job runtime comes to the same end."""

import asyncio
import contextlib
from random import Random

import pytest

from jobflow.api.resources import COMMAND, CONFIG_MAP, POD_GROUP, SECRET
from jobflow.kube.client import Client
from jobflow.kube.errors import Unavailable
from jobflow.local.volcano.volumes import CLAIM

pytestmark = pytest.mark.looptime

STORAGE = {"accessModes": ["ReadWriteOnce"]}


class Unreliable:
    """Below the Transport seam: one of `every` writes, by chance, is not done, or done and not answered."""

    def __init__(self, transport, every, *, done, seed=0):
        self._transport = transport
        self._every = every
        self._done = done
        self._random = Random(f"{every} {done} {seed}")
        self.failed = 0

    async def request(self, request, timeout):
        if request.method == "GET":
            return await self._transport.request(request, timeout)
        if self._random.randrange(self._every):
            return await self._transport.request(request, timeout)
        self.failed += 1
        if self._done:
            await self._transport.request(request, timeout)
        raise Unavailable("no answer")

    def stream(self, request, silence):
        return self._transport.stream(request, silence)

    async def close(self):
        """Nothing of its own is open."""


@contextlib.asynccontextmanager
async def unreliable(world, every, done, seed=0):
    """The Job runtime behind such a transport, in place of the reliable one."""
    await world.stop(world.runtime)
    transport = Unreliable(world.transport, every, done=done, seed=seed)
    world.runtime = asyncio.create_task(world.job_runtime(Client(transport, world.clock)).run())
    yield transport
    assert transport.failed


@pytest.mark.parametrize("done", [False, True], ids=["not done", "not answered"])
@pytest.mark.parametrize("every", [4, 6, 10])
async def test_a_job_with_all_that_belongs_to_it_restarts_and_fails_as_it_should(
    world, build_task, policy, every, done
):
    async with unreliable(world, every, done):
        tasks = build_task("bad", runs="5s", exits=1), build_task("good", replicas=2, runs="100h")
        await world.create(
            "train",
            *tasks,
            maxRetry=2,
            plugins={"svc": [], "ssh": []},
            volumes=[{"mountPath": "/data", "volumeClaim": STORAGE}],
            policies=[policy("PodFailed", "RestartJob")],
        )
        status = await world.until("train", "Failed")
        assert status["retryCount"] == 2
        await world.until_status("train", lambda status: not status.get("terminating"))
        await world.clock.sleep(120)
        assert set(await world.pods()) == {"train-bad-0"}
        assert len(await world.items(CLAIM)) == 1
        assert await world.items(POD_GROUP) == []
        assert await world.find(CONFIG_MAP, "train-svc") is None
        assert await world.find(SECRET, "train-ssh") is None


@pytest.mark.parametrize("done", [False, True], ids=["not done", "not answered"])
async def test_each_pod_runs_once(world, build_task, done):
    async with unreliable(world, 3, done):
        await world.create("train", build_task(replicas=9, runs="5s"))
        status = await world.until("train", "Completed")
        assert status["succeeded"] == 9
        started = [name for name, phase in world.pod_history if phase == "Pending"]
        assert sorted(set(started)) == [f"train-work-{index}" for index in range(9)]
        assert len({pod["metadata"]["uid"] for pod in (await world.pods()).values()}) == 9


@pytest.mark.parametrize("seed", range(6))
async def test_an_action_that_is_cut_short_is_taken_once(world, build_task, seed):
    """A Command whose delete was not answered may be lost, as with Volcano; it is never carried out twice."""
    await world.create("train", build_task(replicas=4, runs="100h"), maxRetry=9)
    await world.until_status("train", lambda status: status.get("running") == 4)
    unheard = seed % 2 == 0
    async with unreliable(world, 4, done=unheard, seed=seed):
        await world.command("RestartJob", "train")
        await world.until_true(lambda: taken(world))
        await world.clock.sleep(300)
        status = await world.status("train")
        assert status.get("retryCount", 0) in ((0, 1) if unheard else (1,))
        assert status["running"] == 4


async def taken(world):
    return await world.items(COMMAND) == []
