"""Trees: values as JSON has them, in specs, patches, parameters and outputs.

In: a value of any kind, with what is in it. Out: what kind it is, in words, for messages that must not repeat it; what
it holds, level by level; whether it is nested too deep. Also the one value that stands for any other (`Unknown`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

MAX_DEPTH = 32  # of lists and mappings within each other: whoever walks a value does so on a stack
_HOLDERS = (dict, list)


class Unknown(str):
    """A placeholder that stays where it is, because its value is not known yet; it may stand for one of any type."""

    __slots__ = ()


def kind(tree: Any) -> str:
    """What a value is, in words: `a text`, `a number`. What JSON does not know, as a date, is written as a text."""
    match tree:
        case str():
            return "a text"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case None:
            return "null"
        case Mapping():
            return "a mapping"
    return "a text"


def is_number(tree: Any) -> bool:
    """Whether it is a number, which true and false are not."""
    return isinstance(tree, int | float) and not isinstance(tree, bool)


def levels(tree: Any) -> Iterator[list[Any]]:
    """The value itself, then what it holds, then what those hold: level by level, however deep it is nested."""
    level = [tree]
    while level:
        yield level
        whole = [one for one in level if isinstance(one, _HOLDERS)]
        level = [below for one in whole for below in (one.values() if isinstance(one, dict) else one)]


def too_deep(tree: Any, depth: int = MAX_DEPTH) -> bool:
    """Whether lists and mappings are within each other more often than that."""
    return next(islice(levels(tree), depth + 1, None), None) is not None
