"""Gangs wait for room, all or nothing."""

import pytest

from jobflow.api.resources import POD_GROUP, QUEUE, VOLCANO_JOB

pytestmark = pytest.mark.looptime


def asking(task, cpu):
    task["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu}}
    return task


async def test_the_pod_group_of_a_job(world, build_task):
    tasks = asking(build_task("ps", runs="100h"), "500m"), build_task("work", replicas=2, runs="100h", minAvailable=1)
    job = await world.create("train", *tasks)
    await world.until_status("train", lambda status: status.get("running") == 3)
    await world.clock.sleep(5)
    group = await world.group("train")
    assert group["metadata"]["name"] == f"train-{job['metadata']['uid']}"
    assert group["spec"] == {
        "minMember": 2,
        "minTaskMember": {"ps": 1, "work": 1},
        "minResources": {"cpu": "500m"},
        "queue": "default",
    }
    assert (group["status"]["phase"], group["status"]["running"]) == ("Running", 3)


async def test_a_gang_waits_until_there_is_room_for_all_of_it(world, build_task):
    await world.node(cpu="4", pods="100")
    await world.create("first", asking(build_task(replicas=3, runs="60s"), "1"))
    await world.until("first", "Running")
    await world.create("second", asking(build_task(replicas=2, runs="1s"), "1"))
    await world.clock.sleep(30)
    assert (await world.status("second"))["state"]["phase"] == "Pending"
    assert [name for name in await world.pods() if name.startswith("second")] == []
    [condition] = (await world.group("second"))["status"]["conditions"]
    assert condition["reason"] == "NotEnoughResources"
    await world.until("second", "Completed")
    assert (await world.status("first"))["state"]["phase"] == "Completed"


async def test_a_smaller_gang_passes_one_that_does_not_fit(world, build_task):
    await world.node(cpu="4")
    await world.create("other", asking(build_task(runs="100h"), "1"))
    await world.until("other", "Running")
    await world.create("large", asking(build_task(replicas=4, runs="1h"), "1"))
    await world.create("small", asking(build_task(runs="1s"), "1"))
    await world.until("small", "Completed")
    assert (await world.status("large"))["state"]["phase"] == "Pending"


async def test_a_gang_that_can_never_fit_fails_at_once_and_says_why(world, build_task):
    await world.node(cpu="4")
    await world.create("train", asking(build_task(replicas=3, runs="1h"), "2"))
    await world.until("train", "Failed")
    assert (await world.status("train"))["state"]["reason"] == "NeverEnoughResources"
    said = "needs cpu 6 and there is 4 in all: it can never run here"
    assert any(kind == "Warning" and said in message for kind, _, message in await world.events())


async def test_fewer_that_are_needed_fit(world, build_task):
    await world.node(cpu="4")
    await world.create("train", asking(build_task(replicas=3, runs="100h", minAvailable=2), "2"))
    await world.until("train", "Running")


async def test_a_gang_that_is_scaled_down_fits(world, build_task):
    await world.node(cpu="4")
    await world.create("other", asking(build_task(runs="100h"), "2"))
    await world.until("other", "Running")
    await world.create("train", asking(build_task(replicas=2, runs="100h"), "2"))
    await world.clock.sleep(5)
    await world.scale("train", replicas=1, minAvailable=1, total=1)
    await world.until("train", "Running")
    assert (await world.group("train"))["spec"]["minMember"] == 1


async def test_the_group_goes_when_the_job_has_ended(world, build_task):
    await world.create("train", build_task())
    await world.until("train", "Completed")
    await world.clock.sleep(1)
    assert await world.items(POD_GROUP) == []


async def test_a_restart_queues_anew(world, build_task):
    await world.create("train", build_task(runs="100h"))
    await world.until("train", "Running")
    first = (await world.group("train"))["metadata"]["uid"]
    await world.command("RestartJob", "train")
    await world.until_status("train", lambda status: status.get("retryCount") == 1 and status.get("running") == 1)
    assert (await world.group("train"))["metadata"]["uid"] != first


async def test_a_group_that_a_stranger_deleted_is_made_again(world, build_task):
    await world.create("train", build_task(runs="100h"))
    await world.until("train", "Running")
    group = await world.group("train")
    await world.client.delete(POD_GROUP, "default", group["metadata"]["name"])
    await world.clock.sleep(5)
    assert (await world.group("train"))["metadata"]["uid"] != group["metadata"]["uid"]
    assert (await world.status("train"))["state"]["phase"] == "Running"


async def test_a_gang_whose_room_was_taken_is_unknown_and_a_policy_may_say_what_then(world, build_task, policy):
    await world.create("train", build_task(runs="100h"), policies=[policy("Unknown", "AbortJob")])
    await world.until("train", "Running")
    group = await world.group("train")
    status = {"status": {"phase": "Unknown"}}
    await world.client.patch(POD_GROUP, "default", group["metadata"]["name"], status, subresource="status")
    await world.until("train", "Aborted")


async def test_a_job_deleted_while_its_gang_waits_frees_nothing_and_leaves_nothing(world, build_task):
    await world.node(cpu="1")
    await world.create("large", asking(build_task(runs="1h"), "2"))
    await world.clock.sleep(1)
    await world.client.delete(VOLCANO_JOB, "default", "large")
    await world.until_gone("large")
    await world.clock.sleep(1)
    assert await world.items(POD_GROUP) == []
    await world.create("small", asking(build_task(), "1"))
    await world.until("small", "Completed")


async def queue(world, name, **capability):
    body = {"apiVersion": QUEUE.api_version, "kind": QUEUE.kind, "metadata": {"name": name}}
    await world.client.create(QUEUE, None, {**body, "spec": {"weight": 1, "capability": capability}})


async def test_a_gang_waits_while_its_queue_is_full_and_those_of_other_queues_do_not(world, build_task):
    await queue(world, "small", cpu="3")
    await world.create("first", asking(build_task(replicas=2, runs="60s"), "1"), queue="small")
    await world.until("first", "Running")
    await world.create("second", asking(build_task(replicas=2, runs="1s"), "1"), queue="small")
    await world.create("elsewhere", asking(build_task(replicas=2, runs="1s"), "1"))
    await world.until("elsewhere", "Completed")
    assert (await world.status("second"))["state"]["phase"] == "Pending"
    [condition] = (await world.group("second"))["status"]["conditions"]
    assert (condition["reason"], condition["message"]) == (
        "NotEnoughResources",
        "the gang of 2 pods needs cpu 2, and queue small has less left: it waits until others of the queue have ended",
    )
    await world.until("second", "Completed")
    assert (await world.status("first"))["state"]["phase"] == "Completed"


async def test_a_gang_gets_in_when_the_capability_is_raised(world, build_task):
    await queue(world, "small", cpu="2", memory="1Gi")
    await world.create("first", asking(build_task(runs="100h"), "2"), queue="small")
    await world.until("first", "Running")
    await world.create("second", asking(build_task(runs="100h"), "1"), queue="small")
    await world.clock.sleep(5)
    assert (await world.status("second"))["state"]["phase"] == "Pending"
    await world.client.patch(QUEUE, None, "small", {"spec": {"capability": {"cpu": "3"}}})
    await world.until("second", "Running")


async def test_a_gang_that_is_too_large_for_its_queue_fails_at_once_and_says_why(world, build_task):
    await queue(world, "small", cpu="2")
    await world.create("train", asking(build_task(replicas=3, runs="1h"), "1"), queue="small")
    await world.until("train", "Failed")
    assert (await world.status("train"))["state"]["reason"] == "NeverEnoughResources"
    said = "queue small is too small for it: the gang of 3 pods needs cpu 3 and it may have 2 (spec.capability)"
    assert any(kind == "Warning" and said in message for kind, _, message in await world.events())
