"""What a Job has left, read from the API server of the embedded control plane."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from jobflow.api.crd import volcano_job_crd
from jobflow.api.outputs import Absent, OfMessage, OfPath, OutputsOf, Said, Seen, path_parts
from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, POD, VOLCANO_JOB
from jobflow.kinds.pod import JOB_NAME, TASK_SPEC
from jobflow.kube.client import Client
from jobflow.kube.errors import Forbidden, KindNotFound, Unavailable
from jobflow.kube.transport import Request
from jobflow.local.apiserver.server import ApiServer
from jobflow.probe.outputs import read_outputs
from jobflow.testing.clock import VirtualClock

pytestmark = pytest.mark.looptime

NAMESPACE = "default"


def field(path: str) -> OfPath:
    return OfPath(path, path_parts(path))


class Cluster:
    """A Job of two tasks, and its pods."""

    def __init__(self, server: ApiServer) -> None:
        self.transport = Noted(server.transport())
        self.client = Client(self.transport, VirtualClock())
        self.uid = ""

    async def job(self, name: str = "f-a", **status: Any) -> str:
        container = {"name": "main", "image": "busybox"}
        task = {"replicas": 2, "template": {"spec": {"containers": [container]}}}
        spec = {"tasks": [{"name": "main", **task}, {"name": "side", **task}]}
        body = {"apiVersion": VOLCANO_JOB.api_version, "kind": "Job", "metadata": {"name": name}, "spec": spec}
        uid: str = msgspec.json.decode(await self.client.create(VOLCANO_JOB, NAMESPACE, body))["metadata"]["uid"]
        await self.client.patch(VOLCANO_JOB, NAMESPACE, name, {"status": status}, subresource="status")
        return uid

    async def pod(self, name: str, *ended: dict[str, Any], owner: tuple[str, str] | None = None) -> None:
        """A pod whose containers ended so, the first of its spec being `main`."""
        task = name.split("-")[2]
        reference = {"apiVersion": VOLCANO_JOB.api_version, "kind": "Job", "controller": True}
        owner_name, uid = owner or ("f-a", self.uid)
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "labels": {JOB_NAME: "f-a", TASK_SPEC: task},
                "ownerReferences": [reference | {"name": owner_name, "uid": uid}],
            },
            "spec": {"containers": [{"name": one, "image": "busybox"} for one in ("main", "also")]},
        }
        await self.client.create(POD, NAMESPACE, body)
        status = {"phase": "Succeeded", "containerStatuses": list(ended)}
        await self.client.patch(POD, NAMESPACE, name, {"status": status}, subresource="status")

    def question(self, *sources: Any) -> OutputsOf:
        return OutputsOf(NAMESPACE, "f-a", self.uid, ("main", "side"), sources)

    async def read(self, *sources: Any):
        found = await read_outputs(self.client, self.question(*sources))
        assert not found.problem
        return list(found.readings)


class Noted:
    """What was asked, and refusals in place of answers."""

    def __init__(self, below: Any) -> None:
        self._below = below
        self.asked: list[Request] = []
        self.fails: dict[str, Exception] = {}

    async def request(self, request: Request, timeout: float):
        self.asked.append(request)
        for part, error in self.fails.items():
            if part in request.path:
                raise error
        return await self._below.request(request, timeout)

    async def close(self) -> None:
        await self._below.close()


def said(text: str, name: str = "main") -> dict[str, Any]:
    return {"name": name, "state": {"terminated": {"exitCode": 0, "message": text}}}


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with ApiServer(VirtualClock()) as server:
        found = Cluster(server)
        await found.client.create(CUSTOM_RESOURCE_DEFINITION, None, volcano_job_crd())
        found.uid = await found.job(succeeded=3, taskStatusCount={"main": {"phase": {"Succeeded": 2}}})
        found.transport.asked.clear()
        yield found


def asked(cluster: Cluster) -> list[str]:
    return [request.path.rpartition("/")[2] for request in cluster.transport.asked]


async def test_fields_of_the_job_take_one_request(cluster):
    found = await cluster.read(
        field("status.succeeded"),
        field("status.taskStatusCount.main.phase.Succeeded"),
        field("spec.tasks[1].name"),
        field("status.version"),
    )
    assert found == [Seen(3), Seen(2), Seen("side"), Absent("Job f-a has no status.version")]
    assert asked(cluster) == ["f-a"]


@pytest.mark.parametrize(
    ("path", "reading"),
    [
        ("status.failed", Seen(0)),
        ("status.running", Seen(0)),
        ("status.taskStatusCount.main.phase.Failed", Seen(0)),
        ("status.taskStatusCount.side.phase.Succeeded", Seen(0)),
        ("status.taskStatusCount.main.phase.Done", Absent("Job f-a has no status.taskStatusCount.main.phase.Done")),
        (
            "status.taskStatusCount.nobody.phase.Failed",
            Absent("Job f-a has no status.taskStatusCount.nobody.phase.Failed"),
        ),
        ("status.retryCount", Absent("Job f-a has no status.retryCount")),
    ],
)
@pytest.mark.parametrize("when", ["before Volcano has set them to zero", "afterwards"])
async def test_counts_that_are_left_out_of_a_status_that_has_others_are_zero(cluster, when, path, reading):
    if when == "afterwards":
        await cluster.client.patch(VOLCANO_JOB, NAMESPACE, "f-a", {"status": ZERO}, subresource="status")
    question = replace(cluster.question(field(path)), counts={"main": {"Succeeded": 2}})
    assert (await read_outputs(cluster.client, question)).readings == (reading,)


ZERO = {"succeeded": 0, "failed": 0, "taskStatusCount": None}


@pytest.mark.parametrize(
    ("said", "counts", "readings"),
    [
        (
            "as they were seen at its end",
            {"main": {"Succeeded": 2}, "side": {"Failed": 1}},
            [Seen(2), Seen(2), Seen(0)],
        ),
        (
            "where nobody saw them, nothing is made up",
            {},
            [Absent("how the pods of Job f-a ended was not seen before Volcano set it to zero")] * 3,
        ),
    ],
)
async def test_counts_that_volcano_has_set_to_zero_since(cluster, said, counts, readings):
    await cluster.client.patch(VOLCANO_JOB, NAMESPACE, "f-a", {"status": ZERO}, subresource="status")
    paths = ("status.succeeded", "status.taskStatusCount.main.phase.Succeeded", "status.running")
    question = replace(cluster.question(*map(field, paths)), counts=counts)
    assert list((await read_outputs(cluster.client, question)).readings) == readings


async def test_one_pods_message_takes_a_list_of_that_pod_alone(cluster):
    await cluster.pod("f-a-main-0", said("8\n"), said("more", "also"))
    await cluster.pod("f-a-main-1", said("9"))
    cluster.transport.asked.clear()
    assert await cluster.read(OfMessage("main"), OfMessage("main", 0, "also")) == [Said("8\n"), Said("more")]
    (request,) = cluster.transport.asked
    assert ("fieldSelector", "metadata.name=f-a-main-0") in request.query
    assert ("labelSelector", "volcano.sh/job-name=f-a") in request.query


async def test_several_pods_messages_take_one_list(cluster):
    await cluster.pod("f-a-main-0", said("a"))
    await cluster.pod("f-a-main-1", said("b"))
    await cluster.pod("f-a-side-0", said("c"))
    cluster.transport.asked.clear()
    found = await cluster.read(OfMessage("main"), OfMessage("side"), OfMessage("main", 1), field("status.succeeded"))
    assert found == [Said("a"), Said("c"), Said("b"), Seen(3)]
    assert asked(cluster) == ["f-a", "pods"]


@pytest.mark.parametrize(
    ("why", "source"),
    [
        ("pod f-a-main-1 was not there any more when it was to be read", OfMessage("main", 1)),
        ("pod f-a-main-0 has no container nobody", OfMessage("main", 0, "nobody")),
        ("container main of pod f-a-main-0 left no termination message", OfMessage("main")),
        ("container also of pod f-a-main-0 has not ended by itself", OfMessage("main", 0, "also")),
        ("Job f-a has no task worker; its tasks are main, side", OfMessage("worker")),
        (
            "Job f-a has several tasks (main, side), and `task` does not say whose message is meant",
            OfMessage(),
        ),
    ],
)
async def test_why_there_is_none(cluster, why, source):
    await cluster.pod("f-a-main-0", said(" \n"), {"name": "also", "state": {"running": {}}})
    assert await cluster.read(source) == [Absent(why)]


async def test_the_only_task_need_not_be_named(cluster):
    await cluster.pod("f-a-main-0", said("8"))
    question = replace(cluster.question(OfMessage()), tasks=("main",))
    assert (await read_outputs(cluster.client, question)).readings == (Said("8"),)


async def test_another_jobs_pod_says_nothing(cluster):
    await cluster.pod("f-a-main-0", said("8"), owner=("f-b", await cluster.job("f-b")))
    (found,) = await cluster.read(OfMessage("main"))
    assert isinstance(found, Absent)


@pytest.mark.parametrize("gone", ["deleted", "another of its name"])
async def test_a_job_that_is_gone_has_left_nothing(cluster, gone):
    question = cluster.question(field("status.succeeded"), OfMessage("main"))
    await cluster.client.delete(VOLCANO_JOB, NAMESPACE, "f-a")
    if gone != "deleted":
        await cluster.job(succeeded=9)
    found = await read_outputs(cluster.client, question)
    assert found.readings == (
        Absent("Job f-a was gone before it could be read"),
        Absent("pod f-a-main-0 was not there any more when it was to be read"),
    )


@pytest.mark.parametrize(
    ("part", "error", "problem", "still"),
    [
        (
            "/pods",
            Forbidden("pods is forbidden", status=403),
            "the pods of Job f-a cannot be listed: pods is forbidden",
            [Seen(3), None],
        ),
        ("/jobs/", Unavailable("no answer"), "Job f-a cannot be read: no answer", [None, Said("8")]),
        (
            "/jobs/",
            KindNotFound("no such resource", status=404),
            "Job f-a cannot be read: no such resource",
            [None, Said("8")],
        ),
        (
            "/",
            Unavailable("no answer"),
            "Job f-a cannot be read: no answer; the pods of Job f-a cannot be listed: no answer",
            [None, None],
        ),
    ],
)
async def test_what_may_pass_is_told_and_the_other_request_is_made_all_the_same(cluster, part, error, problem, still):
    await cluster.pod("f-a-main-0", said("8"))
    cluster.transport.fails[part] = error
    found = await read_outputs(cluster.client, cluster.question(field("status.succeeded"), OfMessage("main")))
    assert found.problem == problem
    for reading, kept in zip(found.readings, still, strict=True):
        assert reading == kept if kept else isinstance(reading, Absent) and reading.why in problem
