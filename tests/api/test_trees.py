"""What is said of a value that may not be repeated, and how it is walked."""

from __future__ import annotations

import datetime

import pytest

from jobflow.api.trees import MAX_DEPTH, Unknown, is_number, kind, levels, too_deep


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (None, "null"),
        ("", "a text"),
        ("8", "a text"),
        (Unknown("$(params.n)"), "a text"),
        (True, "true or false"),
        (False, "true or false"),
        (0, "a number"),
        (0.5, "a number"),
        ([], "a list"),
        ((1,), "a list"),
        ({}, "a mapping"),
        (datetime.date(2024, 1, 31), "a text"),
    ],
    ids=repr,
)
def test_a_value_in_words(tree, expected):
    assert kind(tree) == expected


@pytest.mark.parametrize(("tree", "expected"), [(0, True), (0.5, True), (True, False), ("8", False), (None, False)])
def test_a_number(tree, expected):
    assert is_number(tree) is expected


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ("abc", [["abc"]]),
        ([], [[[]]]),
        (
            {"a": [1, {"b": None}], "c": "d"},
            [[{"a": [1, {"b": None}], "c": "d"}], [[1, {"b": None}], "d"], [1, {"b": None}], [None]],
        ),
    ],
    ids=repr,
)
def test_what_a_value_holds_level_by_level(tree, expected):
    assert list(levels(tree)) == expected


def nested(depth, tree):
    for step in range(depth):
        tree = [tree] if step % 2 else {"a": tree}
    return tree


@pytest.mark.parametrize("innermost", [1, "text", [], {}], ids=repr)
def test_as_deep_as_may_be_and_deeper(innermost):
    assert not too_deep(nested(MAX_DEPTH, innermost))
    assert too_deep(nested(MAX_DEPTH + 1, innermost))


def test_how_deep_it_is_nested_takes_no_stack():
    assert too_deep(nested(50_000, 1))
