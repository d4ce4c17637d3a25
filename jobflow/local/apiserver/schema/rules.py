"""Rules: `x-kubernetes-validations` of CRDs, in CEL.

In: a schema's rules, an object that its schema finds valid, and the object before. Out: what breaks a rule, worded as
kube-apiserver words it; and as warnings what broke it before already and has not changed. The commonest rule,
`self == oldSelf`, is judged here: the evaluator is imported only for others, when the first of them is due.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from jobflow.local.apiserver.ownership.extraction import item_name
from jobflow.local.apiserver.schema.nodes import Node, Validation
from jobflow.local.apiserver.schema.rule_costs import MAX_STEPS, MAX_STEPS_OF_ALL, nesting, steps
from jobflow.local.apiserver.schema.rule_functions import FUNCTIONS
from jobflow.local.apiserver.schema.rule_values import seen
from jobflow.local.apiserver.schema.validation import FieldError

UNCHECKED = (
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing "
    "errors to complete validation"
)
BLOCKING = frozenset(f"FieldValue{name}" for name in ("NotSupported", "Required", "TooLong", "TooMany", "TypeInvalid"))
MAX_MESSAGE_BYTES = 5 * 1024  # of what a messageExpression gives

_FROZEN = frozenset(("self == oldSelf", "oldSelf == self", "self==oldSelf"))
_ABSENT = object()


class Program:
    """One rule and its message, compiled when first needed."""

    def __init__(self, validation: Validation) -> None:
        self.validation = validation

    @property
    def is_frozen(self) -> bool:
        """Whether the rule says that the value never changes."""
        return self.validation.rule.strip() in _FROZEN

    @cached_property
    def is_transition(self) -> bool:
        """Whether the rule compares with what was before."""
        return self.is_frozen or "oldSelf" in self._rule.variables()

    @cached_property
    def loops(self) -> int:
        """How deep the loops of the rule and of its message stand in one another."""
        if self.is_frozen:
            return 0
        return max(nesting(self.validation.rule), nesting(self.validation.message_expression))

    @cached_property
    def _rule(self) -> Any:
        return compiled(self.validation.rule)

    @cached_property
    def _message(self) -> Any:
        return compiled(self.validation.message_expression)

    def holds(self, node: Node, value: Any, old: Any) -> bool:
        """Whether the rule holds. Raises an Exception of any kind where it cannot be evaluated."""
        if self.is_frozen:
            return _same(value, old, node)
        return self._rule.execute(self._context(node, value, old)) is True

    def message(self, node: Node, value: Any, old: Any) -> str:
        """What is wrong where it does not hold."""
        told = ""
        if self.validation.message_expression:
            try:
                found = self._message.execute(self._context(node, value, old))
            except Exception:  # whatever a user's expression runs into: the plain message is told then
                found = None
            if isinstance(found, str) and "\n" not in found.strip() and len(found) <= MAX_MESSAGE_BYTES:
                told = found.strip()
        return told or self.validation.message.strip() or f"failed rule: {' '.join(self.validation.rule.split())}"

    def _context(self, node: Node, value: Any, old: Any) -> Any:
        import cel

        variables = {"self": seen(value, node)}
        if self.validation.optional_old_self:
            optional = cel.OptionalValue
            variables["oldSelf"] = optional.none() if old is _ABSENT else optional.of(seen(old, node))
        elif old is not _ABSENT:
            variables["oldSelf"] = seen(old, node)
        return cel.Context(variables=variables, functions=FUNCTIONS)


_QUOTED = r"\'{3}.*?\'{3}|\"{3}.*?\"{3}|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
_SIZE = re.compile(rf"({_QUOTED})|\bsize(?=\s*\()", re.DOTALL)


def compiled(expression: str) -> Any:
    """A program of the evaluator. Raises ValueError with what is wrong with the expression.

    Its own `size` counts the bytes of a string, where CEL counts characters: ours is called in its place.
    """
    import cel  # here, for it takes longer to import than the server to start

    cel.compile(expression)
    return cel.compile(_SIZE.sub(lambda match: match[1] or "size_of", expression))


def problem(expression: str) -> str:
    """What is wrong with an expression; empty for one that can be evaluated."""
    if expression.strip() in _FROZEN:
        return ""
    try:
        compiled(expression)
    except ValueError as error:
        return str(error).partition(": ")[2] or str(error)
    return ""


@dataclass
class Verdict:
    """What the rules say of an object."""

    errors: list[FieldError]
    warnings: list[str]
    steps_left: int = MAX_STEPS_OF_ALL  # below zero: no more rules are asked


def judge(obj: dict[str, Any], old: dict[str, Any] | None, root: Node) -> Verdict:
    """Ask all rules of a schema about an object."""
    verdict = Verdict([], [])
    before = _ABSENT if old is None else _rooted(old)
    _judge(verdict, "", _rooted(obj), before, root, False)
    return verdict


def _rooted(obj: dict[str, Any]) -> dict[str, Any]:
    """The object as its rules see it: of metadata, the names only."""
    names = {name: obj["metadata"][name] for name in ("name", "generateName") if name in obj.get("metadata", {})}
    return {**obj, "metadata": names}


def _judge(verdict: Verdict, path: str, value: Any, old: Any, node: Node, is_old: bool) -> None:
    """`is_old` says that a holder of the value has not changed, so that nothing in it is held against the writer."""
    if value is None or not node.judges:
        return
    before = _ABSENT if old is None else old
    is_old = is_old or (before is not _ABSENT and value == before)
    for program in programs(node):
        _ask(verdict, path, program, (value, before), node, is_old)
    for part in node.all_of:
        _judge(verdict, path, value, before, part, is_old)
    if isinstance(value, dict):
        held = before if isinstance(before, dict) else {}
        for name, one in value.items():
            known = node.properties.get(name)
            below = known or node.additional
            if below is not None and below.judges:
                here = f"{path}[{name}]" if known is None else f"{path}.{name}" if path else name
                _judge(verdict, here, one, held.get(name, _ABSENT), below, is_old)
    elif isinstance(value, list) and node.items is not None and node.items.judges:
        were = _correlated(before, node)
        for index, item in enumerate(value):
            was = were.get(_name(item, node), _ABSENT)
            _judge(verdict, f"{path}[{index}]", item, was, node.items, is_old)


def _ask(verdict: Verdict, path: str, program: Program, values: tuple[Any, Any], node: Node, is_old: bool) -> None:
    value, old = values
    validation = program.validation
    if old is _ABSENT and program.is_transition and not validation.optional_old_self:
        return
    if verdict.steps_left < 0 or (is_old and program.is_frozen):
        return
    if too_much := _too_much(verdict, program, values):
        verdict.errors.append(FieldError(path, f'Invalid value: "{node.type}": {too_much}', "FieldValueInvalid"))
        return
    try:
        if program.holds(node, value, old):
            return
        told = program.message(node, value, old)
        where = path + validation.child_path if path else validation.child_path.lstrip(".")
    except Exception as error:  # whatever a user's rule runs into is told to whom it concerns
        rule = " ".join(validation.rule.split())
        told, where = f"{_runtime_words(error)} evaluating rule: {validation.message.strip() or rule}", path
        verdict.errors.append(FieldError(where, f'Invalid value: "{node.type}": {told}', "FieldValueInvalid"))
        return
    found = _error(where, value, told, validation.reason)
    if is_old and not program.is_transition:
        verdict.warnings.append(f"{found.path or '<nil>'}: {found.message}")
    else:
        verdict.errors.append(found)


def _too_much(verdict: Verdict, program: Program, values: tuple[Any, Any]) -> str:
    """What is told where the rule might take too long; then it is not asked, nor any after it."""
    wanted = steps(program.loops, *values)
    verdict.steps_left -= wanted
    if wanted > MAX_STEPS:
        verdict.steps_left = -1
        rule = " ".join(program.validation.rule.split())
        return f"no further validation rules will be run due to call cost exceeds limit for rule: {rule}"
    if verdict.steps_left < 0:
        return "validation failed due to running out of cost budget, no further validation rules will be run"
    return ""


def _runtime_words(error: Exception) -> str:
    match error:
        case KeyError():
            return f"no such key: {error.args[0]}"
        case ZeroDivisionError():
            return "division by zero"
    told = str(error)
    for function, kind in (("duration", "Duration"), ("timestamp", "Timestamp")):
        if told.startswith(f"Function '{function}' error"):
            return f"type conversion error from 'string' to 'google.protobuf.{kind}'"
    return told


def _error(path: str, value: Any, told: str, reason: str) -> FieldError:
    shown = "" if isinstance(value, (dict, list)) else f"{msgspec.json.encode(value).decode()}: "
    match reason:
        case "FieldValueForbidden":
            return FieldError(path, f"Forbidden: {told}", reason)
        case "FieldValueRequired":
            return FieldError(path, f"Required value: {told}", reason)
        case "FieldValueDuplicate":
            return FieldError(path, f"Duplicate value{': ' + shown[:-2] if shown else ''}", reason)
    return FieldError(path, f"Invalid value: {shown}{told}", "FieldValueInvalid")


def programs(node: Node) -> tuple[Program, ...]:
    """The programs of a place in a schema, made once."""
    held: tuple[Program, ...] | None = node.programs
    if held is None:
        held = tuple(Program(validation) for validation in node.validations)
        object.__setattr__(node, "programs", held)
    return held


def _correlated(old: Any, node: Node) -> dict[str, Any]:
    """The items of a list before, by name; only those of a map list have one."""
    if not isinstance(old, list) or node.list_type != "map":
        return {}
    return {_name(item, node): item for item in old}


def _name(item: Any, node: Node) -> str:
    return item_name(item, node) if node.list_type == "map" else ""


def _same(one: Any, other: Any, node: Node | None) -> bool:
    """Equality as CEL has it in Kubernetes: the order of sets and of map lists does not count."""
    if one == other:
        return True
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return all(
            _same(one[name], other[name], (node.properties.get(name) or node.additional) if node else None)
            for name in one
        )
    if not (isinstance(one, list) and isinstance(other, list) and node is not None and len(one) == len(other)):
        return False
    if node.list_type not in ("map", "set"):
        return all(_same(left, right, node.items) for left, right in zip(one, other, strict=True))
    mine, held = ({item_name(item, node): item for item in items} for items in (one, other))
    return mine.keys() == held.keys() and all(_same(item, held[name], node.items) for name, item in mine.items())


def written_rules(node: Node, path: str) -> Iterator[tuple[str, Validation]]:
    """Every rule of a schema with the path at which it is written, for the check of a CRD."""
    for index, validation in enumerate(node.validations):
        yield f"{path}.x-kubernetes-validations[{index}]", validation
    for name, below in node.properties.items():
        yield from written_rules(below, f"{path}.properties[{name}]")
    for name, one in (("items", node.items), ("additionalProperties", node.additional)):
        if one is not None:
            yield from written_rules(one, f"{path}.{name}")
    for index, part in enumerate(node.all_of):
        yield from written_rules(part, f"{path}.allOf[{index}]")
