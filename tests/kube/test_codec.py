"""What comes over the wire, and what the codec makes of it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from jobflow.api.metadata import ObjectMeta, OwnerReference
from jobflow.kube.codec import Codec, EventType
from jobflow.kube.errors import ApiError, Forbidden, Gone, Unavailable


class Widget(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    metadata: ObjectMeta
    size: int = 0


def named(widget: Widget) -> tuple[str, int]:
    if widget.size < 0:
        raise ValueError("size is negative")
    return widget.metadata.name, widget.size


@pytest.fixture
def codec() -> Codec[tuple[str, int]]:
    return Codec(Widget, named)


def line(kind: str, /, **obj: object) -> bytes:
    return msgspec.json.encode({"type": kind, "object": obj})


META = {"name": "a", "resourceVersion": "5"}


@pytest.mark.parametrize(
    ("what", "text", "expected"),
    [
        ("an added object", line("ADDED", metadata=META, size=3), ("ADDED", ("a", 3), "5")),
        ("a modified object", line("MODIFIED", metadata=META), ("MODIFIED", ("a", 0), "5")),
        ("a deleted object", line("DELETED", metadata=META), ("DELETED", ("a", 0), "5")),
        ("unknown fields", line("ADDED", metadata={**META, "managedFields": [1]}, x=1), ("ADDED", ("a", 0), "5")),
        (
            "a bookmark as CRDs have it",
            line("BOOKMARK", kind="Widget", metadata={"resourceVersion": "9"}),
            ("BOOKMARK", None, "9"),
        ),
        (
            "a bookmark as core kinds have it",
            line("BOOKMARK", metadata={"resourceVersion": "9", "creationTimestamp": None}, size=None),
            ("BOOKMARK", None, "9"),
        ),
        ("a mistyped field", line("ADDED", metadata=META, size="huge"), ("ADDED", None, "5")),
        ("a field that the view refuses", line("MODIFIED", metadata=META, size=-1), ("MODIFIED", None, "5")),
        ("no metadata", line("ADDED", size=1), ("ADDED", None, "")),
    ],
)
def test_events(what, text, expected, codec):
    event = codec.event(text)
    assert (event.type, event.object, event.resource_version) == expected


GONE = {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}


@pytest.mark.parametrize(
    ("what", "text", "error", "message"),
    [
        ("an ERROR event", line("ERROR", **GONE), Gone, "too old"),
        ("an ERROR event of a kind with metadata", line("ERROR", **GONE, metadata={"name": "a"}), Gone, "too old"),
        ("an ERROR event without a Status", line("ERROR", metadata=META), Unavailable, "not an error event"),
        ("a bare Status", msgspec.json.encode(GONE), Gone, "too old"),
        ("a bare Status: 403", b'{"kind":"Status","code":403,"message":"no"}', Forbidden, "no"),
        ("half a line", line("ADDED", metadata=META)[:-9], Unavailable, "not a watch event"),
        ("HTML", b"<html>bad gateway</html>", Unavailable, "bad gateway"),
        ("an empty line", b"", Unavailable, "0 bytes"),
        ("an unknown type", line("RENAMED", metadata=META), Unavailable, "not a watch event"),
        ("a number", b"5", Unavailable, "not a watch event"),
        ("bytes that are no text", b"\xff\xfe", Unavailable, "not a watch event"),
    ],
)
def test_lines_that_are_errors(what, text, error, message, codec):
    with pytest.raises(error, match=message):
        codec.event(text)


def test_a_long_line_that_is_no_event_is_cut_in_the_message(codec):
    with pytest.raises(Unavailable) as told:
        codec.event(b"x" * 100_000)
    assert len(told.value.message) < 200


def page(*items: object, **meta: str) -> bytes:
    return msgspec.json.encode({"kind": "WidgetList", "metadata": meta, "items": items})


def test_a_page_has_its_version_and_where_it_goes_on(codec):
    read = codec.page(page({"metadata": META}, **{"resourceVersion": "9", "continue": "token"}))
    assert (read.items, read.resource_version, read.continue_token) == ([("a", 0)], "9", "token")


def test_an_empty_list_may_be_null(codec):
    assert codec.page(b'{"metadata":{"resourceVersion":"9"},"items":null}').items == []


@pytest.mark.parametrize(
    ("what", "item"),
    [
        ("mistyped", {"metadata": {"name": "bad"}, "size": "huge"}),
        ("refused by the view", {"metadata": {"name": "bad"}, "size": -1}),
        ("without a name", {"metadata": {}}),
        ("not an object", 5),
    ],
)
def test_an_item_that_cannot_be_read_does_not_lose_the_others(what, item, codec):
    others = [{"metadata": {"name": "b"}}, {"metadata": {"name": "c"}}]
    read = codec.page(page(others[0], item, others[1], resourceVersion="9"))
    assert read.items == [("b", 0), ("c", 0)]
    assert read.resource_version == "9"
    assert codec.left_out == 1


def test_an_object_left_out_is_logged_once_and_counted_each_time(codec):
    bad = line("MODIFIED", metadata={"name": "bad", "namespace": "ns", "resourceVersion": "5"}, size="huge")
    with capture_logs() as logs:
        codec.event(bad)
        codec.event(bad)
        codec.event(bad.replace(b"bad", b"worse"))
    assert [entry["object"] for entry in logs] == ["ns/bad", "ns/worse"]
    assert "$.size" in logs[0]["error"]
    assert codec.left_out == 3


@pytest.mark.parametrize(
    ("what", "body", "error"),
    [
        ("a Status", msgspec.json.encode(GONE), Gone),
        ("HTML", b"<html>", Unavailable),
        ("an object", b'{"kind":"Widget"}', Unavailable),
        ("cut off", page({"metadata": META})[:-4], Unavailable),
    ],
)
def test_bodies_that_are_no_list(what, body, error, codec):
    with pytest.raises(error):
        codec.page(body)


text = st.text(max_size=12)
moments = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC))
owners = st.builds(OwnerReference, text, text, text, text, st.booleans(), st.booleans())
metas = st.builds(
    ObjectMeta,
    name=text,
    namespace=text,
    uid=text,
    resourceVersion=text,
    generation=st.integers(0, 2**60),
    creationTimestamp=st.none() | moments,
    deletionTimestamp=st.none() | moments,
    labels=st.dictionaries(text, text, max_size=3),
    annotations=st.dictionaries(text, text, max_size=3),
    ownerReferences=st.lists(owners, max_size=2).map(tuple),
)
widgets = st.builds(Widget, metas, st.integers(0, 9))


@given(st.lists(widgets, max_size=4), text, text)
def test_a_page_that_was_encoded_is_decoded_the_same(objects, version, token):
    body = page(*objects, **{"resourceVersion": version, "continue": token})
    read = Codec(Widget, lambda widget: widget).page(body)
    assert (read.items, read.resource_version, read.continue_token) == (objects, version, token)


@given(st.sampled_from([EventType.ADDED, EventType.MODIFIED, EventType.DELETED]), widgets)
def test_an_event_that_was_encoded_is_decoded_the_same(kind, widget):
    read = Codec(Widget, lambda widget: widget).event(msgspec.json.encode({"type": kind, "object": widget}))
    assert (read.type, read.object) == (kind, widget)
    assert read.resource_version == widget.metadata.resourceVersion


@given(st.binary(max_size=60))
def test_no_line_whatever_raises_anything_but_an_api_error(data):
    with pytest.raises(ApiError):
        Codec(Widget, named).event(data)


def test_the_controller_of_an_object_is_the_owner_that_says_so():
    owner, other = OwnerReference("v1", "JobFlow", "f", "1", controller=True), OwnerReference("v1", "Pod", "p", "2")
    assert ObjectMeta(name="a", ownerReferences=(other, owner)).controller is owner
    assert ObjectMeta(name="a", ownerReferences=(other,)).controller is None
