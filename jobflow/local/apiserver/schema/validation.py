"""Validation: what is wrong with an object, worded as kube-apiserver words it.

In: an object after defaulting, and its schema's Node. Out: FieldErrors, each with the path of the field, the
message and the reason that a Status has in `details.causes`. Users see them as `<path>: <message>`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from jobflow.local.apiserver.schema.formats import has_format
from jobflow.local.apiserver.schema.nodes import Node

INVALID = "FieldValueInvalid"
REQUIRED = "FieldValueRequired"
NOT_SUPPORTED = "FieldValueNotSupported"
DUPLICATE = "FieldValueDuplicate"
TYPE_INVALID = "FieldValueTypeInvalid"
TOO_LONG = "FieldValueTooLong"
TOO_MANY = "FieldValueTooMany"


@dataclass(frozen=True)
class FieldError:
    """One thing that is wrong: `spec.flows[0].name`, `Required value`, `FieldValueRequired`."""

    path: str
    message: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def validate(obj: dict[str, Any], root: Node) -> list[FieldError]:
    """What is wrong with a whole object; its metadata is not looked at."""
    errors: list[FieldError] = []
    _check(obj, root, "", errors, skip="metadata")
    return errors


def _check(value: Any, node: Node, path: str, errors: list[FieldError], skip: str = "") -> None:
    """Add what is wrong with one value; `skip` names a field of it that is not looked at."""
    if value is None:
        if not node.nullable and (node.type or node.int_or_string):
            errors.append(_wrong_type(value, node.type or "integer,string", path))
        return
    if not _has_type(value, node):
        errors.append(_wrong_type(value, node.type or "integer,string", path))
        return
    if node.has_rules:
        errors.extend(_broken_rules(value, node, path))
    if isinstance(value, dict):
        _check_object(value, node, path, errors, skip)
    elif isinstance(value, list):
        _check_list(value, node, path, errors)
    if node.has_alternatives:
        errors.extend(_alternatives(value, node, path))


def _check_object(value: dict[str, Any], node: Node, path: str, errors: list[FieldError], skip: str) -> None:
    for name in node.needed:
        if name not in value:
            errors.append(FieldError(_join(path, name), "Required value", REQUIRED))
    properties, additional = node.properties, node.additional
    for name, one in value.items():
        below = properties.get(name, additional)
        if below is not None and type(one) is not below.plain and name != skip:
            _check(one, below, _join(path, name), errors)


def _check_list(value: list[Any], node: Node, path: str, errors: list[FieldError]) -> None:
    if node.items is not None:
        for index, item in enumerate(value):
            if type(item) is not node.items.plain:
                _check(item, node.items, f"{path}[{index}]", errors)
    if node.list_type in ("set", "map"):
        errors.extend(_duplicates(value, node, path))


def _broken_rules(value: Any, node: Node, path: str) -> Iterator[FieldError]:
    """What breaks the rules that stand at the node itself."""
    yield from _enum_and_format(value, node, path)
    match value:
        case dict():
            yield from _size_of_object(len(value), node, path)
        case list():
            yield from _size_of_list(len(value), node, path)
        case str():
            yield from _string(value, node, path)
        case bool():
            pass
        case int() | float():
            yield from _number(value, node, path)


def _has_type(value: Any, node: Node) -> bool:
    if node.int_or_string:
        return isinstance(value, str) or _is_integer(value)
    match node.type:
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return _is_integer(value)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
    return True


def _is_integer(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def type_name(value: Any) -> str:
    """The JSON type of a value, as messages name it."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case dict():
            return "object"
        case list():
            return "array"
        case int():
            return "integer"
    return "number"


def _wrong_type(value: Any, wanted: str, path: str) -> FieldError:
    found = type_name(value)
    where = path or "<nil>"
    return FieldError(
        where, f'Invalid value: "{found}": {where} in body must be of type {wanted}: "{found}"', TYPE_INVALID
    )


def _invalid(value: Any, path: str, what: str) -> FieldError:
    where = path or "<nil>"
    return FieldError(where, f"Invalid value: {told(value)}: {where} in body {what}", INVALID)


