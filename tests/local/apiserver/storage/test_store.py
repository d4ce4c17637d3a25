"""The store: one revision, history that ends, and durability before news."""

from __future__ import annotations

import asyncio

import pytest

from jobflow.local.apiserver.statuses import StatusError
from jobflow.local.apiserver.storage import shelf
from jobflow.local.apiserver.storage.store import Collection, Store, Stored

THINGS = Collection("example.com", "things")
OTHERS = Collection("example.com", "others")


class Slow:
    """A journal that commits when told to."""

    def __init__(self):
        self.changes = []

    def append(self, change):
        self.changes.append(change)


def put(store, name, namespace="default", collection=THINGS):
    revision = store.revision + 1
    return store.put(collection, Stored(namespace, name, f"uid-{name}", revision, "v1", b"{}"))


def remove(store, name, namespace="default"):
    revision = store.revision + 1
    store.remove(THINGS, Stored(namespace, name, f"uid-{name}", revision, "v1", b"{}"))


def names(store, namespace=None, after=None, at=None):
    found = store.list(THINGS, namespace, after, store.revision if at is None else at)
    return " ".join(obj.name for obj in found)


@pytest.fixture
def store():
    return Store()


def test_every_change_of_any_collection_is_the_next_revision(store):
    put(store, "a")
    put(store, "b", collection=OTHERS)
    remove(store, "a")
    assert store.revision == 3


def test_a_write_under_another_revision_is_refused(store):
    with pytest.raises(StatusError):
        store.put(THINGS, Stored("default", "a", "u", 5, "v1", b"{}"))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "a c b"),
        ({"namespace": "x"}, "a c"),
        ({"namespace": "nowhere"}, ""),
        ({"after": ("x", "a")}, "c b"),
        ({"after": ("x", "b")}, "c b"),
        ({"after": ("x", "c")}, "b"),
        ({"namespace": "x", "after": ("x", "a")}, "c"),
        ({"after": ("y", "b")}, ""),
    ],
)
def test_lists_are_in_key_order_beyond_a_key(store, query, expected):
    put(store, "b", "y")
    put(store, "c", "x")
    put(store, "a", "x")
    assert names(store, **query) == expected


def test_the_past_is_the_present_with_younger_events_undone(store):
    states = {0: ""}
    for step in (put, "a"), (put, "b"), (put, "a"), (remove, "b"), (put, "c"), (put, "b"), (remove, "a"):
        step[0](store, step[1])
        states[store.revision] = names(store)
    assert {at: names(store, at=at) for at in states} == states


def test_a_past_that_is_forgotten_is_410(store):
    for name in "abc":
        put(store, name)
    store.shelf(THINGS).forget_events(2)
    assert names(store, at=2) == "a b"
    with pytest.raises(StatusError, match="too old resource version: 1"):
        names(store, at=1)


def test_history_is_bounded_and_tells_from_where(store, monkeypatch):
    monkeypatch.setattr(shelf, "EVENTS_KEPT", 10)
    monkeypatch.setattr(shelf, "TRIM_AT_ONCE", 5)
    for _ in range(100):
        put(store, "a")
    held = store.shelf(THINGS)
    kept = held.events_after(held.floor, store.revision)
    assert 10 <= len(kept) < 15
    assert kept[0].revision == held.floor + 1
    assert kept[-1].revision == 100


def test_memory_is_durable_enough_at_once(store):
    put(store, "a")
    assert store.published == 1


async def test_nobody_learns_of_a_change_before_it_is_durable():
    store = Store(Slow())
    wake = asyncio.Event()
    store.shelf(THINGS).watched_by(wake)
    put(store, "a")
    reply = asyncio.create_task(store.settled())
    await asyncio.sleep(0)
    assert not reply.done()
    assert not wake.is_set()
    assert names(store) == "a", "but the next write builds on it"
    store.publish(1)
    await reply
    assert wake.is_set()


async def test_a_reply_waits_for_its_own_revision_and_no_longer():
    store = Store(Slow())
    put(store, "a")
    first = asyncio.create_task(store.settled())
    await asyncio.sleep(0)
    put(store, "b")
    second = asyncio.create_task(store.settled())
    await asyncio.sleep(0)
    store.publish(1)
    await first
    assert not second.done()
    store.publish(2)
    await second


async def test_a_journal_that_fails_fails_replies_and_later_writes():
    store = Store(Slow())
    put(store, "a")
    reply = asyncio.create_task(store.settled())
    await asyncio.sleep(0)
    store.fail("disk full")
    with pytest.raises(StatusError, match="disk full"):
        await reply
    with pytest.raises(StatusError, match="disk full"):
        put(store, "b")
