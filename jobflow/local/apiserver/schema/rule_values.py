"""Rule values: how a value of an object looks to a rule in CEL.

In: a JSON value and its schema. Out: the same with times and durations as such, numbers as the schema has them, and
names that CEL cannot say escaped, as Kubernetes escapes them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from jobflow.local.apiserver.schema.nodes import Node

_RESERVED = frozenset(
    (
        *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if"),
        *("import", "let", "loop", "package", "namespace", "return", "var", "void", "while"),
    )
)
_ESCAPES = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))


def seen(value: Any, node: Node | None) -> Any:
    """A value as rules see it: times and durations are such, names that CEL cannot say are escaped."""
    if isinstance(value, dict):
        fields = node.properties if node else {}
        return {
            (_escaped(name) if name in fields else name): seen(
                one, (fields.get(name) or node.additional) if node else None
            )
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [seen(item, node.items if node else None) for item in value]
    if node is None:
        return value
    if node.type == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and (read := _FORMATS.get(node.rules.get("format", ""))):
        try:
            return read(value)
        except ValueError:
            return value
    return value


def _escaped(name: str) -> str:
    if name in _RESERVED:
        return f"__{name}__"
    for written, escape in _ESCAPES:
        name = name.replace(written, escape) if written != "__" or "__" in name else name
    return name


_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")


def _duration(text: str) -> timedelta:
    sign, body = (-1, text[1:]) if text.startswith("-") else (1, text)
    if not re.fullmatch(f"(?:{_DURATION.pattern})+", body):
        raise ValueError(text)
    return timedelta(seconds=sign * sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(body)))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


_FORMATS: dict[str, Any] = {"date-time": _moment, "date": _day, "duration": _duration}
