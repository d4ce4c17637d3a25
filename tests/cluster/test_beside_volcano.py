"""Beside Volcano's own: its CRDs put over ours while we work, and its controller at work on our flows, for real.

Volcano's JobFlow controller is played here by status writes under its name: what counts is what the API server keeps of
them in metadata.managedFields.
"""

from __future__ import annotations

import asyncio
import copy
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from cluster.installed import Cluster
from conformance.upstream import put_in, schema_of, upstream_crds
from conformance.volcano import playing
from conformance.world import DRAIN_SECONDS, World

from jobflow.api.crd import job_flow_crd, product_crds
from jobflow.api.fields import object_shape
from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, EVENT, JOB_FLOW, VOLCANO_JOB
from jobflow.api.upstream import UPSTREAM, added, beyond
from jobflow.app import App
from jobflow.clock import SystemClock
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.transport import Request, Response, Transport
from jobflow.reconcile.pause import QUIET_SECONDS
from jobflow.schemas import LOOK_SECONDS
from jobflow.testing.builders import child, flow

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

GO = "vc-controller-manager"
NOTE = ("spec", "flows", "[]", "note")  # stands for the fields that later versions add to steps
TWO = flow("f").step("a").step("b", after="a")
KUBECTL = Path(sys.executable).with_name("kubectl")
ROOT = Path(__file__).parents[2]
WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Shifted(SystemClock):
    """A clock that can be set forward, and that looks at schemas more often: what is waited for is long."""

    ahead = timedelta()

    async def sleep(self, seconds: float) -> None:
        await super().sleep(1.0 if seconds == LOOK_SECONDS else seconds)

    def now(self) -> datetime:
        return super().now() + self.ahead


@dataclass
class Counting(Transport):
    """Keeps which flows and Jobs were written to."""

    inner: Transport
    written: list[str] = field(default_factory=list)

    async def request(self, request: Request, timeout: float) -> Response:
        if request.method in WRITES and "/events" not in request.path:
            self.written.append(f"{request.method} {request.path.partition('/namespaces/')[2]}")
        return await self.inner.request(request, timeout)

    def stream(self, request: Request, silence: float):
        return self.inner.stream(request, silence)

    async def close(self) -> None:
        """The test's own transport is closed by its fixture."""


@dataclass
class Beside(World):
    """A namespace of a real cluster whose CRDs a test may replace."""

    transport: Transport | None = None
    clock: Shifted = field(default_factory=Shifted)

    async def apply(self, *crds: dict[str, Any]) -> None:
        """Replace CRDs, as a chart does: fields that are not in them are gone from the schema."""
        for crd in crds:
            name = crd["metadata"]["name"]
            live = msgspec.json.decode(await self.client.get(CUSTOM_RESOURCE_DEFINITION, None, name))
            await self.client.replace(CUSTOM_RESOURCE_DEFINITION, None, name, {**live, "spec": crd["spec"]})

    async def until_pruned(self, pruned: bool = True) -> None:
        """API servers take a replaced CRD up after a moment."""
        probe = flow("probe").body()
        if await self.read(JOB_FLOW, "probe") is None:
            await self.create(JOB_FLOW, probe)

        async def taken_up() -> bool:
            told = {"status": {"specHash": "probe"}}
            made = await self.client.patch(JOB_FLOW, self.namespace, "probe", told, subresource="status")
            return ("specHash" not in msgspec.json.decode(made).get("status", {})) == pruned

        await self.eventually(taken_up)

    async def by_volcano(self, name: str, status: dict[str, Any]) -> None:
        """Volcano's controller writes the whole status, as its Go client does: it drops what it does not know."""
        live = await self.flow(name)
        body = msgspec.json.encode({**live, "status": status})
        path = JOB_FLOW.path(self.namespace, name, "status")
        assert self.transport is not None
        answer = await self.transport.request(Request("PUT", path, (("fieldManager", GO),), body), 30.0)
        assert answer.status == 200, answer.body

    async def told(self, kind: str, reason: str, namespace: str | None = None) -> str:
        """The message of an Event, once there is one."""

        async def find() -> str:
            pages = [msgspec.json.decode(page) async for page in self.client.list(EVENT, namespace or self.namespace)]
            found = [event for page in pages for event in page["items"] if event["reason"] == reason]
            return next((event["message"] for event in found if event["involvedObject"]["kind"] == kind), "")

        return str(await self.eventually(find))

    @asynccontextmanager
    async def working(self, added_to_flows: frozenset | None = None, **settings: Any) -> AsyncIterator[App]:
        """The real controller; with fields of a later version where they are given."""
        assert self.transport is not None
        self.counting = Counting(self.transport)
        app = App(Client(self.counting, self.clock), self.clock, Settings(**settings))
        if added_to_flows is not None:
            app.cache.installed.declare(JOB_FLOW, added_to_flows)
        stop = asyncio.Event()
        running = asyncio.create_task(app.run(stop), name="controller")
        try:
            await app.synced.wait()
            yield app
        finally:
            stop.set()
            async with asyncio.timeout(DRAIN_SECONDS):
                await running


