"""delete and deletecollection: preconditions, finalizers, answers."""

from __future__ import annotations

import pytest

from jobflow.api.resources import NAMESPACE


async def test_a_delete_answers_with_what_it_deleted(api, widgets, widget):
    uid = (await api.create(widgets, widget("a"))).body["metadata"]["uid"]
    told = await api.delete(widgets, "a")
    assert told.status == 200
    assert told.body["status"] == "Success"
    assert told.body["details"] == {"name": "a", "group": "example.com", "kind": "widgets", "uid": uid}
    assert (await api.get(widgets, "a")).status == 404
    assert (await api.delete(widgets, "a")).status == 404


@pytest.mark.parametrize(
    ("preconditions", "complaint"),
    [
        ({"uid": "other"}, "the UID in the precondition (other) does not match the UID in record ("),
        (
            {"resourceVersion": "1"},
            "the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (",
        ),
    ],
)
async def test_preconditions_that_do_not_hold_conflict(api, widgets, widget, preconditions, complaint):
    await api.create(widgets, widget("a"))
    told = await api.delete(widgets, "a", {"preconditions": preconditions})
    assert (told.status, told.body["reason"]) == (409, "Conflict")
    assert complaint in told.body["message"]
    assert (await api.get(widgets, "a")).status == 200


async def test_preconditions_that_hold_let_it_go(api, widgets, widget):
    metadata = (await api.create(widgets, widget("a"))).body["metadata"]
    both = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    assert (await api.delete(widgets, "a", {"preconditions": both})).status == 200


async def test_a_finalizer_holds_the_object_until_it_is_taken_off(api, widgets, widget):
    await api.create(widgets, widget("a", finalizers=["example.com/hold"]))
    told = await api.delete(widgets, "a")
    metadata = told.body["metadata"]
    assert told.body["kind"] == "Widget"
    assert "deletionTimestamp" in metadata
    assert metadata["deletionGracePeriodSeconds"] == 0
    assert metadata["generation"] == 2
    again = await api.delete(widgets, "a")
    assert again.body == told.body, "a second delete changes nothing"
    assert (await api.patch(widgets, "a", {"metadata": {"finalizers": None}})).status == 200
    assert (await api.get(widgets, "a")).status == 404


async def test_no_finalizer_may_be_added_to_what_is_being_deleted(api, widgets, widget):
    await api.create(widgets, widget("a", finalizers=["example.com/hold"]))
    await api.delete(widgets, "a")
    change = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    told = await api.patch(widgets, "a", change)
    assert told.status == 422
    assert "no new finalizers can be added if the object is being deleted" in told.body["message"]


async def test_the_mark_of_a_delete_cannot_be_taken_off(api, widgets, widget):
    await api.create(widgets, widget("a", finalizers=["example.com/hold"]))
    await api.delete(widgets, "a")
    told = await api.patch(widgets, "a", {"metadata": {"deletionTimestamp": None}, "spec": {"size": 2}})
    assert "deletionTimestamp" in told.body["metadata"]


async def test_a_collection_is_deleted_by_selector(api, widgets, widget):
    for name, side in (("a", "left"), ("b", "right"), ("c", "left")):
        await api.create(widgets, widget(name, labels={"side": side}))
    await api.create(widgets, widget("d", labels={"side": "left"}), "kube-system")
    told = await api.call("DELETE", widgets.path("default"), labelSelector="side=left")
    assert [item["metadata"]["name"] for item in told.body["items"]] == ["a", "c"]
    assert await api.names(widgets, None) == ["b", "d"]


async def test_an_unknown_propagation_is_invalid(api, widgets, widget):
    await api.create(widgets, widget("a"))
    told = await api.delete(widgets, "a", propagationPolicy="Sideways")
    assert told.status == 422
    assert 'propagationPolicy: Unsupported value: "Sideways"' in told.body["message"]


@pytest.mark.parametrize("name", ["default", "kube-system"])
async def test_the_first_namespaces_may_not_be_deleted(api, name):
    told = await api.delete(NAMESPACE, name, namespace=None)
    assert (told.status, told.body["reason"]) == (403, "Forbidden")
    assert told.body["message"] == f'namespaces "{name}" is forbidden: this namespace may not be deleted'
