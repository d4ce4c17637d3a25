"""CEL syntax: an expression as a tree that can be walked.

In: the text of an expression. Out: its tree, every node with where it begins, or a SyntaxProblem. The evaluator has a
parser of its own and shows nothing of what it read; what an expression mentions, how deep its loops stand in one
another and what it may cost has to be known before it is asked. This is CEL without what has no use here: messages,
optional values, and functions beside those below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

MAX_DEPTH = 32  # of brackets and operands within each other; the evaluator itself takes 96

LOOPS = {"all": (2,), "exists": (2,), "exists_one": (2,), "existsOne": (2,), "map": (2, 3), "filter": (2,)}
FUNCTIONS = frozenset({"size", "int", "uint", "double", "string", "dyn"})
METHODS = frozenset({"size", "contains", "startsWith", "endsWith", "matches"})
HAS = "has"
CHOICE = "?:"
RELATIONS = ("==", "!=", "<=", ">=", "<", ">", "in")
LEVELS = (("||",), ("&&",), RELATIONS, ("+", "-"), ("*", "/", "%"))
RESERVED = frozenset(
    {"as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package"}
    | {"namespace", "return", "var", "void", "while"}
)

_TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*)
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?|\d+[uU]?))
    |(?P<string>[bB]?[rR][bB]?(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n]*"|'[^'\n]*')
      |[bB]?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<name>[A-Za-z_]\w*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])""",
    re.DOTALL | re.VERBOSE | re.ASCII,
)
_STRING = re.compile(r"[bBrR]*(\"{3}|'{3}|\"|')(.*)\1", re.DOTALL)


