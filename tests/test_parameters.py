"""Parameters through the engine: a controller on the embedded API server, in virtual time.

Volcano's part is played here: a Job is in the phase that the test writes.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
import pytest
import structlog
from conformance.upstream import upstream_crds

from jobflow.api.crd import product_crds, volcano_job_crd
from jobflow.api.objects import TemplateObject, template_view
from jobflow.api.resources import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB
from jobflow.app import App
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.errors import Invalid, NotFound
from jobflow.kube.transport import Request, Response, Transport
from jobflow.local.apiserver.server import ApiServer
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import flow, template
from jobflow.testing.clock import VirtualClock

pytestmark = pytest.mark.looptime

FORBIDDEN = msgspec.json.encode({"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no rights here"})
FROM_MAP = {"valueFrom": {"configMapKeyRef": {"name": "sizes", "key": "large"}}}
WORKER = (
    template("worker")
    .task("worker", command=["work", "$(params.samples)", "$(HOSTNAME)"])
    .having(parameters=[{"name": "samples", "value": 10}], minAvailable=1)
)
SIZED = {"minAvailable": "$(params.n)", "tasks": [{"name": "worker", "replicas": "$(params.n)"}]}
F = flow("f").step("a").having(templateRef={"name": "worker"}, patch={"spec": SIZED})


class Watched(Transport):
    """The controller's way to the server: what it reads of ConfigMaps, and whether it may."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.reads: list[str] = []
        self.forbidden = False

    async def request(self, request: Request, timeout: float) -> Response:
        if "/configmaps" in request.path:
            self.reads.append(f"{request.method} {request.path}")
            if self.forbidden:
                return Response(403, FORBIDDEN)
        return await self._inner.request(request, timeout)

    def stream(self, request: Request, silence: float):
        assert "/configmaps" not in request.path, "ConfigMaps are not watched"
        return self._inner.stream(request, silence)

    async def close(self) -> None:
        await self._inner.close()


@dataclass
class World:
    """A user of one API server, and the way of the controller to it."""

    client: Client
    transport: Watched

    async def create(self, resource, builder):
        body = builder.body()
        body["metadata"] = {"name": body["metadata"]["name"]}
        await self.client.create(resource, "default", body)

    async def config(self, **data):
        """The ConfigMap `sizes`, made or replaced."""
        body = {"metadata": {"name": "sizes"}, "data": data}
        if await self.read(CONFIG_MAP, "sizes") is None:
            await self.client.create(CONFIG_MAP, "default", body)
        else:
            await self.client.replace(CONFIG_MAP, "default", "sizes", body)

    async def read(self, resource, name):
        try:
            return msgspec.json.decode(await self.client.get(resource, "default", name))
        except NotFound:
            return None

    async def job(self, name="f-a"):
        return await self.read(VOLCANO_JOB, name)

    async def step(self, index=0):
        entry = (await self.read(JOB_FLOW, "f")).get("status", {})["flowStatuses"][index]
        return entry["phase"], entry.get("reason", ""), entry.get("message", "")

    async def ends(self, job):
        told = {"status": {"state": {"phase": "Completed"}}}
        await self.client.patch(VOLCANO_JOB, "default", job, told, subresource="status")
        await self.settle()

    async def settle(self, seconds=20.0):
        await asyncio.sleep(seconds)

    @asynccontextmanager
    async def controller(self):
        stop = asyncio.Event()
        app = App(Client(self.transport, VirtualClock()), VirtualClock(), Settings())
        running = asyncio.create_task(app.run(stop))
        await self.settle()
        yield app
        stop.set()
        await running


@pytest.fixture
async def cluster():
    async with ApiServer(VirtualClock()) as server:
        client = Client(server.transport(), VirtualClock())
        for crd in (*product_crds(), volcano_job_crd()):
            await client.create(CUSTOM_RESOURCE_DEFINITION, None, crd)
        made = World(client, Watched(server.transport()))
        await made.create(JOB_TEMPLATE, WORKER)
        yield made


def replicas(job):
    return job["spec"]["minAvailable"], job["spec"]["tasks"][0]["replicas"]


def command(job):
    return job["spec"]["tasks"][0]["template"]["spec"]["containers"][0]["command"]


async def test_one_template_at_two_sizes(cluster):
    two = {"templateRef": {"name": "worker"}, "patch": {"spec": {**SIZED, "minAvailable": 2}}}
    built = (
        F.parameter("n", 8).step("b", after="a").having(**two, arguments=[{"name": "samples", "value": "$(params.n)0"}])
    )
    await cluster.create(JOB_FLOW, built)
    async with cluster.controller():
        job = await cluster.job()
        assert replicas(job) == (8, 8)
        assert command(job) == ["work", "10", "$(HOSTNAME)"]
        assert "parameters" not in job["spec"]
        await cluster.ends("f-a")
        job = await cluster.job("f-b")
        assert (replicas(job), command(job)[1]) == ((2, 8), "80")
        await cluster.ends("f-b")
        assert (await cluster.read(JOB_FLOW, "f"))["status"]["state"]["phase"] == "Succeed"
    assert cluster.transport.reads == [], "nobody asked for a ConfigMap"


