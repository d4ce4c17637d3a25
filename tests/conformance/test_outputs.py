"""Outputs on both control planes: what one step's Job leaves sizes the next one. The test plays the kubelet."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.volcano import playing

from jobflow.api.resources import JOB_FLOW, POD, VOLCANO_JOB
from jobflow.kinds.pod import JOB_NAME, TASK_SPEC
from jobflow.kube.errors import Invalid
from jobflow.testing.builders import flow

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZE = {"name": "size", "from": {"terminationMessage": {}}}
DONE = {"name": "done", "from": {"path": "status.taskStatusCount.main.phase.Succeeded"}}


def sized(replicas: str, *env: tuple[str, str]) -> dict[str, Any]:
    """A patch of so many replicas, and with these variables."""
    variables = [{"name": name, "value": value} for name, value in env]
    containers = [{"name": "main", "env": variables}] if variables else []
    pod = {"template": {"spec": {"containers": containers}}} if containers else {}
    return {"patch": {"spec": {"tasks": [{"name": "main", "replicas": replicas, **pod}]}}}


async def pod_says(world, job_name: str, message: str) -> None:
    """A pod of the Job's task `main` has ended with this message."""
    job = await world.eventually(lambda: world.read(VOLCANO_JOB, job_name))
    owner = {"apiVersion": VOLCANO_JOB.api_version, "kind": VOLCANO_JOB.kind, "name": job_name, "controller": True}
    ended = {"terminated": {"exitCode": 0, "reason": "Completed", "message": message}}
    status = {"name": "main", "image": "busybox", "imageID": "", "ready": False, "restartCount": 0, "state": ended}
    pod = {
        "metadata": {"name": f"{job_name}-main-0"},
        "spec": {"containers": [{"name": "main", "image": "busybox"}], "restartPolicy": "Never"},
        "status": {"phase": "Succeeded", "containerStatuses": [status]},
    }
    labels = {JOB_NAME: job_name, TASK_SPEC: "main"}
    await world.create(POD, pod, labels=labels, ownerReferences=[owner | {"uid": job["metadata"]["uid"]}])


async def counted(world, job_name: str) -> None:
    """The Job says how many pods of its task have succeeded, as Volcano does before it ends."""
    status = {"taskStatusCount": {"main": {"phase": {"Succeeded": 1}}}}
    await world.client.patch(VOLCANO_JOB, world.namespace, job_name, {"status": status}, subresource="status")


async def test_a_value_that_was_computed_sizes_the_next_step(world):
    await world.templates("count", "work")
    one = flow("f").step("count").having(outputs=[SIZE, DONE])
    one = one.step("work", after="count").having(
        **sized(
            "$(steps.count.outputs.size.shards)",
            ("SHARDS", "$(steps.count.outputs.size.shards)"),
            ("SAID", "$(steps.count.outputs.size) by $(steps.count.outputs.done)"),
        )
    )
    async with playing(world.client, world.namespace, held={"count"}) as volcano, world.controller():
        await world.create(JOB_FLOW, one.body())
        await pod_says(world, "f-count", '{"rows": 1200, "shards": 3}\n')
        await counted(world, "f-count")
        assert volcano.born == ["f-count"]
        volcano.held.clear()
        status = await world.phase("f", "Succeed")
        assert volcano.born == ["f-count", "f-work"]
    assert status["flowStatuses"][0]["outputs"] == [
        {"name": "size", "value": {"rows": 1200, "shards": 3}},
        {"name": "done", "value": 1},
    ]
    (task,) = (await world.read(VOLCANO_JOB, "f-work"))["spec"]["tasks"]
    assert task["replicas"] == 3
    told = {one["name"]: one["value"] for one in task["template"]["spec"]["containers"][0]["env"]}
    assert told["SHARDS"] == "3"
    assert told["SAID"] == '{"rows":1200,"shards":3} by 1'


async def test_what_was_left_outlives_the_jobs_that_left_it(world):
    await world.templates("count")
    one = flow("f").step("count").having(outputs=[SIZE]).policy("delete")
    async with playing(world.client, world.namespace, held={"count"}) as volcano, world.controller():
        await world.create(JOB_FLOW, one.body())
        await pod_says(world, "f-count", "1.10")
        volcano.held.clear()
        status = await world.phase("f", "Succeed")
        await world.eventually(lambda: _is_gone(world, "f-count"))
        await world.is_quiet("f")
    assert status["flowStatuses"][0]["outputs"] == [{"name": "size", "value": 1.1, "text": "1.10"}]


async def _is_gone(world, job_name: str) -> bool:
    return await world.read(VOLCANO_JOB, job_name) is None


async def test_a_controller_that_was_away_at_the_end_reads_when_it_is_back(world):
    await world.templates("count", "work")
    one = flow("f").step("count").having(outputs=[SIZE]).step("work", after="count")
    one = one.having(**sized("$(steps.count.outputs.size)"))
    async with playing(world.client, world.namespace, held={"count"}) as volcano:
        async with world.controller():
            await world.create(JOB_FLOW, one.body())
            await world.until("f", lambda status: "f-count" in status.get("runningJobs", ()))
        await pod_says(world, "f-count", "2")
        volcano.held.clear()
        await world.eventually(lambda: _has_ended(volcano))
        async with world.controller():
            await world.phase("f", "Succeed")
        assert volcano.born == ["f-count", "f-work"]
    assert (await world.read(VOLCANO_JOB, "f-work"))["spec"]["tasks"][0]["replicas"] == 2


async def _has_ended(volcano) -> bool:
    return "f-count" in volcano.ended


async def test_what_nobody_left_fails_only_the_step_that_needs_it(world):
    await world.templates("count", "work")
    one = flow("f").step("count").having(outputs=[SIZE]).step("work", after="count")
    one = one.having(**sized("$(steps.count.outputs.size)"))
    async with playing(world.client, world.namespace) as volcano, world.controller():
        await world.create(JOB_FLOW, one.body())
        status = await world.phase("f", "Failed")
        assert volcano.born == ["f-count"]
    count, work = status["flowStatuses"]
    assert count["phase"] == "Succeeded"
    assert work["reason"] == "OutputMissing"
    assert "step count left no output size: pod f-count-main-0 was not there any more" in work["message"]


@pytest.mark.parametrize(
    "output",
    [
        {"name": "a.b", "from": {"path": "status.succeeded"}},
        {"name": "n"},
        {"name": "n", "from": {"terminationMessage": {"index": -1}}},
        {"name": "n", "from": {"path": 3}},
    ],
    ids=["a name with a dot", "no source", "no such pod", "no path"],
)
async def test_what_no_output_can_be_is_refused_by_the_api_server(world, output):
    with pytest.raises(Invalid):
        await world.create(JOB_FLOW, flow("f").step("a").having(outputs=[output]).body())
