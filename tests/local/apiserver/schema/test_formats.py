"""Formats: which strings have the form they should."""

import pytest

from jobflow.local.apiserver.schema.formats import has_format


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "date-time",
            ["2024-01-31T10:00:00Z", "2024-01-31T10:00:00.123456+02:00"],
            ["2024-01-31", "x", "2024-02-31T10:00:00Z"],
        ),
        ("date", ["2024-01-31"], ["2024-02-31", "20240131", "yesterday"]),
        ("duration", ["1h30m", "0", "1.5s", "-2ms", "5 days"], ["1", "h", "1x", ""]),
        ("byte", ["", "YWI=", "YWJj"], ["YWI", "a b", "!"]),
        ("ipv4", ["10.0.0.1"], ["10.0.0", "::1"]),
        ("ipv6", ["::1"], ["10.0.0.1"]),
        ("cidr", ["10.0.0.0/8"], ["10.0.0.0/99"]),
        ("hostname", ["a.example.org"], ["-a", "a b", "a" * 254]),
        ("email", ["a@b.c"], ["a"]),
        ("mac", ["00:1a:2B:3c:4d:5e"], ["00:1a"]),
        ("uuid", ["2b1f4c3e-8d0a-4a53-9e61-0b9f6f1d2c3a"], ["2b1f"]),
        ("int32", [2**31 - 1, -(2**31), 0], [2**31, -(2**31) - 1]),
        ("int64", [2**63 - 1], [2**63]),
        ("anything-else", ["", "x"], []),
    ],
)
def test_format(name, good, bad):
    assert [value for value in good if not has_format(name, value)] == []
    assert [value for value in bad if has_format(name, value)] == []


@pytest.mark.parametrize("value", [5, True, None, [], {}])
def test_formats_of_strings_say_nothing_of_other_values(value):
    assert has_format("date-time", value)
