"""Create and delete children, and find out what a refusal means."""

from __future__ import annotations

import pytest

from jobflow.act.children import Created, Refused, create_child, delete_child
from jobflow.api.children import Node
from jobflow.api.status import Reason
from jobflow.kube.errors import ApiError, Conflict, Throttled, Unauthorized, Unavailable
from jobflow.reconcile.child import Draft, child_body, child_spec
from jobflow.reconcile.plan import CreateChild, DeleteChild
from jobflow.testing.builders import child, flow, template

pytestmark = pytest.mark.looptime

F = flow("f").step("a")
FLOW = F.frozen()
A = child("a", of="f")


def wanted(verify=False):
    node = Node("a")
    step, of = FLOW.compiled.graph.by_name["a"], template("a").task("main").view()
    body = child_body(FLOW, step, Draft(node, "f-a", child_spec(FLOW, step, node, of)), of)
    return CreateChild(node, "f-a", body, "basis", "it waits for nothing", verify)


async def test_a_created_child_gives_its_uid(api, client):
    assert await create_child(client, FLOW, wanted()) == Created("job-f-a")
    assert [request.method for request in api.asked] == ["POST"]


@pytest.mark.parametrize(
    ("said", "holder", "expect"),
    [
        ("ours: our create was carried out and its reply was lost", A, Created("job-f-a", found=True)),
        ("ours: upstream's controller made it", A.by_upstream(), Created("job-f-a", found=True)),
        ("an earlier incarnation's", A.owned_by("earlier"), Reason.PREVIOUS_CHILD_TERMINATING),
        ("another flow's", child("c", of="other").named("f-a"), Reason.NAME_CONFLICT),
        ("another step's", child("b", of="f").named("f-a"), Reason.NAME_CONFLICT),
    ],
)
async def test_whose_the_name_is(api, client, said, holder, expect):
    api.on("POST jobs", api.refusal(409, "AlreadyExists"))
    api.on("GET jobs", api.answer(holder.body()))
    result = await create_child(client, FLOW, wanted())
    if isinstance(expect, Created):
        assert result == expect
    else:
        assert isinstance(result, Refused)
        assert (result.reason, result.final) == (expect, False)


@pytest.mark.parametrize(
    ("said", "meta", "words"),
    [
        ("a stranger without owner", {"ownerReferences": []}, "belongs to nobody"),
        (
            "a stranger with another owner",
            {"ownerReferences": [{"apiVersion": "v1", "kind": "CronJob", "name": "c", "uid": "u", "controller": True}]},
            "belongs to CronJob c",
        ),
    ],
)
async def test_upstream_91_a_strangers_job_is_never_adopted(api, client, said, meta, words):
    body = A.body()
    body["metadata"] |= meta
    api.on("POST jobs", api.refusal(409, "AlreadyExists"))
    api.on("GET jobs", api.answer(body))
    result = await create_child(client, FLOW, wanted())
    assert (result.reason, words in result.message) == (Reason.NAME_CONFLICT, True)


@pytest.mark.parametrize("other", ["item", "attempt"])
async def test_another_nodes_child_under_the_name_is_not_ours(api, client, other):
    body = A.body()
    body["metadata"]["annotations"][f"jobflow.volcano.sh/{other}"] = "3"
    api.on("POST jobs", api.refusal(409, "AlreadyExists"))
    api.on("GET jobs", api.answer(body))
    assert (await create_child(client, FLOW, wanted())).reason == Reason.NAME_CONFLICT


async def test_a_holder_that_is_gone_meanwhile_is_worth_another_try(api, client):
    api.on("POST jobs", api.refusal(409, "AlreadyExists"))
    api.on("GET jobs", api.refusal(404, "NotFound"))
    with pytest.raises(ApiError):
        await create_child(client, FLOW, wanted())


@pytest.mark.parametrize(
    ("said", "code", "reason", "final"),
    [
        ("a body that can never be accepted", 422, Reason.CHILD_INVALID, True),
        ("a webhook denied it", 400, Reason.CHILD_REJECTED, False),
        ("too large", 413, Reason.CHILD_REJECTED, False),
        ("quota, or a right that is missing", 403, Reason.CHILD_REJECTED, False),
        ("its namespace is not there", 404, Reason.CHILD_REJECTED, False),
        ("a webhook does not answer", 500, Reason.CHILD_REJECTED, False),
    ],
)
async def test_a_refusal_is_told_in_the_servers_words(api, client, said, code, reason, final):
    api.on("POST jobs", api.refusal(code, message="the server's words"))
    assert await create_child(client, FLOW, wanted()) == Refused(reason, "Job f-a: the server's words", final)


async def test_a_kind_that_is_not_served_is_told(api, client):
    api.on("POST jobs", api.refusal(404, name=""))
    result = await create_child(client, FLOW, wanted())
    assert (result.reason, "is Volcano installed?" in result.message) == (Reason.CHILD_REJECTED, True)


@pytest.mark.parametrize(
    ("code", "error"), [(401, Unauthorized), (409, Conflict), (429, Throttled), (503, Unavailable), (504, Unavailable)]
)
async def test_what_says_nothing_about_the_child_is_raised(api, client, code, error):
    api.on("POST jobs", api.refusal(code))
    with pytest.raises(error):
        await create_child(client, FLOW, wanted())


async def test_a_create_without_answer_is_not_sent_twice(api, client):
    api.times_out("POST jobs")
    with pytest.raises(Unavailable):
        await create_child(client, FLOW, wanted())
    assert len(api.asked) == 1


@pytest.mark.parametrize(("said", "live"), [("newer", F.at("101")), ("another incarnation", F.incarnation("second"))])
async def test_a_second_child_is_not_created_when_the_live_flow_is(api, client, said, live):
    api.on("GET jobflows", api.answer(live.body()))
    with pytest.raises(Conflict):
        await create_child(client, FLOW, wanted(verify=True))
    assert api.sent("POST", "jobs") == []


async def test_a_second_child_is_created_when_the_live_flow_is_as_seen(api, client):
    api.on("GET jobflows", api.answer(F.body()))
    assert await create_child(client, FLOW, wanted(verify=True)) == Created("job-f-a")


async def test_a_deletion_names_the_uid(api, client):
    assert await delete_child(client, FLOW, DeleteChild("f-a", "job-f-a", "done"))
    (options,) = api.sent("DELETE", "jobs")
    assert options["preconditions"] == {"uid": "job-f-a"}


async def test_a_deletion_of_what_is_gone_already(api, client):
    api.on("DELETE jobs", api.refusal(404))
    assert not await delete_child(client, FLOW, DeleteChild("f-a", "job-f-a", "done"))


async def test_a_deletion_where_another_has_the_name_is_a_conflict(api, client):
    api.on("DELETE jobs", api.refusal(409))
    with pytest.raises(Conflict):
        await delete_child(client, FLOW, DeleteChild("f-a", "job-f-a", "done"))
