"""Go clients read what jobflow writes: objects that the controller made, decoded as client-go decodes them.

One mistyped field would cost a Go client the whole list. So the lists are decoded, in all phases, and what was
understood has to be what was written, as far as upstream's types go.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobflow.api.crd import product_crds, volcano_job_crd
from jobflow.api.fields import ANYTHING, ITEM, VALUE, Shape
from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB
from jobflow.api.upstream import UPSTREAM
from jobflow.app import App
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.local.apiserver.server import ApiServer
from jobflow.testing.builders import flow, template
from jobflow.testing.clock import VirtualClock

pytestmark = [pytest.mark.real, pytest.mark.plane("Go decoder"), pytest.mark.blocking]

MODULE = Path(__file__).parent / "decode"
BUILD_SECONDS = 600
NAMESPACE = "default"
KINDS = (JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB)

Body = dict[str, Any]
Decode = Callable[[list[Body]], "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def decode(tmp_path_factory: pytest.TempPathFactory) -> Decode:
    if shutil.which("go") is None:
        pytest.skip("no Go to decode with: https://go.dev/dl, 1.25 or newer")
    program = tmp_path_factory.mktemp("decode") / "decode"
    command = ["go", "build", "-o", str(program), "."]
    built = subprocess.run(command, cwd=MODULE, capture_output=True, text=True, timeout=BUILD_SECONDS)
    assert built.returncode == 0, built.stderr

    def decode(documents: list[Body]) -> subprocess.CompletedProcess[str]:
        lines = b"\n".join(msgspec.json.encode(document) for document in documents).decode()
        return subprocess.run([str(program)], input=lines, capture_output=True, text=True, timeout=60)

    return decode


def written(builder: Any, **metadata: Any) -> Body:
    body = builder.body()
    meta = {"name": body["metadata"]["name"], **metadata}
    return {**{key: body[key] for key in ("apiVersion", "kind", "spec")}, "metadata": meta}


def told(phase: str, **more: Any) -> Body:
    counts = {"taskStatusCount": {"main": {"phase": {"Running": 2, "Failed": 1}}}, "running": 2, "failed": 1}
    return {"status": {"state": {"phase": phase, "lastTransitionTime": "2026-01-01T00:01:00Z"}, **counts, **more}}


async def made() -> list[Body]:
    """The lists of the three kinds, once flows stand in all phases."""
    clock, stop = VirtualClock(), asyncio.Event()
    async with ApiServer(clock) as server:
        client = Client(server.transport(), clock)
        for crd in (*product_crds(), volcano_job_crd()):
            await client.create(CUSTOM_RESOURCE_DEFINITION, None, crd)
        long = template("a").task("main", replicas=3).ttl(60)
        policy = {"action": "RestartJob", "event": "PodFailed", "timeout": "1m0s"}
        rich = template("b").task("x").having(policies=[policy], plugins={"svc": []}, minAvailable=1, maxRetry=2)
        for one in (long, rich):
            await client.create(JOB_TEMPLATE, NAMESPACE, written(one))
        for name in ("succeed", "failed", "running", "terminating"):
            kept = {"finalizers": ["example.com/kept"]} if name == "terminating" else {}
            await client.create(JOB_FLOW, NAMESPACE, written(flow(name).step("a").step("b", after="a"), **kept))
        await client.create(JOB_FLOW, NAMESPACE, written(flow("waiting").step("missing").policy("delete")))
        await client.create(JOB_FLOW, NAMESPACE, written(flow("empty")))
        running = asyncio.create_task(App(client, clock, Settings()).run(stop))

        async def put(job: str, status: Body) -> None:
            await asyncio.sleep(3)
            await client.patch(VOLCANO_JOB, NAMESPACE, job, status, subresource="status")

        for job in ("succeed-a", "failed-a", "running-a", "terminating-a"):
            await put(job, told("Running", retryCount=1))
        for job in ("succeed-a", "running-a"):
            await put(job, told("Completed", runningDuration="1m0s"))
        await put("failed-a", told("Failed"))
        await put("running-b", told("Restarting"))
        await put("succeed-b", told("Completed"))
        await client.delete(JOB_FLOW, NAMESPACE, "terminating", propagation="Foreground")
        await asyncio.sleep(20)
        lists = [msgspec.json.decode(page) for kind in KINDS async for page in client.list(kind)]
        stop.set()
        await running
    return lists


def upstreams(tree: Any, shape: Shape) -> Any:
    """What upstream's types know of an object; nothing that is empty, for Go writes that in more than one way."""
    if isinstance(tree, dict):
        known = {
            key: upstreams(value, ANYTHING if shape == ANYTHING else shape.get(key, shape.get(VALUE, {})))
            for key, value in tree.items()
            if shape == ANYTHING or key in shape or VALUE in shape
        }
        return {key: value for key, value in known.items() if value not in (None, "", 0, [], {})}
    if isinstance(tree, list):
        return [upstreams(item, ANYTHING if shape == ANYTHING else shape[ITEM]) for item in tree]
    return tree


