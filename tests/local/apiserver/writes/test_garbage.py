"""Owners and dependents: background, foreground, orphan, and owners that never were."""

from __future__ import annotations

import pytest

from jobflow.api.resources import CONFIG_MAP

FOREGROUND = {"propagationPolicy": "Foreground"}


@pytest.fixture
def family(api, widgets, widget):
    """family(b="a", c="b") creates each after its owner; a value may be a tuple of owners."""

    async def build(*, block: bool = False, **owners):
        objects = {}
        for name, parents in owners.items():
            known = tuple(objects[parent] for parent in filter(None, parents.split()))
            objects[name] = (await api.create(widgets, widget(name, owners=known, block=block))).body
        return objects

    return build


async def test_dependents_follow_their_owner_down_the_generations(api, widgets, family):
    await family(a="", b="a", c="b", stranger="")
    await api.delete(widgets, "a")
    await api.gone(widgets, "b")
    await api.gone(widgets, "c")
    assert await api.names(widgets) == ["stranger"]


async def test_dependents_of_other_kinds_follow_too(api, widgets, family):
    objects = await family(a="")
    owner = objects["a"]
    reference = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "a", "uid": owner["metadata"]["uid"]}
    await api.create(CONFIG_MAP, {"metadata": {"name": "c", "ownerReferences": [reference]}})
    await api.delete(widgets, "a")
    await api.gone(CONFIG_MAP, "c")
    assert await api.names(CONFIG_MAP) == []


async def test_an_object_stays_while_one_of_its_owners_does(api, widgets, family):
    objects = await family(a="", b="", c="a b")
    async with api.watching(
        widgets, resourceVersion=str(api.server.revision), fieldSelector="metadata.name=c"
    ) as watch:
        await api.delete(widgets, "a")
        event = await watch.next()
    kept = event["object"]["metadata"]["ownerReferences"]
    assert [owner["uid"] for owner in kept] == [objects["b"]["metadata"]["uid"]], "the dangling reference is taken off"
    await api.delete(widgets, "b")
    await api.gone(widgets, "c")


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("no object has the uid", {"uid": "00000000-0000-4000-8000-000000000000"}),
        ("the uid is of an object with another name", {"name": "other"}),
    ],
)
async def test_an_owner_that_never_existed_counts_as_gone(api, widgets, widget, family, why, change):
    owner = (await family(a=""))["a"]
    orphan = widget("b", owners=(owner,))
    orphan["metadata"]["ownerReferences"][0] |= change
    await api.create(widgets, orphan)
    await api.gone(widgets, "b")


async def test_an_owner_in_another_namespace_is_none(api, widgets, widget, family):
    owner = (await family(a=""))["a"]
    await api.create(widgets, widget("b", owners=(owner,)), "kube-system")
    await api.gone(widgets, "b", "kube-system")


async def test_a_new_object_of_the_owners_name_does_not_save_the_dependents(api, widgets, widget, family):
    await family(a="", b="a")
    await api.delete(widgets, "a")
    await api.create(widgets, widget("a"))
    await api.gone(widgets, "b")
    assert await api.names(widgets) == ["a"]


async def test_orphaned_dependents_stay_and_lose_their_reference(api, widgets, family):
    await family(a="", b="a", c="b")
    await api.delete(widgets, "a", {"propagationPolicy": "Orphan"})
    await api.gone(widgets, "a")
    assert await api.names(widgets) == ["b", "c"]
    assert "ownerReferences" not in (await api.get(widgets, "b")).body["metadata"]
    assert "ownerReferences" in (await api.get(widgets, "c")).body["metadata"]


async def test_in_foreground_the_owner_goes_last(api, widgets, family):
    await family(a="", b="a", c="b", block=True)
    start = str(api.server.revision)
    told = await api.delete(widgets, "a", FOREGROUND)
    assert told.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    await api.gone(widgets, "a")
    async with api.watching(widgets, resourceVersion=start) as watch:
        deleted = []
        while len(deleted) < 3:
            event = await watch.next()
            if event["type"] == "DELETED":
                deleted.append(event["object"]["metadata"]["name"])
    assert deleted == ["c", "b", "a"]


async def test_in_foreground_an_owner_waits_for_a_dependents_finalizer(api, widgets, widget, family):
    owner = (await family(a=""))["a"]
    await api.create(widgets, widget("b", owners=(owner,), block=True, finalizers=["example.com/hold"]))
    version = (await api.get(widgets, "b")).body["metadata"]["resourceVersion"]
    async with api.watching(widgets, resourceVersion=version, fieldSelector="metadata.name=b") as watch:
        await api.delete(widgets, "a", FOREGROUND)
        assert "deletionTimestamp" in (await watch.next())["object"]["metadata"]
    assert (await api.get(widgets, "a")).status == 200
    await api.patch(widgets, "b", {"metadata": {"finalizers": None}})
    await api.gone(widgets, "a")


async def test_in_foreground_dependents_that_do_not_block_are_not_waited_for(api, widgets, widget, family):
    owner = (await family(a=""))["a"]
    await api.create(widgets, widget("b", owners=(owner,), finalizers=["example.com/hold"]))
    await api.delete(widgets, "a", FOREGROUND)
    await api.gone(widgets, "a")
    assert await api.names(widgets) == ["b"]


async def test_a_deletion_in_foreground_without_dependents_ends(api, widgets, family):
    await family(a="")
    await api.delete(widgets, "a", FOREGROUND)
    await api.gone(widgets, "a")


async def test_background_after_foreground_lets_the_owner_go_at_once(api, widgets, widget, family):
    owner = (await family(a=""))["a"]
    await api.create(widgets, widget("b", owners=(owner,), block=True, finalizers=["example.com/hold"]))
    await api.delete(widgets, "a", FOREGROUND)
    await api.delete(widgets, "a", {"propagationPolicy": "Background"})
    assert (await api.get(widgets, "a")).status == 404


async def test_adopting_into_a_dead_family_ends_an_object(api, widgets, widget, family):
    owner = (await family(a=""))["a"]
    await api.create(widgets, widget("b"))
    await api.delete(widgets, "a")
    reference = widget("x", owners=(owner,))["metadata"]["ownerReferences"]
    await api.patch(widgets, "b", {"metadata": {"ownerReferences": reference}})
    await api.gone(widgets, "b")


async def test_a_thousand_dependents_that_block_go_first(api, widgets, widget, family):
    owner = (await family(a=""))["a"]
    for index in range(1000):
        await api.create(widgets, widget(f"b{index}", owners=(owner,), block=True))
    await api.delete(widgets, "a", FOREGROUND)
    await api.gone(widgets, "a")
    assert await api.names(widgets) == []


async def test_a_thousand_dependents_go_and_nothing_is_written_afterwards(api, widgets, widget, family):
    owner = (await family(a=""))["a"]
    for index in range(1000):
        await api.create(widgets, widget(f"b{index}", owners=(owner,)))
    before = api.server.revision
    await api.delete(widgets, "a")
    await api.gone(widgets, "b999")
    assert await api.names(widgets) == []
    assert api.server.revision == before + 1001
