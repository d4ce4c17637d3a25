"""Comparison and extraction: which fields came, went and changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.local.apiserver.ownership.comparison import added, compare
from jobflow.local.apiserver.ownership.extraction import NotMergeable, given_fields, with_named
from jobflow.local.apiserver.ownership.fieldsets import paths
from jobflow.local.apiserver.schema.structural import StructuralSchema

TEXT = {"type": "string"}
SCHEMA = StructuralSchema(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer"},
                    "plain": {"type": "array", "items": TEXT},
                    "tags": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
                    "named": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {"type": "object", "required": ["name"], "properties": {"name": TEXT, "on": TEXT}},
                    },
                    "whole": {"type": "object", "additionalProperties": TEXT, "x-kubernetes-map-type": "atomic"},
                    "parts": {"type": "object", "additionalProperties": TEXT},
                },
            }
        },
    }
)
NODE = SCHEMA.with_metadata

ROWS = [
    ("a field comes", {}, {"size": 1}, [".spec.size"], [], []),
    ("a field goes", {"size": 1}, {}, [], [".spec.size"], []),
    ("a field changes", {"size": 1}, {"size": 2}, [], [], [".spec.size"]),
    ("a plain list is one field", {"plain": ["a"]}, {"plain": ["a", "b"]}, [], [], [".spec.plain"]),
    ("a value joins a set", {"tags": ["a"]}, {"tags": ["b", "a"]}, ['.spec.tags[="b"]'], [], []),
    ("the order of a set is nobody's", {"tags": ["a", "b"]}, {"tags": ["b", "a"]}, [], [], []),
    ("a list that comes is owned itself", {}, {"tags": ["a"]}, [".spec.tags", '.spec.tags[="a"]'], [], []),
    (
        "an item of a map list changes",
        {"named": [{"name": "a", "on": "x"}, {"name": "b"}]},
        {"named": [{"name": "b"}, {"name": "a", "on": "y"}]},
        [],
        [],
        ['.spec.named[name="a"].on'],
    ),
    (
        "an item of a map list goes",
        {"named": [{"name": "a"}, {"name": "b"}]},
        {"named": [{"name": "b"}]},
        [],
        ['.spec.named[name="a"]', '.spec.named[name="a"].name'],
        [],
    ),
    ("an atomic map is one field", {"whole": {"a": "1"}}, {"whole": {"a": "2", "b": "1"}}, [], [], [".spec.whole"]),
    (
        "a map is one field a key",
        {"parts": {"a": "1"}},
        {"parts": {"b": "1"}},
        [".spec.parts.b"],
        [".spec.parts.a"],
        [],
    ),
    ("empty and absent are not the same", {"parts": {}}, {}, [], [".spec.parts"], []),
    ("null and empty are not the same", {"parts": None}, {"parts": {}}, [], [], [".spec.parts"]),
    (
        "duplicates are owned as one",
        {"tags": ["a"]},
        {"tags": ["a", "a"]},
        ['.spec.tags[="a"]'],
        ['.spec.tags[="a"]'],
        [],
    ),
]


@pytest.mark.parametrize(
    ("before", "after", "came", "went", "changed"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS]
)
def test_comparison(before, after, came, went, changed):
    found = compare({"spec": before}, {"spec": after}, NODE)
    assert [list(paths(fields)) for fields in found] == [came, went, changed]


SPECS = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(0, 2),
        "plain": st.lists(st.sampled_from("ab"), max_size=2),
        "tags": st.lists(st.sampled_from("abc"), max_size=3, unique=True),
        "named": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("abc")}, optional={"on": st.sampled_from("xy")}),
            max_size=3,
            unique_by=lambda item: item["name"],
        ),
        "parts": st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2),
    },
)


def fields(spec):
    return set(paths(added({"spec": spec}, NODE).added))


@given(SPECS, SPECS)
def test_what_was_there_less_what_went_and_more_what_came_is_there(before, after):
    found = compare({"spec": before}, {"spec": after}, NODE)
    came, went, changed = (set(paths(tree)) for tree in found)
    assert fields(after) == (fields(before) - went) | came
    assert not came & went
    assert changed <= fields(before) & fields(after)


@given(SPECS)
def test_nothing_differs_from_itself(spec):
    assert compare({"spec": spec}, {"spec": dict(spec)}, NODE) == ({}, {}, {})


def test_a_configuration_gives_what_it_names():
    given_now = {"spec": {"size": 1, "named": [{"name": "a"}], "parts": {"x": "1"}, "tags": [], "whole": {"a": "b"}}}
    named = ['.spec.named[name="a"]', '.spec.named[name="a"].name']
    assert set(paths(given_fields(given_now, NODE))) == {".spec.size", ".spec.parts.x", ".spec.whole", *named}


def test_named_fields_are_members_where_they_are_to_be_removed():
    tree = with_named({"f:spec": {"f:parts": {"f:x": {}}}}, NODE)
    assert set(paths(tree)) == {".spec", ".spec.parts", ".spec.parts.x"}


def test_an_item_without_its_key_has_no_name():
    with pytest.raises(NotMergeable, match=r'omits all key fields \["name"\]'):
        compare({"spec": {"named": []}}, {"spec": {"named": [{"on": "x"}]}}, NODE)


def test_without_a_schema_objects_are_maps_and_lists_are_one_field():
    found = compare({"a": {"b": [1], "c": 1}}, {"a": {"b": [2], "c": 1}}, None)
    assert list(paths(found.modified)) == [".a.b"]
