"""Merge patches, JSON patches and applied configurations."""

import contextlib
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.local.apiserver.patches import PatchError, apply_patch, json_patch, merge_patch
from jobflow.local.apiserver.schema import StructuralSchema

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


def without_nulls(value):
    """A value as a patch can say it: in objects null means "remove"."""
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return value


@pytest.mark.parametrize(
    ("target", "patch", "result"),  # the table of RFC 7396, appendix A
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_follows_the_rfc(target, patch, result):
    assert merge_patch(target, patch) == result


@given(JSON, JSON)
def test_merge_patch_applied_twice_is_applied_once(target, patch):
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(JSON, JSON)
def test_merge_patch_changes_neither_target_nor_patch(target, patch):
    before = copy.deepcopy((target, patch))
    merge_patch(target, patch)
    assert (target, patch) == before


@given(JSON)
def test_a_document_without_nulls_is_a_patch_that_makes_it(document):
    document = without_nulls(document)
    assert merge_patch({}, document) == document


@given(st.dictionaries(st.text(max_size=2), JSON), JSON)
def test_after_a_merge_patch_no_field_of_it_contradicts(target, patch):
    merged = merge_patch(target, patch)
    if isinstance(patch, dict):
        for name, value in patch.items():
            assert (name not in merged) if value is None else (name in merged)
        assert all(merged[name] == target[name] for name in target if name not in patch)


@pytest.mark.parametrize(
    ("ops", "result"),
    [
        ([], {"a": [1, 2], "b": {"c": 3}}),
        ([{"op": "add", "path": "/b/d", "value": 4}], {"a": [1, 2], "b": {"c": 3, "d": 4}}),
        ([{"op": "add", "path": "/a/-", "value": 3}], {"a": [1, 2, 3], "b": {"c": 3}}),
        ([{"op": "add", "path": "/a/0", "value": 0}], {"a": [0, 1, 2], "b": {"c": 3}}),
        ([{"op": "remove", "path": "/b"}], {"a": [1, 2]}),
        ([{"op": "replace", "path": "/b/c", "value": 5}], {"a": [1, 2], "b": {"c": 5}}),
        ([{"op": "move", "from": "/b/c", "path": "/c"}], {"a": [1, 2], "b": {}, "c": 3}),
        ([{"op": "copy", "from": "/a", "path": "/c"}], {"a": [1, 2], "b": {"c": 3}, "c": [1, 2]}),
        ([{"op": "test", "path": "/b/c", "value": 3}, {"op": "remove", "path": "/a"}], {"b": {"c": 3}}),
    ],
)
def test_json_patch(ops, result):
    target = {"a": [1, 2], "b": {"c": 3}}
    assert json_patch(target, ops) == result
    assert target == {"a": [1, 2], "b": {"c": 3}}


@pytest.mark.parametrize(
    ("ops", "told"),
    [
        ([{"op": "add", "path": "/x", "value": 1}, {"op": "remove", "path": "/gone"}], "operation 1 (remove /gone)"),
        ([{"op": "test", "path": "/a", "value": 2}], "operation 0 (test /a): testing value failed"),
        ([{"op": "replace", "path": "/gone", "value": 2}], "operation 0 (replace /gone)"),
        ([{"op": "remove", "path": "/a/b/c"}], "operation 0 (remove /a/b/c)"),
        ([{"op": "invent", "path": "/a"}], "operation 0 (invent /a)"),
        ([{"op": "add", "path": "/a"}], "operation 0 (add /a)"),
        ([{"op": "add", "path": 5, "value": 1}], "path must be a string"),
        ([{"op": "add", "path": "a", "value": 1}], "operation 0 (add a)"),
        (["remove"], "operation 0: must be an object"),
        ({"op": "remove"}, "a JSON patch is a list of operations"),
        ([{"op": "remove", "path": "/a"}] * 10_001, "maximum operations"),
    ],
)
def test_json_patch_that_does_not_fit_names_the_operation(ops, told):
    with pytest.raises(PatchError) as refused:
        json_patch({"a": 1}, ops)
    assert told in str(refused.value)


PATHS = st.sampled_from(["", "/a", "/a/0", "/a/-", "/b/c", "/b", "/x/y", "/a/9", "bad", "/a/00"])
OPS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "?"]), "path": PATHS},
    optional={"from": PATHS, "value": JSON},
)


@given(st.lists(OPS | JSON, max_size=4))
def test_any_json_patch_is_carried_out_or_refused(ops):
    before = {"a": [1, {"x": 2}], "b": {"c": 3}}
    target = copy.deepcopy(before)
    with contextlib.suppress(PatchError):
        json_patch(target, ops)
    assert target == before


FLOW = StructuralSchema(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "flows": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {"name": {"type": "string"}, "on": {"type": "string"}},
                        },
                    },
                    "targets": {"type": "array", "items": {"type": "string"}},
                    "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                    "selector": {
                        "type": "object",
                        "additionalProperties": {"type": "string"},
                        "x-kubernetes-map-type": "atomic",
                    },
                },
            }
        },
    }
)


@pytest.mark.parametrize(
    ("what", "held", "applied", "result"),
    [
        ("objects merge", {"retain": "x"}, {"tags": []}, {"retain": "x", "tags": []}),
        (
            "items of a map list merge by key, new ones come last",
            {"flows": [{"name": "a", "on": "x"}, {"name": "b"}]},
            {"flows": [{"name": "c"}, {"name": "b", "on": "y"}]},
            {"flows": [{"name": "a", "on": "x"}, {"name": "b", "on": "y"}, {"name": "c"}]},
        ),
        ("plain lists are replaced", {"targets": ["a", "b"]}, {"targets": ["c"]}, {"targets": ["c"]}),
        ("sets are united", {"tags": ["a", "b"]}, {"tags": ["b", "c"]}, {"tags": ["a", "b", "c"]}),
        ("atomic maps are replaced", {"selector": {"a": "1"}}, {"selector": {"b": "2"}}, {"selector": {"b": "2"}}),
    ],
)
def test_apply(what, held, applied, result):
    assert apply_patch({"spec": held}, {"spec": applied}, FLOW) == {"spec": result}


def test_apply_merges_owners_by_uid():
    held = {"metadata": {"name": "x", "ownerReferences": [{"uid": "1", "name": "a"}]}}
    applied = {"metadata": {"ownerReferences": [{"uid": "2", "name": "b"}], "labels": {"a": "b"}}}
    assert apply_patch(held, applied, FLOW)["metadata"] == {
        "name": "x",
        "ownerReferences": [{"uid": "1", "name": "a"}, {"uid": "2", "name": "b"}],
        "labels": {"a": "b"},
    }


def test_apply_creates_what_is_not_there():
    assert apply_patch(None, {"spec": {"flows": [{"name": "a"}]}}, FLOW) == {"spec": {"flows": [{"name": "a"}]}}


def test_apply_without_schema_replaces_lists():
    assert apply_patch({"a": [1], "b": 2}, {"a": [3]}) == {"a": [3], "b": 2}


def test_apply_refuses_an_item_without_its_key():
    with pytest.raises(PatchError, match=r"spec\.flows\[0\].*omits key field 'name'"):
        apply_patch({"spec": {"flows": []}}, {"spec": {"flows": [{"on": "x"}]}}, FLOW)
