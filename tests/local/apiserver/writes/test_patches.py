"""Merge patches, JSON patches and applied configurations."""

import contextlib
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.local.apiserver.writes.patches import PatchError, json_patch, merge_patch

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
