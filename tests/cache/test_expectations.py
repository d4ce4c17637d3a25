"""Our own writes that the watch has not brought back yet."""

from __future__ import annotations

import pytest

from jobflow.cache.children import Children
from jobflow.cache.expectations import GIVE_UP_SECONDS, Expectations
from jobflow.testing.builders import child

FLOW = "flow-f"
A = child("a", of="f")


@pytest.fixture
def children():
    return Children(lambda old, new: None)


@pytest.fixture
def expected(children):
    return Expectations(children)


def waits(expected, version="100", now=0.0):
    return expected.waiting(FLOW, version, now) is not None


def test_nothing_is_expected_at_first(expected):
    assert not waits(expected)


def test_a_created_child_is_expected_until_it_is_seen(expected, children):
    expected.created(FLOW, A.uid, 0)
    assert waits(expected)
    children.put(A.view())
    assert not waits(expected)
    assert len(expected) == 0


def test_a_child_that_came_and_went_has_been_seen(expected, children):
    expected.created(FLOW, A.uid, 0)
    children.put(A.view())
    children.remove(A.view())
    assert not waits(expected)


def test_a_child_that_the_watch_brought_before_the_reply_is_not_expected(expected, children):
    children.put(A.view())
    expected.created(FLOW, A.uid, 0)
    assert not waits(expected)


@pytest.mark.parametrize("seen", ["it is gone", "it is being deleted"])
def test_a_deletion_is_expected_until(expected, children, seen):
    children.put(A.view())
    expected.deleted(FLOW, A.uid, 0)
    assert waits(expected)
    if seen == "it is gone":
        children.remove(A.view())
    else:
        children.put(A.at("2").deleting().view())
    assert not waits(expected)


@pytest.mark.parametrize(
    ("said", "cached", "expect"),
    [
        ("older", "100", True),
        ("older, though longer as text it is not", "99", True),
        ("just it", "101", False),
        ("newer", "1000", False),
    ],
)
def test_a_written_status_is_expected_until_the_cached_version_is_as_new(expected, said, cached, expect):
    expected.wrote_status(FLOW, "101", 0)
    assert waits(expected, cached) is expect


def test_all_must_have_been_seen(expected, children):
    expected.created(FLOW, A.uid, 0)
    expected.wrote_status(FLOW, "101", 0)
    children.put(A.view())
    assert waits(expected, "100")
    assert not waits(expected, "101")


def test_what_never_comes_is_given_up(expected):
    expected.created(FLOW, A.uid, 10)
    assert expected.waiting(FLOW, "100", 10) == GIVE_UP_SECONDS
    assert expected.waiting(FLOW, "100", 70) == GIVE_UP_SECONDS - 60
    assert not waits(expected, now=10 + GIVE_UP_SECONDS)
    assert len(expected) == 0


def test_a_later_write_is_given_as_long(expected):
    expected.created(FLOW, A.uid, 0)
    expected.wrote_status(FLOW, "101", 100)
    assert waits(expected, now=GIVE_UP_SECONDS + 50)


def test_flows_do_not_wait_for_each_other(expected):
    expected.created("flow-g", A.uid, 0)
    assert not waits(expected)
