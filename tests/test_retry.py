"""Attempts through the engine: controllers on the embedded API server, in virtual time, that are killed at any moment.

Volcano's part is played here: a Job runs for a while, and ends as the test says.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from conformance.upstream import upstream_crds

from jobflow.api.crd import product_crds, volcano_job_crd
from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, EVENT, JOB_FLOW, JOB_TEMPLATE, POD, VOLCANO_JOB
from jobflow.app import App
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.errors import NotFound
from jobflow.kube.transport import Request, Response, Transport
from jobflow.local.apiserver.server import ApiServer
from jobflow.testing.builders import flow, template
from jobflow.testing.clock import VirtualClock

pytestmark = pytest.mark.looptime

RUN_SECONDS = 5.0
READS = ("GET", "HEAD")
F = flow("f").step("a").having(retry={"limit": 3, "backoff": {"duration": "8s", "factor": 2}})


class Mortal(Transport):
    """The controller's way to the server, which ends for good at one of its writes: before it, or after."""

    def __init__(self, inner: Transport, last_write: int = 0, *, heard: bool = True) -> None:
        self._inner = inner
        self._left = last_write
        self._heard = heard
        self.dead = asyncio.Event()
        self.made: list[str] = []  # Jobs that were created
        self.writes = 0
        self.hidden = 0  # with which status the pods of a Job are refused
        self.told = 0  # writes of the flow's status

    async def request(self, request: Request, timeout: float) -> Response:
        if self.dead.is_set():
            await asyncio.Event().wait()
        if self.hidden and dict(request.query).get("labelSelector", "").startswith("volcano.sh/job-name="):
            return Response(self.hidden, msgspec.json.encode({"kind": "Status", "code": self.hidden, "message": "no"}))
        if request.method in READS:
            return await self._inner.request(request, timeout)
        self.writes += 1
        self.told += "/jobflows/" in request.path
        if self.writes == self._left:
            self.dead.set()
            if not self._heard:
                await asyncio.Event().wait()
        answer = await self._inner.request(request, timeout)
        if request.method == "POST" and request.path.endswith("/jobs") and answer.status == 201:
            self.made.append(msgspec.json.decode(answer.body)["metadata"]["name"])
        if self.dead.is_set():
            await asyncio.Event().wait()
        return answer

    def stream(self, request: Request, silence: float):
        return self._inner.stream(request, silence)

    async def close(self) -> None:
        await self._inner.close()


