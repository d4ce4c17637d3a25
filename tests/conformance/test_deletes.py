"""Deletes: answers, finalizers, preconditions, owners and collections."""

from __future__ import annotations

import pytest
from conformance.kinds import CONFIG_MAP, JOB, JOB_FLOW, NAMESPACED, POD
from envtest.plugin import EMBEDDED, REAL

from jobflow.kube.transport import MERGE_PATCH

pytestmark = [pytest.mark.real, pytest.mark.plane(EMBEDDED, REAL), pytest.mark.asyncio(loop_scope="session")]

kinds = pytest.mark.parametrize("kind", NAMESPACED, ids=str)


def gone(status, _):
    return status == 404


def owned(kind, name, owner, *, blocks=True):
    """The object, owned by one that was seen."""

    def body(seen):
        found = seen[owner]
        reference = {
            "apiVersion": found["apiVersion"],
            "kind": found["kind"],
            "name": owner,
            "uid": found["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": blocks,
        }
        return kind.named(name, ownerReferences=[reference])

    return body


@kinds
async def test_a_delete_and_its_answer(both, kind):
    await both.send("POST", kind.collection, kind.named("a"))
    await both.send("DELETE", kind.at("a"))
    await both.agree(kind.at("a"), gone)
    await both.send("GET", kind.at("a"))


@kinds
async def test_a_finalizer_holds_the_object(both, kind):
    await both.send("POST", kind.collection, kind.named("a", finalizers=["example.com/hold"]))
    await both.send("DELETE", kind.at("a"), {"gracePeriodSeconds": 0})
    await both.send("GET", kind.at("a"))
    await both.send("DELETE", kind.at("a"), {"gracePeriodSeconds": 0})
    added = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    await both.send("PATCH", kind.at("a"), added, MERGE_PATCH)
    await both.send("POST", kind.collection, kind.named("a"))
    await both.send("PATCH", kind.at("a"), {"metadata": {"labels": {"x": "y"}}}, MERGE_PATCH)
    await both.send("PATCH", kind.at("a"), {"metadata": {"finalizers": None}}, MERGE_PATCH)
    await both.send("GET", kind.at("a"))


@kinds
async def test_preconditions(both, kind):
    await both.send("POST", kind.collection, kind.named("a"))
    await both.send("DELETE", kind.at("a"), {"preconditions": {"uid": "another"}})
    await both.send("DELETE", kind.at("a"), {"preconditions": {"resourceVersion": "1"}})
    right = lambda seen: {  # noqa: E731
        "gracePeriodSeconds": 0,
        "preconditions": {name: seen["a"]["metadata"][name] for name in ("uid", "resourceVersion")},
    }
    await both.send("DELETE", kind.at("a"), right)
    await both.send("DELETE", kind.at("a"), right)


@kinds
async def test_options_that_are_none(both, kind):
    await both.send("POST", kind.collection, kind.named("a"))
    await both.send("DELETE", kind.at("a"), {"propagationPolicy": "Perhaps"})
    await both.send("DELETE", kind.at("a"), {"orphanDependents": True, "propagationPolicy": "Background"})
    await both.send("DELETE", kind.at("a"), {"gracePeriodSeconds": -1})
    await both.send("DELETE", kind.at("a"), "{not json")
    await both.send("DELETE", kind.at("a"), {"kind": "ConfigMap", "apiVersion": "v1"})
    await both.send("GET", kind.at("a"))


@kinds
async def test_a_collection_is_deleted(both, kind):
    await both.send("POST", kind.collection, kind.named("a", labels={"x": "y"}))
    await both.send("POST", kind.collection, kind.named("b", labels={"x": "y"}))
    await both.send("POST", kind.collection, kind.named("c"))
    await both.send("DELETE", kind.collection, {"gracePeriodSeconds": 0}, labelSelector="x=y")
    await both.agree(kind.collection, lambda _, told: len(told["items"]) == 1)
    await both.send("GET", kind.collection)


async def test_pods_have_a_grace_period(both):
    for name, options in (("a", None), ("b", {"gracePeriodSeconds": 7}), ("c", {"gracePeriodSeconds": 0})):
        await both.send("POST", POD.collection, {**POD.named(name), "spec": {**POD.fields["spec"], "nodeName": "n"}})
        await both.send("DELETE", POD.at(name), options)
        await both.send("GET", POD.at(name))
        await both.send("DELETE", POD.at(name), {"gracePeriodSeconds": 3})


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan", None])
async def test_what_becomes_of_what_an_object_owns(both, policy):
    await both.send("POST", JOB_FLOW.collection, JOB_FLOW.named("f"))
    await both.send("POST", JOB.collection, owned(JOB, "j", "f"))
    await both.send("POST", CONFIG_MAP.collection, owned(CONFIG_MAP, "c", "j"))
    await both.send("DELETE", JOB_FLOW.at("f"), {"propagationPolicy": policy} if policy else None)
    await both.agree(JOB_FLOW.at("f"), gone)
    if policy == "Orphan":
        await both.send("GET", JOB.at("j"))
        await both.send("GET", CONFIG_MAP.at("c"))
    else:
        await both.agree(JOB.at("j"), gone)
        await both.agree(CONFIG_MAP.at("c"), gone)


async def test_a_foreground_delete_waits_for_what_blocks_it(both):
    await both.send("POST", JOB_FLOW.collection, JOB_FLOW.named("f"))
    for name, blocks in (("holds", True), ("free", False)):
        body = owned(JOB, name, "f", blocks=blocks)
        hold = lambda seen, body=body: {  # noqa: E731
            **body(seen),
            "metadata": {**body(seen)["metadata"], "finalizers": ["example.com/hold"]},
        }
        await both.send("POST", JOB.collection, hold)
    await both.send("DELETE", JOB_FLOW.at("f"), {"propagationPolicy": "Foreground"})
    for name in ("holds", "free"):
        await both.agree(JOB.at(name), lambda _, told: "deletionTimestamp" in told["metadata"])
    await both.send("GET", JOB_FLOW.at("f"))
    await both.send("PATCH", JOB.at("holds"), {"metadata": {"finalizers": None}}, MERGE_PATCH)
    await both.agree(JOB_FLOW.at("f"), gone)
    await both.send("GET", JOB.at("free"))
    await both.send("PATCH", JOB.at("free"), {"metadata": {"finalizers": None}}, MERGE_PATCH)
    await both.agree(JOB.at("free"), gone)


async def test_an_owner_of_another_uid_is_no_owner(both):
    await both.send("POST", JOB_FLOW.collection, JOB_FLOW.named("f"))
    owner = {"apiVersion": "flow.volcano.sh/v1alpha1", "kind": "JobFlow", "name": "f", "uid": "of-another-life"}
    await both.send("POST", JOB.collection, JOB.named("j", ownerReferences=[owner]))
    await both.agree(JOB.at("j"), gone)
    await both.send("GET", JOB_FLOW.at("f"))


async def test_a_namespace_goes_with_what_is_in_it(both):
    await both.send("POST", JOB_FLOW.collection, JOB_FLOW.named("f"))
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("c", finalizers=["example.com/hold"]))
    await both.send("DELETE", "/api/v1/namespaces/NS")
    await both.agree(JOB_FLOW.at("f"), gone)
    await both.agree(CONFIG_MAP.at("c"), lambda _, told: "deletionTimestamp" in told["metadata"])
    await both.send("POST", CONFIG_MAP.collection, CONFIG_MAP.named("late"))
    await both.send("PATCH", CONFIG_MAP.at("c"), {"metadata": {"finalizers": None}}, MERGE_PATCH)
    await both.agree("/api/v1/namespaces/NS", gone)
    await both.send("GET", "/api/v1/namespaces/NS")
