"""Commands: taken off the API server, and carried out once."""

import pytest

from jobflow.api.resources import COMMAND, QUEUE
from jobflow.kube.errors import ApiError

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize(
    ("action", "end"), [("AbortJob", "Aborted"), ("TerminateJob", "Terminated"), ("CompleteJob", "Completed")]
)
async def test_what_a_command_does_to_a_job_that_runs(world, build_task, action, end):
    await world.create("train", build_task(runs="100h"))
    await world.until("train", "Running")
    await world.command(action, "train")
    await world.until("train", end)
    assert await world.items(COMMAND) == []
    told = f"Start to execute command {action}, and clean it up to make sure executed not more than once."
    events = await world.events()
    assert ("Normal", "CommandIssued", told) in events
    assert ("Normal", "ExecuteAction", f"Start to execute action {action}") in events


async def test_each_is_carried_out_once(world, build_task):
    await world.create("train", build_task(runs="100h"), maxRetry=10)
    await world.until("train", "Running")
    for times in (1, 2, 3):
        await world.command("RestartJob", "train")
        await world.until_status(
            "train", lambda status, times=times: status.get("retryCount") == times and status.get("running") == 1
        )
    await world.clock.sleep(600)
    assert (await world.status("train"))["retryCount"] == 3


async def test_several_at_once_come_one_after_the_other(world, build_task):
    await world.create("train", build_task(runs="100h"), maxRetry=10)
    await world.until("train", "Running")
    await world.command("AbortJob", "train")
    await world.command("ResumeJob", "train")
    await world.until_status("train", lambda status: status.get("retryCount") == 1 and status.get("running") == 1)
    phases = world.history["train"]
    assert phases[phases.index("Aborting") :][:2] in (["Aborting", "Restarting"], ["Aborting", "Aborted"])


async def test_suspending_three_times_spends_the_retries(world, build_task):
    await world.create("train", build_task(runs="100h"))
    for _ in range(3):
        await world.until("train", "Running")
        await world.command("AbortJob", "train")
        await world.until("train", "Aborted")
        await world.command("ResumeJob", "train")
        await world.clock.sleep(5)
    assert (await world.until("train", "Failed"))["retryCount"] == 3


@pytest.mark.parametrize("action", ["AbortJob", "ResumeJob", "RestartJob", "TerminateJob"])
async def test_nothing_moves_a_job_that_has_ended(world, build_task, action):
    await world.create("train", build_task())
    await world.until("train", "Completed")
    await world.command(action, "train")
    await world.clock.sleep(60)
    assert (await world.status("train"))["state"]["phase"] == "Completed"
    assert await world.items(COMMAND) == []


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("Panic", '"Panic" is not an action of a Job; its actions: SyncJob, AbortJob, RestartJob, TerminateJob, '),
        ("RestartPod", "command RestartPod names no pod; only a policy can ask for it, since its event is about one"),
    ],
)
async def test_what_cannot_be_done_is_taken_away_and_told(world, build_task, action, told):
    await world.create("train", build_task(runs="100h"))
    await world.until("train", "Running")
    await world.command(action, "train")
    refused = [message for type, reason, message in await world.events() if reason == "CommandRefused"]
    assert [message.startswith(told) for message in refused] == [True]
    assert await world.items(COMMAND) == []
    assert (await world.status("train"))["state"]["phase"] == "Running"


async def test_a_command_for_an_earlier_job_of_that_name_is_not_for_this_one(world, build_task):
    await world.create("train", build_task(runs="100h"))
    await world.until("train", "Running")
    await world.command("TerminateJob", "train", uid="of-an-earlier-one")
    await world.clock.sleep(60)
    assert (await world.status("train"))["state"]["phase"] == "Running"
    assert await world.items(COMMAND) == []


async def test_a_command_for_nobody_is_taken_away(world):
    await world.command("AbortJob", "nobody", uid="x")
    await world.clock.sleep(5)
    assert await world.items(COMMAND) == []


class TestQueues:
    async def close(self, world, name):
        await world.make(QUEUE, name, spec={"weight": 1})
        await world.command("CloseQueue", name, kind="Queue")
        await world.until_true(lambda: self.is_in(world, name, "Closed"))

    async def is_in(self, world, name, state):
        return ((await world.find(QUEUE, name)).get("status") or {}).get("state") == state

    async def test_a_new_queue_is_open(self, world):
        await world.make(QUEUE, "gold", spec={"weight": 1})
        await world.until_true(lambda: self.is_in(world, "gold", "Open"))

    async def test_a_closed_queue_takes_no_job_until_it_is_opened(self, world, build_task):
        await self.close(world, "gold")
        with pytest.raises(ApiError) as refused:
            await world.create("train", build_task(), queue="gold")
        assert refused.value.message == (
            'admission webhook "validatejob.volcano.sh" denied the request: '
            "can only submit job to queue with state `Open`, queue `gold` status is `Closed`;"
        )
        await world.command("OpenQueue", "gold", kind="Queue")
        await world.until_true(lambda: self.is_in(world, "gold", "Open"))
        await world.create("train", build_task(), queue="gold")
        await world.until("train", "Completed")

    async def test_a_queue_with_jobs_closes_when_they_have_ended(self, world, build_task):
        await world.make(QUEUE, "gold", spec={"weight": 1})
        await world.create("train", build_task(runs="60s"), queue="gold")
        await world.until("train", "Running")
        await world.command("CloseQueue", "gold", kind="Queue")
        await world.until_true(lambda: self.is_in(world, "gold", "Closing"))
        await world.until("train", "Completed")
        await world.until_true(lambda: self.is_in(world, "gold", "Closed"))

    async def test_a_queue_counts_its_gangs(self, world, build_task):
        await world.node(cpu="3")
        asks = build_task(runs="1h")
        asks["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "2"}}
        await world.create("runs", asks, queue="gold")
        await world.until("runs", "Running")
        await world.create("waits", asks, queue="gold")
        await world.clock.sleep(10)
        status = (await world.find(QUEUE, "gold"))["status"]
        assert (status["running"], status["pending"], status["inqueue"]) == (1, 1, 0)

    async def test_an_action_of_jobs_is_none_of_a_queues(self, world):
        await world.make(QUEUE, "gold", spec={"weight": 1})
        await world.command("AbortJob", "gold", kind="Queue")
        refused = [message for type, reason, message in await world.events() if reason == "CommandRefused"]
        assert refused == ['"AbortJob" is not an action of a Queue; its actions: OpenQueue, CloseQueue']


async def test_a_command_that_comes_at_once_with_its_job_is_carried_out(world, build_task):
    await world.create("train", build_task(runs="100h"))
    await world.command("AbortJob", "train")
    await world.until("train", "Aborted")
    assert world.history["train"][-2:] == ["Aborting", "Aborted"]
