"""Namespaces and kinds that end, and what is in them."""

from __future__ import annotations

import pytest

from jobflow.api.resources import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE, POD


@pytest.fixture
async def space(api):
    told = await api.create(NAMESPACE, {"metadata": {"name": "space"}}, None)
    assert told.status == 201
    return told.body


async def test_a_new_namespace_is_active_and_labelled(space):
    assert space["status"] == {"phase": "Active"}
    assert space["spec"] == {"finalizers": ["kubernetes"]}
    assert space["metadata"]["labels"] == {"kubernetes.io/metadata.name": "space"}


async def test_an_empty_namespace_goes(api, space):
    told = await api.delete(NAMESPACE, "space", namespace=None)
    assert told.body["status"]["phase"] == "Terminating"
    await api.gone(NAMESPACE, "space", None)


async def test_a_namespace_takes_its_content_with_it_and_no_other(api, space, widgets, widget):
    await api.create(widgets, widget("a"), "space")
    await api.create(CONFIG_MAP, {"metadata": {"name": "c"}}, "space")
    await api.create(widgets, widget("a"))
    await api.delete(NAMESPACE, "space", namespace=None)
    await api.gone(NAMESPACE, "space", None)
    assert [item["metadata"]["namespace"] for item in (await api.list(widgets, None)).body["items"]] == ["default"]


async def test_a_namespace_waits_for_finalizers_of_its_content_and_takes_nothing_new(api, space, widgets, widget):
    await api.create(widgets, widget("a", finalizers=["example.com/hold"]), "space")
    version = str(api.server.revision)
    async with api.watching(widgets, "space", resourceVersion=version) as watch:
        await api.delete(NAMESPACE, "space", namespace=None)
        assert "deletionTimestamp" in (await watch.next())["object"]["metadata"]
    told = await api.create(widgets, widget("b"), "space")
    assert (told.status, told.body["reason"]) == (403, "Forbidden")
    assert "unable to create new content in namespace space because it is being terminated" in told.body["message"]
    await api.patch(widgets, "a", {"metadata": {"finalizers": None}}, namespace="space")
    await api.gone(NAMESPACE, "space", None)


async def test_a_namespace_of_a_thousand_pods_goes_when_its_kubelet_has_ended_them(api, space):
    spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}
    for index in range(1000):
        await api.create(POD, {"metadata": {"name": f"p{index}"}, "spec": spec}, "space")
    async with api.watching(POD, "space", resourceVersion=str(api.server.revision)) as watch:
        await api.delete(NAMESPACE, "space", namespace=None)
        for _ in range(1000):
            event = await watch.next()
            while event["type"] != "MODIFIED":
                event = await watch.next()
            name = event["object"]["metadata"]["name"]
            await api.delete(POD, name, {"gracePeriodSeconds": 0}, "space")
    await api.gone(NAMESPACE, "space", None)


async def test_a_kind_is_served_at_once_and_says_so(api, crd, widgets):
    told = await api.create(CUSTOM_RESOURCE_DEFINITION, crd("gadgets", "Gadget"), None)
    conditions = {one["type"]: one["status"] for one in told.body["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert told.body["status"]["storedVersions"] == ["v1"]
    assert told.body["spec"]["names"]["listKind"] == "GadgetList"
    assert (await api.call("GET", "/apis/example.com/v1/gadgets")).status == 200
    served = await api.call("GET", "/apis/example.com/v1")
    assert {"gadgets", "widgets"} <= {one["name"] for one in served.body["resources"]}


async def test_a_crd_whose_schema_is_not_structural_is_invalid(api, crd):
    wrong = crd("gadgets", "Gadget")
    wrong["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = {"properties": {}}
    told = await api.create(CUSTOM_RESOURCE_DEFINITION, wrong, None)
    assert told.status == 422
    assert told.body["details"]["causes"][0]["field"].startswith("spec.validation.openAPIV3Schema.properties[spec]")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scope": "Cluster"}, "spec.scope"),
        ({"names": {"kind": "Other"}}, "spec.names.kind"),
        ({"conversion": {"strategy": "Webhook"}}, "spec.conversion.strategy"),
    ],
)
async def test_what_would_strand_stored_objects_is_refused(api, change, field):
    told = await api.patch(CUSTOM_RESOURCE_DEFINITION, "widgets.example.com", {"spec": change}, namespace=None)
    assert told.status == 422
    assert [cause["field"] for cause in told.body["details"]["causes"]] == [field]


async def test_a_changed_schema_holds_from_then_on(api, crd, widgets, widget):
    changed = crd()
    properties = changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    properties["shape"] = {"type": "string"}
    await api.patch(CUSTOM_RESOURCE_DEFINITION, "widgets.example.com", {"spec": changed["spec"]}, namespace=None)
    told = await api.create(widgets, widget("a", shape="round"), fieldValidation="Strict")
    assert told.body["spec"]["shape"] == "round"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"metadata": {"name": "other.example.com"}}, "must be spec.names.plural"),
        ({"spec": {"group": "example.com"}}, "Required value"),
    ],
)
async def test_a_crd_that_cannot_be_served_is_invalid(api, crd, change, complaint):
    told = await api.create(CUSTOM_RESOURCE_DEFINITION, {**crd("gadgets", "Gadget"), **change}, None)
    assert (told.status, told.body["reason"]) == (422, "Invalid")
    assert complaint in told.body["message"]


async def test_a_kind_takes_its_objects_with_it(api, crd, widgets, widget):
    for name in "abc":
        await api.create(widgets, widget(name))
    await api.delete(CUSTOM_RESOURCE_DEFINITION, "widgets.example.com", namespace=None)
    await api.gone(CUSTOM_RESOURCE_DEFINITION, "widgets.example.com", None)
    assert (await api.list(widgets)).status == 404
    await api.create(CUSTOM_RESOURCE_DEFINITION, crd(), None)
    assert await api.names(widgets) == []


async def test_a_kind_waits_for_finalizers_of_its_objects_and_takes_nothing_new(api, widgets, widget):
    await api.create(widgets, widget("a", finalizers=["example.com/hold"]))
    version = str(api.server.revision)
    async with api.watching(widgets, resourceVersion=version) as watch:
        told = await api.delete(CUSTOM_RESOURCE_DEFINITION, "widgets.example.com", namespace=None)
        assert "Terminating" in {one["type"] for one in told.body["status"]["conditions"]}
        assert "deletionTimestamp" in (await watch.next())["object"]["metadata"]
    assert (await api.create(widgets, widget("b"))).status == 405
    await api.patch(widgets, "a", {"metadata": {"finalizers": None}})
    await api.gone(CUSTOM_RESOURCE_DEFINITION, "widgets.example.com", None)
