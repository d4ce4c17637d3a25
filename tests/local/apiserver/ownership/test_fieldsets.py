"""Sets of fields: the algebra, told by their members in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.local.apiserver.ownership.fieldsets import (
    below,
    branch,
    difference,
    intersection,
    is_fields,
    is_member,
    paths,
    union,
    without,
)

NAMES = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', "v:1"])


def normal(tree):
    """A tree in which a member without children is a leaf."""
    children = {name: normal(child) for name, child in tree.items() if name != "."}
    return branch("." in tree or not children, children) or {}


TREES = st.recursive(
    st.just({}), lambda inner: st.dictionaries(NAMES | st.just("."), inner, max_size=3).map(normal), max_leaves=8
)
SETS = st.dictionaries(NAMES, TREES, max_size=4)


def members(tree):
    return set(paths(tree))


@given(SETS, SETS)
def test_union_intersection_and_difference_are_those_of_their_members(one, other):
    assert members(union(one, other)) == members(one) | members(other)
    assert members(intersection(one, other)) == members(one) & members(other)
    assert members(difference(one, other)) == members(one) - members(other)


@given(SETS, SETS)
def test_results_are_in_the_form_of_the_wire(one, other):
    for result in (union(one, other), intersection(one, other), difference(one, other), without(one, other)):
        assert is_fields(result)
        assert all(normal(tree) == tree for tree in result.values())


@given(SETS, SETS)
def test_without_takes_what_is_below_along(one, other):
    taken = members(other)

    def is_taken(path):
        return any(path == start or path.startswith((f"{start}.", f"{start}[")) for start in taken)

    assert members(without(one, other)) == {path for path in members(one) if not is_taken(path)}


@given(SETS)
def test_arguments_stay_as_they_are(one):
    before = repr(one)
    for operation in (union, intersection, difference, without):
        operation(one, {"f:a": {}})
        operation({"f:a": {}}, one)
    assert repr(one) == before


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ({"f:spec": {"f:size": {}}}, [".spec.size"]),
        ({"f:spec": {".": {}, "f:size": {}}}, [".spec", ".spec.size"]),
        ({"f:list": {'k:{"name":"a","port":1}': {".": {}}}}, ['.list[name="a",port=1]']),
        ({"f:tags": {'v:"x"': {}, "v:1": {}}}, ['.tags[="x"]', ".tags[=1]"]),
        ({"f:list": {"i:3": {}}}, [".list[3]"]),
        ({}, []),
    ],
)
def test_members_in_words(tree, told):
    assert list(paths(tree)) == told


@pytest.mark.parametrize("tree", [{"x": {}}, {"f:a": 1}, {"k:x": {}}, {"k:[1]": {}}, {"v:": {}}, [], {"i:x": {}}])
def test_what_is_no_set(tree):
    assert not is_fields(tree)


def test_a_branch_is_a_member_only_where_it_says_so():
    assert is_member({})
    assert is_member({".": {}, "f:a": {}})
    assert not is_member({"f:a": {}})
    assert below({".": {}, "f:a": {}}) == {"f:a": {}}
