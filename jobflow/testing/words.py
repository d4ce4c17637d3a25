"""Words: how the fields of a fault are written in its text.

In: a value, or a piece of text between colons. Out: the other one; ValueError where the text cannot be meant. A fault's
dataclass names the word of each field (`write: int = word(COUNT)`), and its text form follows.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

WATCHED_KINDS = ("Job", "JobFlow", "JobTemplate")
ENDS = ("eof", "truncated", "silence", "gone")
STATUSES = (400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 503, 504)

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


class Span(NamedTuple):
    """Numbers first to last, both included."""

    first: int
    last: int


@dataclass(frozen=True)
class Codec:
    """One word: how it is read, how it is told, how it is shown in a usage line. `name` makes it `name=value`."""

    usage: str
    read: Callable[[str], Any]
    tell: Callable[[Any], str] = str
    name: str = ""

    def named(self, name: str) -> Codec:
        """The same word as an option that may be left out."""

        def read(text: str) -> Any:
            key, _, value = text.partition("=")
            if key != name:
                raise ValueError(f"{text!r} is not {name}=...")
            return self.read(value)

        return replace(
            self,
            usage=f"[{name}={self.usage}]",
            read=read,
            tell=lambda value: "" if value is None else f"{name}={self.tell(value)}",
            name=name,
        )


class _Word:
    """`word(COUNT)` declares a field; `word.fields`, `word.read` use what was declared."""

    def __call__(self, codec: Codec, **options: Any) -> Any:
        return dataclasses.field(metadata={"word": codec}, **options)

    def fields(self, owner: type[Any]) -> Iterator[tuple[str, Codec]]:
        """The fields of a fault with their words, in order."""
        for field in dataclasses.fields(owner):
            yield field.name, field.metadata["word"]

    def read(self, owner: type[Any], texts: Sequence[str]) -> dict[str, Any]:
        """The fields' values from the texts between the colons."""
        declared = list(self.fields(owner))
        needed = sum(not codec.name for _, codec in declared)
        if not needed <= len(texts) <= len(declared):
            raise ValueError(f"{len(texts)} words after the name, where {needed} are needed")
        return {field: codec.read(text) for (field, codec), text in zip(declared, texts, strict=False)}


word = _Word()


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError(f"{text!r} is not a number from 1 on")
    return int(text)


def _status(text: str) -> int:
    return int(_one_of(text, map(str, STATUSES)))


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError(f"{text!r} is not a number of seconds")
    return value


def _jump(text: str) -> float:
    if text[:1] not in ("+", "-"):
        raise ValueError(f"{text!r} is not a jump such as +3600 or -60")
    return -_seconds(text[1:]) if text[0] == "-" else _seconds(text[1:])


def _plain(value: float) -> str:
    """A number as short as it can be written without losing anything."""
    return str(int(value)) if value == int(value) else repr(float(value))


def _span(text: str) -> Span:
    first, dash, last = text.partition("-")
    if not dash:
        raise ValueError(f"{text!r} is not a span such as 3-5")
    span = Span(_count(first), _count(last))
    if span.last < span.first:
        raise ValueError(f"{text!r} ends before it begins")
    return span


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of an object")
    return text


def _one_of(text: str, known: Any) -> str:
    known = list(known)
    if text not in known:
        raise ValueError(f"{text!r} is not one of {', '.join(known)}")
    return text


COUNT = Codec("N", _count)
STATUS = Codec("STATUS", _status)
SECONDS = Codec("SECONDS", _seconds, _plain)
JUMP = Codec("+SECONDS", _jump, lambda value: f"{'-' if value < 0 else '+'}{_plain(abs(value))}")
SPAN = Codec("FIRST-LAST", _span, lambda span: f"{span.first}-{span.last}")
OBJECT = Codec("NAME", _name)
KIND = Codec("KIND", lambda text: _one_of(text, WATCHED_KINDS))
HOW = Codec("|".join(ENDS), lambda text: _one_of(text, ENDS))
