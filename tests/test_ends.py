"""Ends of flows through the engine: a controller on the embedded API server, in virtual time.

Volcano's part is played here: a Job is in the phase that the test writes.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import pytest

from jobflow.api.crd import product_crds, volcano_job_crd
from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, EVENT, JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB
from jobflow.app import App
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.errors import Invalid, NotFound
from jobflow.local.apiserver.server import ApiServer
from jobflow.testing.builders import flow, template
from jobflow.testing.clock import VirtualClock

pytestmark = pytest.mark.looptime

ON_EXIT = [{"name": "clean"}, {"name": "tell", "dependsOn": {"targets": ["clean"]}}]
F = flow("f").step("a").step("b", after="a").setting(onExit=ON_EXIT)


@dataclass
class World:
    """A user of one API server, who also plays Volcano."""

    server: ApiServer
    client: Client
    born: list[str] = field(default_factory=list)  # UIDs of Jobs, as they were first seen

    async def create(self, builder):
        body = builder.body()
        body["metadata"] = {"name": body["metadata"]["name"]}
        await self.client.create(JOB_FLOW, "default", body)

    async def jobs(self):
        pages = [page async for page in self.client.list(VOLCANO_JOB, "default")]
        found = [job for page in pages for job in msgspec.json.decode(page)["items"]]
        for job in sorted(found, key=lambda job: int(job["metadata"]["resourceVersion"])):
            uid = job["metadata"]["uid"]
            if uid not in self.born:
                self.born.append(uid)
        return {job["metadata"]["name"]: job for job in found}

    async def status(self):
        return msgspec.json.decode(await self.client.get(JOB_FLOW, "default", "f")).get("status", {})

    async def phase(self):
        state = (await self.status())["state"]
        return state["phase"], state.get("reason", "")

    async def steps(self):
        return {entry["name"]: entry["phase"] for entry in (await self.status())["flowStatuses"]}

    async def is_now(self, job, phase):
        told = {"status": {"state": {"phase": phase}}}
        await self.client.patch(VOLCANO_JOB, "default", job, told, subresource="status")
        await asyncio.sleep(20)

    @asynccontextmanager
    async def controller(self):
        stop = asyncio.Event()
        running = asyncio.create_task(
            App(Client(self.server.transport(), VirtualClock()), VirtualClock(), Settings()).run(stop)
        )
        await asyncio.sleep(20)
        yield
        stop.set()
        await running


@pytest.fixture
async def world():
    async with ApiServer(VirtualClock()) as server:
        client = Client(server.transport(), VirtualClock())
        for crd in (*product_crds(), volcano_job_crd()):
            await client.create(CUSTOM_RESOURCE_DEFINITION, None, crd)
        for name in ("a", "b", "c", "clean", "tell"):
            body = template(name).task("main").body()
            body["metadata"] = {"name": name}
            await client.create(JOB_TEMPLATE, "default", body)
        yield World(server, client)


async def test_onexit_runs_after_a_failure_and_once_though_the_controller_is_restarted_at_every_turn(world):
    await world.create(F)
    async with world.controller():
        assert list(await world.jobs()) == ["f-a"]
    turns = [("f-a", "Failed"), ("f-clean", "Running"), ("f-clean", "Completed"), ("f-tell", "Completed")]
    seen = []
    for job, phase in turns:
        async with world.controller():
            await world.is_now(job, phase)
            seen.append((sorted(await world.jobs()), await world.phase()))
    finalizing = ("Running", "Finalizing")
    assert seen == [
        (["f-a", "f-clean"], finalizing),
        (["f-a", "f-clean"], finalizing),
        (["f-a", "f-clean", "f-tell"], finalizing),
        (["f-a", "f-clean", "f-tell"], ("Failed", "StepFailed")),
    ]
    async with world.controller():
        await world.jobs()
    assert len(world.born) == 3, "none of them was born twice"
    status = await world.status()
    assert (status["outcome"], status["progress"]) == ("Failed", "0/2")
    assert "completionTime" in status


async def test_onexit_waits_for_what_still_runs(world):
    await world.create(flow("f").step("a").step("b").setting(onExit=ON_EXIT))
    async with world.controller():
        await world.is_now("f-b", "Running")
        await world.is_now("f-a", "Failed")
        assert sorted(await world.jobs()) == ["f-a", "f-b"]
        assert (await world.status())["outcome"] == "Failed"
        await world.is_now("f-b", "Completed")
        assert sorted(await world.jobs()) == ["f-a", "f-b", "f-clean"]


async def test_a_failing_onexit_step_is_told_and_changes_nothing(world):
    await world.create(flow("f").step("a").setting(onExit=[{"name": "clean"}]))
    async with world.controller():
        await world.is_now("f-a", "Completed")
        await world.is_now("f-clean", "Failed")
        assert await world.phase() == ("Succeed", "OnExitFailed")
        assert (await world.status())["state"]["message"] == "onExit step clean: Job f-clean is Failed"
        pages = [msgspec.json.decode(page)["items"] async for page in world.client.list(EVENT, "default")]
        reasons = {event["reason"] for page in pages for event in page}
        assert {"Finalizing", "StepFailed", "Succeeded"} <= reasons


async def test_an_onexit_step_waits_for_its_template_and_starts_when_that_comes(world):
    await world.client.delete(JOB_TEMPLATE, "default", "clean")
    await world.create(F)
    async with world.controller():
        await world.is_now("f-a", "Failed")
        message = (await world.status())["state"]["message"]
        assert message.endswith("step clean: JobTemplate clean is not in namespace default; the step starts when it is")
        body = template("clean").task("main").body()
        body["metadata"] = {"name": "clean"}
        await world.client.create(JOB_TEMPLATE, "default", body)
        await asyncio.sleep(20)
        assert "f-clean" in await world.jobs()


async def test_deleting_a_flow_does_not_run_onexit(world):
    await world.create(F)
    async with world.controller():
        await world.is_now("f-a", "Running")
        await world.client.delete(JOB_FLOW, "default", "f", propagation="Foreground")
        await asyncio.sleep(20)
        assert [name for name in await world.jobs() if name in ("f-clean", "f-tell")] == []
        with pytest.raises(NotFound):
            await world.status()


async def test_continue_on_fail_lets_the_rest_go_on(world):
    await world.create(flow("f").step("a").having(continueOnFail=True).step("b", after="a"))
    async with world.controller():
        await world.is_now("f-a", "Failed")
        assert await world.steps() == {"a": "Failed", "b": "Pending"}
        await world.is_now("f-b", "Completed")
        assert await world.phase() == ("Succeed", "")
        assert (await world.status())["progress"] == "2/2"


async def test_critical_steps_decide_when_all_has_ended(world):
    critical = {"type": "Critical", "criticalFlows": ["b"]}
    await world.create(flow("f").step("a").step("b").step("c").setting(successPolicy=critical))
    async with world.controller():
        await world.is_now("f-a", "Failed")
        await world.is_now("f-b", "Completed")
        assert await world.phase() == ("Running", "")
        await world.is_now("f-c", "Failed")
        assert await world.phase() == ("Succeed", "")
        assert (await world.status())["progress"] == "1/3"


async def test_any_with_fail_fast_ends_what_is_not_needed_any_more(world):
    """No Command is served here, so what is ended is deleted."""
    first = flow("f").step("a").step("b").step("c", after="b")
    await world.create(first.setting(successPolicy={"type": "Any"}, failurePolicy="FailFast"))
    async with world.controller():
        await world.is_now("f-b", "Running")
        await world.is_now("f-a", "Completed")
        assert await world.phase() == ("Succeed", "")
        assert await world.steps() == {"a": "Succeeded", "b": "Failed", "c": "Unreachable"}
        assert list(await world.jobs()) == ["f-a"]
        told = {entry["name"]: entry.get("reason", "") for entry in (await world.status())["flowStatuses"]}
        assert told == {"a": "", "b": "FailFast", "c": "FlowSucceeded"}
        assert "completionTime" in await world.status()


async def test_run_independent_carries_the_other_branches_to_their_end(world):
    branches = flow("f").step("a").step("b").step("c", after="b")
    await world.create(branches.setting(failurePolicy="RunIndependent"))
    async with world.controller():
        await world.is_now("f-a", "Failed")
        await world.is_now("f-b", "Completed")
        assert await world.phase() == ("Running", "")
        await world.is_now("f-c", "Completed")
        assert await world.phase() == ("Failed", "StepFailed")


@pytest.mark.parametrize(
    ("policy", "ends", "left"),
    [
        ("retain", "Failed", ["f-a", "f-clean"]),
        ("delete", "Failed", ["f-a", "f-clean"]),
        ("delete-on-success", "Failed", ["f-a", "f-clean"]),
        ("delete-always", "Failed", []),
        ("retain", "Completed", ["f-a", "f-clean"]),
        ("delete", "Completed", []),
        ("delete-on-success", "Completed", []),
        ("delete-always", "Completed", []),
    ],
)
async def test_what_becomes_of_the_jobs(world, policy, ends, left):
    await world.create(flow("f").step("a").policy(policy).setting(onExit=[{"name": "clean"}]))
    async with world.controller():
        await world.is_now("f-a", ends)
        assert sorted(await world.jobs()) == ["f-a", "f-clean"], "nothing is deleted before onExit has ended"
        await world.is_now("f-clean", "Completed")
        assert sorted(await world.jobs()) == left
        assert (await world.steps())["clean"] == "Succeeded", "and it is told all the same"


@pytest.mark.parametrize(
    ("said", "fields", "path"),
    [
        ("a policy that is none", {"failurePolicy": "FailSlow"}, "spec.failurePolicy"),
        ("a type that is none", {"successPolicy": {"type": "Most"}}, "spec.successPolicy.type"),
        ("a retain policy that is none", {"jobRetainPolicy": "burn"}, "spec.jobRetainPolicy"),
        ("a step of onExit without a name", {"onExit": [{}]}, "spec.onExit[0].name"),
        ("a step of onExit twice", {"onExit": [{"name": "x"}, {"name": "x"}]}, "spec.onExit[1]"),
    ],
)
async def test_the_api_server_refuses(world, said, fields, path):
    with pytest.raises(Invalid) as refused:
        await world.create(flow("f").step("a").setting(**fields))
    assert path in str(refused.value)


async def test_steps_of_onexit_are_frozen_and_policies_are_not(world):
    await world.create(F)
    with pytest.raises(Invalid, match="frozen from its creation"):
        await world.client.patch(JOB_FLOW, "default", "f", {"spec": {"onExit": [{"name": "clean"}]}})
    await world.client.patch(JOB_FLOW, "default", "f", {"spec": {"failurePolicy": "FailFast"}})


async def test_what_slipped_in_ends_with_the_reason(world):
    await world.create(F.setting(successPolicy={"type": "Critical", "criticalFlows": ["z"]}))
    async with world.controller():
        assert await world.phase() == ("Failed", "InvalidSpec")
        assert (await world.status())["state"]["message"].startswith(
            'spec.successPolicy.criticalFlows[0]: "z" is not a step of this flow'
        )
        assert await world.jobs() == {}