@pytest_asyncio.fixture(loop_scope="module")
async def beside(cluster: Cluster, request: pytest.FixtureRequest) -> AsyncIterator[Beside]:
    transport = await cluster.plane.transport()
    namespace = cluster.namespace("beside")
    world = Beside("real", Client(transport, SystemClock()), namespace, transport)
    yield world
    await world.apply(*product_crds())
    await world.until_pruned(False)
    await transport.close()


def paused(app: App) -> dict[str, int]:
    return {reason: count for reason, count in app.readings().paused.items() if count}


def namespaced(world: Beside) -> dict[str, Any]:
    return {"namespaces": (world.namespace,)}


@pytest.mark.parametrize("confined", [False, True], ids=["cluster", "namespace"])
async def test_a_crd_that_is_replaced_under_us_stops_no_flow_of_upstreams_fields(beside, confined):
    await beside.templates("a", "b")
    settings = namespaced(beside) if confined else {}
    async with playing(beside.client, beside.namespace, held={"a", "b"}) as volcano, beside.working(**settings) as app:
        await beside.create(JOB_FLOW, TWO.body())
        await beside.until("f", lambda told: told.get("runningJobs") == ["f-a"])
        await beside.apply(*upstream_crds())
        await beside.until_pruned()
        volcano.held.remove("a")
        status = await beside.until("f", lambda told: told.get("runningJobs") == ["f-b"])
        assert "flowStatuses" not in status
        assert app.readings().fields_missing[str(JOB_FLOW)] > 0
        said = await (
            beside.told("JobFlow", "CRDOutdated")
            if confined
            else beside.told("CustomResourceDefinition", "CRDOutdated", "default")
        )
        assert "status.flowStatuses" in said
        beside.counting.written.clear()
        await beside.is_quiet("f")
        assert [line for line in beside.counting.written if "/jobflows/f/" in line] == [], (
            "no write is repeated in vain"
        )

        await beside.apply(*product_crds())
        await beside.eventually(lambda: _nothing_missing(app))
        volcano.held.clear()
        status = await beside.phase("f", "Succeed")
        assert [step["phase"] for step in status["flowStatuses"]] == ["Succeeded", "Succeeded"]
        assert status["completionTime"]
        assert volcano.born == ["f-a", "f-b"], "nothing was deleted, nothing ran twice"
        assert paused(app) == {}


async def test_the_command_that_puts_our_crds_in_the_place_of_upstreams(beside, cluster):
    await beside.apply(*upstream_crds())
    command = [
        str(KUBECTL),
        "--kubeconfig",
        str(cluster.plane.kubeconfig),
        "replace",
        "-k",
        str(ROOT / "manifests/crds"),
    ]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for crd in product_crds():
        live = msgspec.json.decode(await beside.client.get(CUSTOM_RESOURCE_DEFINITION, None, crd["metadata"]["name"]))
        assert object_shape(schema_of(live)) == object_shape(schema_of(crd))
    await beside.until_pruned(False)


async def _nothing_missing(app: App) -> bool:
    return not any(app.readings().fields_missing.values())


def with_note() -> dict[str, Any]:
    """Our CRD of a later version, whose steps may have a note."""
    crd = copy.deepcopy(job_flow_crd())
    put_in(schema_of(crd), NOTE, {"type": "string"})
    return crd


