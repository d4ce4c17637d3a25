"""Paths and queries."""

from __future__ import annotations

import pytest

from jobflow.kube.transport import Request
from jobflow.local.apiserver.routes import Query, Route, is_watch, parse_path
from jobflow.local.apiserver.statuses import StatusError


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/pods", Route("", "v1", "pods")),
        ("/api/v1/namespaces", Route("", "v1", "namespaces")),
        ("/api/v1/namespaces/x", Route("", "v1", "namespaces", None, "x")),
        ("/api/v1/namespaces/x/status", Route("", "v1", "namespaces", None, "x", "status")),
        ("/api/v1/namespaces/x/finalize", Route("", "v1", "namespaces", None, "x", "finalize")),
        ("/api/v1/namespaces/x/pods", Route("", "v1", "pods", "x")),
        ("/api/v1/namespaces/x/pods/p/log", Route("", "v1", "pods", "x", "p", "log")),
        ("/apis/g.io/v1/things", Route("g.io", "v1", "things")),
        ("/apis/g.io/v1/things/a/status", Route("g.io", "v1", "things", None, "a", "status")),
        ("/apis/g.io/v1/namespaces/x/things/a%3Ab", Route("g.io", "v1", "things", "x", "a:b")),
        ("/apis/g.io/v1", None),
        ("/apis/g.io/v1/namespaces/x/things/a/b/c", None),
        ("/healthz", None),
    ],
)
def test_a_path_names_a_collection_an_object_or_a_subresource(path, expected):
    assert parse_path(path) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ((), False),
        ((("watch", "true"),), True),
        ((("watch", "1"),), True),
        ((("watch", ""),), True),
        ((("watch", "false"),), False),
        ((("watch", "0"),), False),
    ],
)
def test_a_watch_is_asked_for_by_a_flag(query, expected):
    assert is_watch(Request("GET", "/api/v1/pods", query)) == expected


def test_only_a_get_of_a_log_is_followed():
    follow = (("follow", "true"),)
    assert is_watch(Request("GET", "/api/v1/namespaces/x/pods/p/log", follow))
    assert not is_watch(Request("GET", "/api/v1/namespaces/x/pods/p", follow))
    assert not is_watch(Request("POST", "/api/v1/pods", (("watch", "true"),)))


@pytest.mark.parametrize(
    "read",
    [
        lambda query: query.flag("x"),
        lambda query: query.number("x"),
    ],
)
def test_nonsense_is_a_bad_request(read):
    with pytest.raises(StatusError) as refused:
        read(Query((("x", "maybe"),)))
    assert refused.value.code == 400


@pytest.mark.parametrize(("name", "value"), [("dryRun", "Some"), ("fieldValidation", "Lax")])
def test_options_of_a_write_that_are_none_are_invalid(name, value):
    with pytest.raises(StatusError) as refused:
        Query(((name, value),)).check_write("CreateOptions")
    assert refused.value.code == 422
    assert f'CreateOptions.meta.k8s.io "" is invalid: {name}: Unsupported value' in refused.value.message
