"""What the cache knows of a flow whose CRD keeps only a part of it, or whose status another controller writes."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from jobflow.api.objects import StatusWrite
from jobflow.api.resources import JOB_FLOW, Key
from jobflow.api.status import FlowPhase, FlowState, Reason, StepPhase
from jobflow.api.upstream import added
from jobflow.cache.cache import Cache
from jobflow.reconcile.pause import Pause
from jobflow.reconcile.stored import stored
from jobflow.snapshots import Snapshots, Taken
from jobflow.testing.builders import child, flow
from jobflow.testing.clock import EPOCH, FixedClock
from jobflow.work.interests import Interests
from jobflow.work.route import Route

KEY = Key("JobFlow", "default", "f")
F = flow("f").step("a").step("b", after="a")
A = child("a", of="f").completed()
WHOLE = F.recorded(A.record(StepPhase.SUCCEEDED), completedJobs=("f-a",), state=FlowState(FlowPhase.RUNNING)).committed
NOTE = ("spec", "flows", "[]", "note")


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


def pruned(status):
    return stored(status, added(JOB_FLOW))


@pytest.mark.parametrize(
    ("said", "is_stored", "known", "apart"),
    [
        ("as it was written", WHOLE, WHOLE, False),
        ("upstream's part of it", pruned(WHOLE), WHOLE, True),
        ("somebody has changed upstream's part", replace(pruned(WHOLE), completedJobs=()), None, False),
    ],
)
def test_what_is_committed_where_the_crd_keeps_a_part(cache, snapshots, said, is_stored, known, apart):
    cache.flows.put(F.status(is_stored).view())
    taken(snapshots).memory.told = WHOLE
    found = taken(snapshots).snapshot.flow
    assert found.committed == (known or is_stored)
    assert found.stored == (is_stored if apart else None)


def test_a_child_that_vanished_is_settled_by_what_is_known(cache, snapshots):
    cache.flows.put(F.status(pruned(WHOLE)).view())
    cache.children.put(A.view())
    cache.children.remove(A.view())
    assert taken(snapshots).snapshot.vanished == (A.view(),)
    taken(snapshots).memory.told = WHOLE
    assert taken(snapshots).snapshot.vanished == ()


def view(steps, **changed):
    spec = msgspec.json.encode({"flows": steps})
    return replace(F.view(), spec=spec, **changed)


NOTED = [{"name": "a", "note": "x"}]
BARE = [{"name": "a"}]


def test_fields_that_upstream_does_not_have_are_looked_for_once_a_generation(cache, snapshots):
    cache.installed.declare(JOB_FLOW, frozenset({NOTE}))
    cache.flows.put(view(NOTED))
    assert taken(snapshots).snapshot.flow.uses == ((NOTE, "spec.flows[0].note"),)
    cache.flows.put(view(BARE, resource_version="101", lost=("spec.flows[].note",)))
    found = taken(snapshots).snapshot.flow
    assert found.uses == ((NOTE, "spec.flows[0].note"),), "the CRD took it away: it is still meant"
    assert found.lost == ("spec.flows[].note",)
    cache.flows.put(view(BARE, resource_version="102", generation=2))
    assert (taken(snapshots).snapshot.flow.uses, taken(snapshots).snapshot.flow.lost) == ((), ())


def test_a_spec_that_was_read_in_part_is_compiled_again_when_it_is_whole(cache, snapshots):
    cache.installed.declare(JOB_FLOW, frozenset({NOTE}))
    cache.flows.put(view(BARE, lost=("spec.flows[].note",)))
    assert taken(snapshots).snapshot.flow.uses == ()
    cache.flows.put(view(NOTED))  # the same version: only the CRD has changed
    found = taken(snapshots).snapshot.flow
    assert (found.uses, found.lost) == (((NOTE, "spec.flows[0].note"),), ())


def test_what_the_installed_crd_lacks_is_part_of_it(cache, snapshots):
    cache.flows.put(F.view())
    assert taken(snapshots).snapshot.missing == frozenset()
    cache.installed.saw_schema(JOB_FLOW, {})
    assert ("status", "flowStatuses") in taken(snapshots).snapshot.missing


def at(seconds):
    return EPOCH + timedelta(seconds=seconds)


def wrote(cache, snapshots, foreign, ours=None):
    written = StatusWrite("go", at(foreign)) if foreign is not None else None
    cache.flows.put(replace(F.view(), foreign=written, wrote=at(ours) if ours is not None else None))
    return taken(snapshots).snapshot.foreign


def test_a_write_that_was_there_at_the_first_look_is_not_seen_to_come(cache, snapshots):
    found = wrote(cache, snapshots, -10)
    assert found is not None
    assert (found.at, found.since, found.noticed) == (at(-10), EPOCH, None), "since our start, as we never wrote"
    found = wrote(cache, snapshots, -10, ours=5)
    assert found is not None
    assert (found.since, found.noticed) == (at(5), None), "since our own last write"


def test_a_write_that_comes_later_is_noticed_by_our_own_clock(cache, snapshots):
    assert wrote(cache, snapshots, None) is None
    found = wrote(cache, snapshots, -50)
    assert found is not None
    assert (found.at, found.noticed) == (at(-50), EPOCH)
    assert wrote(cache, snapshots, None, ours=9) == replace_since(found, 9), "also when ours took its fields"


def replace_since(found, seconds):
    return dataclasses.replace(found, since=at(seconds))


def test_paused_flows_are_counted_by_reason(cache, snapshots):
    cache.flows.put(F.view())
    assert snapshots.paused() == {}
    taken(snapshots).memory.pause = Pause(Reason.FOREIGN_CONTROLLER, "go writes")
    assert snapshots.paused() == {"ForeignController": 1}
