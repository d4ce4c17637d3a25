"""The cases of Volcano's own tests, on both control planes; where a child is made, against a golden one.

The numbers are those of tests/reconcile/test_upstream.py. Names are in lower case, as an API server wants them. Status
lists that are empty are left out by us, and read as empty by Go clients.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml
from conformance import normal
from conformance.volcano import playing

from jobflow.api import names
from jobflow.api.resources import JOB_FLOW, VOLCANO_JOB
from jobflow.testing.builders import child, flow, template

pytestmark = pytest.mark.asyncio(loop_scope="session")

GOLDEN = Path(__file__).parent / "golden"
UPDATE = "JOBFLOW_UPDATE_GOLDEN"  # set it to write the golden children anew, then read the diff

FLOW = flow("jobflow").step("jobtemplate")


def golden(case: str, job: dict) -> None:
    """The object is the golden one of its case."""
    path = GOLDEN / f"{case}.yaml"
    metadata = {key: value for key, value in job["metadata"].items() if key != "managedFields"}
    told = {key: value for key, value in job.items() if key != "status"}
    if job["kind"] == "JobFlow":
        told["status"] = dict(job["status"])
        for entry in told["status"].get("jobStatusList", ()):  # a phase that is over at once may not be seen
            entry.pop("runningHistories", None)
    text = yaml.safe_dump(normal.body({**told, "metadata": metadata}))
    text = text.replace(job["metadata"]["namespace"], "NS")
    if os.environ.get(UPDATE):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


async def adopted(world, step, of, owner, **status):
    """A child as Volcano's controller made it: its labels and annotations, its owner, the step's name in its own."""
    body = child(step, of=of).by_upstream().body()
    reference = {**body["metadata"]["ownerReferences"][0], "uid": owner["metadata"]["uid"]}
    keys = dict.fromkeys((names.CREATED_BY_JOB_FLOW, names.CREATED_BY_JOB_TEMPLATE))
    owners = zip(keys, (f"{world.namespace}.{of}", f"{world.namespace}.{step}"), strict=True)
    labels = dict(owners)
    metadata = {"labels": labels, "annotations": labels, "ownerReferences": [reference]}
    return await world.create(VOLCANO_JOB, {**body, "status": status}, **metadata)


@pytest.mark.parametrize(
    ("case", "phase", "listed", "flow_phase"),
    [
        ("case 1", "Running", "runningJobs", "Running"),
        ("case 2", "Failed", "failedJobs", "Failed"),
        ("case 3", "Terminated", "terminatedJobs", "Failed"),
    ],
)
async def test_1_to_3_a_child_that_is_there_already(world, case, phase, listed, flow_phase):
    await world.templates("jobtemplate")
    made = await world.create(JOB_FLOW, FLOW.body())
    job = await adopted(world, "jobtemplate", "jobflow", made, state={"phase": phase})
    async with world.controller():
        status = await world.phase("jobflow", flow_phase)
        await world.is_quiet("jobflow")
    name = "jobflow-jobtemplate"
    lists = ("pendingJobs", "runningJobs", "failedJobs", "completedJobs", "terminatedJobs", "unKnowJobs")
    assert {key: status.get(key, []) for key in lists} == {key: [name] if key == listed else [] for key in lists}, case
    (told,) = status["jobStatusList"]
    assert (told["name"], told["state"], told.get("restartCount", 0)) == (name, phase, 0)
    assert [history["state"] for history in told["runningHistories"]] == [phase]
    assert status["conditions"][name]["phase"] == phase
    assert await world.jobs() == {name: job}, "it is not patched, and no other is made"


async def test_4_a_history_without_change_stays(world):
    await world.templates("a")
    start, end = "2024-01-01T00:00:00Z", "2024-01-01T00:01:00Z"
    history = {"state": "Completed", "startTimestamp": start, "endTimestamp": end}
    entry = {"name": "f-a", "state": "Completed", "startTimestamp": start, "endTimestamp": end}
    body = {**flow("f").step("a").body(), "status": {"jobStatusList": [{**entry, "runningHistories": [history]}]}}
    made = await world.create(JOB_FLOW, body)
    await adopted(world, "a", "f", made, state={"phase": "Completed"})
    async with world.controller():
        status = await world.phase("f", "Succeed")
    assert status["jobStatusList"][0]["runningHistories"] == [history]


async def test_5_two_flows_of_the_same_templates_see_their_own_jobs(world):
    await world.templates("a", "b")
    for name, end in (("first", "Running"), ("second", "Pending")):
        made = await world.create(JOB_FLOW, flow(name).step("a").step("b").body())
        await adopted(world, "a", name, made, state={"phase": "Completed"})
        await adopted(world, "b", name, made, state={"phase": end})
    async with world.controller():
        first, second = [await world.phase(name, "Running") for name in ("first", "second")]
    assert (first["completedJobs"], first["runningJobs"]) == (["first-a"], ["first-b"])
    assert (second["completedJobs"], second["pendingJobs"]) == (["second-a"], ["second-b"])


async def test_6_times_restarts_and_conditions(world):
    await world.templates("a", "b")
    made = await world.create(JOB_FLOW, flow("f").step("a").step("b").body())
    done = {"state": {"phase": "Completed"}, "retryCount": 1, "runningDuration": "1s"}
    created = (await adopted(world, "a", "f", made, **done))["metadata"]["creationTimestamp"]
    await adopted(world, "b", "f", made, state={"phase": "Running"})
    async with world.controller():
        status = await world.phase("f", "Running")
    a, b = status["jobStatusList"]
    ended = datetime.fromisoformat(created) + timedelta(seconds=1)
    assert (a["startTimestamp"], datetime.fromisoformat(a["endTimestamp"]), a["restartCount"]) == (created, ended, 1)
    assert "endTimestamp" not in b
    assert status["conditions"]["f-a"] == {"phase": "Completed", "createTime": created, "runningDuration": "1s"}
    assert status["conditions"]["f-b"]["phase"] == "Running"


async def test_7_and_8_a_child_is_made_of_its_template(world):
    await world.templates(template("jobtemplate").task("main", replicas=2).having(queue="q", minAvailable=1))
    await world.create(JOB_FLOW, FLOW.body())
    async with world.controller():
        job = await world.eventually(lambda: world.read(VOLCANO_JOB, "jobflow-jobtemplate"))
    (owner,) = job["metadata"]["ownerReferences"]
    made = await world.flow("jobflow")
    assert owner == {
        "apiVersion": "flow.volcano.sh/v1alpha1",
        "kind": "JobFlow",
        "name": "jobflow",
        "uid": made["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    ours = {
        "volcano.sh/createdByJobFlow": f"{world.namespace}.jobflow",
        "volcano.sh/createdByJobTemplate": f"{world.namespace}.jobtemplate",
    }
    assert ours.items() <= job["metadata"]["labels"].items()
    assert ours.items() <= job["metadata"]["annotations"].items()
    golden("7-a-child-of-its-template", job)


async def test_72_a_step_waits_for_the_one_before(world):
    await world.templates("a", "b")
    await world.create(JOB_FLOW, flow("f").step("a").step("b", after="a").body())
    async with playing(world.client, world.namespace, held={"b"}) as volcano, world.controller():
        status = await world.until("f", lambda told: told.get("runningJobs") == ["f-b"])
        assert status["completedJobs"] == ["f-a"]
        volcano.held.clear()
        await world.phase("f", "Succeed")
    jobs = await world.jobs()
    golden("72-first", jobs["f-a"])
    golden("72-second", jobs["f-b"])


async def test_73_a_deleted_flow_is_gone(world):
    await world.templates("a")
    await world.create(JOB_FLOW, flow("f").step("a").body())
    async with playing(world.client, world.namespace), world.controller():
        await world.until("f", lambda told: "completionTime" in told)
        golden("73-before-it-goes", await world.flow("f"))
        await world.client.delete(JOB_FLOW, world.namespace, "f")
        await world.eventually(lambda: _gone(world))


async def _gone(world):
    return await world.read(JOB_FLOW, "f") is None and not await world.jobs()


async def test_74_a_status_that_is_written_stays(world):
    await world.create(JOB_FLOW, flow("f").step("a").body())
    told = {"state": {"phase": "Succeed"}, "completedJobs": ["f-a"]}
    await world.client.patch(JOB_FLOW, world.namespace, "f", {"status": told}, subresource="status")
    assert (await world.flow("f"))["status"] == told
    golden("74-a-status-that-is-written", await world.flow("f"))


async def test_75_delete_both_jobs_come_and_go(world):
    await world.templates("a", "b")
    await world.create(JOB_FLOW, flow("f").step("a").step("b", after="a").policy("delete").body())
    async with playing(world.client, world.namespace) as volcano, world.controller():
        await world.phase("f", "Succeed")
        await world.eventually(lambda: _none(world))
        assert volcano.born == ["f-a", "f-b"]
        await world.until("f", lambda told: "completionTime" in told)
    golden("75-when-both-jobs-are-gone", await world.flow("f"))


async def _none(world):
    return not await world.jobs()
