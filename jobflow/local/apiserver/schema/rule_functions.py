"""Rule functions: what Kubernetes adds to CEL, for the rules of CRDs.

In: values as an evaluator hands them over: strings, numbers, lists. Out: the functions by the names under which rules
call them, also as methods (`self.name.lowerAscii()`). Those of standard CEL are the evaluator's own, but for `size`,
which counts characters and not bytes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from jobflow.local.apiserver.schema.patterns import from_re2

_UNITS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)")


def _sorted(items: list[Any]) -> bool:
    return all(one <= other for one, other in pairwise(items))


def _total(items: list[Any]) -> Any:
    return sum(items[1:], items[0]) if items else 0


def _place(text: Any, wanted: Any, start: int = 0) -> int:
    if isinstance(text, str):
        return text.find(wanted, start)
    return text.index(wanted) if wanted in text else -1


def _last_place(text: Any, wanted: Any) -> int:
    if isinstance(text, str):
        return text.rfind(wanted)
    return len(text) - 1 - text[::-1].index(wanted) if wanted in text else -1


def _split(text: str, by: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    pieces = text.split(by) if by else list(text)
    return pieces if limit < 0 or len(pieces) <= limit else [*pieces[: limit - 1], by.join(pieces[limit - 1 :])]


def _part(text: str, start: int, end: int | None = None) -> str:
    end = len(text) if end is None else end
    if not 0 <= start <= end <= len(text):
        raise ValueError(f"index out of range: {start if start > len(text) else end}")
    return text[start:end]


def _replaced(text: str, old: str, new: str, limit: int = -1) -> str:
    return text.replace(old, new, limit)


def _found(text: str, pattern: str) -> str:
    match = re.search(from_re2(pattern), text)
    return match[0] if match else ""


def _all_found(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match[0] for match in re.finditer(from_re2(pattern), text)]
    return found if limit < 0 else found[:limit]


def _quantity(text: str) -> dict[str, Any]:
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"quantities must match the regular expression of resource.Quantity: {text!r}")
    number, exponent, unit = match.groups()
    scale = Decimal(1024) ** _BINARY[unit] if unit in _BINARY else Decimal(10) ** _UNITS[unit or ""]
    value = Decimal(number + exponent) if exponent else Decimal(number) * scale
    return {"quantity": str(value)}


def _is(read: Callable[[str], object]) -> Callable[[str], bool]:
    def judge(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return judge


def _value(one: dict[str, Any]) -> Decimal:
    return Decimal(one["quantity"])


def _compared(one: dict[str, Any], other: dict[str, Any]) -> int:
    return (_value(one) > _value(other)) - (_value(one) < _value(other))


def _url(text: str) -> dict[str, Any]:
    parts = urlsplit(text)
    if not (parts.scheme or text.startswith("/")):
        raise ValueError(f"URL parse error during conversion from string: parse {text!r}: invalid URI for request")
    port = parts.port
    return {
        "scheme": parts.scheme,
        "host": parts.netloc.rpartition("@")[2],
        "hostname": parts.hostname or "",
        "port": "" if port is None else str(port),
        "path": parts.path,
    }


def _of_url(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda url: url[name]


_VERB = re.compile(r"%(?:%|(\.\d+)?([sdfebxXo]))")


def _formatted(text: str, values: list[Any]) -> str:
    left = iter(values)

    def told(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        value, verb = next(left), match[2]
        if verb == "s":
            return str(value).lower() if isinstance(value, bool) else str(value)
        if verb == "b":
            return f"{value:b}"
        if verb in "xX" and isinstance(value, str):
            shown = value.encode().hex()
            return shown.upper() if verb == "X" else shown
        return str(f"%{match[1] or ('.6' if verb in 'fe' else '')}{verb}" % value)

    return _VERB.sub(told, text)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "size_of": len,
    # strings
    "charAt": lambda text, index: _part(text, index, min(index + 1, len(text))),
    "indexOf": _place,
    "lastIndexOf": _last_place,
    "lowerAscii": lambda text: text.translate({code: code + 32 for code in range(65, 91)}),
    "upperAscii": lambda text: text.translate({code: code - 32 for code in range(97, 123)}),
    "replace": _replaced,
    "split": _split,
    "substring": _part,
    "trim": str.strip,
    "join": lambda items, by="": by.join(items),
    "reverse": lambda value: value[::-1],
    "format": _formatted,
    "find": _found,
    "findAll": _all_found,
    # lists
    "isSorted": _sorted,
    "sum": _total,
    "min": lambda *items: min(items[0] if len(items) == 1 and isinstance(items[0], list) else items),
    "max": lambda *items: max(items[0] if len(items) == 1 and isinstance(items[0], list) else items),
    # quantities, URLs and addresses
    "quantity": _quantity,
    "isQuantity": _is(_quantity),
    "isGreaterThan": lambda one, other: _compared(one, other) > 0,
    "isLessThan": lambda one, other: _compared(one, other) < 0,
    "compareTo": _compared,
    "isInteger": lambda one: _value(one) == _value(one).to_integral_value(),
    "asInteger": lambda one: int(_value(one)),
    "asApproximateFloat": lambda one: float(_value(one)),
    "sign": lambda one: (_value(one) > 0) - (_value(one) < 0),
    "url": _url,
    "isURL": _is(_url),
    "getScheme": _of_url("scheme"),
    "getHost": _of_url("host"),
    "getHostname": _of_url("hostname"),
    "getPort": _of_url("port"),
    "getEscapedPath": _of_url("path"),
    "isIP": _is(ipaddress.ip_address),
    "isCIDR": _is(lambda text: ipaddress.ip_network(text, strict=False)),
}
