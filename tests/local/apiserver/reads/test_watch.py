"""watch: no gap, no duplicate, no end of patience."""

from __future__ import annotations

import asyncio

import pytest

from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION
from jobflow.clock import SystemClock
from jobflow.kube.errors import SilentStream
from jobflow.kube.transport import Request
from jobflow.local.apiserver.server import ApiServer
from jobflow.local.apiserver.storage import shelf

TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


async def test_a_watch_from_a_version_tells_everything_after_it_in_order(api, widgets, widget):
    start = (await api.create(widgets, widget("a"))).body["metadata"]["resourceVersion"]
    await api.create(widgets, widget("b"))
    await api.patch(widgets, "a", {"spec": {"size": 2}})
    async with api.watching(widgets, resourceVersion=start) as watch:
        assert await watch.take(2) == [("ADDED", "b"), ("MODIFIED", "a")]
        await api.delete(widgets, "b")
        await api.create(widgets, widget("c"))
        assert await watch.take(2) == [("DELETED", "b"), ("ADDED", "c")]


async def test_events_carry_the_revision_of_their_change(api, widgets, widget):
    start = (await api.create(widgets, widget("a"))).body["metadata"]["resourceVersion"]
    async with api.watching(widgets, resourceVersion=start) as watch:
        await api.patch(widgets, "a", {"spec": {"size": 2}})
        await api.delete(widgets, "a")
        versions = [int((await watch.next())["object"]["metadata"]["resourceVersion"]) for _ in range(2)]
    assert versions == [int(start) + 1, int(start) + 2]


@pytest.mark.parametrize("version", [{}, {"resourceVersion": "0"}])
async def test_a_watch_without_a_version_begins_with_what_is_there(api, widgets, widget, version):
    await api.create(widgets, widget("b"))
    await api.create(widgets, widget("a"))
    async with api.watching(widgets, **version) as watch:
        assert await watch.take(2) == [("ADDED", "a"), ("ADDED", "b")]
        await api.create(widgets, widget("c"))
        assert await watch.take(1) == [("ADDED", "c")]


async def test_lists_and_watches_fit_together_under_concurrent_writes(api, widgets, widget):
    async def write(prefix):
        for index in range(30):
            await api.create(widgets, widget(f"{prefix}{index}"))
            await api.delete(widgets, f"{prefix}{index}")

    async def follow():
        listed = (await api.list(widgets)).body
        held = {item["metadata"]["name"] for item in listed["items"]}
        versions = []
        async with api.watching(widgets, resourceVersion=listed["metadata"]["resourceVersion"]) as watch:
            while True:
                event = await watch.next()
                name = event["object"]["metadata"]["name"]
                if name == "end":
                    assert versions == sorted(set(versions))
                    return held
                versions.append(int(event["object"]["metadata"]["resourceVersion"]))
                held.add(name) if event["type"] == "ADDED" else held.remove(name)

    async with asyncio.TaskGroup() as tasks:
        followers = [tasks.create_task(follow()) for _ in range(5)]
        async with asyncio.TaskGroup() as writers:
            for prefix in ("x", "y", "z"):
                writers.create_task(write(prefix))
        await api.create(widgets, widget("end"))
    assert [follower.result() for follower in followers] == [set()] * 5


async def test_labels_decide_when_an_object_arrives_and_leaves(api, widgets, widget):
    start = (await api.create(widgets, widget("a"))).body["metadata"]["resourceVersion"]
    async with api.watching(widgets, resourceVersion=start, labelSelector="on=yes") as watch:
        await api.patch(widgets, "a", {"metadata": {"labels": {"on": "yes"}}})
        await api.patch(widgets, "a", {"spec": {"size": 2}})
        await api.patch(widgets, "a", {"metadata": {"labels": {"on": "no"}}})
        await api.patch(widgets, "a", {"spec": {"size": 3}})
        await api.create(widgets, widget("b", labels={"on": "yes"}))
        await api.delete(widgets, "b")
        told = [await watch.next() for _ in range(5)]
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in told] == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("DELETED", "a"),
        ("ADDED", "b"),
        ("DELETED", "b"),
    ]
    left = told[2]["object"]["metadata"]
    assert left["labels"] == {"on": "yes"}, "the state that still matched"
    assert int(left["resourceVersion"]) == int(start) + 3, "under the revision at which it left"


async def test_fields_and_namespaces_select(api, widgets, widget):
    await api.create(widgets, widget("a", color="red"))
    await api.create(widgets, widget("b", color="blue"))
    await api.create(widgets, widget("c", color="blue"), "kube-system")
    async with api.watching(widgets, fieldSelector="spec.color=blue") as watch:
        assert await watch.take(1) == [("ADDED", "b")]
    async with api.watching(widgets, None, fieldSelector="spec.color=blue") as watch:
        assert await watch.take(2) == [("ADDED", "b"), ("ADDED", "c")]
    async with api.watching(widgets, fieldSelector="metadata.name=a") as watch:
        assert await watch.take(1) == [("ADDED", "a")]


async def test_a_version_that_is_forgotten_is_410(api, widgets, widget, monkeypatch):
    monkeypatch.setattr(shelf, "EVENTS_KEPT", 10)
    monkeypatch.setattr(shelf, "TRIM_AT_ONCE", 5)
    start = (await api.create(widgets, widget("a"))).body["metadata"]["resourceVersion"]
    for size in range(2, 22):
        await api.patch(widgets, "a", {"spec": {"size": size}})
    async with api.watching(widgets, resourceVersion=start) as watch:
        assert watch.status == 410
        body = await watch.stream.body()
    assert b'"reason":"Expired"' in body
    assert f"too old resource version: {start}".encode() in body


