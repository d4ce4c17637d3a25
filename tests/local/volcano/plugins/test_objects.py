"""What plugins make beside the pods: while the Job is up, and in its place."""

import pytest

from jobflow.api.resources import CONFIG_MAP, SECRET, SERVICE

pytestmark = pytest.mark.looptime

THREE = ((CONFIG_MAP, "train-svc"), (SERVICE, "train"), (SECRET, "train-ssh"))


async def there(world):
    return [await world.find(resource, name) is not None for resource, name in THREE]


async def test_they_are_there_while_the_job_is_up_and_go_when_it_has_ended(world, build_task):
    await world.create("train", build_task(runs="60s"), plugins={"svc": [], "ssh": [], "env": []})
    status = await world.until("train", "Running")
    assert status["controlledResources"] == {"plugin-svc": "svc", "plugin-ssh": "ssh", "plugin-env": "env"}
    assert await there(world) == [True, True, True]
    await world.until("train", "Completed")
    await world.clock.sleep(1)
    assert await there(world) == [False, False, False]
    assert "controlledResources" not in await world.status("train")


async def test_a_restart_of_the_job_makes_a_new_key(world, build_task):
    await world.create("train", build_task(runs="100h"), plugins={"ssh": []})
    await world.until("train", "Running")
    first = (await world.find(SECRET, "train-ssh"))["data"]["id_rsa"]
    await world.command("RestartJob", "train")
    await world.until_status("train", lambda status: status.get("retryCount") == 1 and status.get("running") == 1)
    assert (await world.find(SECRET, "train-ssh"))["data"]["id_rsa"] != first


async def test_a_restart_of_a_pod_leaves_them_to_the_others(world, build_task, policy):
    tasks = build_task("bad", exits=1, runs="5s"), build_task("good", runs="100h")
    await world.create("train", *tasks, plugins={"ssh": []}, policies=[policy("PodFailed", "RestartPod")])
    await world.until("train", "Running")
    first = (await world.find(SECRET, "train-ssh"))["data"]["id_rsa"]
    await world.until_status("train", lambda status: status.get("retryCount") == 1 and status.get("running") == 2)
    assert (await world.find(SECRET, "train-ssh"))["data"]["id_rsa"] == first


async def test_the_list_of_hosts_follows_the_replicas(world, build_task):
    await world.create("train", build_task(replicas=2, runs="100h"), plugins={"svc": []})
    await world.until("train", "Running")
    await world.scale("train", replicas=3)
    await world.until_status("train", lambda status: status.get("running") == 3)
    assert (await world.find(CONFIG_MAP, "train-svc"))["data"]["VC_WORK_NUM"] == "3"


async def test_what_is_a_strangers_is_not_overwritten(world, build_task):
    await world.make(CONFIG_MAP, "train-svc", data={"mine": "1"})
    await world.create("train", build_task(), plugins={"svc": []})
    await world.clock.sleep(5)
    assert await world.pods() == {}
    told = "ConfigMap train-svc exists and is not the Job's; rename it, or the Job"
    assert ("Warning", "PluginError", told) in await world.events()
    assert (await world.find(CONFIG_MAP, "train-svc"))["data"] == {"mine": "1"}


async def test_a_job_that_cannot_have_them_is_terminated(world, build_task):
    """A Job's name may begin with a digit or have dots, a Service's not."""
    await world.create("1x", build_task(), plugins={"svc": []})
    await world.until("1x", "Terminated")
    assert any(reason == "PluginError" for _, reason, _ in await world.events())