async def test_a_template_may_be_written_before_the_api_server_knows_who_will_use_it(cluster):
    stored = await cluster.read(JOB_TEMPLATE, "worker")
    assert stored["spec"]["parameters"] == [{"name": "samples", "value": 10}]


class TestAConfigMap:
    async def test_is_read_once_when_a_step_first_needs_it(self, cluster):
        await cluster.config(large="8")
        await cluster.create(JOB_TEMPLATE, template("first").task("main"))
        later = flow("f").parameter("n", **FROM_MAP).step("first").step("a", after="first")
        later = later.having(templateRef={"name": "worker"}, patch={"spec": SIZED})
        await cluster.create(JOB_FLOW, later)
        async with cluster.controller():
            assert cluster.transport.reads == []
            await cluster.ends("f-first")
            assert replicas(await cluster.job()) == (8, 8)
            assert len(cluster.transport.reads) == 1

    async def test_that_changes_later_changes_nothing_of_the_flow(self, cluster):
        await cluster.config(large="8")
        built = F.parameter("n", **FROM_MAP).step("b", after="a")
        built = built.having(templateRef={"name": "worker"}, patch={"spec": SIZED})
        await cluster.create(JOB_FLOW, built)
        async with cluster.controller():
            await cluster.config(large="2")
            await cluster.ends("f-a")
            assert replicas(await cluster.job("f-b")) == (8, 8)
            assert len(cluster.transport.reads) == 1

    async def test_is_read_anew_for_each_flow(self, cluster):
        await cluster.config(large="8")
        await cluster.create(JOB_FLOW, F.parameter("n", **FROM_MAP))
        async with cluster.controller():
            await cluster.config(large="2")
            second = flow("g").parameter("n", **FROM_MAP).step("a")
            await cluster.create(JOB_FLOW, second.having(templateRef={"name": "worker"}, patch={"spec": SIZED}))
            await cluster.settle()
            assert replicas(await cluster.job("g-a")) == (2, 2)

    @pytest.mark.parametrize(
        ("before", "problem"),
        [
            (None, "there is no ConfigMap sizes in namespace default"),
            ({"small": "2"}, "ConfigMap sizes has no key large; it has small"),
            ({}, "ConfigMap sizes has no key large; it is empty"),
        ],
        ids=["missing", "another key", "empty"],
    )
    async def test_that_has_no_value_is_waited_for(self, cluster, before, problem):
        if before is not None:
            await cluster.config(**before)
        await cluster.create(JOB_FLOW, F.parameter("n", **FROM_MAP))
        async with cluster.controller():
            said = f"parameter n has no value: {problem}; the step starts when it has one"
            assert await cluster.step() == ("Waiting", "ParameterNotFound", said)
            state = (await cluster.read(JOB_FLOW, "f"))["status"]["state"]
            assert state == {"phase": "Pending", "reason": "ParameterNotFound", "message": f"step a: {said}"}
            await cluster.config(large="4")
            await cluster.settle(70)
            assert replicas(await cluster.job()) == (4, 4)

    async def test_that_has_no_value_is_asked_ever_more_rarely(self, cluster):
        await cluster.create(JOB_FLOW, F.parameter("n", **FROM_MAP))
        async with cluster.controller():
            before = len(cluster.transport.reads)
            await cluster.settle(600)
            assert 8 <= len(cluster.transport.reads) - before <= 14

    async def test_keeps_only_those_waiting_who_need_it(self, cluster):
        built = F.parameter("n", **FROM_MAP).step("b").having(templateRef={"name": "worker"})
        await cluster.create(JOB_FLOW, built)
        async with cluster.controller():
            assert await cluster.job() is None
            assert await cluster.job("f-b") is not None

    async def test_that_may_not_be_read_is_told_in_the_servers_words(self, cluster):
        await cluster.config(large="8")
        await cluster.create(JOB_FLOW, F.parameter("n", value=3, **FROM_MAP))
        cluster.transport.forbidden = True
        async with cluster.controller():
            phase, reason, message = await cluster.step()
            assert (phase, reason) == ("Waiting", "ParameterNotFound")
            assert "ConfigMap sizes cannot be read: no rights here" in message
            cluster.transport.forbidden = False
            await cluster.settle(70)
            assert replicas(await cluster.job()) == (8, 8), (
                "a default stands in for what is absent, not for what is hidden"
            )

    async def test_that_is_absent_is_stood_in_for_by_the_default(self, cluster):
        await cluster.create(JOB_FLOW, F.parameter("n", value=3, **FROM_MAP))
        async with cluster.controller():
            assert replicas(await cluster.job()) == (3, 3)
            await cluster.settle(300)
            assert len(cluster.transport.reads) == 1

    async def test_whose_value_is_no_good_fails_the_step_and_the_flow(self, cluster):
        await cluster.config(large="eight")
        await cluster.create(JOB_FLOW, F.parameter("n", **FROM_MAP))
        async with cluster.controller():
            phase, reason, message = await cluster.step()
            assert (phase, reason) == ("Failed", "ParameterInvalid")
            assert message == "patch.spec.minAvailable: takes a number, and $(params.n) is a text"
            assert (await cluster.read(JOB_FLOW, "f"))["status"]["state"]["phase"] == "Failed"

    async def test_is_not_asked_for_any_more_when_the_flow_has_ended(self, cluster):
        await cluster.config(large="1")
        await cluster.create(JOB_FLOW, F.parameter("n", **FROM_MAP))
        async with cluster.controller() as app:
            assert len(app.runner) == 1
            await cluster.ends("f-a")
            assert len(app.runner) == 0


