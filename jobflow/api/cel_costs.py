"""CEL costs: how much an expression may have to do, told before it is asked.

In: the tree of an expression, and the values it is asked about. Out: the number of steps that it takes at most. An
evaluation cannot be stopped half-way, and no flow is looked at meanwhile, so one that might take long is refused.
What a step is was measured: the evaluator copies a variable whenever it is named (`params.list` within a loop over a
thousand items is a thousand copies), and `map` and `filter` copy what they have at each item. A text that doubles in
every step of a chain of `map` is found the same way, by how large it may become.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobflow.api.cel_syntax import Call, Collection, Index, Literal, Loop, Name, Node

MAX_COST = 1_000_000  # steps of 70 to 150 ns each: a tenth of a second, once, for an expression that is at the limit
MATCH_COST = 20_000  # a regular expression is compiled anew each time
CHARACTERS = 16  # of a text that are copied in one step
TRUTHS = frozenset({"&&", "||", "==", "!=", "<", "<=", ">", ">=", "in", "!_"})
SCALARS = frozenset({"size", "int", "uint", "double", "has", "contains", "startsWith", "endsWith", "matches"}) | TRUTHS


@dataclass(frozen=True, slots=True)
class Size:
    """How large a value may be: all of it, how many items it may have, and the largest of these."""

    total: int = 1
    count: int = 1
    largest: int = 1


ONE = Size()


def measured(value: Any) -> Size:
    """The size of a value."""
    if isinstance(value, str):
        size = 1 + len(value) // CHARACTERS
        return Size(size, 1, size)
    if isinstance(value, Mapping):
        return _sum([measured(one) for entry in value.items() for one in entry])
    if isinstance(value, list | tuple):
        return _sum([measured(one) for one in value])
    return ONE


def cost(node: Node, facts: Mapping[str, Any]) -> int:
    """The steps that the expression takes at most."""
    return _Bounds(facts).of(node, {name: measured(value) for name, value in facts.items()}).cost


@dataclass(frozen=True, slots=True)
class _Bound:
    cost: int
    size: Size = ONE


class _Bounds:
    """One walk through an expression that is asked about these facts."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts

    def of(self, node: Node, sizes: Mapping[str, Size]) -> _Bound:
        """The bound of one node; `sizes` are those of the variables that it sees."""
        match node:
            case Literal(value):
                return _Bound(1, measured(value))
            case Name(name):
                size = sizes.get(name, ONE)
                return _Bound(size.total, size)
            case Index(operand, index):
                inner, by = self.of(operand, sizes), self.of(index, sizes)
                known = _held(node, self._facts)
                return _Bound(inner.cost + by.cost + 1, _below(inner.size) if known is _UNKNOWN else measured(known))
            case Collection(items):
                parts = [self.of(item, sizes) for item in items]
                return _Bound(1 + sum(part.cost for part in parts), _sum([part.size for part in parts]))
            case Loop():
                return self._loop(node, sizes)
        return _called(node, [self.of(argument, sizes) for argument in node.arguments])

    def _loop(self, node: Loop, sizes: Mapping[str, Size]) -> _Bound:
        over = self.of(node.range, sizes)
        item = _below(over.size)
        bodies = [self.of(body, {**sizes, node.variable: item}) for body in node.body]
        rounds = over.size.count
        work = over.cost + rounds * (1 + sum(body.cost for body in bodies))
        if node.macro not in ("map", "filter"):
            return _Bound(work)
        made = bodies[-1].size if node.macro == "map" else item
        size = Size(max(rounds * made.total, 1), rounds, made.total)
        return _Bound(work + rounds * size.total, size)


def _called(node: Call, parts: list[_Bound]) -> _Bound:
    whole = sum(part.size.total for part in parts)
    work = sum(part.cost for part in parts) + whole
    if node.function == "matches":
        work += MATCH_COST + whole * CHARACTERS
    if node.function in SCALARS:
        return _Bound(work)
    count = sum(part.size.count for part in parts)
    return _Bound(work, Size(whole, count, max(part.size.largest for part in parts)))


_UNKNOWN = object()


def _held(node: Node, facts: Mapping[str, Any]) -> Any:
    """What stands at `a.b['c']` in the facts, where that is written out."""
    match node:
        case Name(name):
            return facts.get(name, _UNKNOWN)
        case Index(operand, Literal(str() as key)):
            holder = _held(operand, facts)
            return holder.get(key, _UNKNOWN) if isinstance(holder, Mapping) else _UNKNOWN
    return _UNKNOWN


def _below(size: Size) -> Size:
    """Of what is held in a value, nothing is known but that it is no larger than the largest item."""
    return Size(size.largest, size.largest, size.largest)


def _sum(sizes: list[Size]) -> Size:
    total = 1 + sum(size.total for size in sizes)
    return Size(total, max(len(sizes), 1), max((size.total for size in sizes), default=1))
