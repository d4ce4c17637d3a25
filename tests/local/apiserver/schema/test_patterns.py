"""RE2 patterns in Python."""

import re

import pytest

from jobflow.local.apiserver.schema.patterns import from_re2


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("^a$", "a", True),
        ("^a$", "a\n", False),
        ("a", "bab", True),
        (r"^[a-z]([-a-z0-9]*[a-z0-9])?$", "a-b", True),
        (r"^[[:alpha:]]+$", "abc", True),
        (r"^[[:alpha:]]+$", "a1c", False),
        (r"^[^[:space:]]+$", "a b", False),
        (r"^a\z", "a", True),
        (r"^\$x$", "$x", True),
        (r"^[$]x$", "$x", True),
        (r"^[]a]+$", "a]", True),
        (r"^[^]]+$", "a]", False),
        (r"^\d+$", "٣", False),
        (r"(?i)^a$", "A", True),
    ],
)
def test_patterns_mean_what_they_mean_to_re2(pattern, value, matches):
    assert bool(re.search(from_re2(pattern), value, re.ASCII)) is matches
