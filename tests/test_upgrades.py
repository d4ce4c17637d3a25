"""CRDs that are replaced under us, and flows that another controller writes to: on the embedded control plane."""

from __future__ import annotations

import asyncio
import copy
from contextlib import asynccontextmanager
from types import SimpleNamespace

import msgspec
import pytest
import structlog
from conformance.upstream import schema_of, upstream_crds
from msgspec import structs

from jobflow.api.crd import job_flow_crd, product_crds, volcano_job_crd
from jobflow.api.objects import FlowObject, StatusWrite, flow_view
from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, EVENT, JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB
from jobflow.api.upstream import UPSTREAM
from jobflow.app import App
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.transport import Request
from jobflow.local.apiserver.server import ApiServer
from jobflow.reconcile.pause import QUIET_SECONDS
from jobflow.schemas import LOOK_SECONDS, CustomResourceDefinition, definition
from jobflow.testing.builders import flow, template
from jobflow.testing.clock import VirtualClock

pytestmark = pytest.mark.looptime

NAMESPACE = "default"
GO = "vc-controller-manager"
F = flow("f").step("a").step("b", after="a")


def written(builder):
    body = builder.body()
    return {
        **{key: body[key] for key in ("apiVersion", "kind", "spec")},
        "metadata": {"name": body["metadata"]["name"]},
    }


@asynccontextmanager
async def world(crds, **settings):
    clock, stop = VirtualClock(), asyncio.Event()
    async with ApiServer(clock) as server:
        client = Client(server.transport(), clock)

        async def replace(*bodies):
            for crd in bodies:
                name = crd["metadata"]["name"]
                live = msgspec.json.decode(await client.get(CUSTOM_RESOURCE_DEFINITION, None, name))
                await client.replace(CUSTOM_RESOURCE_DEFINITION, None, name, {**live, "spec": crd["spec"]})
            await asyncio.sleep(5)

        async def by_volcano(status):
            live = msgspec.json.decode(await client.get(JOB_FLOW, NAMESPACE, "f"))
            body = msgspec.json.encode({**live, "status": status})
            request = Request("PUT", JOB_FLOW.path(NAMESPACE, "f", "status"), (("fieldManager", GO),), body)
            assert (await server.transport().request(request, 30)).status == 200
            await asyncio.sleep(2)

        async def events(reason):
            found = [msgspec.json.decode(page) async for page in client.list(EVENT)]
            return [event for page in found for event in page["items"] if event["reason"] == reason]

        async def status():
            return msgspec.json.decode(await client.get(JOB_FLOW, NAMESPACE, "f")).get("status", {})

        async def phase_of(job, phase):
            told = {"status": {"state": {"phase": phase}}}
            await client.patch(VOLCANO_JOB, NAMESPACE, job, told, subresource="status")
            await asyncio.sleep(2)

        for crd in (*crds, volcano_job_crd()):
            await client.create(CUSTOM_RESOURCE_DEFINITION, None, crd)
        for name in "ab":
            await client.create(JOB_TEMPLATE, NAMESPACE, written(template(name).task("main")))
        await client.create(JOB_FLOW, NAMESPACE, written(F))
        app = App(Client(server.transport(), clock), clock, Settings(**settings))
        running = asyncio.create_task(app.run(stop))
        await asyncio.sleep(5)
        yield SimpleNamespace(
            app=app,
            client=client,
            replace=replace,
            by_volcano=by_volcano,
            events=events,
            status=status,
            phase_of=phase_of,
            server=server,
        )
        stop.set()
        await running


SCOPES = [pytest.param({}, id="cluster"), pytest.param({"namespaces": (NAMESPACE,)}, id="namespace")]


@pytest.mark.parametrize("settings", SCOPES)
async def test_upstreams_crds_from_the_start_are_told_once_and_flows_run(settings):
    with structlog.testing.capture_logs() as logs:
        async with world(upstream_crds(), **settings) as at:
            await at.phase_of("f-a", "Completed")
            await at.phase_of("f-b", "Completed")
            status = await at.status()
            assert (status["state"], status["completedJobs"]) == ({"phase": "Succeed"}, ["f-a", "f-b"])
            assert at.app.readings().fields_missing[str(JOB_FLOW)] > 0
            (event,) = [one for one in await at.events("CRDOutdated") if "jobflows" in one["message"]]
            about = event["involvedObject"]
            assert (about["kind"], about["name"]) == (
                ("JobFlow", "f") if settings else ("CustomResourceDefinition", "jobflows.flow.volcano.sh")
            )
            assert "kubectl replace -k manifests/crds" in event["message"]
            assert event["count"] == 1
    told = [line for line in logs if line["event"] == "CRD outdated"]
    assert sorted(line["crd"] for line in told) == ["jobflows.flow.volcano.sh", "jobtemplates.flow.volcano.sh"]