class SyntaxProblem(Exception):
    """The text is no expression; `at` is the index of the character where that shows."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.message = message


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, a number, true, false or null. Of a text what stands between its quotes, as written."""

    value: str | float | bool | None
    at: int


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Index:
    """`operand.field`, where the index is a Literal, or `operand[index]`."""

    operand: Node
    index: Node
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """An operator, a function, or a method, whose first argument is what it is called on."""

    function: str
    arguments: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Collection:
    """A list; or a map, whose keys and values alternate."""

    items: tuple[Node, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Loop:
    """`range.all(variable, body)` and its like."""

    macro: str
    range: Node
    variable: str
    body: tuple[Node, ...]
    at: int


Node = Literal | Name | Index | Call | Collection | Loop


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parsed(text: str) -> Node:
    """The tree of an expression. Raises SyntaxProblem."""
    return _Parser(text).whole()


def calls_of(text: str, function: str) -> Iterator[int]:
    """Where a function or a method of that name is called in a text that parses."""
    tokens = list(_tokens(text))
    for token, after in pairwise(tokens):
        if token.kind == "name" and token.text == function and after.text == "(":
            yield token.at


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            what = "this text is not closed" if text[at] in "'\"" else f"{text[at]!r} has no meaning in an expression"
            raise SyntaxProblem(at, what)
        kind = found.lastgroup or ""
        if kind != "blank":
            yield _Token(kind, found[0], at)
        at = found.end()
    yield _Token("end", "", at)


class _Parser:
    """Reads one expression from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        """The whole text."""
        node = self._expression()
        if self._token.kind != "end":
            raise self._unexpected("the end, or an operator such as &&")
        return node

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._token
        self._next += 1
        return token

    def _takes(self, *signs: str) -> _Token | None:
        """The next token, where it is one of these."""
        is_it = self._token.text in signs and self._token.kind in ("sign", "name")
        return self._take() if is_it else None

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise self._unexpected(sign)

    def _unexpected(self, wanted: str) -> SyntaxProblem:
        token = self._token
        found = f"found {token.text!r}" if token.kind != "end" else "the expression ends"
        return SyntaxProblem(token.at, f"{found} where {wanted} is expected")

    def _expression(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SyntaxProblem(self._token.at, f"more than {MAX_DEPTH} brackets within each other")
        node = self._operation(0)
        if asked := self._takes("?"):
            chosen = self._operation(0)
            self._expect(":")
            node = Call(CHOICE, (node, chosen, self._expression()), asked.at)
        self._depth -= 1
        return node

    def _operation(self, level: int) -> Node:
        if level == len(LEVELS):
            return self._unary()
        node = self._operation(level + 1)
        while operator := self._takes(*LEVELS[level]):
            node = Call(operator.text, (node, self._operation(level + 1)), operator.at)
        return node

    def _unary(self) -> Node:
        signs = []
        while sign := self._takes("!", "-"):
            signs.append(sign)
        if len(signs) > MAX_DEPTH:
            raise SyntaxProblem(signs[0].at, f"more than {MAX_DEPTH} signs in a row")
        node = self._member()
        for sign in reversed(signs):
            node = Call(f"{sign.text}_", (node,), sign.at)
        return node

    def _member(self) -> Node:
        node = self._primary()
        while True:
            if self._takes("."):
                node = self._selected(node)
            elif bracket := self._takes("["):
                node = Index(node, self._expression(), bracket.at)
                self._expect("]")
            else:
                return node

    def _selected(self, operand: Node) -> Node:
        name = self._take()
        if name.kind != "name":
            self._next -= 1
            raise self._unexpected("the name of a field")
        if not self._takes("("):
            return Index(operand, Literal(name.text, name.at), name.at)
        arguments = self._items(")")
        if name.text in LOOPS:
            return _loop(name, operand, arguments)
        if name.text not in METHODS:
            known = ", ".join(sorted((*METHODS, *LOOPS)))
            raise SyntaxProblem(name.at, f"there is no method {name.text}; there are {known}")
        wanted = 0 if name.text == "size" else 1
        return Call(name.text, (operand, *_counted(name, arguments, wanted)), name.at)

    def _items(self, end: str) -> list[Node]:
        items: list[Node] = []
        while not self._takes(end):
            items.append(self._expression())
            if not self._takes(","):
                self._expect(end)
                break
        return items

    def _primary(self) -> Node:
        token = self._take()
        match token.kind, token.text:
            case "number", text:
                return Literal(_number(text), token.at)
            case "string", text:
                found = _STRING.fullmatch(text)
                return Literal(found[2] if found else text, token.at)
            case "name", "true" | "false":
                return Literal(token.text == "true", token.at)
            case "name", "null":
                return Literal(None, token.at)
            case "name", text if text not in RESERVED and text != "in":
                return self._named(token)
            case "sign", "(":
                node = self._expression()
                self._expect(")")
                return node
            case "sign", "[":
                return Collection(tuple(self._items("]")), token.at)
            case "sign", "{":
                return Collection(tuple(self._entries()), token.at)
        self._next -= 1
        raise self._unexpected("a value")

    def _entries(self) -> Iterator[Node]:
        while not self._takes("}"):
            yield self._expression()
            self._expect(":")
            yield self._expression()
            if not self._takes(","):
                self._expect("}")
                return

    def _named(self, name: _Token) -> Node:
        if not self._takes("("):
            return Name(name.text, name.at)
        arguments = self._items(")")
        if name.text == HAS:
            (asked,) = _counted(name, arguments, 1)
            if not isinstance(asked, Index):
                raise SyntaxProblem(name.at, "has(...) asks for a field, as in has(steps.a.outputs.b)")
            return Call(HAS, (asked,), name.at)
        if name.text not in FUNCTIONS:
            raise SyntaxProblem(
                name.at, f"there is no function {name.text}; there are {', '.join(sorted((*FUNCTIONS, HAS)))}"
            )
        return Call(name.text, tuple(_counted(name, arguments, 1)), name.at)


def _loop(name: _Token, range_: Node, arguments: list[Node]) -> Loop:
    if len(arguments) not in LOOPS[name.text] or not isinstance(arguments[0], Name):
        raise SyntaxProblem(name.at, f"{name.text} takes the name of a variable and an expression: {name.text}(x, ...)")
    return Loop(name.text, range_, arguments[0].name, tuple(arguments[1:]), name.at)


def _counted(name: _Token, arguments: list[Node], wanted: int) -> list[Node]:
    if len(arguments) != wanted:
        said = f"{name.text} takes {wanted} argument{'' if wanted == 1 else 's'}, and there are {len(arguments)}"
        raise SyntaxProblem(name.at, said)
    return arguments


def _number(text: str) -> Any:
    plain = text.rstrip("uU")
    if plain[:2] in ("0x", "0X"):
        return int(plain, 16)
    return int(plain) if plain.isdigit() else float(plain)
