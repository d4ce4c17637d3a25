"""Expressions: conditions in CEL over what is known of a flow's steps, its parameters and its context.

In: the text of an expression (`steps['train'].outputs.loss < 0.1 && params.publish`), later the facts. Out: whether it
holds, and before that what it mentions, so that it can be checked and evaluated with nothing else in sight. An
expression that could run long, or that reaches for what is not known when it is written (a step whose name is
computed), is refused as it is compiled. The evaluator is imported when the first expression is compiled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from jobflow.api.cel_costs import MAX_COST, cost
from jobflow.api.cel_syntax import (
    CHOICE,
    RELATIONS,
    Call,
    Collection,
    Index,
    Literal,
    Loop,
    Name,
    Node,
    SyntaxProblem,
    calls_of,
    parsed,
)
from jobflow.api.placeholders import CONTEXT, OUTPUTS, PARAMS, STEPS
from jobflow.api.problems import suggestion
from jobflow.api.status import StepPhase

MAX_CHARACTERS = 2048  # so that no list that is written out has more than a thousand items
MAX_NESTED_LOOPS = 2
PHASE = "phase"
PHASES = tuple(phase.value for phase in StepPhase)
STEP_FACTS = (PHASE, OUTPUTS, "attempt", "exitCode", "reason")
VARIABLES = (STEPS, PARAMS, CONTEXT)
DASHED = "; a name with - in it is written in brackets: steps['my-step']"
TRUTHS = frozenset(("has", "contains", "startsWith", "endsWith", "matches", "dyn", "!_", "&&", "||", *RELATIONS))
KINDS = {str: "a text", int: "a number", float: "a number", list: "a list", dict: "a map", type(None): "null"}


class ExpressionProblem(Exception):
    """The text cannot be compiled; `position` is the number of the character where that shows, from 1."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(f"at character {position}: {message}")
        self.position = position
        self.message = message


class ExpressionError(Exception):
    """The expression could not be evaluated with these facts; the message has no values in it."""


@dataclass(frozen=True)
class Expression:
    """A compiled expression, and what it mentions."""

    text: str
    steps: frozenset[str] = frozenset()
    params: frozenset[str] = frozenset()
    context: frozenset[str] = frozenset()
    outputs: frozenset[tuple[str, str]] = frozenset()  # step and output
    facts: frozenset[str] = frozenset()  # phase, outputs, attempt, exitCode, reason: those asked of any step
    tree: Node = field(default=Literal(True, 0), compare=False, repr=False)
    program: Any = field(default=None, compare=False, repr=False)

    def evaluate(self, facts: Mapping[str, Any]) -> bool:
        """Whether it holds. Raises ExpressionError.

        `facts` has `steps` (name -> its facts), `params` and `context`. Those that the expression does not mention may
        be left out, and are not looked at; has(...) tells whether one that it mentions is there.
        """
        known = {
            STEPS: {name: facts[STEPS][name] for name in self.steps if name in facts.get(STEPS, ())},
            PARAMS: {name: facts[PARAMS][name] for name in self.params if name in facts.get(PARAMS, ())},
            CONTEXT: {name: facts[CONTEXT][name] for name in self.context if name in facts.get(CONTEXT, ())},
        }
        if cost(self.tree, known) > MAX_COST:
            raise ExpressionError(
                "it would take too long over so long a list or text; compare a part of it, or its size"
            )
        answer = self._answer(known)
        if not isinstance(answer, bool):
            raise ExpressionError(f"it gives {KINDS.get(type(answer), 'a value')}, where true or false is expected")
        return answer

    def _answer(self, known: Mapping[str, Any]) -> Any:
        import cel

        try:
            return self.program.execute(cel.Context(variables=dict(known), functions={SIZE: _size}))
        except Exception as error:  # whatever a user's expression runs into
            raise ExpressionError(self._words(error)) from error
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # of the evaluator, which is in Rust; it is no Exception
                raise
            raise ExpressionError("the evaluator cannot take it") from error

    def _words(self, error: Exception) -> str:
        """What went wrong, without values."""
        match error:
            case KeyError():
                key = str(error.args[0]).strip("'") if error.args else ""
                return f"there is no {key}" if key and key in self.text else "there is no such key"
            case IndexError():
                return "the list has no item of this index"
            case ZeroDivisionError():
                return "a division by zero"
            case OverflowError():
                return "a number is too large"
            case TypeError():
                return "values are of types that do not go together; convert with int(), double() or string()"
        found = re.match(r"Function '(\w+)' error", str(error))
        name = "size" if found and found[1] == SIZE else found[1] if found else ""
        return f"{name} cannot take what it was given" if name else "it cannot be evaluated with these values"


