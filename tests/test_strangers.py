"""What others do to a flow's Jobs while it runs, on the embedded control plane in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobflow.api import names
from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB
from jobflow.kube.client import Client
from jobflow.local.controlplane import ControlPlane, LocalSettings
from jobflow.testing.clock import VirtualClock

pytestmark = pytest.mark.looptime

NAMESPACE = "default"
FLOW = {
    "apiVersion": "flow.volcano.sh/v1alpha1",
    "kind": "JobFlow",
    "metadata": {"name": "f"},
    "spec": {"flows": [{"name": "a"}, {"name": "b", "dependsOn": {"targets": ["a"]}}]},
}


def template(name: str, seconds: int, **spec: Any) -> dict[str, Any]:
    pod = {
        "metadata": {"annotations": {"simulate.jobflow.volcano.sh/duration": f"{seconds}s"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "any"}]},
    }
    return {
        "apiVersion": "flow.volcano.sh/v1alpha1",
        "kind": "JobTemplate",
        "metadata": {"name": name},
        "spec": {"tasks": [{"name": "t", "replicas": 1, "template": pod}], **spec},
    }


class World:
    def __init__(self, client: Client) -> None:
        self.client = client

    async def flow(self) -> dict[str, Any]:
        return msgspec.json.decode(await self.client.get(JOB_FLOW, NAMESPACE, "f"))["status"]

    async def job(self, name: str) -> dict[str, Any]:
        return msgspec.json.decode(await self.client.get(VOLCANO_JOB, NAMESPACE, name))

    async def step(self, name: str) -> dict[str, Any]:
        return next(step for step in (await self.flow())["flowStatuses"] if step["name"] == name)

    async def end(self) -> dict[str, Any]:
        async with asyncio.timeout(3600):
            while not (status := await self.flow()).get("completionTime"):
                await asyncio.sleep(1)
        return status


@asynccontextmanager
async def running(tmp_path: Path, *templates: dict[str, Any]):
    clock = VirtualClock()
    async with ControlPlane(LocalSettings(scratch=tmp_path, runtime="simulate"), clock) as plane:
        client = Client(plane.transport(), clock)
        for body in templates:
            await client.create(JOB_TEMPLATE, NAMESPACE, body)
        await client.create(JOB_FLOW, NAMESPACE, FLOW)
        await asyncio.sleep(5)
        yield World(client)


async def test_an_unfinished_job_that_somebody_deletes_is_created_again_and_said_so(tmp_path):
    async with running(tmp_path, template("a", 60), template("b", 1)) as world:
        first = (await world.job("f-a"))["metadata"]["uid"]
        await world.client.delete(VOLCANO_JOB, NAMESPACE, "f-a")
        await asyncio.sleep(10)
        assert (await world.job("f-a"))["metadata"]["uid"] != first
        assert (await world.end())["outcome"] == "Succeeded"
        assert (await world.step("a"))["recreations"] == 1


async def test_a_finished_job_that_somebody_deletes_does_not_run_again(tmp_path):
    async with running(tmp_path, template("a", 1), template("b", 60)) as world:
        assert (await world.step("a"))["phase"] == "Succeeded"
        await world.client.delete(VOLCANO_JOB, NAMESPACE, "f-a")
        status = await world.end()
        assert status["outcome"] == "Succeeded"
        assert status["completedJobs"] == ["f-a", "f-b"]
        listed = [page async for page in world.client.list(VOLCANO_JOB, NAMESPACE)]
        assert [item["metadata"]["name"] for item in msgspec.json.decode(listed[0])["items"]] == ["f-b"]


async def test_a_ttl_in_the_template_deletes_the_job_and_not_its_result(tmp_path):
    async with running(tmp_path, template("a", 1, ttlSecondsAfterFinished=10), template("b", 60)) as world:
        assert "ttlSecondsAfterFinished" not in (await world.job("f-a"))["spec"]
        await asyncio.sleep(15)
        listed = [page async for page in world.client.list(VOLCANO_JOB, NAMESPACE)]
        assert [item["metadata"]["name"] for item in msgspec.json.decode(listed[0])["items"]] == ["f-b"]
        assert (await world.end())["outcome"] == "Succeeded"
        assert (await world.step("a"))["phase"] == "Succeeded"


async def test_a_new_flow_of_an_old_name_starts_the_moment_the_old_job_is_gone(tmp_path):
    async with running(tmp_path, template("a", 60), template("b", 1)) as world:
        old = (await world.job("f-a"))["metadata"]["uid"]
        await world.client.patch(VOLCANO_JOB, NAMESPACE, "f-a", {"metadata": {"finalizers": ["example.com/slow"]}})
        await world.client.delete(JOB_FLOW, NAMESPACE, "f")
        await asyncio.sleep(1)
        await world.client.create(JOB_FLOW, NAMESPACE, FLOW)
        await asyncio.sleep(100)
        assert (await world.step("a"))["reason"] == "PreviousChildTerminating"
        await world.client.patch(VOLCANO_JOB, NAMESPACE, "f-a", {"metadata": {"finalizers": None}})
        await asyncio.sleep(2)
        assert (await world.job("f-a"))["metadata"]["uid"] != old
        assert (await world.end())["outcome"] == "Succeeded"


async def test_a_job_whose_label_somebody_took_off_gets_it_back(tmp_path):
    async with running(tmp_path, template("a", 60), template("b", 1)) as world:
        before = await world.job("f-a")
        labels = {"metadata": {"labels": {names.CREATED_BY_JOB_FLOW: None}}}
        await world.client.patch(VOLCANO_JOB, NAMESPACE, "f-a", labels)
        await asyncio.sleep(10)
        after = await world.job("f-a")
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert after["metadata"]["labels"] == before["metadata"]["labels"]
        status = await world.end()
        assert status["outcome"] == "Succeeded"
        assert "recreations" not in await world.step("a")


async def test_a_deleted_job_of_a_flow_that_failed_meanwhile_is_in_one_list_and_not_created_again(tmp_path):
    long, failing = template("a", 60), template("b", 3)
    failing["spec"]["tasks"][0]["template"]["metadata"]["annotations"]["simulate.jobflow.volcano.sh/exit-code"] = "1"
    side_by_side = {**FLOW, "spec": {"flows": [{"name": "a"}, {"name": "b"}]}}
    clock = VirtualClock()
    async with ControlPlane(LocalSettings(scratch=tmp_path, runtime="simulate"), clock) as plane:
        world = World(Client(plane.transport(), clock))
        for body in (long, failing):
            await world.client.create(JOB_TEMPLATE, NAMESPACE, body)
        await world.client.create(JOB_FLOW, NAMESPACE, side_by_side)
        await asyncio.sleep(6)
        status = await world.flow()
        assert (status["state"]["phase"], status.get("completionTime")) == ("Failed", None)
        await world.client.delete(VOLCANO_JOB, NAMESPACE, "f-a")
        status = await world.end()
        assert status["terminatedJobs"] == ["f-a"]
        assert status.get("runningJobs", []) == []
        step = await world.step("a")
        assert (step["phase"], step["reason"]) == ("Unreachable", "FlowFailed")
        assert "its unfinished Job was deleted" in step["message"]
