"""Selectors: which objects does a list, a watch or a deletecollection mean?

In: the text of `labelSelector` and `fieldSelector`. Out: a predicate over labels, and terms over fields. The
grammar is that of `k8s.io/apimachinery`: `app=a,tier!=b,env in (x,y),!legacy,size>3`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Labels = dict[str, str]
FieldTerm = tuple[str, str, str]

_TOKEN = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+)")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PUNCTUATION = frozenset(("==", "!=", "=", "!", "(", ")", ",", "<", ">"))
_MAX_PREFIX_CHARACTERS = 253  # of a label key, before the slash: a DNS subdomain


@dataclass(frozen=True)
class Requirement:
    """One term of a label selector. `operator` is one of exists, !exists, in, notin, >, <."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def holds(self, labels: Labels) -> bool:
        """Whether an object with these labels is meant; absent labels satisfy `notin` and `!=`."""
        value = labels.get(self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "!exists":
                return value is None
            case "in":
                return value is not None and value in self.values
            case "notin":
                return value is None or value not in self.values
        number, limit = _integer(value), _integer(next(iter(self.values)))
        if number is None or limit is None:
            return False
        return number > limit if self.operator == ">" else number < limit


def parse_label_selector(text: str) -> Callable[[Labels], bool]:
    """A predicate over an object's labels; the empty selector means every object. Raises ValueError."""
    requirements = _LabelParser(text).requirements()
    return lambda labels: all(requirement.holds(labels) for requirement in requirements)


class _LabelParser:
    """Recursive descent over the tokens of one selector."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.at = 0

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        if not self.tokens:
            return found
        while True:
            if self._peek() in _PUNCTUATION - {"!"}:
                raise ValueError(f"found '{self._peek()}', expected: !, identifier, or 'end of string'")
            found.append(self._requirement())
            if self._peek() is None:
                return found
            if (token := self._next()) != ",":
                raise ValueError(f"found '{token}', expected: ',' or 'end of string'")
            if self._peek() is None or self._peek() in _PUNCTUATION - {"!"}:
                raise ValueError(f"found '{self._peek() or ''}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._next()
            return Requirement(self._key(), "!exists")
        key = self._key()
        match self._peek():
            case None | ",":
                return Requirement(key, "exists")
            case "=" | "==":
                self._next()
                return Requirement(key, "in", frozenset({self._value()}))
            case "!=":
                self._next()
                return Requirement(key, "notin", frozenset({self._value()}))
            case "in" | "notin" as operator:
                self._next()
                return Requirement(key, operator, self._values())
            case "<" | ">" as operator:
                self._next()
                return Requirement(key, operator, frozenset({self._number()}))
            case other:
                raise self._error(f"found '{other}', expected: in, notin, =, ==, !=, gt, lt")

    def _key(self) -> str:
        key = self._next()
        if key is None or key in _PUNCTUATION:
            raise self._error(f"found '{key or ''}', expected: identifier")
        prefix, slash, name = key.rpartition("/")
        sound_prefix = not slash or (len(prefix) <= _MAX_PREFIX_CHARACTERS and _PREFIX.fullmatch(prefix))
        if not sound_prefix or not _NAME.fullmatch(name):
            raise self._error(
                f"{key!r} is not a label's name: an optional DNS prefix and '/', then at most 63 of letters, "
                "digits, '-', '_', '.', beginning and ending with a letter or digit"
            )
        return key

    def _value(self) -> str:
        token = self._peek()
        if token is None or token == ",":
            return ""  # `key=` selects the empty value
        self._next()
        return self._checked(token)

    def _values(self) -> frozenset[str]:
        if (token := self._next()) != "(":
            raise self._error(f"found '{token or ''}' expected: '('")
        values = set()
        while True:
            token = self._next()
            match token:
                case ")" | ",":
                    values.add("")  # an empty place between commas stands for the empty value
                    if token == ")":
                        return frozenset(values)
                    continue
                case None:
                    raise self._error("found '', expected: ',' or ')'")
            values.add(self._checked(token))
            if self._expect(",", ")") == ")":
                return frozenset(values)

    def _checked(self, value: str) -> str:
        if value in _PUNCTUATION or not _NAME.fullmatch(value):
            raise self._error(
                f"{value!r} is not a label's value: at most 63 of letters, digits, '-', '_', '.', "
                "beginning and ending with a letter or digit"
            )
        return value

    def _number(self) -> str:
        token = self._next()
        if token is None or _integer(token) is None:
            raise self._error(f"found {token or ''!r}, expected: an integer, for '<' and '>'")
        return token

    def _peek(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _next(self) -> str | None:
        token = self._peek()
        self.at += 1
        return token

    def _expect(self, *wanted: str) -> str:
        token = self._next()
        if token is None or token not in wanted:
            raise self._error(f"found '{token or ''}', expected: {' or '.join(map(repr, wanted))}")
        return token

    def _error(self, what: str) -> ValueError:
        return ValueError(f"unable to parse requirement: {what}")


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.strip())


def _integer(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def parse_field_selector(text: str) -> list[FieldTerm]:
    r"""Terms (path, "=" or "!=", value) of `metadata.name=a,status.phase!=Running`. Raises ValueError.

    In values a backslash stands before a literal comma, equals sign or backslash.
    """
    return [_field_term(part, text) for part in _split_unescaped(text) if part]


def _split_unescaped(text: str) -> Iterable[str]:
    part, escaped = "", False
    for character in text:
        if character == "," and not escaped:
            yield part.strip()
            part = ""
            continue
        part += character
        escaped = character == "\\" and not escaped
    yield part.strip()


def _field_term(part: str, text: str) -> FieldTerm:
    found = re.match(r"([^=!]+?)(!=|==|=)(.*)\Z", part, re.DOTALL)
    if found is None:
        raise ValueError(f"invalid selector: '{text}'; can't understand '{part}'")
    path, operator, value = found.groups()
    return path, "!=" if operator == "!=" else "=", _unescaped(value, part)


def _unescaped(value: str, part: str) -> str:
    plain, escaped = "", False
    for character in value:
        if escaped:
            if character not in "\\,=":
                raise ValueError(f"invalid field selector {part!r}: invalid escape sequence: \\{character}")
            plain, escaped = plain + character, False
        elif character == "\\":
            escaped = True
        elif character == "=":
            raise ValueError(f"invalid field selector {part!r}: unescaped '=' in the value")
        else:
            plain += character
    if escaped:
        raise ValueError(f"invalid field selector {part!r}: it ends in a backslash")
    return plain


def match_fields(terms: Iterable[FieldTerm], obj: dict[str, Any]) -> bool:
    """Whether all terms hold for the object; a field that is absent counts as the empty string."""
    return all((field_text(obj, path) == value) == (operator == "=") for path, operator, value in terms)


def field_text(obj: dict[str, Any], path: str) -> str:
    """The field at a dotted path as a field selector compares it: absent is "", true is "true"."""
    value: Any = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case _:
            return str(value)
