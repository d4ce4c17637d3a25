"""Schedule: when is a CronJob due?

In: a schedule as Volcano reads it (five fields, or a word such as @hourly, or @every with a Go duration) and a time
zone. Out: the times after a time, and the last one up to a time, in UTC. The fields are evaluated by cronsim; what
differs between it and the library that Volcano uses is settled here: which expressions are valid, when day of month and
day of week must both match, and that a time which a change of the clocks leaves out is left out, one that it brings
twice comes twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from jobflow.api.durations import parse_duration

WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
EVERY = "@every "
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAY_OF_MONTH, DAY_OF_WEEK = 2, 4


@dataclass(frozen=True, slots=True)
class Field:
    """What one of the five fields may hold."""

    name: str
    lowest: int
    highest: int
    words: tuple[str, ...] = ()


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of week", 0, 6, DAYS),
)
_TERM = re.compile(r"(?:(\*|\?)|(\w+)(?:-(\w+))?)(?:/(\d+))?")


class BadSchedule(ValueError):
    """The schedule cannot be read, or names no time; the message says where."""


def zone_of(name: str | None) -> tzinfo:
    """The time zone of a schedule, UTC where none is given. Raises BadSchedule.

    Reads a file of a few kilobytes the first time that a zone is asked for.
    """
    if name is None:
        return UTC
    if name.lower() == "local":
        raise BadSchedule("timeZone can't be Local, and must be defined in https://www.iana.org/time-zones")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadSchedule(f'unknown timeZone "{name}"; it is a name such as Europe/Berlin') from error


class Schedule:
    """A schedule in a time zone. Raises BadSchedule."""

    def __init__(self, text: str, zone: tzinfo) -> None:
        self._zone = zone
        self._every = _every(text)
        self._fields = "" if self._every else _fields(text)
        if self._every is None:
            self._ticks(datetime(2000, 1, 1, tzinfo=UTC))  # so that what cronsim refuses is refused here

    def after(self, moment: datetime) -> datetime | None:
        """The first time after `moment`; None where there is none in the next fifty years."""
        if self._every is not None:
            return moment.replace(microsecond=0) + self._every
        return self._first(self._ticks(moment))

    def last(self, begin: datetime, end: datetime) -> datetime | None:
        """The last time after `begin` and up to `end`; None where there is none."""
        if self._every is not None:
            times = (end - begin) // self._every
            return begin.replace(microsecond=0) + times * self._every if times > 0 else None
        found = self._first(self._ticks(end + timedelta(seconds=1), reverse=True))
        return found if found is not None and found > begin else None

    def _ticks(self, moment: datetime, *, reverse: bool = False) -> CronSim:
        try:
            # Six fields, the first for seconds: cronsim then follows the clock and not the customs of Debian's cron.
            return CronSim(f"0 {self._fields}", moment.astimezone(self._zone), reverse=reverse)
        except CronSimError as error:
            raise BadSchedule(f'"{self._fields}" is not a schedule: {error}') from error

    def _first(self, ticks: CronSim) -> datetime | None:
        """The first time that exists: one that a change of the clocks leaves out does not."""
        for tick in ticks:
            moment = tick.astimezone(UTC)
            if moment.astimezone(self._zone).replace(tzinfo=None) == tick.replace(tzinfo=None):
                return moment
        return None


def _every(text: str) -> timedelta | None:
    """The pause of `@every 1h30m`, at least a second, as in Volcano; None for another kind of schedule."""
    if not text.startswith(EVERY):
        return None
    try:
        seconds = int(parse_duration(text.removeprefix(EVERY).strip()))
    except ValueError as error:
        raise BadSchedule(f'"{text}": {error}') from error
    return timedelta(seconds=max(seconds, 1))


def _fields(text: str) -> str:
    """Five fields as cronsim reads them."""
    if text.startswith("@"):
        if text not in WORDS:
            raise BadSchedule(f'"{text}" is not known; known are {", ".join(WORDS)} and @every <duration>')
        return WORDS[text]
    parts = text.split()
    if len(parts) != len(FIELDS):
        names = ", ".join(field.name for field in FIELDS)
        raise BadSchedule(f'"{text}" has {len(parts)} fields; a schedule has {len(FIELDS)}: {names}')
    return " ".join(_field(part, field) for part, field in zip(parts, FIELDS, strict=True))


def _field(text: str, field: Field) -> str:
    return ",".join(_term(term, field) for term in text.split(","))


def _term(text: str, field: Field) -> str:
    """One of the terms between commas, checked, a step of all days written out.

    cronsim takes any field that begins with a star for one that leaves the other day field to decide; Volcano only one
    that is a star without a step.
    """
    found = _TERM.fullmatch(text.upper())
    if found is None:
        raise BadSchedule(f'{field.name}: "{text}" is not *, a value, a range a-b, or one of them with a step /n')
    star, first, last, step = found.groups()
    if step is not None and int(step) == 0:
        raise BadSchedule(f'{field.name}: a step of 0 in "{text}"')
    every = f"/{step}" if step is not None and int(step) > 1 else ""
    if star:
        return f"{field.lowest}-{field.highest}{every}" if every else "*"
    numbers = [_number(one, field) for one in (first, last) if one is not None]
    if any(before > after for before, after in pairwise(numbers)):
        raise BadSchedule(f'{field.name}: "{text}" begins after its end')
    return "-".join(map(str, numbers)) + every


def _number(text: str, field: Field) -> int:
    if text in field.words:
        return field.words.index(text) + field.lowest
    if not text.isdecimal() or not field.lowest <= int(text) <= field.highest:
        words = f" or {field.words[0]} to {field.words[-1]}" if field.words else ""
        raise BadSchedule(f'{field.name}: "{text}" is not {field.lowest} to {field.highest}{words}')
    return int(text)
