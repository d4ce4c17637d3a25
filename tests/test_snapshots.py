"""What the cache knows of one flow, frozen."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from jobflow.api.resources import Key
from jobflow.api.status import StepPhase
from jobflow.cache.cache import Cache
from jobflow.snapshots import Absent, Behind, Snapshots, Taken, Unreadable
from jobflow.testing.builders import child, flow, template
from jobflow.testing.clock import EPOCH, FixedClock
from jobflow.work.interests import Interests
from jobflow.work.route import Route

KEY = Key("JobFlow", "default", "f")
F = flow("f").step("a").step("b", after="a")
A = child("a", of="f")


class Due:
    def add(self, key):
        """Nobody works here."""

    def add_after(self, key, seconds):
        """Nobody works here."""


@pytest.fixture
def cache():
    return Cache(Route(Due(), Interests()))


@pytest.fixture
def snapshots(cache):
    return Snapshots(cache, FixedClock())


def taken(snapshots) -> Taken:
    result = snapshots.take(KEY)
    assert isinstance(result, Taken)
    return result


def test_a_flow_that_is_not_there_is_absent(snapshots):
    assert snapshots.take(KEY) == Absent()


def test_a_snapshot_has_the_flow_its_templates_its_children_and_the_time(cache, snapshots):
    cache.flows.put(F.view())
    for name in ("a", "z"):
        cache.templates.put(template(name).view())
    cache.children.put(A.view())
    cache.children.put(child("a", of="g").view())
    cache.children.put(child("b", of="f").owned_by("earlier").view())
    snapshot = taken(snapshots).snapshot
    assert snapshot.flow == F.frozen()
    assert list(snapshot.templates) == ["a"]
    assert snapshot.children == (A.view(),)
    assert snapshot.now == EPOCH


def test_templates_are_those_of_the_flows_namespace(cache, snapshots):
    cache.flows.put(F.view())
    cache.templates.put(template("a", namespace="elsewhere").view())
    assert taken(snapshots).snapshot.templates == {}


def test_a_flow_whose_last_writes_are_not_seen_is_behind(cache, snapshots):
    view = F.view()
    cache.flows.put(view)
    cache.expectations.created(view.uid, A.uid, 0)
    assert isinstance(snapshots.take(KEY), Behind)
    cache.children.put(A.view())
    assert isinstance(snapshots.take(KEY), Taken)


def test_a_status_that_cannot_be_read_leaves_the_flow_alone(cache, snapshots):
    cache.flows.put(replace(F.view(), status_problem="status cannot be read: x"))
    assert snapshots.take(KEY) == Unreadable("status cannot be read: x")


def test_a_spec_is_compiled_once_a_generation(cache, snapshots):
    cache.flows.put(F.view())
    first = taken(snapshots).snapshot.flow.compiled
    cache.flows.put(F.at("101").view())
    assert taken(snapshots).snapshot.flow.compiled is first
    cache.flows.put(F.policy("delete").at("102", generation=2).view())
    assert taken(snapshots).snapshot.flow.compiled.retain == "delete"


def test_memory_is_of_one_incarnation_and_goes_with_the_flow(cache, snapshots):
    cache.flows.put(F.view())
    first = taken(snapshots).memory
    assert taken(snapshots).memory is first
    cache.flows.put(F.incarnation("second").view())
    assert taken(snapshots).memory is not first
    cache.flows.remove(F.incarnation("second").view())
    assert snapshots.take(KEY) == Absent()
    assert len(snapshots) == 0


@pytest.mark.parametrize("end", ["it is deleted", "another has its name"])
def test_what_was_expected_of_a_flow_goes_with_it_even_if_it_was_expected_after_its_end(cache, snapshots, end):
    """A write that was under way when the flow went is answered afterwards."""
    cache.flows.put(F.view())
    taken(snapshots)
    if end == "it is deleted":
        cache.flows.remove(F.view())
    else:
        cache.flows.put(F.incarnation("second").view())
    cache.expectations.created(F.own_uid, "never-seen", 0)
    snapshots.take(KEY)
    assert len(cache.expectations) == 0


class TestAChildThatVanished:
    def test_is_in_the_snapshot_until_its_end_is_committed(self, cache, snapshots):
        cache.flows.put(F.view())
        cache.children.put(A.completed().view())
        cache.children.remove(A.completed().view())
        assert taken(snapshots).snapshot.vanished == (A.completed().view(),)
        cache.flows.put(F.at("101").recorded(A.completed().record(StepPhase.SUCCEEDED)).view())
        assert taken(snapshots).snapshot.vanished == ()

    def test_after_its_end_was_committed_is_nothing_new(self, cache, snapshots):
        """As under policy delete: the last child goes after the last status."""
        cache.children.put(A.completed().view())
        cache.flows.put(F.recorded(A.completed().record(StepPhase.SUCCEEDED)).view())
        cache.children.remove(A.completed().view())
        assert taken(snapshots).snapshot.vanished == ()

    def test_after_its_flow_is_kept_by_nobody(self, cache, snapshots):
        """As in background deletion: the flow goes first."""
        cache.flows.put(F.view())
        cache.children.put(A.running().view())
        cache.flows.remove(F.view())
        cache.children.remove(A.running().view())
        assert snapshots.take(KEY) == Absent()
        assert cache.children.vanished(F.own_uid) == ()