def told(value: Any) -> str:
    """A value inside a message: as JSON, with no blanks in objects and lists."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _enum_and_format(value: Any, node: Node, path: str) -> Iterator[FieldError]:
    allowed = node.rules.get("enum")
    if allowed and not any(_same(value, one) for one in allowed):
        supported = ", ".join(told(one if isinstance(one, str) else told(one)) for one in allowed)
        message = f"Unsupported value: {told(value)}: supported values: {supported}"
        yield FieldError(path, message, NOT_SUPPORTED)
    form = node.rules.get("format")
    if form and not has_format(form, value):
        message = f"Invalid value: {told(value)}: {path} in body must be of type {form}: {told(str(value))}"
        yield FieldError(path, message, TYPE_INVALID)


def _same(one: Any, other: Any) -> bool:
    """Equality as in JSON, where true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _size_of_object(count: int, node: Node, path: str) -> Iterator[FieldError]:
    if (least := node.rules.get("minProperties")) is not None and count < least:
        yield _invalid(count, path, f"should have at least {least} properties")
    if (most := node.rules.get("maxProperties")) is not None and count > most:
        yield FieldError(path, f"Too many: {count}: must have at most {_counted(most, 'item')}", TOO_MANY)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _size_of_list(count: int, node: Node, path: str) -> Iterator[FieldError]:
    if (least := node.rules.get("minItems")) is not None and count < least:
        yield _invalid(count, path, f"should have at least {least} items")
    if (most := node.rules.get("maxItems")) is not None and count > most:
        yield FieldError(path, f"Too many: {count}: must have at most {_counted(most, 'item')}", TOO_MANY)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _duplicates(value: list[Any], node: Node, path: str) -> Iterator[FieldError]:
    if len(value) == 1 and isinstance(value[0], dict):
        return
    seen: set[Any] = set()
    for index, item in enumerate(value):
        if node.list_type == "set":
            identity = _hashable(item)
        elif isinstance(item, dict):
            identity = tuple(_hashable(item.get(key)) for key in node.list_map_keys)
        elif item is None:
            continue
        else:
            told_type = "must be an object for an array of list-type map"
            yield FieldError(f"{path}[{index}]", f"Invalid value: {told(item)}: {told_type}", INVALID)
            continue
        if identity in seen:
            twice = item if node.list_type == "set" else {key: item[key] for key in node.list_map_keys if key in item}
            yield FieldError(f"{path}[{index}]", f"Duplicate value: {told(twice)}", DUPLICATE)
        seen.add(identity)


def _hashable(value: Any) -> Any:
    """Something equal for values that are equal as JSON, where true is not 1."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, sort_keys=True)
    return (type(value) is bool, value)


def _string(value: str, node: Node, path: str) -> Iterator[FieldError]:
    """The first rule that it breaks: kube-apiserver looks no further."""
    if (most := node.rules.get("maxLength")) is not None and len(value) > most:
        yield FieldError(path, f"Too long: may not be more than {_counted(most, 'byte')}", TOO_LONG)
    elif (least := node.rules.get("minLength")) is not None and len(value) < least:
        yield _invalid(value, path, f"should be at least {least} chars long")
    elif node.pattern is not None and not node.pattern.search(value):
        yield _invalid(value, path, f"should match '{node.written_pattern}'")


def _number(value: int | float, node: Node, path: str) -> Iterator[FieldError]:
    rules = node.rules
    if (limit := rules.get("maximum")) is not None:
        if rules.get("exclusiveMaximum"):
            if value >= limit:
                yield _invalid(value, path, f"should be less than {limit}")
        elif value > limit:
            yield _invalid(value, path, f"should be less than or equal to {limit}")
    if (limit := rules.get("minimum")) is not None:
        if rules.get("exclusiveMinimum"):
            if value <= limit:
                yield _invalid(value, path, f"should be greater than {limit}")
        elif value < limit:
            yield _invalid(value, path, f"should be greater than or equal to {limit}")
    if (factor := rules.get("multipleOf")) and not _is_multiple(value, factor):
        yield _invalid(value, path, f"should be a multiple of {factor}")


def _is_multiple(value: int | float, factor: int | float) -> bool:
    """Exact for the decimals people write: 0.3 is a multiple of 0.1."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return (Fraction(str(value)) / Fraction(str(factor))).denominator == 1


def _alternatives(value: Any, node: Node, path: str) -> Iterator[FieldError]:
    for one in node.all_of:
        yield from errors_of(value, one, path)
    if node.any_of and not any(_fits(value, one, path) for one in node.any_of):
        yield _composite(path, "must validate at least one schema (anyOf)")
    if node.one_of:
        fitting = sum(1 for one in node.one_of if _fits(value, one, path))
        if fitting != 1:
            found = f"Found {fitting} valid alternatives" if fitting else "Found none valid"
            yield _composite(path, f"must validate one and only one schema (oneOf). {found}")
    if node.negated is not None and _fits(value, node.negated, path):
        yield _composite(path, "must not validate the schema (not)")


def errors_of(value: Any, node: Node, path: str) -> list[FieldError]:
    """What is wrong with one value, wherever it stands."""
    errors: list[FieldError] = []
    _check(value, node, path, errors)
    return errors


def _fits(value: Any, node: Node, path: str) -> bool:
    return not errors_of(value, node, path)


def _composite(path: str, what: str) -> FieldError:
    where = path or "<nil>"
    return FieldError(where, f'Invalid value: "": "{path}" {what}', INVALID)
