"""What built-in kinds are completed with."""

import pytest

from jobflow.local.apiserver.builtin.completion import pull_policy
from jobflow.local.apiserver.builtin.kinds import BUILTIN_TYPES

SCHEMAS = {served.resource.kind: served.schema for served in BUILTIN_TYPES}


def completed(kind, obj):
    SCHEMAS[kind].default(obj)
    return obj


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ({"stringData": {"a": "b"}}, {"data": {"a": "Yg=="}}),
        ({"data": {"a": "eA==", "c": "eQ=="}, "stringData": {"a": "b"}}, {"data": {"a": "Yg==", "c": "eQ=="}}),
        ({"stringData": {}}, {}),
        ({"stringData": {"a": 5}}, {"stringData": {"a": 5}}),
    ],
)
def test_text_of_a_secret_becomes_data(written, stored):
    assert completed("Secret", written) == {"type": "Opaque", **stored}


def test_a_port_of_a_service_leads_to_the_same_port():
    ports = [{"port": 80}, {"port": 81, "targetPort": "http"}]
    assert [port["targetPort"] for port in completed("Service", {"spec": {"ports": ports}})["spec"]["ports"]] == [
        80,
        "http",
    ]


def test_a_container_requests_what_it_is_limited_to():
    resources = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}
    spec = {"containers": [{"name": "c", "image": "x:1", "resources": resources}]}
    container = completed("Pod", {"spec": spec})["spec"]["containers"][0]
    assert container["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    assert container["imagePullPolicy"] == "IfNotPresent"


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("busybox", "Always"),
        ("busybox:latest", "Always"),
        ("busybox:1.36", "IfNotPresent"),
        ("registry:5000/busybox", "Always"),
        ("registry:5000/busybox:1", "IfNotPresent"),
        ("busybox@sha256:abc", "IfNotPresent"),
    ],
)
def test_pull_policy(image, policy):
    assert pull_policy(image) == policy


@pytest.mark.parametrize("kind", ["Pod", "Service", "Secret"])
@pytest.mark.parametrize(
    "obj",
    [{}, {"spec": []}, {"spec": {"containers": 5, "ports": "x"}}, {"spec": {"containers": [1], "ports": [None]}}],
)
def test_objects_of_any_shape_are_left_to_validation(kind, obj):
    completed(kind, obj)
