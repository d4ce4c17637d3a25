"""Lists in pages, selectors, watches and what is too old: what reflectors and kubectl live on."""

from __future__ import annotations

import pytest
from conformance.kinds import CONFIG_MAP, JOB, JOB_FLOW, NAMESPACED, POD
from envtest.plugin import EMBEDDED, REAL

from jobflow.kube.transport import MERGE_PATCH

pytestmark = [pytest.mark.real, pytest.mark.plane(EMBEDDED, REAL), pytest.mark.asyncio(loop_scope="session")]

kinds = pytest.mark.parametrize("kind", NAMESPACED, ids=str)
one_of_each = pytest.mark.parametrize("kind", [JOB_FLOW, CONFIG_MAP], ids=str)  # for what makes servers wait
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"


def listed_version(seen):
    return seen["list"]["metadata"]["resourceVersion"]


def next_page(seen):
    return seen["list"]["metadata"]["continue"]


@kinds
async def test_a_list_in_pages_is_of_one_moment(both, kind):
    for name in ("a", "b", "c", "d", "e"):
        await both.send("POST", kind.collection, kind.named(name))
    await both.send("GET", kind.collection, limit=2)
    await both.send("DELETE", kind.at("c"), {"gracePeriodSeconds": 0})
    await both.send("GET", kind.collection, **{"limit": 2, "continue": next_page})
    await both.send("GET", kind.collection, **{"limit": 2, "continue": next_page})
    await both.send("GET", kind.collection, **{"limit": 2, "continue": "nonsense"})
    await both.send("GET", kind.collection, limit="x")


SELECTORS = [
    "tier=web",
    "tier==web",
    "tier!=web",
    "tier in (web,db)",
    "tier notin (web)",
    "tier",
    "!tier",
    "a=1,tier=web",
]
BAD_SELECTORS = ["tier in web", "a b", "=x", "tier in ()", "x=not a value"]


@pytest.mark.parametrize("kind", [JOB_FLOW, CONFIG_MAP], ids=str)
async def test_label_selectors(both, kind):
    await both.send("POST", kind.collection, kind.named("a", labels={"tier": "web", "a": "1"}))
    await both.send("POST", kind.collection, kind.named("b", labels={"tier": "db"}))
    await both.send("POST", kind.collection, kind.named("c"))
    for selector in (*SELECTORS, *BAD_SELECTORS):
        await both.send("GET", kind.collection, labelSelector=selector)
    await both.send("GET", kind.collection, labelSelector="tier", limit=1)


@kinds
async def test_field_selectors(both, kind):
    await both.send("POST", kind.collection, kind.named("a"))
    await both.send("POST", kind.collection, kind.named("b"))
    for selector in ("metadata.name=a", "metadata.name!=a", "metadata.namespace=NS", "spec.nothing=x", "x"):
        await both.send("GET", kind.collection, fieldSelector=selector)


async def test_field_selectors_of_pods(both):
    await both.send("POST", POD.collection, POD.named("a"))
    for selector in ("status.phase=Pending", "status.phase!=Pending", "spec.nodeName=", "spec.restartPolicy=Never"):
        await both.send("GET", POD.collection, fieldSelector=selector)


@kinds
async def test_a_watch_from_a_version_tells_what_came_after(both, kind):
    await both.send("POST", kind.collection, kind.named("a"))
    await both.send("GET", kind.collection)
    await both.send("PATCH", kind.at("a"), kind.change, MERGE_PATCH)
    await both.send("POST", kind.collection, kind.named("b", labels={"x": "y"}))
    await both.send("DELETE", kind.at("a"), {"gracePeriodSeconds": 0})
    await both.watch(kind.collection, 3, resourceVersion=listed_version)
    await both.watch(kind.collection, 1, resourceVersion=listed_version, labelSelector="x=y")
    await both.watch(kind.collection, 1, resourceVersion=listed_version, fieldSelector="metadata.name=b")


@kinds
async def test_a_watch_without_a_version_begins_with_what_is_there(both, kind):
    await both.send("POST", kind.collection, kind.named("a"))
    await both.send("POST", kind.collection, kind.named("b"))
    await both.watch(kind.collection, 2)
    await both.watch(kind.collection, 2, resourceVersion="0")
    initial = {"sendInitialEvents": "true", "allowWatchBookmarks": "true", "resourceVersionMatch": "NotOlderThan"}
    await both.watch(kind.collection, 3, resourceVersion="0", **initial)


async def test_what_leaves_the_selection_is_told_as_deleted(both):
    await both.send("POST", JOB.collection, JOB.named("a", labels={"x": "y"}))
    await both.send("GET", JOB.collection)
    await both.send("PATCH", JOB.at("a"), {"metadata": {"labels": {"x": "z"}}}, MERGE_PATCH)
    await both.send("PATCH", JOB.at("a"), {"metadata": {"labels": {"x": "y"}}}, MERGE_PATCH)
    await both.watch(JOB.collection, 2, resourceVersion=listed_version, labelSelector="x=y")


@one_of_each
async def test_versions_that_are_none_and_too_old(both, kind):
    await both.send("POST", kind.collection, kind.named("a"))
    await both.watch(kind.collection, 1, resourceVersion="x")
    await both.watch(kind.collection, 1, resourceVersion="1")
    await both.send("GET", kind.collection, resourceVersion="x")
    await both.send("GET", kind.collection, resourceVersion="99999999")
    await both.send("GET", kind.at("a"), resourceVersion="99999999")
    await both.send("GET", kind.collection, resourceVersionMatch="Exact")
    await both.send("GET", kind.collection, resourceVersionMatch="Exact", resourceVersion="0")
    await both.send("GET", kind.collection, resourceVersionMatch="Sometimes", resourceVersion="1")
    await both.send("GET", kind.collection, resourceVersion="0")


@one_of_each
async def test_a_watch_ends_when_its_time_is_up(both, kind):
    await both.watch(kind.collection, 9, timeoutSeconds=1)
    await both.watch(kind.collection, 9, timeoutSeconds="x")


@kinds
async def test_tables(both, kind):
    await both.send("POST", kind.collection, kind.named("a", labels={"x": "y"}))
    if kind.status:
        await both.send("PATCH", kind.at("a") + "/status", kind.status, MERGE_PATCH)
    await both.send("GET", kind.collection, accept=TABLE)
    await both.send("GET", kind.at("a"), accept=TABLE)
    for objects in ("None", "Object", "Metadata", "Some"):
        await both.send("GET", kind.collection, accept=TABLE, includeObject=objects)
    await both.watch(kind.collection, 1, accept=TABLE)
    await both.send("GET", kind.at("none"), accept=TABLE)


@kinds
async def test_partial_metadata(both, kind):
    await both.send("POST", kind.collection, kind.named("a", labels={"x": "y"}))
    await both.send("GET", kind.at("a"), accept=PARTIAL)
    await both.send("GET", kind.collection, accept=PARTIAL_LIST)
    await both.watch(kind.collection, 1, accept=PARTIAL)
