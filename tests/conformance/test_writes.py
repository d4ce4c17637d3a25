"""Create, read, replace, patch: the same object comes of it, with the same answer."""

from __future__ import annotations

import pytest
from conformance.kinds import CONFIG_MAP, CUSTOM, JOB_FLOW, NAMESPACE, NAMESPACED, POD, WITH_STATUS
from envtest.plugin import EMBEDDED, REAL

from jobflow.kube.transport import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH

pytestmark = [pytest.mark.real, pytest.mark.plane(EMBEDDED, REAL), pytest.mark.asyncio(loop_scope="session")]

kinds = pytest.mark.parametrize("kind", NAMESPACED, ids=str)


def version(name):
    return lambda seen: seen[name]["metadata"]["resourceVersion"]


@kinds
async def test_an_object_is_created_read_and_listed(both, kind):
    await both.send("POST", kind.collection, kind.named("a", labels={"x": "y"}, annotations={"n": "m"}))
    await both.send("GET", kind.at("a"))
    await both.send("POST", kind.collection, kind.named("b"))
    await both.send("GET", kind.collection)
    await both.send("GET", kind.collection, limit=1)


@kinds
async def test_a_name_is_generated(both, kind):
    body = kind.named("", generateName="some-")
    await both.send("POST", kind.collection, body)


@kinds
async def test_an_object_is_replaced(both, kind):
    await both.send("POST", kind.collection, kind.named("a"))
    labelled = kind.named("a", labels={"new": "label"})
    await both.send("PUT", kind.at("a"), lambda seen: _with(seen["a"], labels={"new": "label"}))
    await both.send("PUT", kind.at("a"), labelled)
    await both.send("PUT", kind.at("b"), lambda seen: _named(seen["a"], "b"))


def _with(obj, **metadata):
    return {**obj, "metadata": {**obj["metadata"], **metadata}}


def _named(obj, name):
    metadata = {key: value for key, value in obj["metadata"].items() if key not in ("uid", "resourceVersion")}
    return {**obj, "metadata": {**metadata, "name": name}}


@kinds
async def test_a_merge_patch_changes_and_counts(both, kind):
    await both.send("POST", kind.collection, kind.named("a", labels={"x": "y"}))
    await both.send("PATCH", kind.at("a"), kind.change, MERGE_PATCH)
    await both.send("PATCH", kind.at("a"), {"metadata": {"labels": {"x": None, "z": "1"}}}, MERGE_PATCH)
    await both.send("PATCH", kind.at("none"), kind.change, MERGE_PATCH)


@kinds
async def test_a_write_that_changes_nothing_is_none(both, kind):
    await both.send("POST", kind.collection, kind.named("a", labels={"x": "y"}))
    for seen in (side.seen for side in both.sides):
        seen["before"] = seen["a"]["metadata"]["resourceVersion"]
    await both.send("PATCH", kind.at("a"), {"metadata": {"labels": {"x": "y"}}}, MERGE_PATCH)
    both.same(lambda seen: seen["a"]["metadata"]["resourceVersion"] == seen["before"])
    await both.send("PUT", kind.at("a"), lambda seen: seen["a"])
    both.same(lambda seen: seen["a"]["metadata"]["resourceVersion"] == seen["before"])


@kinds
async def test_a_json_patch_tests_and_changes(both, kind):
    await both.send("POST", kind.collection, kind.named("a", labels={"x": "y"}))
    good = [
        {"op": "test", "path": "/metadata/labels/x", "value": "y"},
        {"op": "replace", "path": "/metadata/labels/x", "value": "z"},
    ]
    await both.send("PATCH", kind.at("a"), good, JSON_PATCH)
    await both.send("PATCH", kind.at("a"), good, JSON_PATCH)
    await both.send("PATCH", kind.at("a"), [{"op": "remove", "path": "/metadata/labels/none"}], JSON_PATCH)
    await both.send("PATCH", kind.at("a"), [{"op": "shout", "path": "/metadata"}], JSON_PATCH)
    await both.send("PATCH", kind.at("a"), {"op": "add"}, JSON_PATCH)


@kinds
async def test_server_side_apply_creates_changes_and_leaves_alone(both, kind):
    query = {"fieldManager": "me", "force": "true"}
    await both.send("PATCH", kind.at("a"), kind.named("a", labels={"x": "y"}), APPLY_PATCH, **query)
    for seen in (side.seen for side in both.sides):
        seen["before"] = seen["a"]["metadata"]["resourceVersion"]
    await both.send("PATCH", kind.at("a"), kind.named("a", labels={"x": "y"}), APPLY_PATCH, **query)
    both.same(lambda seen: seen["a"]["metadata"]["resourceVersion"] == seen["before"])
    await both.send("PATCH", kind.at("a"), kind.named("a", labels={"x": "z"}), APPLY_PATCH, **query)
    await both.send("PATCH", kind.at("a"), kind.named("b"), APPLY_PATCH, **query)
    await both.send("PATCH", kind.at("a"), kind.named("a"), APPLY_PATCH)


