"""Ages as kubectl shows them."""

from datetime import UTC, datetime, timedelta

import pytest

from jobflow.local.apiserver.reads.ages import age, human_duration

MINUTE, HOUR, DAY = 60, 3600, 86_400


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0s"),
        (-0.5, "0s"),
        (-5, "<invalid>"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (9 * MINUTE + 59, "9m59s"),
        (10 * MINUTE, "10m"),
        (179 * MINUTE, "179m"),
        (3 * HOUR, "3h"),
        (7 * HOUR + 5 * MINUTE, "7h5m"),
        (8 * HOUR + 5 * MINUTE, "8h"),
        (47 * HOUR, "47h"),
        (48 * HOUR, "2d"),
        (3 * DAY + 4 * HOUR, "3d4h"),
        (8 * DAY + 4 * HOUR, "8d"),
        (700 * DAY, "700d"),
        (2 * 365 * DAY + 3 * DAY, "2y3d"),
        (9 * 365 * DAY, "9y"),
    ],
)
def test_human_duration(seconds, told):
    assert human_duration(seconds) == told


NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timestamp", "told"),
    [
        ((NOW - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ"), "5m"),
        ("2024-05-01T13:59:58.500000+02:00", "1s"),
        (None, "<unknown>"),
        ("", "<unknown>"),
        ("soon", "<invalid>"),
    ],
)
def test_age_of_a_timestamp(timestamp, told):
    assert age(timestamp, NOW) == told
