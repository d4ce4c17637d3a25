"""Durations as Go writes them: `1h2m3.5s`, `300ms`, `0s`.

In: text from specs and annotations, or seconds. Out: seconds, or the text of Go's Duration.String. Volcano
writes `runningDuration` in this form and policies' `timeout` is read in it, so both directions follow Go to
the letter.
"""

from __future__ import annotations

import re

NANOSECONDS_PER_SECOND = 1_000_000_000

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, the micro sign: what Go prints
    "μs": 1_000,  # U+03BC, the Greek letter: what keyboards give
    "ms": 1_000_000,
    "s": NANOSECONDS_PER_SECOND,
    "m": 60 * NANOSECONDS_PER_SECOND,
    "h": 3_600 * NANOSECONDS_PER_SECOND,
}
_PART = re.compile(r"(?P<whole>[0-9]*)(?:\.(?P<fraction>[0-9]*))?(?P<unit>[^0-9.]*)")


def parse_duration(text: str) -> float:
    """Seconds of a Go duration such as `1h2m3.5s` or `-1.5h`; a bare `0` needs no unit.

    Raises ValueError with Go's own words where the text is not one.
    """
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0.0
    if not rest:
        raise ValueError(f'invalid duration "{text}": write it like 1h30m, 90s or 500ms')
    nanoseconds = 0
    while rest:
        part = _PART.match(rest)
        assert part is not None  # every group may be empty, so it always matches
        nanoseconds += _part_nanoseconds(part, text)
        rest = rest[part.end() :]
    return sign * nanoseconds / NANOSECONDS_PER_SECOND


def _part_nanoseconds(part: re.Match[str], text: str) -> int:
    whole: str = part["whole"]
    fraction: str = part["fraction"] or ""
    unit: str = part["unit"]
    if not whole and not fraction:
        raise ValueError(f'invalid duration "{text}": write it like 1h30m, 90s or 500ms')
    if not unit:
        raise ValueError(f'missing unit in duration "{text}": one of ns, us, ms, s, m, h')
    if unit not in _NANOSECONDS:
        raise ValueError(f'unknown unit "{unit}" in duration "{text}": one of ns, us, ms, s, m, h')
    scale = _NANOSECONDS[unit]
    tenths: int = 10 ** len(fraction)
    return int(whole or 0) * scale + int(fraction or 0) * scale // tenths


def format_duration(seconds: float) -> str:
    """The duration as Go's Duration.String prints it: `1h2m3.5s`, `1.5ms`, `0s`."""
    nanoseconds = round(seconds * NANOSECONDS_PER_SECOND)
    if nanoseconds < 0:
        return "-" + format_duration(-seconds)
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < NANOSECONDS_PER_SECOND:
        unit = "ns" if nanoseconds < 1_000 else "µs" if nanoseconds < 1_000_000 else "ms"
        return _decimal(nanoseconds, _NANOSECONDS[unit]) + unit
    minutes, rest = divmod(nanoseconds, _NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    text = _decimal(rest, NANOSECONDS_PER_SECOND) + "s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def _decimal(nanoseconds: int, scale: int) -> str:
    """`nanoseconds / scale` without trailing zeros, exactly."""
    whole, fraction = divmod(nanoseconds, scale)
    if not fraction:
        return str(whole)
    digits = len(str(scale)) - 1
    return f"{whole}.{fraction:0{digits}d}".rstrip("0")
