"""Built-in kinds: pods and their grace, services, scales."""

from __future__ import annotations

import pytest

from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, POD, SERVICE, SERVICE_ACCOUNT


def pod(name="p", node=None, grace=None):
    spec = {"containers": [{"name": "c", "image": "i"}]}
    if node:
        spec["nodeName"] = node
    if grace is not None:
        spec["terminationGracePeriodSeconds"] = grace
    return {"metadata": {"name": name}, "spec": spec}


async def test_a_new_pod_is_pending_with_the_usual_defaults(api):
    told = await api.create(POD, pod() | {"status": {"phase": "Running"}})
    assert told.body["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert told.body["spec"]["restartPolicy"] == "Always"
    assert told.body["spec"]["terminationGracePeriodSeconds"] == 30
    assert (told.body["spec"]["priority"], told.body["spec"]["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert [one["key"].rpartition("/")[2] for one in told.body["spec"]["tolerations"]] == ["not-ready", "unreachable"]


async def test_a_pod_that_is_replaced_keeps_what_was_defaulted(api):
    made = (await api.create(POD, pod())).body
    told = await api.replace(POD, pod())
    assert (told.body["spec"], told.body["metadata"]["generation"]) == (made["spec"], 1)


async def test_a_pod_that_goes_at_once_says_that_it_goes(api):
    await api.create(POD, pod())
    told = await api.delete(POD, "p")
    assert told.body["metadata"]["deletionGracePeriodSeconds"] == 0
    assert "deletionTimestamp" in told.body["metadata"]


async def test_a_definition_is_not_held_by_its_objects_before_its_delete_begins(api, widgets):
    told = await api.get(CUSTOM_RESOURCE_DEFINITION, f"{widgets.plural}.{widgets.group}", None)
    assert "finalizers" not in told.body["metadata"]


async def test_finalizers_without_a_domain_are_refused_or_warned_of(api, widgets, widget):
    body = pod()
    body["metadata"]["finalizers"] = ["hold"]
    told = await api.create(POD, body)
    assert told.body["details"]["causes"][0]["field"] == "metadata.finalizers[0]"
    custom = widget("a")
    custom["metadata"]["finalizers"] = ["hold"]
    told = await api.create(widgets, custom)
    assert told.status == 201
    assert "prefer a domain-qualified finalizer name" in told.headers["warning"]


async def test_a_pod_on_a_node_stays_until_its_kubelet_deletes_it(api):
    await api.create(POD, pod(node="n", grace=7))
    told = await api.delete(POD, "p")
    assert told.body["kind"] == "Pod"
    assert told.body["metadata"]["deletionGracePeriodSeconds"] == 7
    assert "deletionTimestamp" in told.body["metadata"]
    assert (await api.get(POD, "p")).status == 200
    assert (await api.delete(POD, "p", {"gracePeriodSeconds": 0})).status == 200
    assert (await api.get(POD, "p")).status == 404


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(None, 30), (5, 5), (60, 60)],
    ids=["the pod's own", "shorter", "longer"],
)
async def test_the_grace_period_asked_for_wins(api, asked, expected):
    await api.create(POD, pod(node="n"))
    options = None if asked is None else {"gracePeriodSeconds": asked}
    told = await api.delete(POD, "p", options)
    assert told.body["metadata"]["deletionGracePeriodSeconds"] == expected


async def test_a_second_delete_can_only_shorten_the_grace(api):
    await api.create(POD, pod(node="n"))
    await api.delete(POD, "p", {"gracePeriodSeconds": 20})
    longer = await api.delete(POD, "p", {"gracePeriodSeconds": 60})
    assert longer.body["metadata"]["deletionGracePeriodSeconds"] == 20
    shorter = await api.delete(POD, "p", {"gracePeriodSeconds": 3})
    assert shorter.body["metadata"]["deletionGracePeriodSeconds"] == 3


async def test_a_status_update_does_not_end_a_grace_period(api):
    await api.create(POD, pod(node="n"))
    await api.delete(POD, "p")
    told = await api.patch(POD, "p", {"status": {"phase": "Failed"}}, "status")
    assert told.status == 200
    assert (await api.get(POD, "p")).status == 200


async def test_a_pod_on_no_node_goes_at_once(api):
    await api.create(POD, pod())
    await api.delete(POD, "p")
    assert (await api.get(POD, "p")).status == 404


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_a_pod_that_has_ended_goes_at_once(api, phase):
    await api.create(POD, pod(node="n"))
    await api.patch(POD, "p", {"status": {"phase": phase}}, "status")
    await api.delete(POD, "p")
    assert (await api.get(POD, "p")).status == 404


@pytest.mark.parametrize("resource", [SERVICE, SERVICE_ACCOUNT], ids=lambda resource: resource.kind)
async def test_some_kinds_answer_a_delete_with_the_object(api, resource):
    body = {"metadata": {"name": "x"}}
    if resource is SERVICE:
        body["spec"] = {"ports": [{"port": 80}]}
    assert (await api.create(resource, body)).status == 201
    assert (await api.delete(resource, "x")).body["kind"] == resource.kind


async def test_a_scale_tells_and_sets_replicas(api, widgets, widget):
    await api.create(widgets, widget("a", size=2))
    path = widgets.path("default", "a", "scale")
    told = await api.call("GET", path)
    assert (told.body["kind"], told.body["spec"], told.body["status"]) == ("Scale", {"replicas": 2}, {"replicas": 0})
    told.body["spec"]["replicas"] = 4
    assert (await api.call("PUT", path, told.body)).body["spec"] == {"replicas": 4}
    stale = await api.call("PUT", path, told.body)
    assert stale.status == 409
    change = {"spec": {"replicas": 5}}
    assert (await api.patch(widgets, "a", change, "scale")).body["spec"] == {"replicas": 5}
    obj = (await api.get(widgets, "a")).body
    assert (obj["spec"]["size"], obj["metadata"]["generation"]) == (5, 3)
    assert (await api.patch(widgets, "a", {"spec": {"replicas": -1}}, "scale")).status == 422
