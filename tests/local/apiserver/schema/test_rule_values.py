"""Rule values: how a value looks to a rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobflow.local.apiserver.schema.nodes import read
from jobflow.local.apiserver.schema.rule_values import seen

TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({**TEXT, "format": "date-time"}, "2024-01-02T03:04:05Z", datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ({**TEXT, "format": "date"}, "2024-01-02", datetime(2024, 1, 2, tzinfo=UTC)),
        ({**TEXT, "format": "duration"}, "1h30m", timedelta(minutes=90)),
        ({**TEXT, "format": "duration"}, "-1.5s", timedelta(seconds=-1.5)),
        ({**TEXT, "format": "duration"}, "soon", "soon"),
        ({"type": "number"}, 1, 1.0),
        ({"type": "integer"}, 1, 1),
        ({"type": "array", "items": {"type": "number"}}, [1], [1.0]),
        ({"type": "object", "additionalProperties": {"type": "number"}}, {"a-b": 1}, {"a-b": 1.0}),
    ],
)
def test_a_value(schema, value, expected):
    found = seen(value, read(schema))
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("plain", "plain"),
        ("namespace", "__namespace__"),
        ("a-b", "a__dash__b"),
        ("a.b/c", "a__dot__b__slash__c"),
        ("x__y", "x__underscores__y"),
    ],
)
def test_a_name_that_cel_cannot_say(name, escaped):
    node = read({"type": "object", "properties": {name: TEXT}})
    assert seen({name: "v"}, node) == {escaped: "v"}
