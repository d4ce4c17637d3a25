"""Defaulting and pruning: what is filled in, what is taken off."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.local.apiserver.schema.structural import StructuralSchema

SCHEMA = StructuralSchema(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "default": {},
                "properties": {
                    "replicas": {"type": "integer", "default": 1},
                    "queue": {"type": "string", "nullable": True, "default": "default"},
                    "note": {"type": "string", "nullable": True},
                    "endTime": {"type": "string"},
                    "steps": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"name": {"type": "string"}, "retries": {"type": "integer", "default": 3}},
                        },
                    },
                    "limits": {"type": "object", "additionalProperties": {"type": "integer", "default": 7}},
                    "open": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                        "properties": {"known": {"type": "object", "properties": {"a": {"type": "string"}}}},
                    },
                    "template": {
                        "type": "object",
                        "x-kubernetes-embedded-resource": True,
                        "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
                    },
                    "any": {"type": "object", "additionalProperties": True},
                },
            },
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
)


@pytest.mark.parametrize(
    ("what", "spec", "result"),
    [
        ("absent fields get their defaults", {}, {"replicas": 1, "queue": "default"}),
        ("what is there stays", {"replicas": 2, "queue": "q"}, {"replicas": 2, "queue": "q"}),
        ("a null that is allowed stays", {"queue": None, "note": None}, {"queue": None, "note": None, "replicas": 1}),
        ("a null that is not gets the default", {"replicas": None, "queue": "q"}, {"replicas": 1, "queue": "q"}),
        ("without a default it goes", {"endTime": None, "queue": "q"}, {"replicas": 1, "queue": "q"}),
        (
            "items of lists get theirs",
            {"steps": [{"name": "a"}, {"retries": 0}], "queue": "q"},
            {"steps": [{"name": "a", "retries": 3}, {"retries": 0}], "replicas": 1, "queue": "q"},
        ),
        (
            "values of maps too, where they are null",
            {"limits": {"cpu": None, "gpu": 1}, "queue": "q"},
            {"limits": {"cpu": 7, "gpu": 1}, "replicas": 1, "queue": "q"},
        ),
    ],
)
def test_defaults(what, spec, result):
    held = {"spec": spec}
    SCHEMA.default(held)
    assert held == {"spec": result}


def test_defaults_of_parents_are_filled_themselves():
    held = {}
    SCHEMA.default(held)
    assert held == {"spec": {"replicas": 1, "queue": "default"}}


def test_defaults_are_not_shared_between_objects():
    first, second = {}, {}
    SCHEMA.default(first)
    first["spec"]["replicas"] = 99
    SCHEMA.default(second)
    assert second["spec"]["replicas"] == 1


@pytest.mark.parametrize(
    ("obj", "unknown", "left"),
    [
        ({"spec": {"replicas": 1}}, [], {"spec": {"replicas": 1}}),
        ({"spec": {"replics": 1}}, ["spec.replics"], {"spec": {}}),
        (
            {"spec": {"steps": [{"name": "a"}, {"nane": "b"}]}, "sepc": {}},
            ["spec.steps[1].nane", "sepc"],
            {"spec": {"steps": [{"name": "a"}, {}]}},
        ),
        ({"spec": {"limits": {"cpu": 1}}}, [], {"spec": {"limits": {"cpu": 1}}}),
        ({"spec": {"any": {"x": {"y": 1}}}}, [], {"spec": {"any": {"x": {"y": 1}}}}),
        (
            {"spec": {"open": {"x": {"y": 1}, "known": {"a": "b", "c": 1}}}},
            ["spec.open.known.c"],
            {"spec": {"open": {"x": {"y": 1}, "known": {"a": "b"}}}},
        ),
        (
            {"spec": {"template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"x": 1}, "spec": {"b": 1}}}},
            ["spec.template.spec.b"],
            {"spec": {"template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"x": 1}, "spec": {}}}},
        ),
        (
            {"apiVersion": "v1", "kind": "X", "metadata": {"whatever": 1}},
            [],
            {"apiVersion": "v1", "kind": "X", "metadata": {"whatever": 1}},
        ),
        ({"status": {"anything": [1]}}, [], {"status": {"anything": [1]}}),
        ({"spec": "not an object"}, [], {"spec": "not an object"}),
    ],
)
def test_prune(obj, unknown, left):
    assert SCHEMA.prune(obj) == unknown
    assert obj == left


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=2),
    max_leaves=4,
)
FIELDS = ["replicas", "queue", "note", "endTime", "limits", "open", "template", "any", "nonsense"]
STEPS = st.lists(st.dictionaries(st.sampled_from(["name", "retries", "x"]), JSON, max_size=3), max_size=3)
SPECS = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6).flatmap(
    lambda spec: STEPS.map(lambda steps: {**spec, "steps": steps})
)
OBJECTS = st.fixed_dictionaries({}, optional={"spec": SPECS | JSON, "status": JSON, "other": JSON})


@given(OBJECTS)
def test_what_was_pruned_once_has_nothing_unknown(obj):
    SCHEMA.prune(obj)
    pruned = copy.deepcopy(obj)
    assert SCHEMA.prune(obj) == []
    assert obj == pruned


@given(OBJECTS)
def test_defaulting_twice_is_defaulting_once(obj):
    SCHEMA.default(obj)
    once = copy.deepcopy(obj)
    SCHEMA.default(obj)
    assert obj == once


@given(OBJECTS)
def test_defaults_are_never_unknown_fields(obj):
    SCHEMA.prune(obj)
    SCHEMA.default(obj)
    assert SCHEMA.prune(obj) == []


@given(OBJECTS)
def test_any_object_can_be_validated(obj):
    SCHEMA.default(obj)
    assert all(error.path and error.message for error in SCHEMA.validate(obj))


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "array", "items": {"type": "string"}}, "must be object at the root"),
        ({}, "Required value: must not be empty at the root"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "must not be used at the root"),
    ],
)
def test_a_root_that_is_no_object_is_refused(schema, told):
    with pytest.raises(ValueError, match=told):
        StructuralSchema(schema)


@pytest.mark.parametrize(
    "field", [{"type": "integer", "default": "x"}, {"type": "string", "enum": ["a"], "default": "b"}]
)
def test_a_default_that_its_own_schema_refuses_is_refused(field):
    with pytest.raises(ValueError, match=r"openAPIV3Schema\.properties\[x\]\.default: "):
        StructuralSchema({"type": "object", "properties": {"x": field}})
