"""Server-side apply: what becomes of the object, and of who owns what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.local.apiserver.ownership.applying import Conflicts, apply
from jobflow.local.apiserver.ownership.comparison import added, compare
from jobflow.local.apiserver.ownership.entries import (
    ANCIENT,
    APPLY,
    MAX_UPDATERS,
    UPDATE,
    are_sound,
    identity,
    is_reset,
    read_entries,
    write_entries,
)
from jobflow.local.apiserver.ownership.extraction import NotMergeable
from jobflow.local.apiserver.ownership.fieldsets import paths
from jobflow.local.apiserver.ownership.merging import merge
from jobflow.local.apiserver.ownership.updates import Writer, after_update
from jobflow.local.apiserver.schema.structural import StructuralSchema

TEXT = {"type": "string"}
NODE = StructuralSchema(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer"},
                    "flows": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {"type": "object", "required": ["name"], "properties": {"name": TEXT, "on": TEXT}},
                    },
                    "targets": {"type": "array", "items": TEXT},
                    "tags": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
                    "parts": {"type": "object", "additionalProperties": TEXT},
                    "selector": {"type": "object", "additionalProperties": TEXT, "x-kubernetes-map-type": "atomic"},
                },
            }
        },
    }
).with_metadata
VERSION = "example.com/v1"


class Story:
    """One object and those who write it, told as steps."""

    def __init__(self, spec=None):
        self.obj = {"apiVersion": VERSION, "kind": "Widget", "metadata": {"name": "a"}, "spec": spec or {}}
        self.entries = {}
        self.time = 0

    def _writer(self, manager, operation):
        self.time += 1
        return Writer(identity(manager, operation, VERSION), VERSION, f"2026-01-01T00:00:{self.time:02}Z", {})

    def create(self, manager, spec):
        self.obj = {**self.obj, "spec": spec}
        self.entries = after_update(added(self.obj, NODE), {}, self._writer(manager, UPDATE))

    def update(self, manager, spec):
        changed = {**self.obj, "spec": spec}
        self.entries = after_update(compare(self.obj, changed, NODE), self.entries, self._writer(manager, UPDATE))
        self.obj = changed

    def apply(self, manager, spec, *, force=False):
        configuration = {"apiVersion": VERSION, "kind": "Widget", "metadata": {"name": "a"}, "spec": spec}
        writer = self._writer(manager, APPLY)
        self.obj, self.entries = apply(self.obj, configuration, NODE, self.entries, writer, force)

    def owned(self, manager, operation=APPLY):
        entry = self.entries.get(identity(manager, operation, VERSION))
        return list(paths(entry.fields)) if entry else []

    @property
    def spec(self):
        return self.obj.get("spec")


def test_an_applier_owns_what_it_gives():
    story = Story()
    story.apply("me", {"size": 1, "parts": {"a": "x"}})
    assert story.spec == {"size": 1, "parts": {"a": "x"}}
    assert story.owned("me") == [".spec.size", ".spec.parts.a"]


def test_to_change_what_another_owns_is_a_conflict_that_names_it():
    story = Story()
    story.create("maker", {"size": 1})
    with pytest.raises(Conflicts) as told:
        story.apply("me", {"size": 2})
    assert str(told.value) == 'Apply failed with 1 conflict: conflict with "maker" using example.com/v1: .spec.size'
    assert story.spec == {"size": 1}


def test_several_conflicts_are_told_by_owner():
    story = Story()
    story.apply("a", {"size": 1})
    story.apply("b", {"parts": {"x": "1"}})
    with pytest.raises(Conflicts) as told:
        story.apply("me", {"size": 2, "parts": {"x": "2"}})
    lines = [
        'Apply failed with 2 conflicts: conflicts with "a":',
        "- .spec.size",
        'conflicts with "b":',
        "- .spec.parts.x",
    ]
    assert str(told.value).splitlines() == lines


def test_who_forces_takes_the_field_away():
    story = Story()
    story.create("maker", {"size": 1})
    story.apply("me", {"size": 2}, force=True)
    assert story.spec == {"size": 2}
    assert story.owned("me") == [".spec.size"]
    assert ".spec.size" not in story.owned("maker", UPDATE)


def test_to_give_the_same_value_shares_the_field():
    story = Story()
    story.apply("a", {"size": 1})
    story.apply("b", {"size": 1})
    assert story.owned("a") == story.owned("b") == [".spec.size"]


def test_what_is_applied_no_more_goes_unless_another_owns_it():
    story = Story()
    story.apply("me", {"size": 1, "parts": {"a": "x", "b": "y"}})
    story.apply("other", {"parts": {"b": "y"}})
    story.apply("me", {})
    assert story.spec == {"parts": {"b": "y"}}
    assert story.owned("me") == [".spec"], "an empty object is one that was given"


def test_what_an_updater_made_stays():
    story = Story()
    story.apply("me", {"parts": {"a": "x"}})
    story.update("hand", {"parts": {"a": "x", "b": "y"}})
    story.apply("me", {"size": 1})
    assert story.spec == {"parts": {"b": "y"}, "size": 1}


def test_an_update_takes_a_field_from_its_applier():
    story = Story()
    story.apply("me", {"size": 1})
    story.update("hand", {"size": 2})
    assert story.owned("me") == []
    assert story.owned("hand", UPDATE) == [".spec.size"]
    with pytest.raises(Conflicts):
        story.apply("me", {"size": 1})


def test_items_of_a_list_are_owned_one_by_one():
    story = Story()
    story.apply("a", {"flows": [{"name": "x", "on": "1"}]})
    story.apply("b", {"flows": [{"name": "y"}]})
    assert [flow["name"] for flow in story.spec["flows"]] == ["x", "y"]
    story.apply("a", {"flows": []})
    assert story.spec["flows"] == [{"name": "y"}]


def test_the_time_of_an_entry_is_that_of_its_last_change():
    story = Story()
    story.apply("me", {"size": 1})
    first = write_entries(story.entries)
    story.apply("me", {"size": 1})
    assert write_entries(story.entries) == first
    story.apply("me", {"size": 2})
    assert write_entries(story.entries)[0]["time"] > first[0]["time"]


def test_a_twelfth_updater_joins_the_oldest():
    story = Story()
    story.create("maker", {"parts": {}})
    for number in range(MAX_UPDATERS + 2):
        story.update(f"manager-{number:02}", {"parts": {f"key-{n}": "x" for n in range(number + 1)}})
    updaters = [who.manager for who in story.entries if not who.applies]
    assert len(updaters) == MAX_UPDATERS
    assert ANCIENT in updaters


@pytest.mark.parametrize(
    ("what", "held", "applied", "result"),
    [
        ("objects merge", {"size": 1}, {"targets": []}, {"size": 1, "targets": []}),
        (
            "items of a map list merge by key, new ones come where the configuration has them",
            {"flows": [{"name": "a", "on": "x"}, {"name": "b"}]},
            {"flows": [{"name": "c"}, {"name": "b", "on": "y"}]},
            {"flows": [{"name": "a", "on": "x"}, {"name": "c"}, {"name": "b", "on": "y"}]},
        ),
        (
            "the configuration's order wins",
            {"flows": [{"name": "a"}, {"name": "b"}]},
            {"flows": [{"name": "b"}, {"name": "a"}]},
            {"flows": [{"name": "b"}, {"name": "a"}]},
        ),
        ("plain lists are replaced", {"targets": ["a", "b"]}, {"targets": ["c"]}, {"targets": ["c"]}),
        ("sets are united", {"tags": ["a", "b"]}, {"tags": ["b", "c"]}, {"tags": ["a", "b", "c"]}),
        ("atomic maps are replaced", {"selector": {"a": "1"}}, {"selector": {"b": "2"}}, {"selector": {"b": "2"}}),
    ],
)
def test_merge(what, held, applied, result):
    assert merge({"spec": held}, {"spec": applied}, NODE) == {"spec": result}


def test_owners_merge_by_uid():
    held = {"metadata": {"name": "x", "ownerReferences": [{"uid": "1", "name": "a"}]}}
    applied = {"metadata": {"ownerReferences": [{"uid": "2", "name": "b"}], "labels": {"a": "b"}}}
    merged = merge(held, applied, NODE)["metadata"]
    assert {one["uid"] for one in merged["ownerReferences"]} == {"1", "2"}
    assert merged["labels"] == {"a": "b"}


def test_without_a_schema_lists_are_replaced():
    assert merge({"a": [1], "b": 2}, {"a": [3]}, None) == {"a": [3], "b": 2}


@pytest.mark.parametrize(
    ("flows", "told"),
    [
        ([{"on": "x"}], r"\.spec\.flows: element 0: associative list with keys has an element that omits all key"),
        ([{"name": "a"}, {"name": "a"}], r'\.spec\.flows: duplicate entries for key \[name="a"\]'),
        ([None], r"\.spec\.flows: element 0: associative list with keys may not have a null element"),
    ],
)
def test_a_list_that_cannot_merge_is_refused(flows, told):
    with pytest.raises(NotMergeable, match=told):
        Story().apply("me", {"flows": flows})


CONFIGURATIONS = st.fixed_dictionaries(
    {"size": st.integers(0, 2)},  # an object that an apply empties becomes null, as a list does
    optional={
        "tags": st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True),
        "flows": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("abc")}, optional={"on": st.sampled_from("xy")}),
            min_size=1,
            max_size=3,
            unique_by=lambda item: item["name"],
        ),
        "parts": st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), min_size=1, max_size=2),
    },
)


@given(st.lists(st.tuples(st.sampled_from("ab"), CONFIGURATIONS), min_size=1, max_size=5))
def test_whoever_forced_last_has_what_it_gave(steps):
    story = Story()
    for manager, configuration in steps:
        story.apply(manager, configuration, force=True)
    _, last = steps[-1]
    found = story.spec or {}
    assert all(found.get(name) == last[name] for name in ("size",) if name in last)
    assert set(last.get("tags", ())) <= set(found.get("tags") or ())
    held = {flow["name"]: flow for flow in found.get("flows") or ()}
    assert all(flow.items() <= held[flow["name"]].items() for flow in last.get("flows", ()))


@given(st.lists(st.tuples(st.sampled_from("ab"), CONFIGURATIONS), min_size=1, max_size=5))
def test_to_apply_the_same_again_changes_nothing(steps):
    story = Story()
    for manager, configuration in steps:
        story.apply(manager, configuration, force=True)
    before = story.obj, write_entries(story.entries)
    story.apply(*steps[-1])
    assert (story.obj, write_entries(story.entries)) == before


def test_entries_are_written_and_read():
    story = Story()
    story.apply("me", {"size": 1})
    story.update("hand", {"size": 1, "parts": {"a": "b"}})
    written = write_entries(story.entries)
    assert [(one["manager"], one["operation"]) for one in written] == [("me", APPLY), ("hand", UPDATE)]
    assert are_sound(written)
    assert write_entries(read_entries(written)) == written


@pytest.mark.parametrize(
    "wrong", [{"operation": "Guess"}, {"apiVersion": ""}, {"fieldsType": "Other"}, {"fieldsV1": {"x": {}}}], ids=str
)
def test_entries_that_make_no_sense(wrong):
    entry = {"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}
    assert are_sound([entry])
    assert not are_sound([{**entry, **wrong}])


def test_to_forget_all_owners():
    assert is_reset([])
    assert is_reset([{}])
    assert not is_reset(None)
    assert not is_reset([{"manager": "m"}])