@lru_cache(maxsize=256)
def compile_expression(text: str) -> Expression:
    """The expression of a text. Raises ExpressionProblem."""
    return replace(_read(text), program=_program(text))


def steps_in(text: str) -> list[str]:
    """The steps that an expression names, without the evaluator; none where it is no good, which its rules tell."""
    try:
        return sorted(_read(text).steps)
    except ExpressionProblem:
        return []


@lru_cache(maxsize=256)
def _read(text: str) -> Expression:
    """The expression, without what evaluates it. Raises ExpressionProblem."""
    if len(text) > MAX_CHARACTERS:
        raise ExpressionProblem(
            MAX_CHARACTERS, f"the expression has {len(text)} characters; {MAX_CHARACTERS} are allowed"
        )
    if not text.strip():
        raise ExpressionProblem(1, "the expression is empty")
    try:
        tree = parsed(text)
        mentions = _Mentions()
        mentions.look(tree, frozenset(), 0)
        _look_at_phases(tree)
        if not _may_be_true(tree):
            raise SyntaxProblem(tree.at, "this gives no true or false; compare it with something")
    except SyntaxProblem as problem:
        raise ExpressionProblem(problem.at + 1, problem.message) from problem
    return Expression(
        text,
        frozenset(mentions.steps),
        frozenset(mentions.params),
        frozenset(mentions.context),
        frozenset(mentions.outputs),
        frozenset(mentions.facts),
        tree,
    )


SIZE = "size_of"


def _program(text: str) -> Any:
    """The evaluator's own form. Its `size` counts the bytes of a text, where CEL counts characters: ours is called."""
    import cel

    ours = text
    for at in sorted(calls_of(text, "size"), reverse=True):
        ours = f"{ours[:at]}{SIZE}{ours[at + len('size') :]}"
    try:
        return cel.compile(ours)
    except ValueError as error:
        found = re.search(r"<input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)", str(error))
        lines = ours.split("\n")[: int(found[1]) - 1] if found else []
        position = sum(len(line) + 1 for line in lines) + int(found[2]) if found else 1
        raise ExpressionProblem(min(position, len(text)), found[3] if found else "this is no expression") from error


