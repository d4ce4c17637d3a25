"""Node: a structural schema, read once. In: the dict of an `openAPIV3Schema`. Out: a frozen tree that walks fast.

Reading also refuses what is not structural, in the words and with the paths of kube-apiserver: a type at
every field, no `$ref`, value validation only inside allOf, anyOf, oneOf and not, keys of map lists that are
always there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jobflow.local.apiserver.schema.patterns import from_re2

Schema = dict[str, Any]

FORBIDDEN = ("$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id")
STRUCTURE = ("additionalProperties", "default", "nullable", "x-kubernetes-preserve-unknown-fields")
JSON_TYPES = ("object", "array", "string", "integer", "number", "boolean")
ABSENT = object()

PythonType = type  # Node has a field of the name
_PLAIN: dict[str, PythonType] = {"string": str, "boolean": bool, "integer": int}


@dataclass(frozen=True)
class Validation:
    """One entry of `x-kubernetes-validations`."""

    rule: str
    message: str = ""
    message_expression: str = ""
    reason: str = ""
    child_path: str = ""  # of the field below that is to blame, such as .name
    optional_old_self: bool = False


@dataclass(frozen=True, eq=False)
class Node:
    """One place in a schema: its structure, its Kubernetes extensions, and its value rules."""

    type: str = ""
    properties: dict[str, Node] = field(default_factory=dict)
    additional: Node | None = None  # schema of every property that has no name of its own
    any_property: bool = False  # additionalProperties: true
    items: Node | None = None
    required: tuple[str, ...] = ()
    nullable: bool = False
    default: Any = ABSENT
    preserve: bool = False
    int_or_string: bool = False
    embedded: bool = False
    list_type: str = ""
    list_map_keys: tuple[str, ...] = ()
    map_type: str = ""
    merge_key: str = ""  # strategic merge patches of built-in kinds
    merge_strategy: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = None
    written_pattern: str = ""  # as the author wrote it, for messages
    all_of: tuple[Node, ...] = ()
    any_of: tuple[Node, ...] = ()
    one_of: tuple[Node, ...] = ()
    negated: Node | None = None
    rules: Schema = field(default_factory=dict)  # enum, format and the limits, by their names in OpenAPI
    validations: tuple[Validation, ...] = ()
    programs: Any = None  # what the validations are compiled to, once somebody asks

    @property
    def has_default(self) -> bool:
        """Whether the schema gives a value for where there is none."""
        return self.default is not ABSENT

    @cached_property
    def defaulted(self) -> tuple[tuple[str, Node], ...]:
        """The properties that have defaults."""
        return tuple((name, known) for name, known in self.properties.items() if known.has_default)

    @cached_property
    def plain(self) -> PythonType | None:
        """The Python type of whose values nothing can be wrong here: most fields are strings that may be anything."""
        if self.has_rules or self.int_or_string:
            return None
        return _PLAIN.get(self.type)

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """The properties that an object must have."""
        embedded = ("apiVersion", "kind") if self.embedded else ()
        return tuple(dict.fromkeys((*self.required, *embedded)))

    @cached_property
    def judges(self) -> bool:
        """Whether there are validations in CEL here or below."""
        below = (*self.properties.values(), *self.all_of, self.items, self.additional)
        return bool(self.validations) or any(node is not None and node.judges for node in below)

    @cached_property
    def has_rules(self) -> bool:
        """Whether a value of the right type can still be wrong here; most nodes are passed by on this."""
        return bool(self.rules or self.pattern or self.has_alternatives)

    @cached_property
    def has_alternatives(self) -> bool:
        """Whether allOf, anyOf, oneOf or not stand here."""
        return bool(self.all_of or self.any_of or self.one_of or self.negated)

    @property
    def merges(self) -> bool:
        """Whether a strategic merge patch merges this list instead of replacing it."""
        return "merge" in self.merge_strategy

    @property
    def is_set(self) -> bool:
        """Whether this is a list of values that stand in it once."""
        return self.list_type == "set" or (self.merges and not self.merge_key)

    @property
    def associative_keys(self) -> tuple[str, ...]:
        """The keys of a list that is a map in disguise; none for other lists."""
        if self.list_type == "map":
            return self.list_map_keys
        return (self.merge_key,) if self.merges and self.merge_key else ()

    def drops(self, value: Any) -> bool:
        """Whether the value is a null where null is not allowed, which counts as absent."""
        return value is None and not self.nullable


_RULES = (
    "enum",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
)


def read(schema: Schema, path: str = "", *, value_only: bool = False) -> Node:
    """The tree of a schema. `value_only` inside allOf, anyOf, oneOf and not. Raises ValueError with the path."""
    if not isinstance(schema, dict):
        raise ValueError(f"{path}: Invalid value: must be an object")
    _check(schema, path, value_only)
    additional = schema.get("additionalProperties")
    items = schema.get("items")
    return Node(
        type=schema.get("type", ""),
        properties={
            name: read(value, f"{path}.properties[{name}]", value_only=value_only)
            for name, value in (schema.get("properties") or {}).items()
        },
        additional=read(additional, f"{path}.additionalProperties") if isinstance(additional, dict) else None,
        any_property=additional is True,
        items=read(items, f"{path}.items", value_only=value_only) if items is not None else None,
        required=tuple(schema.get("required") or ()),
        nullable=bool(schema.get("nullable")),
        default=schema["default"] if schema.get("default") is not None else ABSENT,
        preserve=bool(schema.get("x-kubernetes-preserve-unknown-fields")),
        int_or_string=bool(schema.get("x-kubernetes-int-or-string")),
        embedded=bool(schema.get("x-kubernetes-embedded-resource")),
        list_type=schema.get("x-kubernetes-list-type") or "",
        list_map_keys=tuple(schema.get("x-kubernetes-list-map-keys") or ()),
        map_type=schema.get("x-kubernetes-map-type") or "",
        merge_key=schema.get("x-kubernetes-patch-merge-key") or "",
        merge_strategy=frozenset((schema.get("x-kubernetes-patch-strategy") or "").split(",")) - {""},
        pattern=_pattern(schema, path),
        written_pattern=schema.get("pattern") or "",
        all_of=_alternatives(schema, "allOf", path),
        any_of=_alternatives(schema, "anyOf", path),
        one_of=_alternatives(schema, "oneOf", path),
        negated=read(schema["not"], f"{path}.not", value_only=True) if schema.get("not") else None,
        rules={name: schema[name] for name in _RULES if schema.get(name) is not None},
        validations=tuple(_validation(one) for one in schema.get("x-kubernetes-validations") or ()),
    )


def _validation(written: Schema) -> Validation:
    path = str(written.get("fieldPath") or "")
    return Validation(
        rule=written.get("rule") or "",
        message=written.get("message") or "",
        message_expression=written.get("messageExpression") or "",
        reason=written.get("reason") or "",
        child_path=re.sub(r"\['((?:[^'\\]|\\.)*)'\]", r"[\1]", path),
        optional_old_self=bool(written.get("optionalOldSelf")),
    )


def _alternatives(schema: Schema, name: str, path: str) -> tuple[Node, ...]:
    return tuple(
        read(one, f"{path}.{name}[{index}]", value_only=True) for index, one in enumerate(schema.get(name) or ())
    )


def _pattern(schema: Schema, path: str) -> re.Pattern[str] | None:
    text = schema.get("pattern")
    if not text:
        return None
    try:
        return re.compile(from_re2(text), re.ASCII)
    except re.error as error:
        raise ValueError(
            f'{path}.pattern: Invalid value: "{text}": must be a valid regular expression, but isn\'t: {error}'
        ) from error


def _check(schema: Schema, path: str, value_only: bool) -> None:
    for name in FORBIDDEN:
        if schema.get(name):
            raise ValueError(f"{path}.{name}: Forbidden: {name} is not supported in a structural schema")
    if schema.get("uniqueItems"):
        raise ValueError(f"{path}.uniqueItems: Forbidden: use x-kubernetes-list-type: set for lists without duplicates")
    if value_only:
        _check_value_only(schema, path)
        return
    kind = schema.get("type", "")
    untyped = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not kind and not untyped:
        raise ValueError(f"{path}.type: Required value: must not be empty for specified object fields")
    if kind and kind not in JSON_TYPES:
        supported = ", ".join(f'"{name}"' for name in sorted(JSON_TYPES))
        raise ValueError(f'{path}.type: Unsupported value: "{kind}": supported values: {supported}')
    if schema.get("properties") and schema.get("additionalProperties"):
        raise ValueError(f"{path}.additionalProperties: Forbidden: mutual exclusive with properties")
    if kind == "array" and not schema.get("items"):
        raise ValueError(f"{path}.items: Required value: must be specified")
    _check_list_keys(schema, path)


def _check_value_only(schema: Schema, path: str) -> None:
    """Alternatives judge values; structure is written outside them. `int-or-string` is the one exception."""
    for name in STRUCTURE:
        if schema.get(name) is not None:
            raise ValueError(f"{path}.{name}: Forbidden: must be undefined to be structural")
    if schema.get("type") not in (None, "", "integer", "string"):
        raise ValueError(f"{path}.type: Forbidden: must be empty to be structural")


def _check_list_keys(schema: Schema, path: str) -> None:
    list_type, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys") or ()
    if list_type is not None and list_type not in ("atomic", "set", "map"):
        raise ValueError(
            f'{path}.x-kubernetes-list-type: Unsupported value: "{list_type}": supported values: "atomic", "map", "set"'
        )
    if list_type != "map":
        return
    if not keys:
        raise ValueError(
            f"{path}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"
        )
    items = schema.get("items") or {}
    for key in keys:
        known = (items.get("properties") or {}).get(key)
        if known is None:
            raise ValueError(
                f'{path}.x-kubernetes-list-map-keys: Invalid value: "{key}": '
                "entries must all be names of item properties"
            )
        if key not in (items.get("required") or ()) and known.get("default") is None:
            raise ValueError(
                f"{path}.items.properties[{key}].default: Required value: this property is in "
                "x-kubernetes-list-map-keys, so it must have a default or be a required property"
            )
