"""The server as a whole: virtual time, seeds, the commit seam, documents, reviews."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from jobflow.api.resources import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE
from jobflow.clock import SystemClock
from jobflow.kube.transport import Request
from jobflow.local.apiserver.server import ApiServer

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


async def test_the_first_namespaces_are_there(api):
    assert await api.names(NAMESPACE, None) == ["default", "kube-node-lease", "kube-public", "kube-system"]


async def test_a_seed_gives_the_same_history(client, crd, widgets, widget):
    async def history(seed):
        async with ApiServer(SystemClock(), random=Random(seed)) as server:
            api = client(server, server.transport())
            await api.create(CUSTOM_RESOURCE_DEFINITION, crd(), None)
            told = [await api.create(widgets, {"metadata": {"generateName": "x-"}}) for _ in range(3)]
            return [(one.body["metadata"]["name"], one.body["metadata"]["uid"]) for one in told]

    assert await history(1) == await history(1)
    assert await history(1) != await history(2)


@pytest.mark.looptime
async def test_an_hour_of_watching_takes_no_time_and_writes_nothing(api, widgets, widget):
    await api.create(widgets, widget("a"))
    before = api.server.revision
    async with api.watching(widgets, allowWatchBookmarks="true", timeoutSeconds="3600") as watch:
        events = await watch.rest()
    assert len(events) >= 60
    assert api.server.revision == before


async def test_after_commit_is_told_of_each_write_before_its_reply(api, widgets, widget):
    told = []
    api.server.writes = 0
    api.server.after_commit = lambda request, count: told.append((request.method, count))
    await api.create(widgets, widget("a"))
    await api.get(widgets, "a")
    await api.patch(widgets, "a", {"spec": {"size": 1}})  # changes nothing
    await api.patch(widgets, "a", {"spec": {"size": 2}})
    await api.create(widgets, widget("a"))  # refused
    await api.create(widgets, widget("b"), dryRun="All")
    await api.delete(widgets, "a")
    assert told == [("POST", 1), ("PATCH", 2), ("DELETE", 3)]
    assert api.server.writes == 3


async def test_a_client_can_be_killed_after_its_commit_and_before_the_reply(api, widgets, widget):
    def kill(request: Request, count: int) -> None:
        raise asyncio.CancelledError

    api.server.after_commit = kill
    client = asyncio.create_task(api.create(widgets, widget("a")))
    await asyncio.wait([client])
    assert client.cancelled()
    assert (await api.get(widgets, "a")).status == 200


async def test_garbage_is_a_revision_but_not_a_write_of_a_client(api, widgets, widget):
    owner = (await api.create(widgets, widget("a"))).body
    await api.create(widgets, widget("b", owners=(owner,)))
    writes, revision = api.server.writes, api.server.revision
    await api.delete(widgets, "a")
    await api.gone(widgets, "b")
    assert (api.server.writes - writes, api.server.revision - revision) == (1, 2)


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/readyz/ping"])
async def test_it_is_healthy(api, path):
    told = await api.call("GET", path)
    assert (told.status, told.body) == (200, b"ok")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api", "APIVersions"),
        ("/apis", "APIGroupList"),
        ("/api/v1", "APIResourceList"),
        ("/apis/example.com", "APIGroup"),
        ("/apis/example.com/v1", "APIResourceList"),
    ],
)
async def test_discovery_in_the_older_form(api, path, kind):
    told = await api.call("GET", path)
    assert (told.status, told.body["kind"]) == (200, kind)


@pytest.mark.parametrize("path", ["/api", "/apis"])
async def test_discovery_in_one_answer(api, path):
    told = await api.call("GET", path, accept=AGGREGATED)
    assert told.body["kind"] == "APIGroupDiscoveryList"
    assert "as=APIGroupDiscoveryList" in told.headers["content-type"]


async def test_documents_follow_what_is_served(api, crd):
    assert (await api.call("GET", "/openapi/v3/apis/other.com/v1")).status == 404
    before = (await api.call("GET", "/openapi/v3")).body["paths"]
    changed = crd("gadgets", "Gadget")
    changed["metadata"]["name"], changed["spec"]["group"] = "gadgets.other.com", "other.com"
    await api.create(CUSTOM_RESOURCE_DEFINITION, changed, None)
    after = (await api.call("GET", "/openapi/v3")).body["paths"]
    assert set(after) - set(before) == {"apis/other.com/v1"}
    document = await api.call("GET", "/openapi/v3/apis/other.com/v1")
    assert any(name.endswith("Gadget") for name in document.body["components"]["schemas"])


async def test_the_version_is_told(api):
    assert (await api.call("GET", "/version")).body["gitVersion"].startswith("v1.")


@pytest.mark.parametrize("path", ["/nowhere", "/api/v9", "/apis/none.example", "/apis/example.com/v9/widgets"])
async def test_other_paths_are_not_found(api, path):
    assert (await api.call("GET", path)).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/version"),
        ("POST", "/api/v1/namespaces/default/configmaps/x"),
        ("PUT", "/api/v1/namespaces/default/configmaps"),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
    ],
)
async def test_a_verb_that_makes_no_sense_is_not_allowed(api, method, path):
    told = await api.call(method, path, {})
    assert (told.status, told.body["reason"]) == (405, "MethodNotAllowed")


@pytest.mark.parametrize(
    ("group", "plural", "field", "expected"),
    [
        ("authorization.k8s.io", "selfsubjectaccessreviews", "allowed", True),
        ("authorization.k8s.io", "selfsubjectrulesreviews", "incomplete", False),
        ("authentication.k8s.io", "selfsubjectreviews", "userInfo", None),
    ],
)
async def test_reviews_say_yes_to_admin(api, group, plural, field, expected):
    spec = {"namespace": "default", "resourceAttributes": {"verb": "create"}}
    told = await api.call("POST", f"/apis/{group}/v1/{plural}", {"spec": spec})
    assert told.status == 201
    if expected is None:
        assert told.body["status"][field]["username"] == "admin"
    else:
        assert told.body["status"][field] is expected


async def test_a_removed_version_is_no_longer_served(api, crd):
    changed = crd()
    old = changed["spec"]["versions"][0]
    changed["spec"]["versions"] = [old, {**old, "name": "v2", "storage": False}]
    await api.patch(CUSTOM_RESOURCE_DEFINITION, "widgets.example.com", {"spec": changed["spec"]}, namespace=None)
    await api.call("POST", "/apis/example.com/v2/namespaces/default/widgets", {"metadata": {"name": "a"}})
    first = await api.call("GET", "/apis/example.com/v1/namespaces/default/widgets/a")
    second = await api.call("GET", "/apis/example.com/v2/namespaces/default/widgets/a")
    assert (first.body["apiVersion"], second.body["apiVersion"]) == ("example.com/v1", "example.com/v2")
    changed["spec"]["versions"] = [old]
    await api.patch(CUSTOM_RESOURCE_DEFINITION, "widgets.example.com", {"spec": changed["spec"]}, namespace=None)
    assert (await api.call("GET", "/apis/example.com/v2/namespaces/default/widgets/a")).status == 404
    listed = await api.call("GET", "/apis/example.com/v1/widgets")
    assert [item["apiVersion"] for item in listed.body["items"]] == ["example.com/v1"]


async def test_two_servers_share_nothing(client):
    async with ApiServer(SystemClock()) as one, ApiServer(SystemClock()) as other:
        await client(one, one.transport()).create(CONFIG_MAP, {"metadata": {"name": "c"}})
        assert await client(other, other.transport()).names(CONFIG_MAP) == []
