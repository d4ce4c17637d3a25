"""Levels, durations, and text of others made safe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobflow.cli.pictures import duration, levels, one_line

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({}, {}),
        ({"a": [], "b": ["a"], "c": ["b"]}, {"a": 0, "b": 1, "c": 2}),
        ({"join": ["a", "b"], "b": ["a"], "a": []}, {"a": 0, "b": 1, "join": 2}),
        ({"a": ["nobody"]}, {"a": 0}),
        ({"a": ["b"], "b": ["a"], "c": []}, {"c": 0, "a": 1, "b": 1}),
        ({"self": ["self"]}, {"self": 0}),
    ],
    ids=["empty", "chain", "join below its lowest target", "unknown target", "cycle comes last", "cycle alone"],
)
def test_levels(graph, expected):
    assert levels(graph) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0s"), (59.9, "59s"), (62, "1m02s"), (3600, "1h00m"), (7500, "2h05m"), (273600, "3d04h"), (-5, "0s")],
)
def test_duration(seconds, expected):
    assert duration(NOON, NOON + timedelta(seconds=seconds), NOON) == expected


def test_what_goes_on_is_measured_to_now_and_what_has_not_begun_has_no_duration():
    assert duration(NOON, None, NOON + timedelta(seconds=7)) == "7s"
    assert duration(None, None, NOON) == ""


def test_one_line():
    assert one_line("a\n\tb\x1b[31m\u202ec  d ü ✔") == "a b [31m c d ü ✔"
