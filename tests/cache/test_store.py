"""Objects of one kind by key, and one notice for each that really changed."""

from __future__ import annotations

import pytest

from jobflow.cache.scoped import Scoped
from jobflow.cache.store import Store

NAMED = {"key": lambda obj: obj[0]}


@pytest.fixture
def told():
    return []


@pytest.fixture
def store(told):
    store = Store(**NAMED, on_change=lambda old, new: told.append((old, new)))
    store.replace([("a", "1"), ("b", "1")], "1")
    told.clear()
    return store


@pytest.mark.parametrize(
    ("said", "change", "expect"),
    [
        ("a new object", lambda s: s.put(("c", "1")), [(None, ("c", "1"))]),
        ("a changed object", lambda s: s.put(("a", "2")), [(("a", "1"), ("a", "2"))]),
        ("a replayed event", lambda s: s.put(("a", "1")), []),
        ("an end, with the last state", lambda s: s.remove(("a", "9")), [(("a", "9"), None)]),
        ("an end of what is not there", lambda s: s.remove(("z", "1")), []),
        ("a list that finds all as it was", lambda s: s.replace([("a", "1"), ("b", "1")], "2"), []),
        ("a list without one", lambda s: s.replace([("b", "1")], "2"), [(("a", "1"), None)]),
        (
            "a list that is all new",
            lambda s: s.replace([("a", "2"), ("c", "1")], "2"),
            [(("b", "1"), None), (("a", "1"), ("a", "2")), (None, ("c", "1"))],
        ),
    ],
)
def test_notices(store, told, said, change, expect):
    change(store)
    assert told == expect


def test_look_ups(store):
    assert (store.get("a"), store.get("z"), len(store), "a" in store) == (("a", "1"), None, 2, True)


class TestOneOfSeveralReflectors:
    def test_its_list_replaces_only_its_part(self, store, told):
        mine, other = Scoped(store, NAMED["key"]), Scoped(store, NAMED["key"])
        other.put(("b", "1"))
        mine.replace([("a", "1"), ("c", "1")], "2")
        mine.replace([("c", "1")], "3")
        assert sorted(store.values()) == [("b", "1"), ("c", "1")]

    def test_ends_pass_through(self, store, told):
        mine = Scoped(store, NAMED["key"])
        mine.put(("a", "2"))
        mine.remove(("a", "3"))
        assert store.get("a") is None
        mine.replace([], "4")
        assert store.get("b") is not None
