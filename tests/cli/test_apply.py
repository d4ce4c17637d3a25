"""Apply: documents become objects of a real (embedded) API server, in an order in which nothing starts too early."""

from __future__ import annotations

from textwrap import dedent

import msgspec
import pytest

from jobflow.api.resources import CONFIG_MAP, JOB_FLOW, JOB_TEMPLATE
from jobflow.cli.apply import Refused, apply
from jobflow.cli.documents import load_documents
from jobflow.clock import SystemClock
from jobflow.kube.client import Client
from jobflow.local.controlplane import ControlPlane, LocalSettings

FLOW = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata: {name: ml, namespace: team}
spec: {flows: [{name: prep}]}
"""
TEMPLATE = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobTemplate
metadata: {name: prep, namespace: team, labels: {ours: yes-it-is}}
spec:
  minAvailable: 1
  tasks: [{name: main, replicas: 1, template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}]
"""


@pytest.fixture
async def client(tmp_path):
    clock = SystemClock()
    settings = LocalSettings(scratch=tmp_path / "scratch", runtime="simulate", controller=False)
    async with ControlPlane(settings, clock) as plane:
        yield Client(plane.transport(), clock)


@pytest.fixture
def documents(tmp_path):
    def documents(*texts: str):
        path = tmp_path / "f.yaml"
        path.write_text("---\n".join(map(dedent, texts)))
        return load_documents([str(path)])

    return documents


@pytest.mark.blocking  # the test itself writes the file it reads
async def test_flows_are_applied_last_and_their_namespace_is_made(client, documents):
    (applied,) = await apply(client, documents(FLOW, TEMPLATE))

    assert (applied.target.kind, applied.target.namespace, applied.target.name) == ("JobFlow", "team", "ml")
    assert not applied.ended
    template, flow = [
        msgspec.json.decode(await client.get(kind, "team", name))["metadata"]
        for kind, name in ((JOB_TEMPLATE, "prep"), (JOB_FLOW, "ml"))
    ]
    assert flow["uid"] == applied.target.uid
    assert int(template["resourceVersion"]) < int(flow["resourceVersion"])


@pytest.mark.blocking
async def test_what_exists_is_replaced_and_keeps_its_identity(client, documents):
    await apply(client, documents(TEMPLATE, FLOW))
    before = msgspec.json.decode(await client.get(JOB_TEMPLATE, "team", "prep"))

    await apply(client, documents(TEMPLATE.replace("image: i", "image: newer"), FLOW))

    after = msgspec.json.decode(await client.get(JOB_TEMPLATE, "team", "prep"))
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["labels"] == {"ours": "yes-it-is"}
    assert after["spec"]["tasks"][0]["template"]["spec"]["containers"][0]["image"] == "newer"


@pytest.mark.blocking
async def test_a_flow_that_had_ended_is_known_as_such(client, documents):
    await apply(client, documents(TEMPLATE, FLOW))
    ended = {"status": {"completionTime": "2026-05-04T12:00:00Z"}}
    await client.patch(JOB_FLOW, "team", "ml", ended, subresource="status")

    (applied,) = await apply(client, documents(TEMPLATE, FLOW))

    assert applied.ended


@pytest.mark.blocking
async def test_an_object_the_server_refuses_is_shown_in_its_file_by_its_field(client, documents):
    with pytest.raises(Refused) as refused:
        await apply(client, documents(TEMPLATE.replace("minAvailable: 1", "minAvailable: many"), FLOW))

    (finding, *_) = refused.value.findings
    assert finding.path == "spec.minAvailable"
    assert finding.line == 5
    assert "many" in str(refused.value) or "integer" in str(refused.value)


@pytest.mark.blocking
async def test_an_object_that_asks_for_a_generated_name_gets_one(client, documents):
    (applied,) = await apply(client, documents(TEMPLATE, FLOW.replace("name: ml", "generateName: ml-")))

    assert applied.target.name.startswith("ml-")
    assert len(applied.target.name) > len("ml-")


@pytest.mark.blocking
async def test_objects_without_a_namespace_go_to_default(client, documents):
    await apply(client, documents("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {k: v}}"))

    assert msgspec.json.decode(await client.get(CONFIG_MAP, "default", "c"))["data"] == {"k": "v"}