@pytest.mark.looptime
async def test_lists_and_objects_of_all_phases_are_understood_as_they_were_written(decode):
    lists = await made()
    flows = {item["metadata"]["name"]: item.get("status", {}).get("state", {}) for item in lists[0]["items"]}
    assert {name: state.get("phase") for name, state in flows.items()} == {
        "succeed": "Succeed",
        "failed": "Failed",
        "running": "Running",
        "terminating": "Terminating",
        "waiting": "Pending",
        "empty": "Succeed",
    }
    single = [{"apiVersion": one["apiVersion"], **item} for one in lists for item in one["items"]]
    documents = [*lists, *({"kind": kind_of(item, lists), **item} for item in single)]
    done = decode(documents)
    assert done.returncode == 0, done.stderr
    understood = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
    assert len(understood) == len(documents)
    for kind, sent, got in zip(KINDS, lists, understood, strict=False):
        shape = UPSTREAM.get(kind, {"spec": ANYTHING, "status": ANYTHING})
        assert [upstreams(item, shape) for item in got["items"]] == [upstreams(item, shape) for item in sent["items"]]
        assert [item["metadata"]["uid"] for item in got["items"]] == [item["metadata"]["uid"] for item in sent["items"]]


def kind_of(item: Body, lists: list[Body]) -> str:
    return next(
        one["kind"].removesuffix("List") for one in lists if item["metadata"] in [i["metadata"] for i in one["items"]]
    )


WRONG: list[tuple[str, Body]] = [
    ("a number as text", {"jobStatusList": [{"name": "f-a", "restartCount": "1"}]}),
    ("a fraction", {"jobStatusList": [{"name": "f-a", "restartCount": 1.5}]}),
    ("a list as text", {"runningJobs": "f-a"}),
    ("a list of objects", {"runningJobs": [{"name": "f-a"}]}),
    ("a map as a list", {"conditions": [{"phase": "Running"}]}),
    ("a time that is a number", {"jobStatusList": [{"name": "f-a", "startTimestamp": 5}]}),
    ("a time that is a date", {"jobStatusList": [{"name": "f-a", "startTimestamp": "2026-01-01"}]}),
    ("a duration that is a number of seconds", {"conditions": {"f-a": {"runningDuration": "5"}}}),
    ("a state as text", {"state": "Running"}),
    ("counts as text", {"conditions": {"f-a": {"taskStatusCount": {"t": {"phase": {"Running": "1"}}}}}}),
]


@pytest.mark.parametrize(("said", "status"), WRONG)
def test_one_field_of_another_type_costs_the_whole_list(decode, said, status):
    body = {**flow("f").step("a").body(), "status": status}
    good = {**flow("g").step("a").body(), "status": {"runningJobs": ["g-a"], "state": {"phase": "Running"}}}
    lists = [
        {"apiVersion": JOB_FLOW.api_version, "kind": "JobFlowList", "items": items} for items in ([good], [good, body])
    ]
    done = decode(lists)
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 1)
    assert done.stderr.startswith("document 2: JobFlowList:")
