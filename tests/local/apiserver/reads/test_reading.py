"""get and list: keys, selectors, pages and revisions."""

from __future__ import annotations

import pytest

from jobflow.local.apiserver.storage import shelf


@pytest.fixture
async def five(api, widgets, widget):
    for index, name in enumerate("cabed"):
        await api.create(widgets, widget(name, size=index, labels={"odd": str(index % 2)}))
    await api.create(widgets, widget("z"), "kube-system")
    return api


async def test_a_list_is_in_key_order_and_tells_its_revision(five, widgets):
    told = await five.list(widgets)
    assert told.body["kind"] == "WidgetList"
    assert told.body["apiVersion"] == "example.com/v1"
    assert [item["metadata"]["name"] for item in told.body["items"]] == ["a", "b", "c", "d", "e"]
    assert told.body["metadata"]["resourceVersion"] == str(five.server.revision)


async def test_all_namespaces_are_listed_namespace_by_namespace(five, widgets):
    assert await five.names(widgets, None) == ["a", "b", "c", "d", "e", "z"]


async def test_an_empty_list_has_items(api, widgets):
    assert (await api.list(widgets, "kube-system")).body["items"] == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"labelSelector": "odd=1"}, ["a", "e"]),
        ({"labelSelector": "odd in (0,1),odd!=1"}, ["b", "c", "d"]),
        ({"labelSelector": "!odd"}, []),
        ({"fieldSelector": "metadata.name=b"}, ["b"]),
        ({"fieldSelector": "metadata.name!=b"}, ["a", "c", "d", "e"]),
        ({"fieldSelector": "metadata.namespace=default", "labelSelector": "odd=1"}, ["a", "e"]),
    ],
)
async def test_selectors_select(five, widgets, query, expected):
    assert await five.names(widgets, **query) == expected


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ({"fieldSelector": "spec.size=1"}, "field label not supported: spec.size"),
        ({"labelSelector": "a in ("}, "unable to parse requirement"),
        ({"limit": "-1"}, "limit: Invalid value: -1: must be zero or more"),
        ({"limit": "x"}, 'strconv.ParseInt: parsing "x": invalid syntax'),
        ({"continue": "garbage!"}, "continue key is not valid"),
        ({"resourceVersion": "x"}, "resourceVersion"),
    ],
)
async def test_nonsense_is_a_bad_request(api, widgets, query, complaint):
    told = await api.list(widgets, **query)
    assert (told.status, told.body["reason"]) == (400, "BadRequest")
    assert complaint in told.body["message"]


async def pages(api, resource, between=None, **query):
    names, versions, token = [], set(), {}
    while True:
        told = await api.list(resource, **query, **token)
        assert told.status == 200, told.body
        names.append([item["metadata"]["name"] for item in told.body["items"]])
        versions.add(told.body["metadata"]["resourceVersion"])
        if not told.body["metadata"].get("continue"):
            assert len(versions) == 1
            return names
        token = {"continue": told.body["metadata"]["continue"]}
        if between:
            await between()


async def test_pages_cover_everything_once(five, widgets):
    assert await pages(five, widgets, limit=2) == [["a", "b"], ["c", "d"], ["e"]]
    assert await pages(five, widgets, limit=5) == [["a", "b", "c", "d", "e"]]
    assert await pages(five, widgets, limit=1, labelSelector="odd=1") == [["a"], ["e"]]


async def test_a_page_tells_how_many_are_left_unless_a_selector_hides_it(five, widgets):
    assert (await five.list(widgets, limit=2)).body["metadata"]["remainingItemCount"] == 3
    assert "remainingItemCount" not in (await five.list(widgets, limit=1, labelSelector="odd")).body["metadata"]


async def test_pages_show_one_revision_whatever_happens_between(five, widgets, widget):
    changes = iter(
        [
            lambda: five.delete(widgets, "d"),
            lambda: five.create(widgets, widget("bb")),
            lambda: five.delete(widgets, "e"),
            lambda: five.create(widgets, widget("e")),
            lambda: five.create(widgets, widget("x")),
        ]
    )

    async def change():
        await next(changes)()

    assert await pages(five, widgets, change, limit=1) == [["a"], ["b"], ["c"], ["d"], ["e"]]


async def test_a_token_older_than_the_history_is_410(five, widgets, monkeypatch):
    monkeypatch.setattr(shelf, "EVENTS_KEPT", 10)
    monkeypatch.setattr(shelf, "TRIM_AT_ONCE", 5)
    token = (await five.list(widgets, limit=2)).body["metadata"]["continue"]
    for size in range(30, 60):
        await five.patch(widgets, "a", {"spec": {"size": size}})
    told = await five.list(widgets, **{"continue": token})
    assert (told.status, told.body["reason"]) == (410, "Expired")
    assert "continue parameter is too old" in told.body["message"]


async def test_an_exact_revision_shows_the_past(five, widgets):
    past = five.server.revision
    await five.patch(widgets, "a", {"spec": {"size": 50}})
    await five.delete(widgets, "b")
    told = await five.list(widgets, resourceVersion=past, resourceVersionMatch="Exact")
    assert [(item["metadata"]["name"], item["spec"]["size"]) for item in told.body["items"]][:2] == [("a", 1), ("b", 2)]
    assert told.body["metadata"]["resourceVersion"] == str(past)


async def test_a_revision_not_reached_yet_is_a_timeout_that_may_be_retried(api, widgets):
    told = await api.list(widgets, resourceVersion=api.server.revision + 100)
    assert (told.status, told.body["reason"]) == (504, "Timeout")
    assert told.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


@pytest.mark.parametrize("version", ["0", "1"])
async def test_any_revision_reached_gives_the_newest_state(five, widgets, version):
    assert len(await five.names(widgets, resourceVersion=version, resourceVersionMatch="NotOlderThan")) == 5


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"resourceVersionMatch": "Exact"}, "is forbidden unless resourceVersion is provided"),
        ({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, 'is forbidden for resourceVersion "0"'),
        ({"resourceVersionMatch": "Sometimes", "resourceVersion": "1"}, 'Unsupported value: "Sometimes"'),
    ],
)
async def test_a_match_of_versions_that_is_none_is_invalid(five, widgets, options, complaint):
    told = await five.list(widgets, **options)
    assert told.status == 422
    assert complaint in told.body["message"]


async def test_lists_of_custom_objects_always_have_a_continue_token(five, widgets):
    assert (await five.list(widgets)).body["metadata"]["continue"] == ""
