"""A Job runtime that is started anew goes on from what the API server has."""

import pytest

from jobflow.api.resources import COMMAND, CONFIG_MAP, POD_GROUP, SECRET

pytestmark = pytest.mark.looptime


async def restarted(world, while_down=None):
    await world.stop(world.runtime)
    if while_down is not None:
        await while_down()
    world.start()
    await world.clock.sleep(30)


def uids(objects):
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in objects}


async def test_a_job_that_runs_is_left_as_it_is(world, build_task):
    await world.create("train", build_task(replicas=3, runs="100h"), plugins={"svc": [], "ssh": []})
    await world.until_status("train", lambda status: status.get("running") == 3)
    await world.clock.sleep(5)
    before = await world.job("train"), uids((await world.pods()).values()), uids(await world.items(POD_GROUP))
    key = (await world.find(SECRET, "train-ssh"))["data"]
    await restarted(world)
    assert (await world.job("train"), uids((await world.pods()).values()), uids(await world.items(POD_GROUP))) == before
    assert (await world.find(SECRET, "train-ssh"))["data"] == key


async def test_what_happened_meanwhile_is_seen(world, build_task, policy):
    task = build_task(runs="60s", exits=1, policies=[policy("PodFailed", "AbortJob")])
    await world.create("train", task, build_task("other", runs="100h"))
    await world.until("train", "Running")
    await restarted(world, lambda: world.clock.sleep(120))
    await world.until("train", "Aborted")


async def test_a_command_that_came_meanwhile_is_carried_out_once(world, build_task):
    await world.create("train", build_task(runs="100h"), maxRetry=9)
    await world.until("train", "Running")
    await restarted(world, lambda: world.command("RestartJob", "train"))
    await world.until_status("train", lambda status: status.get("retryCount") == 1 and status.get("running") == 1)
    await restarted(world)
    assert (await world.status("train"))["retryCount"] == 1
    assert await world.items(COMMAND) == []


async def test_gangs_that_were_let_in_keep_their_room(world, build_task):
    def asking(runs):
        task = build_task(runs=runs)
        task["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "2"}}
        return task

    await world.node(cpu="3")
    await world.create("first", asking("300s"))
    await world.until("first", "Running")
    await restarted(world, lambda: world.create("second", asking("1s")))
    assert (await world.status("second"))["state"]["phase"] == "Pending"
    assert "second-work-0" not in await world.pods()
    await world.until("second", "Completed")


async def test_a_job_that_was_scaled_meanwhile_gets_its_pods_and_hosts(world, build_task):
    await world.create("train", build_task(replicas=1, runs="100h"), plugins={"svc": []})
    await world.until("train", "Running")
    await restarted(world, lambda: world.scale("train", replicas=2))
    await world.until_status("train", lambda status: status.get("running") == 2)
    assert (await world.find(CONFIG_MAP, "train-svc"))["data"]["VC_WORK_NUM"] == "2"


async def test_crashes_at_any_moment_change_nothing_of_the_end(world, build_task, policy):
    tasks = build_task("bad", runs="4s", exits=1), build_task("good", runs="100h")
    await world.create("train", *tasks, maxRetry=2, plugins={"svc": []}, policies=[policy("PodFailed", "RestartJob")])
    for _ in range(60):
        await world.clock.sleep(0.37)
        await world.stop(world.runtime)
        world.start()
    status = await world.until("train", "Failed")
    assert status["retryCount"] == 2
    await world.until_status("train", lambda status: not status.get("terminating"))
    assert set(await world.pods()) == {"train-bad-0"}
    assert await world.find(CONFIG_MAP, "train-svc") is None