@kinds
async def test_a_strategic_merge_patch_is_for_built_in_kinds(both, kind):
    await both.send("POST", kind.collection, kind.named("a", labels={"x": "y"}))
    await both.send("PATCH", kind.at("a"), {"metadata": {"labels": {"z": "1"}}}, STRATEGIC_MERGE_PATCH)


async def test_a_strategic_merge_patch_merges_containers_by_name(both):
    await both.send("POST", POD.collection, POD.named("a"))
    change = {"spec": {"containers": [{"name": "main", "image": "other"}]}}
    await both.send("PATCH", POD.at("a"), change, STRATEGIC_MERGE_PATCH)


@pytest.mark.parametrize("kind", WITH_STATUS, ids=str)
async def test_status_is_written_apart(both, kind):
    await both.send("POST", kind.collection, {**kind.named("a"), **kind.status})
    await both.send("PATCH", kind.at("a"), kind.status, MERGE_PATCH)
    await both.send("PATCH", kind.at("a") + "/status", {**kind.change, **kind.status}, MERGE_PATCH)
    labels = {"metadata": {"labels": {"by": "status"}, "annotations": {"by": "status"}}}
    await both.send("PATCH", kind.at("a") + "/status", labels, MERGE_PATCH)
    await both.send("GET", kind.at("a") + "/status")
    await both.send("PUT", kind.at("a") + "/status", lambda seen: {**seen["a"], "spec": {}})
    await both.send("PUT", kind.at("a"), lambda seen: {**seen["a"], "status": {}})
    await both.send("GET", kind.at("a"))


@pytest.mark.parametrize("kind", CUSTOM, ids=str)
async def test_applying_a_status(both, kind):
    await both.send("POST", kind.collection, kind.named("a"))
    body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "a"}, **kind.status}
    await both.send("PATCH", kind.at("a") + "/status", body, APPLY_PATCH, fieldManager="me")


@kinds
async def test_a_dry_run_leaves_no_trace(both, kind):
    await both.send("POST", kind.collection, kind.named("a"), dryRun="All")
    await both.send("GET", kind.at("a"))
    await both.send("POST", kind.collection, kind.named("a"))
    await both.send("PATCH", kind.at("a"), kind.change, MERGE_PATCH, dryRun="All")
    await both.send("DELETE", kind.at("a"), dryRun="All")
    await both.send("GET", kind.at("a"))
    await both.send("POST", kind.collection, kind.named("a"), dryRun="Some")


async def test_a_namespace_is_created_changed_and_read(both):
    await both.send("GET", "/api/v1/namespaces/NS")
    await both.send("PATCH", "/api/v1/namespaces/NS", NAMESPACE.change, MERGE_PATCH)
    await both.send("PATCH", "/api/v1/namespaces/NS/status", NAMESPACE.status, MERGE_PATCH)
    await both.send("POST", "/api/v1/namespaces", {"metadata": {"name": "NS"}})
    await both.send("PATCH", "/api/v1/namespaces/NS", {"spec": {"finalizers": []}}, MERGE_PATCH)


async def test_versions_and_uids_are_preconditions_of_writes(both):
    await both.send("POST", JOB_FLOW.collection, JOB_FLOW.named("a"))
    old = {side.name: side.seen["a"] for side in both.sides}
    await both.send("PATCH", JOB_FLOW.at("a"), JOB_FLOW.change, MERGE_PATCH)

    def stale(seen):
        return next(obj for obj in old.values() if obj["metadata"]["uid"] == seen["a"]["metadata"]["uid"])

    await both.send("PUT", JOB_FLOW.at("a"), stale)
    await both.send("PUT", JOB_FLOW.at("a") + "/status", stale)
    was = lambda seen: {"metadata": {"resourceVersion": stale(seen)["metadata"]["resourceVersion"]}}  # noqa: E731
    await both.send("PATCH", JOB_FLOW.at("a"), lambda seen: {**was(seen), **JOB_FLOW.change}, MERGE_PATCH)
    await both.send("PATCH", JOB_FLOW.at("a"), {"metadata": {"uid": "another"}}, MERGE_PATCH)
    await both.send("PUT", JOB_FLOW.at("a"), lambda seen: _with(seen["a"], uid="another"))
    await both.send("PUT", CONFIG_MAP.at("none"), CONFIG_MAP.named("none"))
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("c"))
    await both.send("PUT", CONFIG_MAP.at("c"), lambda seen: _with(seen["c"], resourceVersion="1"))
    await both.send("POST", CONFIG_MAP.collection, _with(CONFIG_MAP.named("d"), resourceVersion="1"))
