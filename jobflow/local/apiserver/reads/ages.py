"""Ages as kubectl shows them. In: a timestamp and the time now. Out: `45s`, `3m12s`, `5h`, `3d`, `<unknown>`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

UNKNOWN = "<unknown>"
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86_400, 365 * 86_400  # seconds


def age(timestamp: Any, now: datetime) -> str:
    """How long ago an RFC 3339 timestamp was; `<unknown>` where there is none, `<invalid>` where it is not one."""
    if timestamp in (None, ""):
        return UNKNOWN
    moment = parsed(timestamp)
    return "<invalid>" if moment is None else human_duration((now - moment).total_seconds())


def parsed(timestamp: Any) -> datetime | None:
    """An RFC 3339 timestamp as a time with a zone, or None."""
    if not isinstance(timestamp, str):
        return None
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def human_duration(seconds: float) -> str:
    """A span in at most two units, the smaller only while it says something: `9m59s`, `10m`, `7h5m`, `8h`."""
    if seconds < -1:
        return "<invalid>"  # the clocks disagree by more than rounding
    whole = max(int(seconds), 0)
    if whole < 2 * MINUTE:
        return f"{whole}s"
    if whole < 10 * MINUTE:
        return _two_units(whole, MINUTE, "m", 1, "s")
    if whole < 3 * HOUR:
        return f"{whole // MINUTE}m"
    if whole < 8 * HOUR:
        return _two_units(whole, HOUR, "h", MINUTE, "m")
    if whole < 2 * DAY:
        return f"{whole // HOUR}h"
    if whole < 8 * DAY:
        return _two_units(whole, DAY, "d", HOUR, "h")
    if whole < 2 * YEAR:
        return f"{whole // DAY}d"
    if whole < 8 * YEAR:
        return _two_units(whole, YEAR, "y", DAY, "d")
    return f"{whole // YEAR}y"


def _two_units(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    count, rest = divmod(whole, large)
    return f"{count}{large_name}" + (f"{rest // small}{small_name}" if rest // small else "")