def _size(value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise TypeError
    return len(value)


def _may_be_true(node: Node) -> bool:
    """Whether what it gives may be true or false, as far as that shows."""
    match node:
        case Literal(value):
            return isinstance(value, bool)
        case Collection():
            return False
        case Loop(macro):
            return macro not in ("map", "filter")
        case Call(function, arguments):
            return any(map(_may_be_true, arguments[1:])) if function == CHOICE else function in TRUTHS
        case Index():
            return _fact(node) in ("", OUTPUTS)
    return True


def _fact(node: Node) -> str:
    """`phase` of `steps['a'].phase`; nothing of anything else."""
    match node:
        case Index(Index(Name(root), Literal()), Literal(str(fact))) if root == STEPS:
            return fact
    return ""


def _look_at_phases(node: Node) -> None:
    """Raises SyntaxProblem where a phase is compared with a text that is none: that would never hold, silently."""
    match node:
        case Call(function, (one, other)) if function in ("==", "!=", "in"):
            if PHASE in (_fact(one), _fact(other)):
                for text in _texts(one, other):
                    if text.value not in PHASES:
                        hint = suggestion(str(text.value), PHASES) or f"; the phases are {', '.join(PHASES)}"
                        raise SyntaxProblem(text.at, f"'{text.value}' is no phase of a step{hint}")
    for below in _below(node):
        _look_at_phases(below)


def _texts(*nodes: Node) -> Iterator[Literal]:
    """The texts that are written out, also as items of a list."""
    for node in nodes:
        for item in node.items if isinstance(node, Collection) else (node,):
            if isinstance(item, Literal) and isinstance(item.value, str):
                yield item


def _below(node: Node) -> tuple[Node, ...]:
    match node:
        case Index(operand, index):
            return (operand, index)
        case Call(_, parts) | Collection(parts):
            return tuple(parts)
        case Loop(_, over, _, body):
            return (over, *body)
    return ()


class _Mentions:
    """One walk through an expression: what it mentions of whom."""

    def __init__(self) -> None:
        self.steps: set[str] = set()
        self.params: set[str] = set()
        self.context: set[str] = set()
        self.outputs: set[tuple[str, str]] = set()
        self.facts: set[str] = set()

    def look(self, node: Node, bound: frozenset[str], loops: int) -> None:
        """Note what the node mentions. Raises SyntaxProblem. `bound` are the variables of the loops round it."""
        match node:
            case Name(name, at):
                if name not in bound:
                    self._take(name, (), at)
            case Index():
                self._index(node, bound, loops)
            case Loop(_, over, variable, body, at):
                if loops == MAX_NESTED_LOOPS:
                    raise SyntaxProblem(at, f"more than {MAX_NESTED_LOOPS} loops within each other")
                if variable in VARIABLES:
                    raise SyntaxProblem(
                        at, f"{variable} is the name of what an expression sees; call the variable otherwise"
                    )
                self.look(over, bound, loops)
                for part in body:
                    self.look(part, bound | {variable}, loops + 1)
            case Call(_, parts) | Collection(parts):
                for part in parts:
                    self.look(part, bound, loops)

    def _index(self, node: Index, bound: frozenset[str], loops: int) -> None:
        chain = list(_chain(node))
        base = chain[-1].operand
        if not isinstance(base, Name) or base.name in bound:
            self.look(base, bound, loops)
            path: tuple[Any, ...] = ()
        else:
            path = tuple(_constants(reversed(chain)))
            self._take(base.name, path, base.at)
        for link in chain:
            if not isinstance(link.index, Literal):
                self.look(link.index, bound, loops)

    def _take(self, root: str, path: tuple[Any, ...], at: int) -> None:
        if root not in VARIABLES:
            hint = suggestion(root, VARIABLES) or f"; an expression sees {', '.join(VARIABLES)}{DASHED}"
            raise SyntaxProblem(at, f"{root} is not known here{hint}")
        if not path or not isinstance(path[0], str):
            raise SyntaxProblem(at, f"{root} is used without the name of what is meant, written out: {root}['name']")
        if root == PARAMS:
            self.params.add(path[0])
        elif root == CONTEXT:
            self.context.add(path[0])
        else:
            self._step(path, at)

    def _step(self, path: tuple[Any, ...], at: int) -> None:
        name, *rest = path
        if not rest or rest[0] not in STEP_FACTS:
            said = f"steps['{name}'] is used without {', '.join(STEP_FACTS[:-1])} or {STEP_FACTS[-1]}{DASHED}"
            raise SyntaxProblem(at, said)
        self.steps.add(name)
        self.facts.add(rest[0])
        if rest[0] != OUTPUTS:
            return
        if len(rest) == 1 or not isinstance(rest[1], str):
            said = f"steps['{name}'].outputs is used without the name of an output, written out"
            raise SyntaxProblem(at, said)
        self.outputs.add((name, rest[1]))


def _chain(node: Index) -> Iterator[Index]:
    """`a.b['c']` from its last link to the first."""
    link: Node = node
    while isinstance(link, Index):
        yield link
        link = link.operand


def _constants(links: Iterator[Index]) -> Iterator[Any]:
    """The names that are written out, up to the first that is computed."""
    for link in links:
        if not isinstance(link.index, Literal):
            return
        yield link.index.value
