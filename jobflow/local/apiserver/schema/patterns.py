"""Patterns: the regular expressions of CRDs are RE2, ours are Python's.

In: a pattern as Go reads it. Out: one that means the same to `re`, for what the two spell differently.
"""

from __future__ import annotations

import re

_POSIX_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}


def from_re2(text: str) -> str:
    r"""The same pattern for Python's `re`: `$` is the very end, `\z` is `\Z`, POSIX classes are spelled out."""
    spelled, at, in_class = "", 0, False
    while at < len(text):
        character = text[at]
        named = re.match(r"\[:([a-z]+):\]", text[at:]) if in_class else None
        if character == "\\" and at + 1 < len(text):
            spelled += r"\Z" if text[at + 1] == "z" else text[at : at + 2]
            at += 2
            continue
        if named and named[1] in _POSIX_CLASSES:
            spelled += _POSIX_CLASSES[named[1]]
            at += named.end()
            continue
        if character == "[" and not in_class:
            in_class = True
            opening = re.match(r"\[\^?\]?", text[at:])  # a bracket right after the opening is literal
            spelled += opening[0].replace("]", r"\]") if opening else "["
            at += opening.end() if opening else 1
            continue
        if in_class:
            in_class = character != "]"
            spelled += r"\[" if character == "[" else character
        else:
            spelled += r"\Z" if character == "$" else character
        at += 1
    return spelled
