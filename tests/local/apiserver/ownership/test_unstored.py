"""Who owns what in answers that are not kept."""

from __future__ import annotations

import pytest

from jobflow.local.apiserver.ownership.unstored import owned


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"user": "u"}, {"f:user": {}}),
        ({"groups": ["a", "b"]}, {"f:groups": {}}),
        (
            {"resourceAttributes": {"verb": "get", "name": "x"}},
            {"f:resourceAttributes": {".": {}, "f:verb": {}, "f:name": {}}},
        ),
    ],
)
def test_the_fields_that_were_sent_are_the_senders(spec, expected) -> None:
    [entry] = owned("me", "v1", "2026-01-01T00:00:00Z", spec)["managedFields"]
    assert entry == {
        "manager": "me",
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": expected},
    }


def test_where_none_was_sent_there_are_no_entries() -> None:
    assert owned("me", "v1", "2026-01-01T00:00:00Z", {}) == {}


def test_a_subresource_is_named() -> None:
    [entry] = owned("me", "v1", "2026-01-01T00:00:00Z", {"a": 1}, "token")["managedFields"]
    assert entry["subresource"] == "token"
