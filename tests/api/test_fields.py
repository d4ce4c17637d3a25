"""Which fields a schema has, which an object uses, and an object without some."""

from __future__ import annotations

import pytest

from jobflow.api.fields import ANYTHING, lacking, object_shape, outermost, paths, places, shape, without, words

TEXT = {"type": "string"}
STEP = {"type": "object", "properties": {"name": TEXT, "note": TEXT}}
SCHEMA = {
    "properties": {
        "kind": TEXT,
        "metadata": {"type": "object"},
        "spec": {"properties": {"flows": {"type": "array", "items": STEP}}},
        "status": {"properties": {"conditions": {"type": "object", "additionalProperties": STEP}}},
    }
}
NOTE = ("spec", "flows", "[]", "note")
OF_A_MAP = ("status", "conditions", "{}", "note")


def test_a_schema_has_these_fields():
    assert [words(path) for path in paths(object_shape(SCHEMA))] == [
        "spec",
        "spec.flows",
        "spec.flows[].name",
        "spec.flows[].note",
        "status",
        "status.conditions",
        "status.conditions{}.name",
        "status.conditions{}.note",
    ]


@pytest.mark.parametrize(
    ("said", "theirs", "expect"),
    [
        ("the same", object_shape(SCHEMA), []),
        ("one without the list", {"spec": {}, "status": ANYTHING}, ["spec.flows"]),
        (
            "one without a field of its items",
            {"spec": {"flows": {"[]": {"name": {}}}}, "status": ANYTHING},
            ["spec.flows[].note"],
        ),
        ("one that keeps what it does not know", {"spec": ANYTHING, "status": ANYTHING}, []),
        ("none", {}, ["spec", "status"]),
    ],
)
def test_what_another_lacks_is_told_by_its_outermost_field(said, theirs, expect):
    assert [words(path) for path in lacking(object_shape(SCHEMA), theirs)] == expect


def test_a_field_that_preserves_what_is_below_has_anything():
    assert shape({"type": "object", "x-kubernetes-preserve-unknown-fields": True}) == ANYTHING


@pytest.mark.parametrize(
    ("said", "path", "tree", "expect"),
    [
        ("in one item", NOTE, {"spec": {"flows": [{"name": "a"}, {"note": 1}]}}, ["spec.flows[1].note"]),
        ("in none", NOTE, {"spec": {"flows": [{"name": "a"}]}}, []),
        ("null counts as written", NOTE, {"spec": {"flows": [{"note": None}]}}, ["spec.flows[0].note"]),
        ("no such list", NOTE, {"spec": {}}, []),
        ("not a list", NOTE, {"spec": {"flows": "a"}}, []),
        ("in a map", OF_A_MAP, {"status": {"conditions": {"f-a": {"note": 1}}}}, ["status.conditions[f-a].note"]),
    ],
)
def test_where_an_object_has_a_field(said, path, tree, expect):
    assert list(places(tree, path)) == expect


def test_an_object_without_some_fields_is_another_object():
    tree = {"spec": {"flows": [{"name": "a", "note": 1}, {"name": "b"}]}, "status": {"conditions": {"x": {"note": 1}}}}
    left = without(tree, [NOTE, OF_A_MAP])
    assert left == {"spec": {"flows": [{"name": "a"}, {"name": "b"}]}, "status": {"conditions": {"x": {}}}}
    assert tree["spec"]["flows"][0] == {"name": "a", "note": 1}
    assert without(tree, [("spec",)]) == {"status": tree["status"]}
    assert without("text", [NOTE]) == "text"


def test_the_outermost_of_several():
    assert outermost([("a",), ("a", "b"), ("c", "d")]) == {("a",), ("c", "d")}
