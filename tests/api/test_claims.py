"""Fields that were written into a flow's spec and are gone from it, by the record of who wrote them."""

from __future__ import annotations

import msgspec
import pytest

from jobflow.api.claims import lost

NOTE, HOW, TAGS = ("spec", "flows", "[]", "note"), ("spec", "flows", "[]", "note", "how"), ("spec", "tags", "{}", "x")
ADDED = frozenset({NOTE, HOW, TAGS, ("status", "outcome")})
BOTH = {"f:spec": {"f:flows": {'k:{"name":"a"}': {".": {}, "f:name": {}}, 'k:{"name":"b"}': {"f:note": {"f:how": {}}}}}}


@pytest.mark.parametrize(
    ("said", "steps", "record", "expect"),
    [
        ("it is there", [{"name": "b", "note": {"how": 1}}], BOTH, ()),
        ("it is gone", [{"name": "b"}], BOTH, ("spec.flows[].note",)),
        ("a part of it is gone", [{"name": "b", "note": {}}], BOTH, ("spec.flows[].note.how",)),
        ("nobody has written it", [{"name": "b"}], {"f:spec": {"f:flows": {'k:{"name":"b"}': {"f:name": {}}}}}, ()),
        ("a field of this name elsewhere", [], {"f:metadata": {"f:annotations": {"f:note": {}}}}, ()),
        ("a whole list by one writer tells of no field in it", [{"name": "b"}], {"f:spec": {"f:flows": {}}}, ()),
        ("in a map", [], {"f:spec": {"f:tags": {"f:any": {"f:x": {}}}}}, ("spec.tags{}.x",)),
    ],
)
def test_what_is_gone(said, steps, record, expect):
    spec = msgspec.json.encode({"flows": steps})
    assert lost(spec, [b'{"f:spec":{}}', msgspec.json.encode(record)], ADDED) == expect


@pytest.mark.parametrize("name", ["spec", "metadata"])
def test_an_added_field_with_a_name_that_every_object_has(name):
    """It is found, and it does not make every record worth a second look."""
    patch = ("spec", "flows", "[]", "patch", name)
    plain = b'{"f:metadata":{"f:labels":{}},"f:spec":{"f:flows":{"k:{}":{"f:name":{}}}}}'
    assert lost(b"no JSON: not looked at", [plain], frozenset({patch})) == ()
    record = {"f:spec": {"f:flows": {'k:{"name":"b"}': {"f:patch": {f"f:{name}": {}}}}}}
    assert lost(b'{"flows":[{"name":"b"}]}', [msgspec.json.encode(record)], frozenset({patch})) == (
        f"spec.flows[].patch.{name}",
    )


def test_without_additions_nothing_is_looked_at():
    assert lost(b"not looked at", [b"nor this"], frozenset({("status", "outcome")})) == ()