@dataclass
class World:
    """One API server, its user, and Volcano, whose Jobs end as `ends` says: all but those that are named Complete."""

    server: ApiServer
    client: Client
    ends: dict[str, str] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    most_live: int = 0

    async def create(self, resource, builder):
        body = builder.body()
        body["metadata"] = {"name": body["metadata"]["name"]}
        await self.client.create(resource, "default", body)

    async def all(self, resource) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async for page in self.client.list(resource, "default"):
            found += msgspec.json.decode(page)["items"]
        return found

    async def status(self) -> dict[str, Any]:
        return msgspec.json.decode(await self.client.get(JOB_FLOW, "default", "f")).get("status", {})

    async def step(self) -> dict[str, Any]:
        return (await self.status())["flowStatuses"][0]

    async def volcano(self) -> None:
        """Let each Job run for a while, and end."""
        begun: dict[str, float] = {}
        while True:
            jobs = [job for job in await self.all(VOLCANO_JOB) if not _ended(job)]
            self.most_live = max(self.most_live, len(jobs))
            for job in jobs:
                meta, now = job["metadata"], asyncio.get_running_loop().time()
                if meta["uid"] not in begun:
                    begun[meta["uid"]] = now
                    await self.says(meta["name"], "Running")
                elif now - begun[meta["uid"]] >= RUN_SECONDS:
                    await self.pod(meta)
                    await self.says(meta["name"], self.ends.get(meta["name"], "Completed"))
            await asyncio.sleep(1.0)

    async def pod(self, job: dict[str, Any]) -> None:
        """Leave one pod of the Job, which has ended."""
        code = self.codes.get(job["name"])
        if code is None:
            return
        owner = {"apiVersion": VOLCANO_JOB.api_version, "kind": "Job", "name": job["name"], "uid": job["uid"]}
        name = f"{job['name']}-main-0"
        meta = {
            "name": name,
            "labels": {"volcano.sh/job-name": job["name"]},
            "ownerReferences": [owner | {"controller": True}],
        }
        await self.client.create(
            POD, "default", {"metadata": meta, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        )
        ended = {"name": "c", "image": "i", "imageID": "i", "ready": False, "restartCount": 0}
        status = {"phase": "Failed", "containerStatuses": [ended | {"state": {"terminated": {"exitCode": code}}}]}
        await self.client.patch(POD, "default", name, {"status": status}, subresource="status")

    async def says(self, job: str, phase: str) -> None:
        now = VirtualClock().now().replace(microsecond=0).isoformat().replace("+00:00", "Z")
        told = {"status": {"state": {"phase": phase, "lastTransitionTime": now}}}
        with suppress(NotFound):
            await self.client.patch(VOLCANO_JOB, "default", job, told, subresource="status")

    async def settle(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def end(self) -> None:
        """Wait until the flow has ended, and a while longer: nothing may happen any more."""
        for _ in range(40):
            await asyncio.sleep(5.0)
            if "completionTime" in await self.status():
                break
        await asyncio.sleep(15.0)

    @asynccontextmanager
    async def controller(self, last_write: int = 0, *, heard: bool = True) -> AsyncIterator[Mortal]:
        """A controller, which is killed at the end: nothing of it is finished."""
        transport = Mortal(self.server.transport(), last_write, heard=heard)
        app = App(Client(transport, VirtualClock()), VirtualClock(), Settings())
        running = asyncio.create_task(app.run(asyncio.Event()))
        try:
            yield transport
        finally:
            self.made += transport.made
            transport.dead.set()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _ended(job: dict[str, Any]) -> bool:
    return job.get("status", {}).get("state", {}).get("phase") in ("Completed", "Failed", "Terminated", "Aborted")


@pytest.fixture
async def cluster():
    async with ApiServer(VirtualClock()) as server:
        client = Client(server.transport(), VirtualClock())
        for crd in (*product_crds(), volcano_job_crd()):
            await client.create(CUSTOM_RESOURCE_DEFINITION, None, crd)
        made = World(server, client, ends={"f-a": "Failed", "f-a-r1": "Failed"}, codes={"f-a": 3, "f-a-r1": 4})
        await made.create(JOB_TEMPLATE, template("a").task("main"))
        playing = asyncio.create_task(made.volcano())
        yield made
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def test_a_step_that_fails_twice_and_then_does_not(cluster):
    await cluster.create(JOB_FLOW, F)
    async with cluster.controller():
        await cluster.end()
    assert cluster.made == ["f-a", "f-a-r1", "f-a-r2"]
    assert cluster.most_live == 1
    status, step = await cluster.status(), await cluster.step()
    assert (status["state"]["phase"], step["phase"], step["attempt"], step["jobName"]) == (
        "Succeed",
        "Succeeded",
        2,
        "f-a-r2",
    )
    told = [(one["attempt"], one["jobName"], one["reason"], one.get("exitCode")) for one in step["attempts"]]
    assert told == [(0, "f-a", "JobFailed", 3), (1, "f-a-r1", "JobFailed", 4)]
    starts = [seconds(one["startTime"]) for one in (*step["attempts"], step)][1:]
    ends = [seconds(one["completionTime"]) for one in step["attempts"]]
    waits = [start - end for start, end in zip(starts, ends, strict=True)]
    assert 8 <= waits[0] <= 10
    assert 16 <= waits[1] <= 18
    assert [one["name"] for one in status["jobStatusList"]] == ["f-a-r2"]
    assert status["completedJobs"] == ["f-a-r2"]
    assert "failedJobs" not in status
    environment = [
        {one["name"]: one.get("value") for one in _container(job)["env"]}["JOBFLOW_ATTEMPT"]
        for job in sorted(await cluster.all(VOLCANO_JOB), key=lambda job: job["metadata"]["name"])
    ]
    assert environment == ["0", "1", "2"]


def _container(job):
    return job["spec"]["tasks"][0]["template"]["spec"]["containers"][0]


async def test_each_retry_is_told_in_one_event(cluster):
    await cluster.create(JOB_FLOW, F)
    async with cluster.controller():
        await cluster.end()
    retries = [event for event in await cluster.all(EVENT) if event["reason"] == "Retrying"]
    assert [(event["type"], event.get("count", 1)) for event in retries] == [("Warning", 1)] * 2
    said = sorted(event["message"] for event in retries)
    assert said[0].startswith("step a: JobFailed with exit code 3; attempt 2 of 4 is due at ")
    assert said[1].startswith("step a: JobFailed with exit code 4; attempt 3 of 4 is due at ")


async def test_few_writes_are_made_of_each_attempt(cluster):
    await cluster.create(JOB_FLOW, F)
    async with cluster.controller() as transport:
        await cluster.end()
    assert transport.told == 3 * 3, "of each attempt that it is there, that it runs, and that it has ended"


async def test_a_limit_that_is_reached_fails_the_step(cluster):
    cluster.ends["f-a-r2"] = "Failed"
    cluster.codes["f-a-r2"] = 5
    await cluster.create(JOB_FLOW, flow("f").step("a").having(retryPolicy={"maxRetries": 2, "interval": "1s"}))
    async with cluster.controller():
        await cluster.end()
    step = await cluster.step()
    assert (step["phase"], step["reason"], step["attempt"], step["exitCode"]) == ("Failed", "JobFailed", 2, 5)
    assert step["message"] == "Job f-a-r2 is Failed; attempt 3 of 3"
    assert cluster.made == ["f-a", "f-a-r1", "f-a-r2"]


async def test_a_job_that_somebody_deletes_while_it_runs_is_made_again_and_is_no_other_attempt(cluster):
    await cluster.create(JOB_FLOW, F)
    async with cluster.controller():
        await cluster.settle(18)
        assert (await cluster.step())["jobName"] == "f-a-r1"
        await cluster.client.delete(VOLCANO_JOB, "default", "f-a-r1")
        await cluster.end()
    step = await cluster.step()
    assert cluster.made == ["f-a", "f-a-r1", "f-a-r1", "f-a-r2"]
    assert (step["phase"], step["attempt"], step["recreations"]) == ("Succeeded", 2, 1)


async def test_an_attempt_that_failed_is_over_when_somebody_deletes_its_job(cluster):
    await cluster.create(JOB_FLOW, F)
    async with cluster.controller():
        await cluster.settle(10)
        assert (await cluster.step())["reason"] == "RetryBackoff"
        await cluster.client.delete(VOLCANO_JOB, "default", "f-a")
        await cluster.end()
    assert cluster.made == ["f-a", "f-a-r1", "f-a-r2"]


async def test_the_backoff_is_not_waited_for_anew_after_a_restart(cluster):
    await cluster.create(JOB_FLOW, flow("f").step("a").having(retry={"limit": 2, "backoff": {"duration": "100s"}}))
    async with cluster.controller():
        await cluster.settle(60)
    await cluster.settle(30)  # of which the first attempt has waited its time
    async with cluster.controller():
        await cluster.end()
    step = await cluster.step()
    first, second = step["attempts"]
    assert 100 <= seconds(second["startTime"]) - seconds(first["completionTime"]) <= 102


async def test_when_everything_is_deleted_after_success_so_are_the_jobs_of_all_attempts(cluster):
    await cluster.create(JOB_FLOW, F.policy("delete"))
    async with cluster.controller():
        await cluster.end()
    assert await cluster.all(VOLCANO_JOB) == []
    assert (await cluster.status())["state"]["phase"] == "Succeed"


@pytest.mark.parametrize("heard", [True, False], ids=["after the write", "before the write"])
@pytest.mark.parametrize("last_write", range(1, 17))
async def test_a_controller_that_is_killed_at_any_write_runs_nothing_twice(cluster, last_write, heard):
    await cluster.create(JOB_FLOW, F)
    async with cluster.controller(last_write, heard=heard) as first:
        dying = asyncio.create_task(first.dead.wait())
        await asyncio.wait({dying}, timeout=60)
        dying.cancel()
    await cluster.settle(7)  # somebody ends meanwhile, and nobody sees it
    async with cluster.controller():
        await cluster.end()
    jobs = sorted(await cluster.all(VOLCANO_JOB), key=lambda job: job["metadata"]["name"])
    assert [job["metadata"]["name"] for job in jobs] == ["f-a", "f-a-r1", "f-a-r2"]
    assert sorted(cluster.made) in (["f-a", "f-a-r1", "f-a-r2"], *_one_missing())
    assert cluster.most_live == 1
    step = await cluster.step()
    assert (step["phase"], step["attempt"], step.get("recreations", 0)) == ("Succeeded", 2, 0)
    assert [one["jobName"] for one in step["attempts"]] == ["f-a", "f-a-r1"]
    assert [one["exitCode"] for one in step["attempts"]] == [3, 4]
    created = [job["metadata"]["creationTimestamp"] for job in jobs]
    assert all(early < late for early, late in pairwise(created))


def _one_missing() -> list[list[str]]:
    """A Job that was created while the controller died was not counted by it."""
    names = ["f-a", "f-a-r1", "f-a-r2"]
    return [[name for name in names if name != gone] for gone in names]


@pytest.mark.parametrize("retry", ["of the step", "of the flow"])
async def test_a_crd_that_loses_retry_stops_the_flow_and_it_goes_on_where_it_was(cluster, retry):
    given = {"limit": 3, "backoff": {"duration": "20s"}}
    built = flow("f").step("a").having(retry=given) if retry == "of the step" else flow("f").step("a")
    await cluster.create(JOB_FLOW, built if retry == "of the step" else built.setting(retry=given))
    async with cluster.controller():
        await cluster.settle(15)
        assert (await cluster.step())["reason"] == "RetryBackoff"
        await _install(cluster, upstream_crds())
        await cluster.settle(60)
        assert [job["metadata"]["name"] for job in await cluster.all(VOLCANO_JOB)] == ["f-a"]
        await _install(cluster, product_crds())
        await cluster.end()
    assert cluster.made == ["f-a", "f-a-r1", "f-a-r2"]
    step = await cluster.step()
    assert (step["phase"], step["attempt"], len(step["attempts"])) == ("Succeeded", 2, 2)


async def _install(cluster, crds) -> None:
    for crd in crds:
        name = crd["metadata"]["name"]
        live = msgspec.json.decode(await cluster.client.get(CUSTOM_RESOURCE_DEFINITION, None, name))
        await cluster.client.replace(CUSTOM_RESOURCE_DEFINITION, None, name, {**live, "spec": crd["spec"]})


async def test_while_the_pods_may_not_be_listed_nothing_waits_for_an_exit_code(cluster):
    await cluster.create(JOB_FLOW, F)
    async with cluster.controller() as transport:
        transport.hidden = 403
        await cluster.end()
    step = await cluster.step()
    assert step["phase"] == "Succeeded"
    assert [one.get("exitCode") for one in step["attempts"]] == [None, None]


async def test_an_api_server_that_does_not_give_the_exit_code_is_waited_for_and_not_for_ever(cluster):
    await cluster.create(JOB_FLOW, flow("f").step("a").having(retry={"limit": 2}))
    async with cluster.controller() as transport:
        transport.hidden = 500
        await cluster.settle(20)
        assert (await cluster.step())["reason"] == "ReadingExitCode"
        await cluster.end()
    step = await cluster.step()
    assert (step["phase"], step["attempt"]) == ("Succeeded", 2)
    first, second = step["attempts"]
    waited = seconds(second["startTime"]) - seconds(first["completionTime"])
    assert 30 <= waited <= 60, "six tries, each with those of the client"
