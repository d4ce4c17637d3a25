"""RuleCosts: how much a rule in CEL may have to do, told before it is asked.

In: a rule's text, the value that it is about. Out: the number of steps that its loops (`all`, `exists`, `map` ...) take
at most: the widest list to the power of how deep they stand in one another. An evaluation cannot be stopped half-way,
and nothing else is answered meanwhile, so one that might take long is refused instead. kube-apiserver counts while it
evaluates, and refuses rather earlier.
"""

from __future__ import annotations

import re
from typing import Any

MAX_STEPS = 2_000_000  # of one rule: the evaluator takes about three million a second
MAX_STEPS_OF_ALL = 10_000_000  # of all rules about one object

_QUOTED = re.compile(r"'{3}.*?'{3}|\"{3}.*?\"{3}|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)
_BRACKET = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter|transformList|transformMap)\s*\(|\(|\)")


def nesting(expression: str) -> int:
    """How deep its loops stand in one another; 0 where there is none."""
    deepest = 0
    open_brackets: list[bool] = []  # whether each is a loop's
    for found in _BRACKET.finditer(_QUOTED.sub("''", expression)):
        if found[0] == ")":
            if open_brackets:
                open_brackets.pop()
        else:
            open_brackets.append(found[0] != "(")
            deepest = max(deepest, sum(open_brackets))
    return deepest


def steps(loops: int, *values: Any) -> int:
    """What loops so deep in one another come to over the widest list or map in the values."""
    return max(map(_widest, values)) ** loops if loops else 0


def _widest(value: Any) -> int:
    if isinstance(value, dict):
        return max([len(value), *map(_widest, value.values())])
    if isinstance(value, list):
        return max([len(value), *map(_widest, value)])
    return 0
