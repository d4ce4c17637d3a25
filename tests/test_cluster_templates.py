"""ClusterJobTemplates: one template for all namespaces, where that is switched on; on the embedded API server.

Volcano's part is played here: a Job is in the phase that the test writes.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
import pytest
import structlog
from narrow_rights import NarrowRights

from jobflow.api import names
from jobflow.api.crd import cluster_job_template_crd, job_flow_crd, product_crds, volcano_job_crd
from jobflow.api.resources import (
    CLUSTER_JOB_TEMPLATE,
    CUSTOM_RESOURCE_DEFINITION,
    JOB_FLOW,
    JOB_TEMPLATE,
    NAMESPACE,
    VOLCANO_JOB,
)
from jobflow.app import App
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.errors import NotFound
from jobflow.local.apiserver.server import ApiServer
from jobflow.testing.builders import cluster_template, flow, template
from jobflow.testing.clock import VirtualClock

pytestmark = pytest.mark.looptime

ON = Settings(enable_cluster_templates=True)
OF_THE_CLUSTER = {"name": "trainer", "kind": "ClusterJobTemplate"}
F = flow("f").step("a").having(templateRef=OF_THE_CLUSTER)
TRAINER = cluster_template("trainer").task("of-the-cluster")


@dataclass
class World:
    """A user of one API server, and the way of the controller to it."""

    client: Client
    transport: NarrowRights

    async def create(self, resource, builder, namespace=None):
        body = builder.body()
        body["metadata"] = {"name": body["metadata"]["name"]}
        await self.client.create(resource, namespace, body)

    async def edit(self, resource, name, **spec):
        await self.client.patch(resource, "default" if resource.namespaced else None, name, {"spec": spec})

    async def read(self, resource, name, namespace="default"):
        try:
            return msgspec.json.decode(
                await self.client.get(resource, namespace if resource.namespaced else None, name)
            )
        except NotFound:
            return None

    async def replace_crd(self, crd):
        name = crd["metadata"]["name"]
        live = msgspec.json.decode(await self.client.get(CUSTOM_RESOURCE_DEFINITION, None, name))
        await self.client.replace(CUSTOM_RESOURCE_DEFINITION, None, name, {**live, "spec": crd["spec"]})

    async def settle(self, seconds=20.0):
        await asyncio.sleep(seconds)

    async def step(self, flow="f", index=0):
        status = (await self.read(JOB_FLOW, flow)).get("status", {})
        entry = status["flowStatuses"][index]
        return entry.get("reason", ""), entry.get("message", "")

    async def ends(self, job):
        told = {"status": {"state": {"phase": "Completed"}}}
        await self.client.patch(VOLCANO_JOB, "default", job, told, subresource="status")
        await self.settle()

    @asynccontextmanager
    async def controller(self, settings=ON):
        stop = asyncio.Event()
        app = App(Client(self.transport, VirtualClock()), VirtualClock(), settings)
        running = asyncio.create_task(app.run(stop))
        await self.settle()
        yield app
        stop.set()
        await running


@asynccontextmanager
async def world(*crds):
    async with ApiServer(VirtualClock()) as server:
        client = Client(server.transport(), VirtualClock())
        for crd in (*product_crds(), volcano_job_crd(), *crds):
            await client.create(CUSTOM_RESOURCE_DEFINITION, None, crd)
        yield World(client, NarrowRights(server.transport()))


@pytest.fixture
async def cluster():
    async with world(cluster_job_template_crd()) as made:
        yield made


def tasks(job):
    return [task["name"] for task in job["spec"]["tasks"]]


async def test_flows_of_all_namespaces_run_one_template(cluster):
    await cluster.client.create(NAMESPACE, None, {"metadata": {"name": "other"}})
    await cluster.create(CLUSTER_JOB_TEMPLATE, TRAINER)
    for namespace in ("default", "other"):
        await cluster.create(JOB_FLOW, F, namespace)
    async with cluster.controller():
        for namespace in ("default", "other"):
            job = await cluster.read(VOLCANO_JOB, "f-a", namespace)
            assert tasks(job) == ["of-the-cluster"]
        template = await cluster.read(CLUSTER_JOB_TEMPLATE, "trainer")
        assert template["status"] == {"jobDependsOnTotal": 2}, "their number, and nobody's names"


async def test_its_jobs_say_so_in_a_label_of_their_own(cluster):
    await cluster.create(CLUSTER_JOB_TEMPLATE, TRAINER)
    await cluster.create(JOB_FLOW, F, "default")
    async with cluster.controller():
        meta = (await cluster.read(VOLCANO_JOB, "f-a"))["metadata"]
    for told in (meta["labels"], meta["annotations"]):
        assert told[names.CLUSTER_TEMPLATE] == "trainer"
        assert names.CREATED_BY_JOB_TEMPLATE not in told


async def test_two_templates_of_one_name_have_nothing_to_do_with_each_other(cluster):
    await cluster.create(CLUSTER_JOB_TEMPLATE, TRAINER)
    await cluster.create(JOB_TEMPLATE, template("trainer").task("of-the-namespace"), "default")
    await cluster.create(JOB_FLOW, F.step("trainer"), "default")
    async with cluster.controller():
        assert tasks(await cluster.read(VOLCANO_JOB, "f-a")) == ["of-the-cluster"]
        assert tasks(await cluster.read(VOLCANO_JOB, "f-trainer")) == ["of-the-namespace"]
        theirs = await cluster.read(JOB_TEMPLATE, "trainer")
        assert theirs["status"] == {"jobDependsOnList": ["f-trainer"], "jobDependsOnTotal": 1}
        assert (await cluster.read(CLUSTER_JOB_TEMPLATE, "trainer"))["status"] == {"jobDependsOnTotal": 1}


async def test_one_kind_does_not_stand_in_for_the_other(cluster):
    await cluster.create(JOB_TEMPLATE, template("trainer").task("of-the-namespace"), "default")
    await cluster.create(JOB_FLOW, F, "default")
    async with cluster.controller():
        said = "ClusterJobTemplate trainer is not in the cluster; the step starts when it is"
        assert await cluster.step() == ("TemplateNotFound", said)


async def test_a_template_that_comes_wakes_the_flows_that_wait_for_it(cluster):
    await cluster.create(JOB_FLOW, F, "default")
    async with cluster.controller() as app:
        assert (await cluster.step())[0] == "TemplateNotFound"
        await cluster.create(CLUSTER_JOB_TEMPLATE, TRAINER)
        await cluster.settle(1)
        assert await cluster.read(VOLCANO_JOB, "f-a") is not None
        assert app.unready() == []


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (Settings(), "the controller runs without --enable-cluster-templates"),
        (Settings(namespaces=("default",)), "the controller works in some namespaces only"),
    ],
    ids=["switched off", "confined"],
)
async def test_where_they_are_not_looked_at_the_step_says_why(cluster, settings, why):
    await cluster.create(CLUSTER_JOB_TEMPLATE, TRAINER)
    await cluster.create(JOB_TEMPLATE, template("b").task("main"), "default")
    await cluster.create(JOB_FLOW, F.step("b"), "default")
    async with cluster.controller(settings) as app:
        reason, said = await cluster.step()
        assert reason == "TemplateUnreadable"
        assert said.startswith(f"ClusterJobTemplate trainer cannot be read ({why}")
        assert await cluster.read(VOLCANO_JOB, "f-b") is not None, "another branch goes on"
        assert app.unready() == []
    assert not [path for path in cluster.transport.paths if CLUSTER_JOB_TEMPLATE.plural in path], "nor rights needed"
    async with cluster.controller():
        assert await cluster.read(VOLCANO_JOB, "f-a") is not None, "switched on it runs"


async def test_without_rights_only_who_names_one_waits(cluster):
    cluster.transport.forbidden = CLUSTER_JOB_TEMPLATE.plural
    await cluster.create(CLUSTER_JOB_TEMPLATE, TRAINER)
    await cluster.create(JOB_TEMPLATE, template("b").task("main"), "default")
    await cluster.create(JOB_FLOW, F.step("b"), "default")
    async with cluster.controller() as app:
        reason, said = await cluster.step()
        assert (reason, "no rights here" in said) == ("TemplateUnreadable", True)
        assert await cluster.read(VOLCANO_JOB, "f-b") is not None
        assert [line for line in app.unready() if line.startswith(str(CLUSTER_JOB_TEMPLATE))]
        cluster.transport.forbidden = ""
        await cluster.settle(90)
        assert await cluster.read(VOLCANO_JOB, "f-a") is not None
        assert app.unready() == []


async def test_a_kind_that_is_not_there_yet_is_used_once_it_is():
    async with world() as cluster:
        await cluster.create(JOB_TEMPLATE, template("b").task("main"), "default")
        await cluster.create(JOB_FLOW, F.step("b"), "default")
        async with cluster.controller() as app:
            assert (await cluster.step())[0] == "TemplateNotFound"
            assert await cluster.read(VOLCANO_JOB, "f-b") is not None
            assert app.unready() == []
            await cluster.client.create(CUSTOM_RESOURCE_DEFINITION, None, cluster_job_template_crd())
            await cluster.settle(5)
            await cluster.create(CLUSTER_JOB_TEMPLATE, TRAINER)
            await cluster.settle(5)
            assert await cluster.read(VOLCANO_JOB, "f-a") is not None


async def test_a_kind_that_leaves_stops_only_the_steps_that_need_it(cluster):
    crd = cluster_job_template_crd()
    await cluster.create(CLUSTER_JOB_TEMPLATE, TRAINER)
    await cluster.create(JOB_TEMPLATE, template("first").task("main"), "default")
    one = flow("f").step("first").step("a", after="first").having(templateRef=OF_THE_CLUSTER)
    await cluster.create(JOB_FLOW, one, "default")
    async with cluster.controller():
        await cluster.client.delete(CUSTOM_RESOURCE_DEFINITION, None, crd["metadata"]["name"])
        await cluster.settle()
        await cluster.ends("f-first")
        assert (await cluster.step(index=1))[0] == "TemplateNotFound"
        await cluster.client.create(CUSTOM_RESOURCE_DEFINITION, None, crd)
        await cluster.settle()
        await cluster.create(CLUSTER_JOB_TEMPLATE, TRAINER)
        await cluster.settle()
        await cluster.ends("f-a")
        assert (await cluster.read(JOB_FLOW, "f"))["status"]["state"]["phase"] == "Succeed"


@pytest.mark.parametrize(
    ("builder", "reference"),
    [(template("trainer").task("main"), {"name": "trainer"}), (TRAINER, OF_THE_CLUSTER)],
    ids=["JobTemplate", "ClusterJobTemplate"],
)
async def test_an_edited_template_changes_later_children_only_and_each_says_its_generation(cluster, builder, reference):
    resource = builder.view().resource
    await cluster.create(resource, builder, "default" if resource.namespaced else None)
    one = flow("f").step("early").having(templateRef=reference)
    await cluster.create(JOB_FLOW, one.step("late", after="early").having(templateRef=reference), "default")
    async with cluster.controller():
        early = await cluster.read(VOLCANO_JOB, "f-early")
        await cluster.edit(resource, "trainer", maxRetry=7)
        await cluster.settle()
        assert await cluster.read(VOLCANO_JOB, "f-early") == early, "what runs is left as it is"
        await cluster.ends("f-early")
        late = await cluster.read(VOLCANO_JOB, "f-late")
    told = [job["metadata"]["annotations"][names.TEMPLATE_GENERATION] for job in (early, late)]
    assert told == ["1", "2"]
    assert [job["spec"]["maxRetry"] for job in (early, late)] == [3, 7]


async def test_a_child_that_is_made_again_is_of_the_template_as_it_is_by_then(cluster):
    await cluster.create(CLUSTER_JOB_TEMPLATE, TRAINER)
    await cluster.create(JOB_FLOW, F, "default")
    async with cluster.controller():
        await cluster.edit(CLUSTER_JOB_TEMPLATE, "trainer", maxRetry=7)
        await cluster.settle()
        await cluster.client.delete(VOLCANO_JOB, "default", "f-a")
        await cluster.settle()
        again = await cluster.read(VOLCANO_JOB, "f-a")
    assert (again["spec"]["maxRetry"], again["metadata"]["annotations"][names.TEMPLATE_GENERATION]) == (7, "2")


async def test_a_crd_that_lacks_fields_is_told_with_how_to_mend_it(cluster):
    outdated = cluster_job_template_crd()
    fields = outdated["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    del fields["status"]["properties"]["jobDependsOnTotal"]
    name = outdated["metadata"]["name"]
    await cluster.replace_crd(outdated)
    await cluster.create(CLUSTER_JOB_TEMPLATE, TRAINER)
    await cluster.create(JOB_FLOW, F, "default")
    with structlog.testing.capture_logs() as logs:
        async with cluster.controller() as app:
            assert await cluster.read(VOLCANO_JOB, "f-a") is not None
            assert "components/cluster-templates/crd.yaml" in app.cache.installed.said(CLUSTER_JOB_TEMPLATE)
    assert [line["crd"] for line in logs if line["event"] == "CRD outdated"] == [name]


async def test_a_crd_that_lost_the_kind_of_a_templateref_stops_the_flow_and_runs_no_namesake(cluster):
    await cluster.create(CLUSTER_JOB_TEMPLATE, TRAINER)
    await cluster.create(JOB_TEMPLATE, template("trainer").task("of-the-namespace"), "default")
    await cluster.create(JOB_FLOW, F, "default")
    whole, older = job_flow_crd(), job_flow_crd()
    flows = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["flows"]
    del flows["items"]["properties"]["templateRef"]["properties"]["kind"]
    await cluster.replace_crd(older)
    async with cluster.controller() as app:
        assert dict(app.snapshots.paused()) == {"CRDOutdated": 1}
        assert await cluster.read(VOLCANO_JOB, "f-a") is None
        await cluster.replace_crd(whole)
        await cluster.settle(60)
        assert tasks(await cluster.read(VOLCANO_JOB, "f-a")) == ["of-the-cluster"]
