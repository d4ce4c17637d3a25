r"""JSONPath as CRDs use it for columns, scale and selectable fields.

In: a path such as `.status.conditions[?(@.type=="Ready")].status`,
`.metadata.labels.app\.kubernetes\.io/name`, `.spec.flows[*].name`, `.spec['a.b'][0]`. Out: the values it
leads to, in order; none where a step leads nowhere.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Step = Callable[[Any], Iterator[Any]]
JSONPath = Callable[[Any], list[Any]]

_NAME = re.compile(r"\.((?:\\.|[^.\[\]\\])+)")
_INDEX = re.compile(r"\[(-?\d+)\]")
_SLICE = re.compile(r"\[(-?\d*):(-?\d*)\]")
_QUOTED = re.compile(r"""\[\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)")\s*\]""")
_ALL = re.compile(r"\[\*\]|\.\*")
_FILTER = re.compile(
    r"""\[\?\(\s*@(?P<path>[^=!<>]*?)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>'[^']*'|"[^"]*"|[^\s()]+)\s*)?\)\]"""
)
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def parse(text: str) -> JSONPath:
    """The function that follows the path; braces round it are allowed.

    Raises ValueError that tells from where on the path is not understood.
    """
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1].strip()
    inner = inner.removeprefix("$")
    if inner and inner[0] not in ".[":
        inner = "." + inner
    if inner in ("", "."):
        return lambda value: [value]
    steps = list(_steps(inner, text))
    return lambda value: _follow(value, steps)


def _follow(value: Any, steps: list[Step]) -> list[Any]:
    found = [value]
    for step in steps:
        found = [below for one in found for below in step(one)]
    return found


def _steps(inner: str, text: str) -> Iterator[Step]:
    at = 0
    while at < len(inner):
        for pattern, build in _GRAMMAR:
            if match := pattern.match(inner, at):
                yield build(match)
                at = match.end()
                break
        else:
            raise ValueError(f"{text!r}: cannot read a JSONPath from {inner[at:]!r} on")


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


@dataclass(frozen=True)
class Field:
    """`.name` or `['name']`."""

    name: str

    def follow(self, value: Any) -> Iterator[Any]:
        """What this step leads to from one value."""
        if isinstance(value, dict) and self.name in value:
            yield value[self.name]


@dataclass(frozen=True)
class Part:
    """`[2]`, `[-1]` or `[1:3]`."""

    start: int | None
    stop: int | None

    def follow(self, value: Any) -> Iterator[Any]:
        """What this step leads to from one value."""
        if isinstance(value, list):
            yield from value[self.start : self.stop]


def _every(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()


@dataclass(frozen=True)
class Filter:
    """`[?(@.path == "value")]`, or `[?(@.path)]` for items that have it."""

    path: JSONPath
    compare: Callable[[Any, Any], Any] | None
    wanted: Any

    def follow(self, value: Any) -> Iterator[Any]:
        """What this step leads to from one value."""
        if isinstance(value, list):
            yield from (item for item in value if self._holds(item))

    def _holds(self, item: Any) -> bool:
        found = self.path(item)
        if self.compare is None or not found:
            return bool(found)
        try:
            return bool(self.compare(found[0], self.wanted))
        except TypeError:
            return False  # a number and a string have no order


def _filter(match: re.Match[str]) -> Filter:
    comparison = match["op"]
    return Filter(
        parse(match["path"]) if match["path"] else lambda item: [item],
        _COMPARISONS[comparison] if comparison else None,
        _literal(match["value"]) if comparison else None,
    )


def _literal(text: str) -> Any:
    if text[0] in "'\"":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        raise ValueError(f"{text!r}: a filter compares with a number, true, false or a quoted string") from None


def _index(match: re.Match[str]) -> Part:
    start = int(match[1])
    return Part(start, start + 1 if start != -1 else None)


def _slice(match: re.Match[str]) -> Part:
    return Part(int(match[1]) if match[1] else None, int(match[2]) if match[2] else None)


_GRAMMAR: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Step]], ...] = (
    (_ALL, lambda match: _every),
    (_INDEX, lambda match: _index(match).follow),
    (_SLICE, lambda match: _slice(match).follow),
    (_QUOTED, lambda match: Field(_unescaped(match[1] if match[1] is not None else match[2])).follow),
    (_FILTER, lambda match: _filter(match).follow),
    (_NAME, lambda match: Field(_unescaped(match[1])).follow),
)
