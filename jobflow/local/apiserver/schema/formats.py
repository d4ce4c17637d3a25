"""Formats: does a string (or an integer) have the form that `format` names?

In: the name of a format and a value. Out: yes or no; formats that kube-apiserver does not check are always
fine.
"""

from __future__ import annotations

import binascii
import ipaddress
import re
import uuid
from base64 import b64decode
from collections.abc import Callable
from datetime import date
from typing import Any

_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]\d{2}:?\d{2})", re.ASCII
)
_GO_DURATION = re.compile(r"[-+]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_LONG_DURATION = re.compile(
    r"\s*(\d+(\.\d+)?|\.\d+)\s*(nano(second)?s?|micro(second)?s?|milli(second)?s?|"
    r"sec(ond)?s?|min(ute)?s?|hours?|hrs?|days?|d|weeks?|wks?|w)\s*",
    re.ASCII,
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*\.?"
)
_MAC = re.compile(r"([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")
_INTEGER_BITS = {"int32": 32, "int64": 64}


def has_format(name: str, value: Any) -> bool:
    """Whether the value has the named form; values the format is not about are fine."""
    if isinstance(value, int) and not isinstance(value, bool):
        bits = _INTEGER_BITS.get(name)
        return bits is None or -(1 << bits - 1) <= value < 1 << bits - 1
    if not isinstance(value, str):
        return True
    check = _CHECKS.get(name)
    return check is None or check(value)


def _succeeds(parse: Callable[[str], object], *errors: type[Exception]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except errors:
            return False
        return True

    return check


def _date_time(text: str) -> bool:
    return _DATE_TIME.fullmatch(text) is not None and _is_date(text[:10])


_is_date = _succeeds(date.fromisoformat, ValueError)


def _strict_date(text: str) -> bool:
    return len(text) == len("2006-01-02") and _is_date(text)


def _duration(text: str) -> bool:
    return bool(_GO_DURATION.fullmatch(text) or _LONG_DURATION.fullmatch(text))


_CHECKS: dict[str, Callable[[str], bool]] = {
    "date-time": _date_time,
    "datetime": _date_time,
    "date": _strict_date,
    "duration": _duration,
    "byte": _succeeds(lambda text: b64decode(text, validate=True), binascii.Error, ValueError),
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "hostname": lambda text: _HOST.fullmatch(text) is not None,
    "ipv4": _succeeds(ipaddress.IPv4Address, ValueError),
    "ipv6": _succeeds(ipaddress.IPv6Address, ValueError),
    "cidr": _succeeds(ipaddress.ip_interface, ValueError),
    "mac": lambda text: _MAC.fullmatch(text) is not None,
    "uuid": _succeeds(uuid.UUID, ValueError),
}
