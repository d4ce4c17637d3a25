"""Rights: what a rule covers, and whom a binding is about."""

from __future__ import annotations

import pytest

from jobflow.kube.transport import Request
from jobflow.local.apiserver.access.attributes import attributes_of
from jobflow.local.apiserver.access.callers import Caller
from jobflow.local.apiserver.access.rights import Attributes, Rule, Subject, allows, binds
from jobflow.local.apiserver.routes import parse_path

PODS = Rule(verbs=("get", "list"), apiGroups=("",), resources=("pods",))
ROWS = [
    ("the verb and the resource", PODS, Attributes("get", resource="pods"), True),
    ("another verb", PODS, Attributes("delete", resource="pods"), False),
    ("another group", PODS, Attributes("get", group="apps", resource="pods"), False),
    ("a part is not the whole", PODS, Attributes("get", resource="pods", subresource="log"), False),
    ("the part by name", Rule(("get",), ("",), ("pods/log",)), Attributes("get", "", "pods", "log"), True),
    ("the part of anything", Rule(("get",), ("*",), ("*/log",)), Attributes("get", "", "pods", "log"), True),
    ("everything", Rule(("*",), ("*",), ("*",)), Attributes("patch", "x", "ys", "status"), True),
    ("one by its name", Rule(("get",), ("",), ("pods",), ("a",)), Attributes("get", resource="pods", name="a"), True),
    ("another name", Rule(("get",), ("",), ("pods",), ("a",)), Attributes("get", resource="pods", name="b"), False),
    ("a path", Rule(("get",), nonResourceURLs=("/version",)), Attributes("get", path="/version"), True),
    ("paths below", Rule(("get",), nonResourceURLs=("/apis/*",)), Attributes("get", path="/apis/x"), True),
    ("another path", Rule(("get",), nonResourceURLs=("/apis/*",)), Attributes("get", path="/api"), False),
    ("resources say nothing of paths", Rule(("*",), ("*",), ("*",)), Attributes("get", path="/version"), False),
]


@pytest.mark.parametrize(("rule", "wanted", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_rule(rule, wanted, expected):
    assert allows(rule, wanted) is expected


WORKER = Caller("system:serviceaccount:ns:worker", ("system:serviceaccounts", "system:authenticated"))


@pytest.mark.parametrize(
    ("subject", "namespace", "expected"),
    [
        (Subject("ServiceAccount", "worker", "ns"), "", True),
        (Subject("ServiceAccount", "worker"), "ns", True),
        (Subject("ServiceAccount", "worker", "other"), "ns", False),
        (Subject("User", "system:serviceaccount:ns:worker"), "", True),
        (Subject("Group", "system:serviceaccounts"), "", True),
        (Subject("Group", "system:masters"), "", False),
    ],
    ids=str,
)
def test_a_subject(subject, namespace, expected):
    assert (binds((subject,), WORKER, namespace) is subject) is expected


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/pods", (), Attributes("list", resource="pods")),
        ("GET", "/api/v1/namespaces/n/pods/a", (), Attributes("get", resource="pods", namespace="n", name="a")),
        ("GET", "/api/v1/pods", (("watch", "1"),), Attributes("watch", resource="pods")),
        ("DELETE", "/api/v1/namespaces/n/pods", (), Attributes("deletecollection", resource="pods", namespace="n")),
        ("GET", "/api/v1/namespaces/n", (), Attributes("get", resource="namespaces", namespace="n", name="n")),
        ("GET", "/version", (), Attributes("get", path="/version")),
        (
            "PATCH",
            "/apis/g/v1/namespaces/n/xs/a/status",
            (),
            Attributes("patch", "g", "xs", "status", namespace="n", name="a"),
        ),
        (
            "GET",
            "/api/v1/namespaces/n/pods",
            (("fieldSelector", "metadata.name=a"),),
            Attributes("list", resource="pods", namespace="n", name="a"),
        ),
    ],
)
def test_attributes_of_a_request(method, path, query, expected):
    assert attributes_of(Request(method, path, query), parse_path(path)) == expected