class TestACrdThatLosesOurFields:
    """An upstream chart that is upgraded brings upstream's CRDs, and what is not in them is dropped."""

    async def replace(self, cluster, crds):
        for crd in crds:
            name = crd["metadata"]["name"]
            live = msgspec.json.decode(await cluster.client.get(CUSTOM_RESOURCE_DEFINITION, None, name))
            await cluster.client.replace(CUSTOM_RESOURCE_DEFINITION, None, name, {**live, "spec": crd["spec"]})

    async def test_stops_the_flow_and_it_goes_on_when_they_are_back(self, cluster):
        built = F.parameter("n", 8).step("b", after="a")
        built = built.having(templateRef={"name": "worker"}, arguments=[{"name": "samples", "value": "$(params.n)0"}])
        await cluster.create(JOB_FLOW, built)
        async with cluster.controller():
            await self.replace(cluster, upstream_crds())
            await cluster.ends("f-a")
            assert await cluster.job("f-b") is None
            await self.replace(cluster, product_crds())
            await cluster.settle(60)
            assert command(await cluster.job("f-b"))[1] == "80"

    def test_is_noticed_of_a_template_that_was_written_with_parameters(self):
        fields = {"f:spec": {"f:parameters": {".": {}, 'k:{"name":"samples"}': {".": {}, "f:name": {}}}, "f:tasks": {}}}
        written = {"manager": "kubectl", "operation": "Update", "fieldsV1": fields}
        read = template("worker").task("worker", command=["work", "$(params.samples)"]).body()
        read["metadata"]["managedFields"] = [written]
        view = template_view(msgspec.json.decode(msgspec.json.encode(read), type=TemplateObject))
        assert view.lost == ("spec.parameters",)
        plan = reconcile_flow(flow("f").step("worker").snapshot(templates=[view]))
        assert plan.creates == (), "it would run with placeholders for values"
        (told,) = plan.status.flowStatuses
        assert (told.phase, told.reason) == ("Waiting", "CRDOutdated")


async def test_parameters_are_frozen_as_steps_are(cluster):
    await cluster.create(JOB_FLOW, F.parameter("n", 2))
    with pytest.raises(Invalid, match="the parameters of a flow are frozen from its creation"):
        await cluster.client.patch(JOB_FLOW, "default", "f", {"spec": {"parameters": [{"name": "n", "value": 3}]}})


async def test_a_flow_that_is_no_good_says_so_at_once_and_runs_nothing(cluster):
    await cluster.create(JOB_FLOW, F.parameter("m", 2))
    async with cluster.controller():
        state = (await cluster.read(JOB_FLOW, "f"))["status"]["state"]
        assert (state["phase"], state["reason"]) == ("Failed", "InvalidSpec")
        assert "spec.flows[0].patch.spec.minAvailable: $(params.n): the flow has no parameter n" in state["message"]
        assert await cluster.job() is None


async def test_a_controller_that_starts_anew_goes_on_with_what_the_configmap_says_then(cluster):
    await cluster.create(JOB_FLOW, F.parameter("n", **FROM_MAP))
    async with cluster.controller():
        assert (await cluster.step())[1] == "ParameterNotFound"
    await cluster.config(large="8")
    async with cluster.controller():
        assert replicas(await cluster.job()) == (8, 8)


async def test_values_are_in_no_log_line(cluster):
    await cluster.config(large="a-secret-of-mine")
    await cluster.create(JOB_FLOW, F.parameter("n", **FROM_MAP))
    with structlog.testing.capture_logs() as lines:
        async with cluster.controller():
            assert (await cluster.step())[0] == "Failed"
    assert "a-secret-of-mine" not in str(await cluster.read(JOB_FLOW, "f"))
    assert len(lines) > 3
    assert "a-secret-of-mine" not in str(lines)
