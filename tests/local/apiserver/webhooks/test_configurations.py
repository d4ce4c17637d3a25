"""Configurations: which requests a hook is about."""

from __future__ import annotations

import msgspec
import pytest

from jobflow.api.resources import Resource
from jobflow.local.apiserver.webhooks.configurations import Hook, Rule, Selector, Target, selects, version_for

WIDGETS = Resource("example.com", "v1", "widgets", "Widget")


def hook(**rule):
    given = {"apiGroups": ["example.com"], "apiVersions": ["v1"], "resources": ["widgets"], "operations": ["CREATE"]}
    policy = rule.pop("policy", "Equivalent")
    written = {"name": "a", "clientConfig": {}, "rules": [{**given, **rule}], "matchPolicy": policy}
    return msgspec.convert(written, Hook)


def target(operation="CREATE", subresource="", versions=("v1",)):
    return Target(WIDGETS, subresource, operation, versions, True)


ROWS = [
    ("the same", hook(), target(), "v1"),
    ("another operation", hook(), target("DELETE"), None),
    ("any operation", hook(operations=["*"]), target("DELETE"), "v1"),
    ("another group", hook(apiGroups=["other"]), target(), None),
    ("all of everything", hook(apiGroups=["*"], apiVersions=["*"], resources=["*/*"]), target(), "v1"),
    ("a part", hook(), target(subresource="status"), None),
    ("the part by name", hook(resources=["widgets/status"]), target(subresource="status"), "v1"),
    ("the whole is not its part", hook(resources=["widgets/status"]), target(), None),
    ("any part", hook(resources=["widgets/*"]), target(subresource="status"), "v1"),
    ("cluster-wide kinds only", hook(scope="Cluster"), target(), None),
    ("another version is converted to", hook(apiVersions=["v2"]), target(versions=("v1", "v2")), "v2"),
    ("exactly another version", hook(apiVersions=["v2"], policy="Exact"), target(versions=("v1", "v2")), None),
    ("a version that is not served", hook(apiVersions=["v3"]), target(versions=("v1", "v2")), None),
]


@pytest.mark.parametrize(("one", "wanted", "version"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_hook(one, wanted, version):
    assert version_for(one, wanted) == version


@pytest.mark.parametrize(
    ("selector", "labels", "holds"),
    [
        ({}, {}, True),
        ({"matchLabels": {"a": "b"}}, {"a": "b", "c": "d"}, True),
        ({"matchLabels": {"a": "b"}}, {"a": "x"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c"]}]}, {"a": "c"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {}, True),
    ],
    ids=str,
)
def test_a_selector(selector, labels, holds):
    assert msgspec.convert(selector, Selector).holds(labels) is holds


def test_the_object_before_counts_too():
    one = Hook("a", None, (Rule(),), objectSelector=Selector({"a": "b"}))
    labelled = {"metadata": {"labels": {"a": "b"}}}
    assert selects(one, ({"metadata": {}}, labelled), None)
    assert not selects(one, ({"metadata": {}}, None), None)
