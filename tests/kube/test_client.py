"""The client's requests, what it repeats, and what it leaves to its caller; in virtual time."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from jobflow.kube.client import Client
from jobflow.kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    KindNotFound,
    NotFound,
    NotSent,
    Throttled,
    Unavailable,
)
from jobflow.kube.transport import JSON_PATCH, Response

pytestmark = pytest.mark.looptime

DONE = Response(200, b'{"kind":"Widget"}')


async def created(client: Client, api) -> bytes:
    return await client.create(api.widget, "ns", {"kind": "Widget"})


async def fetched(client: Client, api) -> bytes:
    return await client.get(api.widget, "ns", "a")


VERBS = [
    ("get", lambda c, w: c.get(w, "ns", "a"), "GET", "/a", "application/json", {}, None),
    ("create", lambda c, w: c.create(w, "ns", {"x": 1}), "POST", "", "application/json", {}, {"x": 1}),
    ("replace", lambda c, w: c.replace(w, "ns", "a", {"x": 1}), "PUT", "/a", "application/json", {}, {"x": 1}),
    (
        "replace of the status",
        lambda c, w: c.replace(w, "ns", "a", {"x": 1}, subresource="status"),
        "PUT",
        "/a/status",
        "application/json",
        {},
        {"x": 1},
    ),
    (
        "patch",
        lambda c, w: c.patch(w, "ns", "a", {"x": 1}),
        "PATCH",
        "/a",
        "application/merge-patch+json",
        {},
        {"x": 1},
    ),
    (
        "JSON patch of the status",
        lambda c, w: c.patch(w, "ns", "a", [1], subresource="status", content_type=JSON_PATCH),
        "PATCH",
        "/a/status",
        "application/json-patch+json",
        {},
        [1],
    ),
    (
        "apply",
        lambda c, w: c.apply(w, "ns", "a", {"x": 1}),
        "PATCH",
        "/a",
        "application/apply-patch+yaml",
        {"force": "true"},
        {"x": 1},
    ),
]


@pytest.mark.parametrize(("what", "call", "method", "path", "content_type", "query", "body"), VERBS)
async def test_a_verb_is_one_request(what, call, method, path, content_type, query, body, api, client):
    api.others = [DONE]
    assert await call(client, api.widget) == DONE.body
    ((_, request),) = api.log
    assert (request.method, request.content_type) == (method, content_type)
    assert request.path == "/apis/example.com/v1/namespaces/ns/widgets" + path
    assert dict(request.query) == ({} if method == "GET" else {"fieldManager": "jobflow", **query})
    assert (msgspec.json.decode(request.body) if body is not None else None) == body


@pytest.mark.parametrize(
    ("what", "options", "expected"),
    [
        ("by name", {}, {"propagationPolicy": "Background"}),
        ("one incarnation", {"uid": "u"}, {"propagationPolicy": "Background", "preconditions": {"uid": "u"}}),
        (
            "a pod that has ended",
            {"grace_seconds": 0},
            {"propagationPolicy": "Background", "gracePeriodSeconds": 0},
        ),
        (
            "one version, in the foreground",
            {"resource_version": "5", "propagation": "Foreground"},
            {"propagationPolicy": "Foreground", "preconditions": {"resourceVersion": "5"}},
        ),
    ],
)
async def test_delete_says_what_it_means(what, options, expected, api, client):
    api.others = [DONE]
    await client.delete(api.widget, "ns", "a", **options)
    ((_, request),) = api.log
    assert request.method == "DELETE"
    assert msgspec.json.decode(request.body) == {"apiVersion": "v1", "kind": "DeleteOptions", **expected}


async def test_a_list_is_followed_to_its_end(api, client):
    api.lists = [api.page("a", version="5", more="x"), api.page("b", version="5", more="y"), api.page(version="5")]
    pages = [body async for body in client.list(api.widget, label_selector="a in (b)", field_selector="c=d")]
    assert len(pages) == 3
    selectors = {"labelSelector": "a in (b)", "fieldSelector": "c=d", "limit": "500"}
    assert [query for _, query in api.asked("list")] == [
        selectors,
        {**selectors, "continue": "x"},
        {**selectors, "continue": "y"},
    ]


async def test_an_expired_continue_token_is_told_to_the_caller(api, client):
    api.lists = [api.page("a", version="5", more="x"), api.refusal(410, "Expired")]
    with pytest.raises(Gone):
        [body async for body in client.list(api.widget)]


async def test_a_page_that_is_no_list_is_an_error(api, client):
    api.lists = [Response(200, b"<html>")]
    with pytest.raises(Unavailable, match="not a list"):
        [body async for body in client.list(api.widget)]


@pytest.mark.parametrize(
    ("code", "reason", "details", "error"),
    [
        (409, "Conflict", {}, Conflict),
        (409, "AlreadyExists", {}, AlreadyExists),
        (404, "NotFound", {"name": "a"}, NotFound),
        (404, "NotFound", {}, KindNotFound),
        (410, "Expired", {}, Gone),
        (422, "Invalid", {}, Invalid),
        (403, "Forbidden", {}, Forbidden),
        (302, "", {}, ApiError),
    ],
)
async def test_an_answer_that_is_no_success_is_raised_at_once(code, reason, details, error, api, client):
    api.others = [api.refusal(code, reason, details=details)]
    with pytest.raises(error) as told:
        await fetched(client, api)
    assert type(told.value) is error
    assert len(api.log) == 1


REFUSED = NotSent("connection refused")
RESET = Unavailable("connection reset")


def slow_down(api, after: str) -> Response:
    return api.refusal(429, "TooManyRequests", {"retry-after": after})


@pytest.mark.parametrize(
    ("what", "call", "first", "requests"),
    [
        ("a read after 500", fetched, lambda api: api.refusal(500), 2),
        ("a read after 429", fetched, lambda api: slow_down(api, "1"), 2),
        ("a read after a reset", fetched, lambda api: RESET, 2),
        ("a read after a refused connection", fetched, lambda api: REFUSED, 2),
        ("a write after 429", created, lambda api: slow_down(api, "1"), 2),
        ("a write after a refused connection", created, lambda api: REFUSED, 2),
        ("a write after 500", created, lambda api: api.refusal(500), 1),
        ("a write after a reset", created, lambda api: RESET, 1),
        ("a write after a timeout", created, lambda api: Unavailable("no answer within 30 s"), 1),
        ("a write after 429 for a minute", created, lambda api: slow_down(api, "60"), 1),
    ],
)
async def test_only_what_is_safe_and_short_is_repeated(what, call, first, requests, api, client):
    api.others = [first(api), DONE]
    if requests == 2:
        assert await call(client, api) == DONE.body
    else:
        with pytest.raises((Unavailable, Throttled)):
            await call(client, api)
    assert len(api.log) == requests


async def test_repeating_ends_after_four_attempts_or_five_seconds(api, client):
    api.others = [api.refusal(503)]
    with pytest.raises(Unavailable):
        await fetched(client, api)
    assert len(api.log) == 4
    api.log.clear()
    api.latency, api.others = 30.0, [Unavailable("no answer within 30 s")]
    with pytest.raises(Unavailable):
        await fetched(client, api)
    assert len(api.log) == 1


async def test_retry_after_is_waited_for(api, client):
    api.others = [slow_down(api, "3"), DONE]
    await created(client, api)
    assert 3.0 <= api.log[1][0] - api.log[0][0] <= 3.5


async def test_no_more_than_the_limit_are_in_flight(api, client):
    api.others, api.latency = [DONE], 0.1
    await asyncio.gather(*(created(client, api) for _ in range(200)))
    assert api.most_running == 64
    assert len(api.log) == 200


async def test_a_throttled_client_sends_less_at_once(api, client):
    api.others, api.latency = [slow_down(api, "1"), DONE], 0.1
    await created(client, api)
    api.most_running = 0
    await asyncio.gather(*(created(client, api) for _ in range(100)))
    assert api.most_running < 50


async def test_closing_closes_the_transport(api, client):
    await client.close()
    assert api.closed
