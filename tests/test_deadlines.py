"""Deadlines on the embedded control plane: real controller, real Job runtime, simulated pods, virtual time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest
from narrow_rights import NarrowRights

from jobflow.api.resources import COMMAND, EVENT, JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB
from jobflow.app import App
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.errors import NotFound
from jobflow.local.controlplane import ControlPlane, LocalSettings
from jobflow.local.kubelet.simulated import DURATION, EXIT_CODE
from jobflow.testing.builders import flow, template
from jobflow.testing.clock import VirtualClock

pytestmark = pytest.mark.looptime

HOUR = 3600.0
NAMESPACE = "default"


class SetClock(VirtualClock):
    """One whose wall clock somebody sets now and then."""

    ahead = 0.0

    def now(self):
        return super().now() + timedelta(seconds=self.ahead)


class World:
    """A cluster, a controller that can be restarted, and its clock. It begins with the first flow or template."""

    def __init__(self, scratch) -> None:
        self.clock = SetClock()
        settings = LocalSettings(scratch=scratch, runtime="simulate", controller=False)
        self._plane = ControlPlane(settings, VirtualClock())
        self.client = Client(self._plane.transport(), VirtualClock())
        self.rights = NarrowRights(self._plane.transport())
        self._begun = False
        self._running = None

    async def begin(self):
        """In the test itself, since the time of fixtures is not virtual."""
        if not self._begun:
            self._begun = True
            await self._plane.__aenter__()
            await self.template("long", "100h")
            await self.template("short", "5s")
            await self.start()

    async def end(self):
        await self.stop()
        await self._plane.__aexit__(None, None, None)

    async def start(self):
        """A controller that knows nothing but what the API server has."""
        self._stop = asyncio.Event()
        client = Client(self.rights, self.clock)
        self._running = asyncio.create_task(App(client, self.clock, Settings(workers=4)).run(self._stop))

    async def stop(self):
        if self._running is not None:
            self._stop.set()
            await self._running
            self._running = None

    async def template(self, name, runs, **annotations):
        await self.begin()
        body = template(name).task("main").body()
        pod = body["spec"]["tasks"][0]["template"]
        pod["metadata"] = {"annotations": {DURATION: runs, **annotations}}
        await self.create(JOB_TEMPLATE, body)

    async def flow(self, builder):
        await self.create(JOB_FLOW, builder.body())

    async def create(self, resource, body):
        await self.begin()
        body["metadata"] = {"name": body["metadata"]["name"]}
        body.pop("status", None)
        await self.client.create(resource, NAMESPACE, body)

    async def get(self, resource, name):
        try:
            return msgspec.json.decode(await self.client.get(resource, NAMESPACE, name))
        except NotFound:
            return None

    async def status(self, name="f"):
        return (await self.get(JOB_FLOW, name)).get("status", {})

    async def steps(self, name="f"):
        return {
            entry["name"]: (entry["phase"], entry.get("reason", ""))
            for entry in (await self.status(name)).get("flowStatuses", ())
        }

    async def job(self, name):
        found = await self.get(VOLCANO_JOB, name)
        return found and found["status"]["state"]["phase"]

    async def items(self, resource):
        return [
            item async for page in self.client.list(resource, NAMESPACE) for item in msgspec.json.decode(page)["items"]
        ]

    async def told(self):
        return {(event["reason"], event["message"]) for event in await self.items(EVENT)}

    def sent(self, method, part):
        return [path for verb, path in self.rights.asked if verb == method and part in path]


@pytest.fixture
async def world(tmp_path):
    world = World(tmp_path)
    yield world
    await world.end()


def step(name, of="long", **fields):
    return flow("f").step(name).having(templateRef={"name": of}, **fields)


async def test_a_step_that_runs_too_long_is_terminated_and_has_failed(world):
    await world.flow(step("a", activeDeadlineSeconds=60))
    await asyncio.sleep(55)
    assert (await world.steps(), await world.job("f-a")) == ({"a": ("Running", "")}, "Running")
    await asyncio.sleep(20)
    assert (await world.steps(), await world.job("f-a")) == ({"a": ("Failed", "DeadlineExceeded")}, "Terminated")
    status = await world.status()
    assert status["state"] == {
        "phase": "Failed",
        "reason": "StepFailed",
        "message": "step a: Job f-a has run for its activeDeadlineSeconds, 60 s; the Job is Terminated",
    }
    assert "completionTime" in status
    assert await world.items(COMMAND) == []
    assert len(world.sent("POST", "/commands")) == 1
    assert {
        ("DeadlineExceeded", "step a: Job f-a has run for its activeDeadlineSeconds, 60 s"),
        ("Ended", "asked Volcano to terminate Job f-a: Job f-a has run for its activeDeadlineSeconds, 60 s"),
    } <= await world.told()


async def test_one_that_is_quick_enough_is_left_alone(world):
    await world.flow(step("a", of="short", activeDeadlineSeconds=60, pendingDeadlineSeconds=60))
    await asyncio.sleep(HOUR)
    assert await world.steps() == {"a": ("Succeeded", "")}
    assert world.sent("POST", "/commands") == []


async def test_a_job_that_gets_no_pods_is_terminated_for_that(world):
    body = template("greedy").task("main").having(queue="nobody").body()
    body["spec"]["volumes"] = [{"mountPath": "/data", "volumeClaimName": "there-is-none"}]
    await world.create(JOB_TEMPLATE, body)
    await world.flow(step("a", of="greedy", pendingDeadlineSeconds=30, activeDeadlineSeconds=5))
    await asyncio.sleep(25)
    assert await world.steps() == {"a": ("Pending", "")}
    await asyncio.sleep(15)
    assert (await world.steps(), await world.job("f-a")) == ({"a": ("Failed", "PendingDeadlineExceeded")}, "Terminated")


async def test_a_flow_that_takes_too_long_fails_and_what_runs_is_ended(world):
    many = step("a").step("b").having(templateRef={"name": "short"}).step("c", after="a")
    await world.flow(many.setting(activeDeadlineSeconds=60))
    await asyncio.sleep(80)
    status = await world.status()
    assert status["state"]["reason"] == "DeadlineExceeded"
    assert status["state"]["message"] == "the flow has run for its activeDeadlineSeconds, 60 s"
    assert await world.steps() == {
        "a": ("Failed", "DeadlineExceeded"),
        "b": ("Succeeded", ""),
        "c": ("Unreachable", "FlowFailed"),
    }
    assert "completionTime" in status


async def test_each_attempt_has_as_long_again(world):
    await world.flow(step("a", activeDeadlineSeconds=60, retry={"limit": 1, "backoff": {"duration": "10s"}}))
    await asyncio.sleep(65)
    assert await world.steps() == {"a": ("Waiting", "RetryBackoff")}
    await asyncio.sleep(60)
    assert (await world.steps(), await world.job("f-a-r1")) == ({"a": ("Running", "")}, "Running")
    await asyncio.sleep(20)
    assert await world.steps() == {"a": ("Failed", "DeadlineExceeded")}
    (entry,) = (await world.status())["flowStatuses"]
    assert [(one["jobName"], one["reason"]) for one in entry["attempts"]] == [("f-a", "DeadlineExceeded")]
    assert [await world.job(name) for name in ("f-a", "f-a-r1")] == ["Terminated", "Terminated"]


async def test_on_exit_runs_after_the_deadline_of_the_flow(world):
    tidy = step("a").setting(activeDeadlineSeconds=60, onExit=[{"name": "clean", "templateRef": {"name": "short"}}])
    await world.flow(tidy)
    await asyncio.sleep(90)
    assert await world.steps() == {"a": ("Failed", "DeadlineExceeded"), "clean": ("Succeeded", "")}
    assert (await world.status())["state"]["reason"] == "DeadlineExceeded"


async def test_fail_fast_ends_what_still_runs(world):
    await world.template("fails", "5s", **{EXIT_CODE: "3"})
    pair = step("a").step("b").having(templateRef={"name": "fails"}).setting(failurePolicy="FailFast")
    await world.flow(pair)
    await asyncio.sleep(60)
    assert await world.steps() == {"a": ("Failed", "FailFast"), "b": ("Failed", "JobFailed")}
    assert (await world.job("f-a"), (await world.status())["state"]["reason"]) == ("Terminated", "StepFailed")


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["forward", "back"])
class TestAWallClockThatIsSet:
    async def test_while_a_step_runs(self, world, seconds):
        await world.flow(step("a", activeDeadlineSeconds=60))
        await asyncio.sleep(30)
        world.clock.ahead = seconds
        await world.client.patch(JOB_FLOW, NAMESPACE, "f", {"metadata": {"labels": {"look": "again"}}})
        await asyncio.sleep(25)
        assert await world.steps() == {"a": ("Running", "")}
        await asyncio.sleep(20)
        assert await world.steps() == {"a": ("Failed", "DeadlineExceeded")}

    async def test_before_what_is_counted_has_begun(self, world, seconds):
        """It is stamped by clocks that were not set, and seen with one that was."""
        await world.flow(
            step("b", of="short")
            .step("a", after="b")
            .having(templateRef={"name": "long"}, activeDeadlineSeconds=60, pendingDeadlineSeconds=30)
        )
        await asyncio.sleep(2)
        world.clock.ahead = seconds
        await asyncio.sleep(55)
        assert (await world.steps())["a"] == ("Running", "")
        await asyncio.sleep(20)
        assert (await world.steps())["a"] == ("Failed", "DeadlineExceeded")

    async def test_while_a_flow_is_kept(self, world, seconds):
        await world.flow(step("a", of="short").setting(ttlSecondsAfterFinished=60))
        await asyncio.sleep(30)
        world.clock.ahead = seconds
        await world.client.patch(JOB_FLOW, NAMESPACE, "f", {"metadata": {"labels": {"look": "again"}}})
        await asyncio.sleep(20)
        assert await world.get(JOB_FLOW, "f") is not None
        await asyncio.sleep(60)
        assert await world.get(JOB_FLOW, "f") is None


class TestARestartedController:
    async def test_goes_on_where_the_committed_times_say(self, world):
        await world.flow(step("a", activeDeadlineSeconds=300))
        await asyncio.sleep(100)
        await world.stop()
        await asyncio.sleep(100)
        await world.start()
        await asyncio.sleep(90)
        assert await world.steps() == {"a": ("Running", "")}
        await asyncio.sleep(30)
        assert await world.steps() == {"a": ("Failed", "DeadlineExceeded")}

    async def test_ends_at_once_what_came_due_while_it_was_away(self, world):
        await world.flow(step("a", activeDeadlineSeconds=60).setting(ttlSecondsAfterFinished=600))
        await asyncio.sleep(30)
        await world.stop()
        await asyncio.sleep(HOUR)
        assert await world.job("f-a") == "Running"
        await world.start()
        await asyncio.sleep(20)
        assert await world.steps() == {"a": ("Failed", "DeadlineExceeded")}

    async def test_carries_out_what_was_committed(self, world):
        """Commands were out of order when the deadline passed; nobody had deleted the Job when the controller died."""
        world.rights.forbidden = "/commands"
        await world.flow(step("a", activeDeadlineSeconds=60))
        await asyncio.sleep(30)
        await world.stop()
        told = (await world.get(JOB_FLOW, "f"))["status"]
        told["flowStatuses"][0] |= {"reason": "DeadlineExceeded", "message": "as was committed"}
        await world.client.patch(JOB_FLOW, NAMESPACE, "f", {"status": told}, subresource="status")
        world.rights.forbidden = ""
        await world.start()
        await asyncio.sleep(15)
        assert await world.steps() == {"a": ("Failed", "DeadlineExceeded")}
        assert (await world.status())["flowStatuses"][0]["message"] == "as was committed; the Job is Terminated"


async def test_without_the_right_to_commands_the_job_is_deleted_after_its_reason_is_committed(world):
    world.rights.forbidden = "/commands"
    await world.flow(step("a", activeDeadlineSeconds=60))
    await asyncio.sleep(80)
    assert (await world.steps(), await world.job("f-a")) == ({"a": ("Failed", "DeadlineExceeded")}, None)
    (entry,) = (await world.status())["flowStatuses"]
    assert entry["message"] == "Job f-a has run for its activeDeadlineSeconds, 60 s; the Job is gone"
    assert "completionTime" in entry
    assert "completionTime" in await world.status()
    deleted = world.rights.asked.index(("DELETE", "/apis/batch.volcano.sh/v1alpha1/namespaces/default/jobs/f-a"))
    status = "/apis/flow.volcano.sh/v1alpha1/namespaces/default/jobflows/f/status"
    assert ("PUT", status) in world.rights.asked[:deleted]
    assert len(world.sent("POST", "/jobs")) == 1


async def test_a_flow_is_deleted_its_time_after_its_end_and_its_jobs_with_it(world):
    await world.flow(step("a", of="short").setting(ttlSecondsAfterFinished=120))
    await asyncio.sleep(100)
    assert (await world.status())["state"]["phase"] == "Succeed"
    await asyncio.sleep(60)
    assert await world.get(JOB_FLOW, "f") is None
    assert await world.items(VOLCANO_JOB) == []


async def test_a_flow_that_was_to_be_kept_is_kept_when_that_is_said_later(world):
    await world.flow(step("a", of="short").setting(ttlSecondsAfterFinished=HOUR // 1))
    await asyncio.sleep(60)
    await world.client.patch(JOB_FLOW, NAMESPACE, "f", {"spec": {"ttlSecondsAfterFinished": None}})
    await asyncio.sleep(2 * HOUR)
    assert (await world.status())["observedGeneration"] == 2


async def test_a_quiet_flow_with_a_deadline_far_away_costs_no_writes(world):
    await world.flow(step("a", activeDeadlineSeconds=2**31 - 1).setting(activeDeadlineSeconds=2**31 - 1))
    await asyncio.sleep(60)
    world.rights.asked.clear()
    await asyncio.sleep(HOUR)
    assert [one for one in world.rights.asked if one[0] != "GET"] == []
