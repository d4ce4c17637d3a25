"""Ending a Job: by a Command where that can be, else by deleting it; and a flow whose time has come."""

from __future__ import annotations

import msgspec
import pytest

from jobflow.act.endings import PATIENCE_SECONDS, Ended, command, delete_flow, end_child
from jobflow.api.crd import command_crd
from jobflow.kube.errors import Conflict, Unauthorized, Unavailable
from jobflow.local.apiserver.schema.structural import StructuralSchema
from jobflow.reconcile.plan import EndChild
from jobflow.testing.builders import flow

pytestmark = pytest.mark.looptime

FLOW = flow("f").step("a").frozen()
WANTED = EndChild("f-a", "job-f-a", "DeadlineExceeded", "Job f-a has run for its activeDeadlineSeconds, 60 s")


def deleted(api):
    return [
        (request.path, msgspec.json.decode(request.body)["preconditions"])
        for request in api.asked
        if request.method == "DELETE"
    ]


JOB_BY_UID = ("/apis/batch.volcano.sh/v1alpha1/namespaces/default/jobs/f-a", {"uid": "job-f-a"})


async def test_volcano_is_asked_to_terminate_it(api, client):
    assert await end_child(client, FLOW, WANTED, 0) == (Ended.ASKED, "")
    (sent,) = api.sent("POST", "commands")
    job = {
        "apiVersion": "batch.volcano.sh/v1alpha1",
        "kind": "Job",
        "name": "f-a",
        "uid": "job-f-a",
        "controller": True,
    }
    assert {**sent, "metadata": {**sent["metadata"], "name": ""}} == {
        "apiVersion": "bus.volcano.sh/v1alpha1",
        "kind": "Command",
        "metadata": {"name": "", "namespace": "default", "ownerReferences": [job]},
        "action": "TerminateJob",
        "target": job,
        "reason": "DeadlineExceeded",
        "message": "Job f-a has run for its activeDeadlineSeconds, 60 s",
    }
    assert deleted(api) == []


def test_a_command_is_what_volcanos_crd_says():
    body = dict(command(FLOW, WANTED))
    schema = StructuralSchema(command_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    assert (schema.prune(body), schema.validate(body)) == ([], [])


def test_its_name_is_of_the_job_and_its_uid():
    names = {
        command(FLOW, EndChild(job, uid, "", ""))["metadata"]["name"]
        for job, uid in [("f-a", "1"), ("f-a", "1"), ("f-a", "2"), ("f-b", "1")]
    }
    assert len(names) == 3
    assert all(name.startswith(("f-a-terminate-", "f-b-terminate-")) for name in names)


async def test_one_command_at_a_time_is_enough(api, client):
    api.on("POST commands", api.refusal(409, "AlreadyExists"))
    assert await end_child(client, FLOW, WANTED, PATIENCE_SECONDS - 1) == (Ended.WAITING, "")
    assert deleted(api) == []


@pytest.mark.parametrize(
    ("said", "code", "reason", "name", "tried_for"),
    [
        ("the cluster does not serve Commands", 404, "NotFound", "", 0),
        ("the controller has no right to them", 403, "Forbidden", "f-a", 0),
        ("a webhook does not like them", 400, "BadRequest", "f-a", 0),
        ("the installed CRD is another", 422, "Invalid", "f-a", 0),
        ("nobody takes it for minutes", 409, "AlreadyExists", "f-a", PATIENCE_SECONDS),
    ],
)
async def test_where_no_command_helps_the_job_is_deleted_by_uid(api, client, said, code, reason, name, tried_for):
    api.on("POST commands", api.refusal(code, reason, name=name))
    how, why = await end_child(client, FLOW, WANTED, tried_for)
    assert (how, why) == (Ended.DELETED, "nobody took a Command for 300 s" if tried_for else "no")
    assert deleted(api) == [JOB_BY_UID]


@pytest.mark.parametrize(("code", "reason"), [(404, "NotFound"), (409, "Conflict")])
async def test_a_job_that_is_gone_by_then_is_no_error(api, client, code, reason):
    api.on("POST commands", api.refusal(403, "Forbidden"))
    api.on("DELETE jobs", api.refusal(code, reason))
    assert (await end_child(client, FLOW, WANTED, 0)).how is Ended.GONE


@pytest.mark.parametrize(("code", "error"), [(401, Unauthorized), (500, Unavailable)])
async def test_what_says_nothing_about_commands_is_tried_again_and_deletes_nothing(api, client, code, error):
    api.on("POST commands", api.refusal(code))
    with pytest.raises(error):
        await end_child(client, FLOW, WANTED, 0)
    assert deleted(api) == []


async def test_a_flow_is_deleted_as_it_was_seen(api, client):
    await delete_flow(client, FLOW)
    assert deleted(api) == [
        (
            "/apis/flow.volcano.sh/v1alpha1/namespaces/default/jobflows/f",
            {"uid": FLOW.uid, "resourceVersion": FLOW.resource_version},
        )
    ]


async def test_one_that_is_gone_is_no_error_and_one_that_was_edited_is(api, client):
    api.on("DELETE jobflows", api.refusal(404, "NotFound"))
    await delete_flow(client, FLOW)
    api.on("DELETE jobflows", api.refusal(409, "Conflict"))
    with pytest.raises(Conflict):
        await delete_flow(client, FLOW)