@pytest.mark.parametrize("settings", SCOPES)
async def test_at_rest_under_upstreams_crds_nothing_is_written(settings):
    async with world(upstream_crds(), **settings) as at:
        await at.phase_of("f-a", "Running")
        await asyncio.sleep(20)
        before = at.server.writes
        touched = {"metadata": {"annotations": {"touched": "yes"}}}
        await at.client.patch(JOB_FLOW, NAMESPACE, "f", touched)
        await asyncio.sleep(600)
        assert at.server.writes == before + 1, "the touch alone"


@pytest.mark.parametrize("settings", SCOPES)
async def test_a_flow_goes_on_under_crds_that_are_replaced_and_heals_when_ours_are_back(settings):
    async with world(product_crds(), **settings) as at:
        await at.phase_of("f-a", "Running")
        await at.replace(*upstream_crds())
        await at.phase_of("f-a", "Completed")
        await at.phase_of("f-b", "Running")
        status = await at.status()
        assert (status["runningJobs"], "flowStatuses" in status) == (["f-b"], False)
        await at.replace(*product_crds())
        await asyncio.sleep(LOOK_SECONDS + 1)
        assert not any(at.app.readings().fields_missing.values())
        healed = await at.status()
        assert [step["phase"] for step in healed["flowStatuses"]] == ["Succeeded", "Running"]
        await at.phase_of("f-b", "Completed")
        assert (await at.status())["completionTime"]
        assert (await at.events("Recreated"), at.app.readings().paused) == (
            [],
            {"CRDOutdated": 0, "ForeignController": 0},
        )


async def test_a_flow_is_ours_again_when_the_other_controller_was_silent_for_long():
    async with world(product_crds()) as at:
        await at.phase_of("f-a", "Running")
        await at.by_volcano({"runningJobs": ["f-a"], "jobStatusList": [{"name": "f-a", "state": "Pending"}]})
        await at.phase_of("f-a", "Completed")
        assert at.app.readings().paused["ForeignController"] == 1
        assert "flowStatuses" not in await at.status()
        await asyncio.sleep(QUIET_SECONDS / 2)
        await at.by_volcano({"runningJobs": ["f-a"], "jobStatusList": [{"name": "f-a", "state": "Running"}]})
        await asyncio.sleep(QUIET_SECONDS - 10)
        assert at.app.readings().paused["ForeignController"] == 1, "each write of the other begins the wait anew"
        await asyncio.sleep(20)
        await at.phase_of("f-b", "Completed")
        assert (await at.status())["state"] == {"phase": "Succeed"}
        assert at.app.readings().paused["ForeignController"] == 0
        (told,) = await at.events("ForeignController")
        assert (told["count"], len(await at.events("Resumed"))) == (1, 1)


def test_a_definition_shows_the_fields_of_its_version():
    crd = {**upstream_crds()[0], "metadata": {"name": "jobflows.flow.volcano.sh", "uid": "u"}}
    seen = definition(msgspec.convert(_wire(crd), CustomResourceDefinition))
    assert (seen.uid, seen.resource, seen.shape) == ("u", JOB_FLOW, UPSTREAM[JOB_FLOW])


def _wire(crd):
    return {"metadata": crd["metadata"], "spec": msgspec.Raw(msgspec.json.encode(crd["spec"]))}


@pytest.mark.parametrize(
    ("said", "change", "known"),
    [
        ("another kind's", lambda crd: crd["metadata"].update(name="jobs.batch.volcano.sh"), False),
        ("another version's", lambda crd: crd["spec"]["versions"][0].update(name="v1"), False),
        ("one that keeps everything", lambda crd: crd["spec"].update(preserveUnknownFields=True), True),
    ],
)
def test_other_definitions(said, change, known):
    crd = copy.deepcopy(job_flow_crd())
    change(crd)
    seen = definition(msgspec.convert(_wire(crd), CustomResourceDefinition))
    assert (seen.shape is not None) == known
    if known:
        assert seen.shape == {"spec": {"**": {}}, "status": {"**": {}}}
    assert schema_of(crd)


def test_who_wrote_the_status_is_read_from_managed_fields():
    def entry(manager, second, subresource="status"):
        told = {"manager": manager, "operation": "Update", "time": f"2026-01-01T00:00:{second:02}Z"}
        return {**told, "subresource": subresource, "fieldsV1": {"f:status": {}}}

    body = F.body()
    entries = [entry("jobflow", 5), entry("go", 3), entry("kubectl", 9, ""), entry("go", 7), entry("old", 1)]
    body["metadata"]["managedFields"] = entries
    view = flow_view(msgspec.json.decode(msgspec.json.encode(body), type=FlowObject))
    assert view.wrote is not None
    assert view.wrote.second == 5
    assert view.foreign is not None
    assert (view.foreign.manager, view.foreign.at.second) == ("go", 7)
    assert structs.replace(view, wrote=None, foreign=None) == F.view(), "no evidence without managedFields"
    assert isinstance(view.foreign, StatusWrite)