@pytest.mark.parametrize("confined", [False, True], ids=["cluster", "namespace"])
async def test_a_flow_that_uses_a_field_which_the_crd_lost_stops_and_goes_on_with_the_field(beside, confined):
    await beside.apply(with_note())
    later = beyond(object_shape(schema_of(with_note())), UPSTREAM[JOB_FLOW])
    assert later == added(JOB_FLOW) | {NOTE}
    await beside.templates("a", "b")
    body = TWO.body()
    body["spec"]["flows"][1]["note"] = "kept"
    settings = namespaced(beside) if confined else {}
    playing_ = playing(beside.client, beside.namespace, held={"a"})
    async with playing_ as volcano, beside.working(later, **settings) as app:
        await beside.eventually(lambda: _accepted(beside, body))
        await beside.create(JOB_FLOW, flow("plain").step("b").body())
        await beside.until("f", lambda told: told.get("runningJobs") == ["f-a"])
        await beside.apply(*upstream_crds())
        await beside.until_pruned()
        await beside.create(JOB_FLOW, flow("other").step("b").body())
        await beside.phase("other", "Succeed")  # the first status that is written since: it comes back incomplete
        await beside.eventually(lambda: _is(paused(app), {"CRDOutdated": 1}))
        assert "spec.flows[1].note" in await beside.told("JobFlow", "CRDOutdated")
        before = await beside.flow("f")
        beside.counting.written.clear()
        volcano.held.clear()
        await beside.eventually(lambda: _is(volcano.ended.get("f-a"), "Completed"))
        await asyncio.sleep(2.0)
        assert [line for line in beside.counting.written if "f-" in line or "/jobflows/f/" in line] == []
        assert (await beside.flow("f"))["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]

        await beside.apply(with_note())
        status = await beside.phase("f", "Succeed")
        assert (await beside.flow("f"))["spec"]["flows"][1]["note"] == "kept", "no write of ours has dropped it"
        assert [step["phase"] for step in status["flowStatuses"]] == ["Succeeded", "Succeeded"]
        assert volcano.born.count("f-a") == 1
        assert await beside.told("JobFlow", "Resumed")
        assert paused(app) == {}


@pytest.mark.parametrize("confined", [False, True], ids=["cluster", "namespace"])
async def test_a_controller_that_starts_after_the_crd_was_replaced_still_knows_what_the_flow_has_lost(beside, confined):
    """Its spec is read without the field, and so could run: the record of who wrote the field is what tells."""
    await beside.templates("a", "b")
    body = TWO.body()
    body["spec"]["flows"][1]["dependsOn"]["waitFor"] = "Completed"
    settings = namespaced(beside) if confined else {}
    async with playing(beside.client, beside.namespace, held={"a"}) as volcano:
        async with beside.working(**settings):
            await beside.create(JOB_FLOW, body)
            await beside.until("f", lambda told: told.get("runningJobs") == ["f-a"])
        await beside.apply(*upstream_crds())
        await beside.until_pruned()
        assert "waitFor" not in (await beside.flow("f"))["spec"]["flows"][1]["dependsOn"]
        volcano.held.clear()
        async with beside.working(**settings) as app:
            await beside.eventually(lambda: _is(paused(app), {"CRDOutdated": 1}))
            assert "waitFor" in await beside.told("JobFlow", "CRDOutdated")
            await beside.eventually(lambda: _is(volcano.ended.get("f-a"), "Completed"))
            await asyncio.sleep(1.0)
            assert [line for line in beside.counting.written if "f-" in line or "/jobflows/f/" in line] == []
            await beside.apply(*product_crds())
            await beside.until_pruned(False)
            await beside.phase("f", "Succeed")
            assert (await beside.flow("f"))["spec"]["flows"][1]["dependsOn"]["waitFor"] == "Completed"
            assert (volcano.born.count("f-a"), paused(app)) == (1, {})


async def _accepted(world: Beside, body: dict[str, Any]) -> bool:
    """Created with its note: an API server takes a new schema up after a moment."""
    if await world.read(JOB_FLOW, "f") is not None:
        await world.client.delete(JOB_FLOW, world.namespace, "f")
        await world.eventually(lambda: _gone(world))
    made = await world.create(JOB_FLOW, body)
    return "note" in made["spec"]["flows"][1]


async def _gone(world: Beside) -> bool:
    return await world.read(JOB_FLOW, "f") is None


async def _is(found: Any, wanted: Any) -> bool:
    return bool(found == wanted)


async def test_a_flow_that_another_controller_writes_to_is_left_alone_and_resumed_when_it_is_silent(beside):
    await beside.templates("a", "b")
    playing_ = playing(beside.client, beside.namespace, held={"a"})
    async with playing_ as volcano, beside.working(**namespaced(beside)) as app:
        await beside.create(JOB_FLOW, TWO.body())
        await beside.create(JOB_FLOW, flow("other").step("b").body())
        await beside.until("f", lambda told: told.get("runningJobs") == ["f-a"])
        listed = [{"name": "f-a", "state": "Running", "restartCount": 0}]
        await beside.by_volcano("f", {"runningJobs": ["f-a"], "jobStatusList": listed, "state": {"phase": "Running"}})
        await beside.eventually(lambda: _is(paused(app), {"ForeignController": 1}))
        assert GO in await beside.told("JobFlow", "ForeignController")
        beside.counting.written.clear()
        volcano.held.clear()
        await beside.eventually(lambda: _is(volcano.ended.get("f-a"), "Completed"))
        await beside.phase("other", "Succeed")
        await asyncio.sleep(1.0)
        assert [line for line in beside.counting.written if "f-" in line or "/jobflows/f/" in line] == []
        assert "flowStatuses" not in (await beside.flow("f"))["status"]

        beside.clock.ahead = timedelta(seconds=QUIET_SECONDS + 1)
        touched = {"metadata": {"annotations": {"touched": "yes"}}}
        await beside.client.patch(JOB_FLOW, beside.namespace, "f", touched)
        await beside.phase("f", "Succeed")
        assert await beside.told("JobFlow", "Resumed")
        assert (volcano.born.count("f-a"), volcano.born.count("f-b"), paused(app)) == (1, 1, {})


async def made_by_volcano(world: Beside, name: str, step: str, phase: str) -> dict[str, Any]:
    """A Job as Volcano's controller makes it: no annotation names the step."""
    uid = (await world.flow(name))["metadata"]["uid"]
    body = child(step, of=name).by_upstream().body()
    meta = body["metadata"]
    owners = [{**meta["ownerReferences"][0], "uid": uid}]
    told = {"state": {"phase": phase, "lastTransitionTime": datetime.now(UTC).replace(microsecond=0)}}
    owned = {
        f"volcano.sh/createdByJob{kind}": f"{world.namespace}.{of}" for kind, of in (("Flow", name), ("Template", step))
    }
    return await world.create(
        VOLCANO_JOB, {**body, "status": told}, labels=owned, annotations=owned, ownerReferences=owners
    )


async def test_flows_of_a_controller_that_was_switched_off_are_adopted_without_a_restart_of_any_job(beside):
    await beside.templates("a", "b", "c")
    await beside.create(JOB_FLOW, TWO.step("c", after="b").body())
    await beside.create(JOB_FLOW, flow("done").step("a").body())
    jobs = [await made_by_volcano(beside, "f", "a", "Completed"), await made_by_volcano(beside, "f", "b", "Running")]
    jobs.append(await made_by_volcano(beside, "done", "a", "Completed"))
    listed = [{"name": "f-a", "state": "Completed"}, {"name": "f-b", "state": "Running"}]
    told = {"completedJobs": ["f-a"], "runningJobs": ["f-b"], "jobStatusList": listed, "state": {"phase": "Running"}}
    await beside.by_volcano("f", told)
    ended = {"completedJobs": ["done-a"], "jobStatusList": [{"name": "done-a", "state": "Completed"}]}
    await beside.by_volcano("done", {**ended, "state": {"phase": "Succeed"}})
    finished = await beside.flow("done")
    await asyncio.sleep(1.1)  # it was switched off, then we start: the API server's times are whole seconds

    async with beside.working(**namespaced(beside)) as app:
        status = await beside.until("f", lambda told: "flowStatuses" in told)
        assert {step["name"]: step["phase"] for step in status["flowStatuses"]} == {
            "a": "Succeeded",
            "b": "Running",
            "c": "Waiting",
        }
        end = {"status": {"state": {"phase": "Completed"}}}
        await beside.client.patch(VOLCANO_JOB, beside.namespace, "f-b", end, subresource="status")
        await beside.eventually(lambda: beside.read(VOLCANO_JOB, "f-c"))
        await beside.client.patch(VOLCANO_JOB, beside.namespace, "f-c", end, subresource="status")
        await beside.phase("f", "Succeed")
        now = await beside.jobs()
        for job in jobs:
            meta = now[job["metadata"]["name"]]["metadata"]
            assert (meta["uid"], meta["labels"], meta["annotations"]) == (
                job["metadata"]["uid"],
                job["metadata"]["labels"],
                job["metadata"]["annotations"],
            ), "neither made anew nor patched"
        assert await beside.flow("done") == finished, "what another controller has ended is never filled in"
        assert paused(app) == {}
