"""From samples to numbers, and to a table."""

from __future__ import annotations

import pytest

from bench.figures import middle, milliseconds, percentile, percentile_of_buckets, ratio, shown, table


@pytest.mark.parametrize(
    ("what", "samples", "percent", "expected"),
    [
        ("the middle of an odd number", [3, 1, 2], 50, 2),
        ("the lower of two middles: a sample, not a mean", [1, 2, 3, 4], 50, 2),
        ("p99 of a hundred", list(range(1, 101)), 99, 99),
        ("p99 of few is the worst", [5, 1, 3], 99, 5),
        ("p100 is the worst", [5, 1, 3], 100, 5),
        ("a single sample is every percentile", [7], 1, 7),
        ("no samples, no figure", [], 50, None),
    ],
)
def test_a_percentile_is_the_sample_at_its_rank(what, samples, percent, expected) -> None:
    assert percentile(samples, percent) == expected


@pytest.mark.parametrize("percent", [0, -1, 101])
def test_there_is_no_percentile_beyond_the_ends(percent) -> None:
    with pytest.raises(ValueError, match="percent must be above 0 and at most 100"):
        percentile([1], percent)


INF = float("inf")


@pytest.mark.parametrize(
    ("what", "before", "after", "expected"),
    [
        ("the bound that 99 of 100 are below", {}, {0.1: 99, 1.0: 100, INF: 100}, 0.1),
        ("one more above it, and it is the next", {}, {0.1: 98, 1.0: 100, INF: 100}, 1.0),
        ("what was counted before does not count", {0.1: 900, 1.0: 900, INF: 900}, {0.1: 900, 1.0: 950, INF: 950}, 1.0),
        ("above all bounds there is only infinity", {}, {0.1: 0, INF: 5}, INF),
        ("nothing counted, no figure", {0.1: 7, INF: 7}, {0.1: 7, INF: 7}, None),
        ("no buckets, no figure", {}, {}, None),
    ],
)
def test_a_percentile_of_buckets_is_the_bound_of_the_bucket_that_has_it(what, before, after, expected) -> None:
    assert percentile_of_buckets(before, after) == expected


def test_the_median_of_rounds_leaves_out_what_a_round_does_not_have() -> None:
    rounds = [{"a": 1.0, "b": None}, {"a": 9.0, "b": 4.0}, {"a": 2.0}]
    assert middle(rounds) == {"a": 2.0, "b": 4.0}
    assert middle([{"a": None}]) == {"a": None}


@pytest.mark.parametrize(
    ("value", "base", "expected"), [(2.0, 4.0, 0.5), (None, 4.0, None), (2.0, None, None), (2.0, 0.0, None)]
)
def test_a_ratio_needs_both(value, base, expected) -> None:
    assert ratio(value, base) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "-"),
        (0.0, "0"),
        (1234.5, "1234"),
        (12.345, "12.3"),
        (1.2345, "1.23"),
        (0.01234, "0.012"),
        (-2.5, "-2.50"),
    ],
)
def test_a_figure_is_shown_with_three_digits_that_count(value, expected) -> None:
    assert shown(value) == expected


def test_milliseconds_of_nothing_are_nothing() -> None:
    assert milliseconds(0.25) == 250
    assert milliseconds(None) is None


def test_the_table_has_each_contender_and_its_ratio_to_the_first() -> None:
    told = table({"ideal": {"flows/s": 20.0, "extra": None}, "ours": {"flows/s": 18.0, "events": 4.0}})
    lines = [line.split() for line in told.splitlines()]
    assert lines[0] == ["ideal", "ours", "ours/ideal"]
    assert lines[2] == ["flows/s", "20.0", "18.0", "0.900"]
    assert lines[3] == ["extra", "-", "-", "-"]
    assert lines[4] == ["events", "-", "4.00", "-"]
    assert len({len(line) for line in told.splitlines()}) == 1, "columns do not line up"


def test_a_single_contender_has_no_ratio() -> None:
    assert table({"ours": {"flows/s": 18.0}}).splitlines()[0].split() == ["ours"]
