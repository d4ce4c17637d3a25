"""Variables and arguments as Kubernetes would give them."""

from fractions import Fraction
from pathlib import Path

import pytest

from jobflow.local.kubelet.capacity import Amount
from jobflow.local.kubelet.downward import Facts
from jobflow.local.kubelet.environment import Machine, arguments, declared, expand, sources_of
from jobflow.local.kubelet.refusals import NotYet, Unrunnable
from jobflow.local.kubelet.sources import ObjectName, Source

KNOWN = {"A": "1", "B": "two"}
MACHINE = Amount(Fraction(2), Fraction(4 * 1024**3))
CONFIG, SECRET = ObjectName(Source.CONFIG_MAP, "settings"), ObjectName(Source.SECRET, "password")
OBJECTS = {CONFIG: {"LEVEL": b"debug", "my-key": b"v", "a=b": b"not a name"}, SECRET: {"PASS": b"s3cret"}}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("$(A)-$(B)", "1-two"),
        ("$(NOBODY)", "$(NOBODY)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A}", "$A ${A}"),
        ("$(A", "$(A"),
        ("100$", "100$"),
    ],
)
def test_references_are_expanded_where_they_are_known(text, expanded):
    assert expand(text, KNOWN) == expanded


@pytest.fixture
def env(pod, container):
    """The variables of a container with this spec, in a pod with these objects beside it."""

    def build(*variables, objects=OBJECTS, given=None, **spec):
        spec = container(shell="true", env=list(variables), **spec)
        return declared(Facts(pod(spec), "127.1.2.3", MACHINE), spec, objects, given or {})

    return build


def value(name, text):
    return {"name": name, "value": text}


def source(name, **of):
    return {"name": name, "valueFrom": of}


def test_four_variables_of_the_machine_and_the_host_name(pod, container):
    facts = Facts(pod(container(shell="true")), "127.1.2.3", MACHINE)
    assert Machine("/bin", "C").variables(facts, Path("/home")) == {
        "PATH": "/bin",
        "HOME": "/home",
        "LANG": "C",
        "TMPDIR": "/home/tmp",
        "HOSTNAME": "p",
    }


def test_a_variable_may_refer_to_those_before_it(env):
    assert env(value("A", "1"), value("B", "$(A)$(C)"), value("C", "x"))["B"] == "1$(C)"


def test_a_variable_may_refer_to_what_every_container_is_given(env):
    assert env(value("A", "$(KUBERNETES_SERVICE_HOST)"), given={"KUBERNETES_SERVICE_HOST": "h"})["A"] == "h"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "ns"),
        ("metadata.uid", "uid-p"),
        ("metadata.labels['color']", "green"),
        ("metadata.labels['none']", ""),
        ("metadata.labels", 'color="green"'),
        ("spec.nodeName", "local"),
        ("status.podIP", "127.1.2.3"),
        ("status.hostIP", "127.0.0.1"),
    ],
)
def test_fields_of_the_pod(env, path, text):
    assert env(source("V", fieldRef={"fieldPath": path}))["V"] == text


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        ({"resource": "requests.cpu"}, "1"),
        ({"resource": "requests.cpu", "divisor": "1m"}, "250"),
        ({"resource": "limits.memory", "divisor": "1Mi"}, "512"),
        ({"resource": "requests.memory", "divisor": "1Mi"}, "512"),
        ({"resource": "limits.cpu"}, "2"),
        ({"resource": "limits.cpu", "containerName": "main"}, "2"),
    ],
    ids=lambda given: str(given),
)
def test_requests_and_limits_in_units_of_the_divisor_else_what_the_machine_has(env, ref, text):
    resources = {"requests": {"cpu": "250m"}, "limits": {"memory": "512Mi"}}
    assert env(source("V", resourceFieldRef=ref), resources=resources)["V"] == text


def test_keys_of_objects(env):
    found = env(
        source("L", configMapKeyRef={"name": "settings", "key": "LEVEL"}),
        source("P", secretKeyRef={"name": "password", "key": "PASS"}),
        value("BOTH", "$(L)/$(P)"),
    )
    assert found == {"L": "debug", "P": "s3cret", "BOTH": "debug/s3cret"}


def test_all_keys_of_an_object_with_a_prefix_and_what_is_no_name_left_out(env):
    found = env(
        value("X_LEVEL", "mine"),
        envFrom=[{"prefix": "X_", "configMapRef": {"name": "settings"}}, {"secretRef": {"name": "password"}}],
    )
    assert found == {"X_LEVEL": "mine", "X_my-key": "v", "PASS": "s3cret"}


def test_the_objects_that_are_asked_for(container):
    spec = container(
        env=[
            source("L", configMapKeyRef={"name": "a", "key": "k"}),
            source("P", secretKeyRef={"name": "b", "key": "k"}),
        ],
        envFrom=[{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "d"}}],
    )
    names = {(name.kind.value, name.name) for name in sources_of(spec)}
    assert names == {("configmap", "a"), ("secret", "b"), ("configmap", "c"), ("secret", "d")}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            {"env": [source("V", configMapKeyRef={"name": "no", "key": "k"})]},
            'configmap "no" not found in namespace ns',
        ),
        (
            {"env": [source("V", secretKeyRef={"name": "password", "key": "k"})]},
            "couldn't find key k in secret ns/password",
        ),
        ({"envFrom": [{"secretRef": {"name": "no"}}]}, 'secret "no" not found in namespace ns'),
    ],
)
def test_what_is_missing_is_named(pod, container, spec, told):
    spec = container(shell="true", **spec)
    with pytest.raises(NotYet) as missing:
        declared(Facts(pod(spec), "", MACHINE), spec, OBJECTS, {})
    assert str(missing.value) == told


@pytest.mark.parametrize(
    "spec",
    [
        {"env": [source("V", configMapKeyRef={"name": "no", "key": "k", "optional": True})]},
        {"env": [source("V", secretKeyRef={"name": "password", "key": "k", "optional": True})]},
        {"envFrom": [{"configMapRef": {"name": "no", "optional": True}}]},
    ],
)
def test_what_may_be_missing_is_left_out(pod, container, spec):
    spec = container(shell="true", **spec)
    assert declared(Facts(pod(spec), "", MACHINE), spec, OBJECTS, {}) == {}


@pytest.mark.parametrize(
    ("of", "told"),
    [
        (
            {"fieldRef": {"fieldPath": "spec.nonsense"}},
            "container main: env V: fieldPath spec.nonsense is not available",
        ),
        ({"resourceFieldRef": {"resource": "limits.gpu"}}, "env V: resource limits.gpu is not available"),
        (
            {"resourceFieldRef": {"resource": "limits.cpu", "containerName": "no"}},
            'container "no" not found in the pod',
        ),
        ({}, "valueFrom names no source that is known here"),
    ],
)
def test_what_no_pod_here_has_is_named(env, of, told):
    with pytest.raises(Unrunnable, match="container main"):
        env(source("V", **of))
    with pytest.raises(Unrunnable) as refused:
        env(source("V", **of))
    assert told in refused.value.message


def test_command_and_args_are_one_line_with_references_expanded(container):
    spec = container(command=["echo", "$(A)"], args=["$(B)", "$$"])
    assert arguments(spec, KNOWN) == ("echo", "1", "two", "$")
