"""Durations: what Go's time package reads and prints, so do we."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.api.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("1s", 1.0),
        ("1h2m3.5s", 3723.5),
        ("5m0s", 300.0),
        ("300ms", 0.3),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("-1m", -60.0),
        ("+2s", 2.0),
        ("7us", 7e-6),
        ("7µs", 7e-6),
        ("7μs", 7e-6),
        ("12ns", 12e-9),
        ("72h", 259200.0),
    ],
)
def test_reads_what_go_reads(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "invalid duration"),
        ("-", "invalid duration"),
        ("s", "invalid duration"),
        (".s", "invalid duration"),
        ("soon", "invalid duration"),
        ("3", "missing unit"),
        ("1h3", "missing unit"),
        ("1d", 'unknown unit "d"'),
        ("1 s", 'unknown unit " s"'),
        ("1.2.3s", "missing unit"),
    ],
)
def test_says_what_is_wrong_with_anything_else(text, complaint):
    with pytest.raises(ValueError, match=complaint) as told:
        parse_duration(text)
    assert f'"{text}"' in str(told.value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (1, "1s"),
        (1.5, "1.5s"),
        (60, "1m0s"),
        (3600, "1h0m0s"),
        (3723.5, "1h2m3.5s"),
        (259200, "72h0m0s"),
        (0.1, "100ms"),
        (0.0015, "1.5ms"),
        (0.0000015, "1.5µs"),
        (0.000000012, "12ns"),
        (-90, "-1m30s"),
    ],
)
def test_prints_as_go_prints(seconds, text):
    assert format_duration(seconds) == text


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_what_is_printed_reads_back_the_same(milliseconds):
    seconds = milliseconds / 1000
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds)
