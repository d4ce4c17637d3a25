"""Problem: one thing that is wrong with an object, where, and what to do about it.

In: nothing. Out: the value type that every spec rule returns, so that the admission webhook, the command line
and the controller tell a user the same words; and the sentence parts those rules share.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

NAMES_LISTED = 8  # enough to recognise one's own flow; a thousand names would bury the message


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one field; `path` is written as in `spec.flows[2].dependsOn.targets[0]`.

    `rule` is the message without anything that was found in the object: what may be said where that is secret. Empty
    where nobody has to say it.
    """

    path: str
    message: str
    rule: str = field(default="", compare=False)

    @classmethod
    def plain(cls, path: str, rule: str) -> Problem:
        """One whose message is the rule itself, with nothing in it that was found in the object."""
        return cls(path, rule, rule)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """`; did you mean "prep"?` for the nearest known name, or "" where none is near."""
    near = difflib.get_close_matches(wrong, list(known), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def suggestion_or_list(wrong: str, known: Iterable[str], noun: str) -> str:
    """The nearest known name as a question, else the known names: `; the steps are a, b and 3 more`."""
    names = list(known)
    return suggestion(wrong, names) or (f"; {noun} {listed(names)}" if names else "")


def listed(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = len(names) - NAMES_LISTED
    return ", ".join(names[:NAMES_LISTED]) + (f" and {more} more" if more > 0 else "")