async def test_a_slow_watchers_stream_ends(api, widgets, widget, monkeypatch):
    monkeypatch.setattr(shelf, "EVENTS_KEPT", 10)
    monkeypatch.setattr(shelf, "TRIM_AT_ONCE", 5)
    start = (await api.create(widgets, widget("a"))).body["metadata"]["resourceVersion"]
    async with api.watching(widgets, resourceVersion=start) as watch:
        for size in range(2, 40):
            await api.patch(widgets, "a", {"spec": {"size": size}})
        assert await watch.rest() == []


async def test_a_version_from_the_future_is_410_since_it_is_of_another_store(api, widgets):
    async with api.watching(widgets, resourceVersion="999999") as watch:
        assert watch.status == 410


async def test_the_deletion_of_a_kind_ends_its_watches(api, widgets, widget):
    await api.create(widgets, widget("a"))
    async with api.watching(widgets) as watch:
        await watch.take(1)
        await api.delete(CUSTOM_RESOURCE_DEFINITION, "widgets.example.com", namespace=None)
        rest = await watch.rest()
    assert [event["type"] for event in rest] == ["DELETED"]


async def test_watches_of_other_kinds_go_on(api, widgets, crd):
    await api.create(CUSTOM_RESOURCE_DEFINITION, crd("gadgets", "Gadget"), None)
    async with api.watching(CUSTOM_RESOURCE_DEFINITION, None) as crds, api.watching(widgets) as watch:
        await crds.take(2)
        await api.delete(CUSTOM_RESOURCE_DEFINITION, "gadgets.example.com", namespace=None)
        while (await crds.next())["type"] != "DELETED":
            pass
        await api.create(widgets, {"metadata": {"name": "a"}})
        assert await watch.take(1) == [("ADDED", "a")]


async def test_initial_events_end_with_a_marked_bookmark(api, widgets, widget):
    await api.create(widgets, widget("a"))
    options = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with api.watching(widgets, **options) as watch:
        assert (await watch.next())["type"] == "ADDED"
        bookmark = await watch.next()
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["kind"] == "Widget"
        assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert bookmark["object"]["metadata"]["resourceVersion"] == str(api.server.revision)
        await api.create(widgets, widget("b"))
        assert await watch.take(1) == [("ADDED", "b")]


async def test_initial_events_need_a_version_match(api, widgets):
    async with api.watching(widgets, sendInitialEvents="true") as watch:
        assert watch.status == 400


async def test_a_table_watch_sends_rows(api, widgets, widget):
    await api.create(widgets, widget("a", size=7))
    async with api.watching(widgets, accept=TABLE) as watch:
        event = await watch.next()
    assert event["type"] == "ADDED"
    assert event["object"]["kind"] == "Table"
    assert event["object"]["rows"][0]["cells"][:2] == ["a", 7]


@pytest.mark.looptime
async def test_bookmarks_come_each_minute_where_they_are_wanted(api, widgets, widget):
    await api.create(widgets, widget("a"))
    async with api.watching(widgets, allowWatchBookmarks="true") as watch:
        await watch.take(1)
        began = asyncio.get_running_loop().time()
        bookmark = await watch.next()
        assert asyncio.get_running_loop().time() - began == pytest.approx(60, abs=1)
        assert bookmark["object"]["metadata"]["resourceVersion"] == str(api.server.revision)


@pytest.mark.looptime
async def test_a_bookmark_follows_revisions_of_other_kinds(api, widgets, widget):
    async with api.watching(widgets, resourceVersion=str(api.server.revision), allowWatchBookmarks="true") as watch:
        await api.call("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "c"}})
        bookmark = await watch.next()
    assert bookmark["object"]["metadata"]["resourceVersion"] == str(api.server.revision)


@pytest.mark.looptime
async def test_timeout_seconds_end_the_stream_with_a_last_bookmark(api, widgets):
    async with api.watching(widgets, timeoutSeconds="10", allowWatchBookmarks="true") as watch:
        began = asyncio.get_running_loop().time()
        rest = await watch.rest()
    assert asyncio.get_running_loop().time() - began == pytest.approx(10, abs=0.1)
    assert [event["type"] for event in rest] == ["BOOKMARK"]


@pytest.mark.looptime
async def test_a_watch_that_brings_nothing_is_silent_to_who_minds(api, widgets):
    request = Request("GET", widgets.path("default"), (("watch", "true"),))
    async with api.transport.stream(request, silence=90) as stream:
        lines = stream.lines()
        with pytest.raises(SilentStream):
            await anext(lines)


async def test_the_end_of_the_server_ends_all_watches(client, crd, widgets):
    server = await ApiServer(SystemClock()).__aenter__()
    api = client(server, server.transport())
    await api.create(CUSTOM_RESOURCE_DEFINITION, crd(), None)
    async with api.watching(widgets) as watch:
        reading = asyncio.create_task(watch.rest())
        await asyncio.sleep(0)
        await server.__aexit__(None, None, None)
        assert await reading == []


async def test_a_watch_through_request_is_refused(api, widgets):
    told = await api.list(widgets, watch="true")
    assert told.status == 400
