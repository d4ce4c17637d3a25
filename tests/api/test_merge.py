"""A partial Job spec laid over a whole one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.api.merge import MergeProblem, merge_spec


def pod(**spec: Any) -> dict[str, Any]:
    return {"tasks": [{"name": "w", "replicas": 1, "template": {"spec": spec}}]}


def box(**fields: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "main", "image": "busybox:1", **fields}])


BASE = {
    "minAvailable": 2,
    "queue": "default",
    "maxRetry": 5,
    "plugins": {"svc": ["--a"], "env": []},
    "policies": [{"event": "PodFailed", "action": "RestartJob"}],
    "tasks": [{"name": "ps", "replicas": 1}, {"name": "w", "replicas": 2, "minAvailable": 2}],
}


@pytest.mark.parametrize(
    ("said", "base", "patch", "merged"),
    [
        ("nothing changes nothing", BASE, {}, BASE),
        ("a field is replaced", {"queue": "a", "maxRetry": 5}, {"queue": "b"}, {"queue": "b", "maxRetry": 5}),
        ("zero is a value", {"maxRetry": 5}, {"maxRetry": 0}, {"maxRetry": 0}),
        ("null takes a field away", {"maxRetry": 5, "queue": "q"}, {"maxRetry": None}, {"queue": "q"}),
        (
            "a task merges by its name",
            {"tasks": BASE["tasks"]},
            {"tasks": [{"name": "w", "replicas": 8}]},
            {"tasks": [{"name": "ps", "replicas": 1}, {"name": "w", "replicas": 8, "minAvailable": 2}]},
        ),
        (
            "a new task is added",
            {"tasks": [{"name": "ps"}]},
            {"tasks": [{"name": "w", "replicas": 1}]},
            {"tasks": [{"name": "ps"}, {"name": "w", "replicas": 1}]},
        ),
        (
            "a task is deleted",
            {"tasks": [{"name": "ps"}, {"name": "w"}]},
            {"tasks": [{"name": "ps", "$patch": "delete"}]},
            {"tasks": [{"name": "w"}]},
        ),
        (
            "all tasks are replaced",
            {"tasks": [{"name": "ps"}, {"name": "w"}]},
            {"tasks": [{"$patch": "replace"}, {"name": "x"}]},
            {"tasks": [{"name": "x"}]},
        ),
        (
            "one task is replaced",
            {"tasks": [{"name": "ps", "replicas": 3}]},
            {"tasks": [{"name": "ps", "$patch": "replace", "minAvailable": 1}]},
            {"tasks": [{"name": "ps", "minAvailable": 1}]},
        ),
        (
            "an unnamed task means the only one",
            {"tasks": [{"name": "w", "replicas": 1}]},
            {"tasks": [{"replicas": 4}]},
            {"tasks": [{"name": "w", "replicas": 4}]},
        ),
        (
            "which may be unnamed itself",
            {"tasks": [{"replicas": 1}]},
            {"tasks": [{"name": "default0", "replicas": 4}]},
            {"tasks": [{"name": "default0", "replicas": 4}]},
        ),
        (
            "plugins merge by key",
            {"plugins": BASE["plugins"]},
            {"plugins": {"svc": []}},
            {"plugins": {"svc": [], "env": []}},
        ),
        (
            "policies are replaced",
            {"policies": BASE["policies"]},
            {"policies": [{"event": "*", "action": "AbortJob"}]},
            {"policies": [{"event": "*", "action": "AbortJob"}]},
        ),
        ("an image", box(), box(image="busybox:2"), box(image="busybox:2")),
        ("a command is replaced", box(command=["a", "b"]), box(command=["c"]), box(command=["c"])),
        (
            "variables merge by name",
            box(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]),
            box(env=[{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]),
            box(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}]),
        ),
        (
            "ports merge by number and protocol, TCP where none is said",
            box(ports=[{"containerPort": 80, "name": "web"}, {"containerPort": 80, "protocol": "UDP"}]),
            box(ports=[{"containerPort": 80, "protocol": "TCP", "hostPort": 8080}]),
            box(
                ports=[
                    {"containerPort": 80, "name": "web", "protocol": "TCP", "hostPort": 8080},
                    {"containerPort": 80, "protocol": "UDP"},
                ]
            ),
        ),
        (
            "mounts merge by their place",
            box(volumeMounts=[{"mountPath": "/a", "name": "x"}]),
            box(volumeMounts=[{"mountPath": "/a", "name": "y"}, {"mountPath": "/b", "name": "x"}]),
            box(volumeMounts=[{"mountPath": "/a", "name": "y"}, {"mountPath": "/b", "name": "x"}]),
        ),
        (
            "resources merge, whatever the quantities are written as",
            box(resources={"requests": {"cpu": "500m", "memory": "1Gi"}}),
            box(resources={"requests": {"cpu": 2}, "limits": {"cpu": "2"}}),
            box(resources={"requests": {"cpu": 2, "memory": "1Gi"}, "limits": {"cpu": "2"}}),
        ),
        (
            "tolerations merge by key and effect",
            pod(tolerations=[{"key": "gpu", "effect": "NoSchedule", "operator": "Exists"}]),
            pod(tolerations=[{"key": "gpu", "effect": "NoExecute"}, {"operator": "Exists", "effect": "NoSchedule"}]),
            pod(
                tolerations=[
                    {"key": "gpu", "effect": "NoSchedule", "operator": "Exists"},
                    {"key": "gpu", "effect": "NoExecute"},
                    {"operator": "Exists", "effect": "NoSchedule"},
                ]
            ),
        ),
        (
            "node selectors merge",
            pod(nodeSelector={"a": "1"}),
            pod(nodeSelector={"b": "2", "a": None}),
            pod(nodeSelector={"b": "2"}),
        ),
        (
            "volumes of the pod merge by name",
            pod(volumes=[{"name": "d", "emptyDir": {}}]),
            pod(volumes=[{"name": "d", "emptyDir": {"sizeLimit": "1Gi"}}]),
            pod(volumes=[{"name": "d", "emptyDir": {"sizeLimit": "1Gi"}}]),
        ),
        (
            "a map is replaced as a whole",
            box(resources={"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}),
            box(resources={"$patch": "replace", "limits": {"cpu": "2"}}),
            box(resources={"limits": {"cpu": "2"}}),
        ),
        (
            "where the template has nothing the patch's own nulls mean nothing",
            pod(containers=[]),
            pod(containers=[{"name": "x", "command": None, "env": [{"name": "A", "value": None}]}]),
            pod(containers=[{"name": "x", "env": [{"name": "A"}]}]),
        ),
    ],
)
def test_merge(said, base, patch, merged):
    before = copy.deepcopy((base, patch))
    assert merge_spec(base, patch) == merged
    assert (base, patch) == before, "neither side is touched"


@pytest.mark.parametrize(
    ("said", "base", "patch", "path", "message"),
    [
        (
            "a list for a mapping",
            box(resources={}),
            box(resources=[]),
            "tasks[0].template.spec.containers[0].resources",
            "must be a mapping",
        ),
        (
            "a text for a number",
            {"maxRetry": 3},
            {"maxRetry": "many"},
            "maxRetry",
            "must be a number, as in the template",
        ),
        (
            "a boolean for a text",
            {"queue": "a"},
            {"queue": True},
            "queue",
            "must be a text, as in the template, and is true or false",
        ),
        (
            "an item without its key",
            box(),
            pod(containers=[{"image": "x"}]),
            "tasks[0].template.spec.containers[0]",
            "name must say which",
        ),
        (
            "an unnamed task among several",
            {"tasks": [{"name": "a"}, {"name": "b"}]},
            {"tasks": [{"replicas": 2}]},
            "tasks[0]",
            "name must say which",
        ),
        (
            "the same task twice",
            {"tasks": [{"name": "a"}]},
            {"tasks": [{"name": "a"}, {}]},
            "tasks[1]",
            "name a is there twice",
        ),
        (
            "an item that is none",
            {"tasks": [{"name": "a"}]},
            {"tasks": ["a"]},
            "tasks[0]",
            "must be a mapping, and is a text",
        ),
        (
            "an unknown directive",
            {"tasks": []},
            {"tasks": [{"name": "a", "$patch": "remove"}]},
            "tasks[0].$patch",
            "'remove' is not one of",
        ),
    ],
)
def test_what_cannot_be_merged_is_told_where(said, base, patch, path, message):
    with pytest.raises(MergeProblem) as told:
        merge_spec(base, patch)
    assert told.value.path == path
    assert message in told.value.message


SCALARS = st.integers(0, 3) | st.sampled_from(["a", "b"]).map(str)
VARIABLES = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("ABC"), "value": st.sampled_from(["x", "y"])}),
    max_size=3,
    unique_by=lambda item: item["name"],
)
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["main", "side"])},
        optional={
            "image": st.sampled_from(["i:1", "i:2"]),
            "command": st.lists(st.sampled_from(["c", "d"]), max_size=2),
            "env": VARIABLES,
            "resources": st.fixed_dictionaries(
                {}, optional={"limits": st.dictionaries(st.sampled_from(["cpu", "m"]), st.integers(1, 3))}
            ),
        },
    ),
    max_size=2,
    unique_by=lambda item: item["name"],
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "minAvailable": st.integers(0, 3),
        "plugins": st.dictionaries(st.sampled_from(["svc", "env"]), st.lists(st.just("--x"), max_size=1)),
        "tasks": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["ps", "w"])},
                optional={
                    "replicas": st.integers(0, 3),
                    "template": st.fixed_dictionaries({"spec": st.fixed_dictionaries({"containers": CONTAINERS})}),
                },
            ),
            max_size=2,
            unique_by=lambda item: item["name"],
        ),
    },
)


@given(SPECS, SPECS)
def test_laying_it_over_twice_is_as_good_as_once(base, patch):
    once = merge_spec(base, patch)
    assert merge_spec(once, patch) == once


@given(SPECS, SPECS, SPECS)
def test_patches_without_directives_are_associative(base, first, second):
    assert merge_spec(merge_spec(base, first), second) == merge_spec(base, merge_spec(first, second))


@given(SPECS, SPECS)
def test_nothing_given_is_touched_and_nothing_of_the_patch_is_given_away(base, patch):
    before = copy.deepcopy((base, patch))
    merged = merge_spec(base, patch)
    assert (base, patch) == before
    for task in merged.get("tasks", []):
        task["replicas"] = 99
        for container in task.get("template", {}).get("spec", {}).get("containers", []):
            container.setdefault("env", []).append({"name": "Z"})
    assert patch == before[1]
