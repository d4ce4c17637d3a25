"""Protobuf bodies, as kubectl's typed verbs send them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.local.apiserver.wire.protobuf import MAGIC, NotReadable, decode
from jobflow.local.apiserver.wire.protobuf_wire import fields, signed


def varint(value):
    value &= 2**64 - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def message(*parts):
    """Bytes of a message of (number, value) parts."""
    out = b""
    for number, value in parts:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def body(version, kind, *parts):
    return MAGIC + message((1, message((1, version), (2, kind))), (2, message(*parts)), (3, ""), (4, ""))


def metadata(name):
    """As Go sends it: empty strings, zero and the zero time included."""
    return message((1, name), (2, ""), (3, ""), (5, ""), (6, ""), (7, 0), (8, b""))


RBAC = "rbac.authorization.k8s.io/v1"


@pytest.mark.parametrize(
    ("what", "sent", "read"),
    [
        (
            "kubectl create namespace test",
            body("v1", "Namespace", (1, metadata("test")), (2, b""), (3, message((1, "")))),
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "test"}},
        ),
        (
            "kubectl create configmap",
            body(
                "v1", "ConfigMap", (1, metadata("c")), (2, message((1, "a"), (2, "b"))), (2, message((1, "e"), (2, "")))
            ),
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b", "e": ""}},
        ),
        (
            "kubectl create secret",
            body("v1", "Secret", (1, metadata("s")), (2, message((1, "a"), (2, b"\xff"))), (3, "Opaque")),
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "/w=="}, "type": "Opaque"},
        ),
        (
            "kubectl create service",
            body(
                "v1",
                "Service",
                (1, metadata("s")),
                (2, message((1, message((1, "http"), (3, 80), (4, message((1, 0), (2, 8080))))), (4, "ClusterIP"))),
            ),
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "s"},
                "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}], "type": "ClusterIP"},
            },
        ),
        (
            "kubectl create role: the empty group counts",
            body(RBAC, "Role", (1, metadata("r")), (2, message((1, "get"), (2, ""), (3, "pods")))),
            {
                "apiVersion": RBAC,
                "kind": "Role",
                "metadata": {"name": "r"},
                "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
            },
        ),
        (
            "kubectl auth can-i",
            body(
                "authorization.k8s.io/v1",
                "SelfSubjectAccessReview",
                (1, metadata("")),
                (2, message((1, message((1, "default"), (2, "get"), (5, "pods"))))),
            ),
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "metadata": {},
                "spec": {"resourceAttributes": {"namespace": "default", "verb": "get", "resource": "pods"}},
            },
        ),
        (
            "a delete at once: zero seconds are said, not left out",
            body("v1", "DeleteOptions", (1, 0), (2, message((1, "u"))), (4, "Background")),
            {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "gracePeriodSeconds": 0,
                "preconditions": {"uid": "u"},
                "propagationPolicy": "Background",
            },
        ),
        (
            "owners, labels and times",
            body(
                "v1",
                "ConfigMap",
                (
                    1,
                    message(
                        (1, "c"),
                        (8, message((1, 1_700_000_000), (2, 0))),
                        (11, message((1, "a"), (2, "b"))),
                        (13, message((1, "Pod"), (3, "p"), (4, "u"), (5, "v1"), (6, 0))),
                    ),
                ),
            ),
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": "c",
                    "creationTimestamp": "2023-11-14T22:13:20Z",
                    "labels": {"a": "b"},
                    "ownerReferences": [
                        {"kind": "Pod", "name": "p", "uid": "u", "apiVersion": "v1", "controller": False}
                    ],
                },
            },
        ),
    ],
)
def test_a_body_is_read_as_json_would_have_it(what, sent, read):
    assert decode(sent) == read


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"{}", "does not begin as protobuf"),
        (body("apps/v1", "Deployment"), "Deployment of apps/v1 is read as JSON only"),
        (MAGIC + b"\x0a\x7f", "damaged"),
        (MAGIC + b"\xff" * 20, "damaged"),
        (body("v1", "ConfigMap", (1, 5)), "a number where bytes should be"),
        (body("v1", "Namespace", (1, message((1, b"\xff")))), "damaged"),
    ],
)
def test_what_cannot_be_read_is_refused(sent, told):
    with pytest.raises(NotReadable, match=re.escape(told)):
        decode(sent)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data):
    envelope = message((1, message((1, "v1"), (2, "Secret"))), (2, data))
    for sent in (MAGIC + data, MAGIC + envelope):
        try:
            decode(sent)
        except NotReadable:
            continue


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=5))))
def test_fields_come_as_they_were_sent(parts):
    found = [
        (number, value if isinstance(value, bytes) else signed(value)) for number, value in fields(message(*parts))
    ]
    assert found == parts
