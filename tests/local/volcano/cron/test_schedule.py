"""Schedules, as the library that Volcano uses reads them."""

from datetime import UTC, datetime

import pytest

from jobflow.local.volcano.cron.schedule import BadSchedule, Schedule, zone_of


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def times(schedule, begin, count, zone=None):
    found, moment = [], at(begin)
    for _ in range(count):
        moment = Schedule(schedule, zone_of(zone)).after(moment)
        found.append(moment.strftime("%Y-%m-%d %H:%M:%S"))
    return found


@pytest.mark.parametrize(
    ("schedule", "begin", "expected"),
    [
        ("* * * * *", "2026-01-01T00:00:30", ["2026-01-01 00:01:00", "2026-01-01 00:02:00"]),
        ("*/20 * * * *", "2026-01-01T00:05:00", ["2026-01-01 00:20:00", "2026-01-01 00:40:00"]),
        ("5/20 * * * *", "2026-01-01T00:00:00", ["2026-01-01 00:05:00", "2026-01-01 00:25:00"]),
        ("30 6-16/4 * * 1-5", "2026-01-02T11:00:00", ["2026-01-02 14:30:00", "2026-01-05 06:30:00"]),
        ("0 0 1,15 * *", "2026-01-01T00:00:00", ["2026-01-15 00:00:00", "2026-02-01 00:00:00"]),
        ("0 12 * jan MON", "2026-01-01T00:00:00", ["2026-01-05 12:00:00", "2026-01-12 12:00:00"]),
        ("0 0 29 2 *", "2026-01-01T00:00:00", ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]),
        ("0 0 ? * ?", "2026-01-01T00:00:00", ["2026-01-02 00:00:00", "2026-01-03 00:00:00"]),
        ("@hourly", "2026-01-01T00:00:00", ["2026-01-01 01:00:00", "2026-01-01 02:00:00"]),
        ("@weekly", "2026-01-01T00:00:00", ["2026-01-04 00:00:00", "2026-01-11 00:00:00"]),
        ("@every 1h30m", "2026-01-01T00:00:00", ["2026-01-01 01:30:00", "2026-01-01 03:00:00"]),
    ],
)
def test_when_it_is_due(schedule, begin, expected):
    assert times(schedule, begin, len(expected)) == expected


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        ("0 0 13 * FRI", [2, 9, 13, 16]),  # either
        ("0 0 * * FRI", [2, 9, 16, 23]),  # any day of the month says nothing
        ("0 0 */10 * FRI", [2, 9, 11, 16]),  # a step is a choice: either
        ("0 0 13 * *", [13]),
    ],
)
def test_day_of_month_and_day_of_week(schedule, days):
    """January 2026 begins on a Thursday."""
    found = times(schedule, "2026-01-01T00:00:00", len(days))
    assert [int(text[8:10]) for text in found if text.startswith("2026-01")] == days


def test_a_zone_of_its_own():
    assert times("0 9 * * *", "2026-01-01T00:00:00", 1, "Europe/Berlin") == ["2026-01-01 08:00:00"]
    assert times("0 9 * * *", "2026-07-01T00:00:00", 1, "Europe/Berlin") == ["2026-07-01 07:00:00"]


def test_a_time_that_the_clocks_leave_out_is_left_out():
    """On 29 March 2026 Berlin has no 02:30."""
    assert times("30 2 * * *", "2026-03-28T12:00:00", 1, "Europe/Berlin") == ["2026-03-30 00:30:00"]


def test_a_time_that_the_clocks_bring_twice_comes_twice():
    """On 25 October 2026 Berlin has 02:30 at 00:30 and at 01:30 UTC."""
    found = times("30 2 * * *", "2026-10-24T12:00:00", 3, "Europe/Berlin")
    assert found == ["2026-10-25 00:30:00", "2026-10-25 01:30:00", "2026-10-26 01:30:00"]


@pytest.mark.parametrize(
    ("schedule", "begin", "end", "last"),
    [
        ("0 * * * *", "2026-01-01T00:00:00", "2026-01-01T05:30:00", "2026-01-01T05:00:00"),
        ("0 * * * *", "2026-01-01T00:00:00", "2026-01-01T05:00:00", "2026-01-01T05:00:00"),
        ("0 * * * *", "2026-01-01T05:00:00", "2026-01-01T05:59:59", None),
        ("0 0 1 1 *", "2020-06-01T00:00:00", "2026-06-01T00:00:00", "2026-01-01T00:00:00"),
        ("@every 7m", "2026-01-01T00:00:00", "2026-01-01T00:20:00", "2026-01-01T00:14:00"),
        ("@every 7m", "2026-01-01T00:00:00", "2026-01-01T00:06:59", None),
    ],
)
def test_the_last_time_up_to_now(schedule, begin, end, last):
    assert Schedule(schedule, UTC).last(at(begin), at(end)) == (at(last) if last else None)


@pytest.mark.parametrize("schedule", ["0 0 31 2 *", "0 0 31 4,6 *"])
def test_a_day_that_never_comes(schedule):
    with pytest.raises(BadSchedule, match="Bad day-of-month"):
        Schedule(schedule, UTC)


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ("* * * *", "has 4 fields; a schedule has 5: minute, hour, day of month, month, day of week"),
        ("0 0 0 * * *", "has 6 fields"),
        ("60 * * * *", 'minute: "60" is not 0 to 59'),
        ("* 24 * * *", 'hour: "24" is not 0 to 23'),
        ("* * 0 * *", 'day of month: "0" is not 1 to 31'),
        ("* * * 13 *", 'month: "13" is not 1 to 12 or JAN to DEC'),
        ("* * * * 7", 'day of week: "7" is not 0 to 6 or SUN to SAT'),
        ("* * L * *", 'day of month: "L" is not 1 to 31'),
        ("* * * * MON#2", 'day of week: "MON#2" is not *, a value, a range a-b'),
        ("30-10 * * * *", 'minute: "30-10" begins after its end'),
        ("*/0 * * * *", 'minute: a step of 0 in "*/0"'),
        ("5, * * * *", 'minute: "" is not *, a value'),
        ("@fortnightly", '"@fortnightly" is not known; known are @yearly'),
        ("@every soon", '"@every soon": invalid duration "soon"'),
        ("", "has 0 fields"),
    ],
)
def test_what_is_not_a_schedule(schedule, told):
    with pytest.raises(BadSchedule) as refused:
        Schedule(schedule, UTC)
    assert told in str(refused.value)


@pytest.mark.parametrize("name", ["Mars/Base", "../etc/passwd", "Local", "", "Europe"])
def test_what_is_not_a_time_zone(name):
    with pytest.raises(BadSchedule):
        zone_of(name)
