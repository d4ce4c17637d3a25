"""JSON Schema as pydantic and msgspec write it -> structural schema as a CRD must have it.

In: a schema of draft 2020-12 with `$defs`. Out: one tree without references, titles, null alternatives and
defaults: what Kubernetes calls structural. A default reaches the CRD only where the model asks for it with
`x-crd-default`, since the API server writes CRD defaults into every object: one that upstream does not have
would show up in users' objects and overwrite what a patch meant to leave alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from pydantic import BaseModel

Schema = dict[str, Any]

CRD_DEFAULT = "x-crd-default"
DROPPED = ("title", "default", "examples", "$defs", "$ref", "anyOf", "const", CRD_DEFAULT)
ORDER = (
    "description",
    "type",
    "format",
    "enum",
    "default",
    "required",
)  # the rest follows, nested schemas last
NESTED = ("items", "additionalProperties", "properties")


def of_model(model: type[BaseModel]) -> Schema:
    """The structural schema of a pydantic model."""
    schema = model.model_json_schema(by_alias=True)
    return structural(schema, schema.get("$defs", {}))


def of_struct(struct: type[Struct]) -> Schema:
    """The structural schema of a msgspec Struct; its datetimes get `format: date-time`."""
    (schema,), definitions = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    for name, field in _time_fields(struct):
        written = definitions[name]["properties"][field]
        for one in (written, *written.get("anyOf", ())):
            if one.get("type") == "string":
                one["format"] = "date-time"
    return structural(schema, definitions)


def structural(schema: Mapping[str, Any], definitions: Mapping[str, Mapping[str, Any]]) -> Schema:
    """The tree of one schema with every reference to `definitions` put in its place."""
    flat = _resolve(schema, definitions)
    result = {key: value for key, value in flat.items() if key not in DROPPED and value != []}
    if flat.get("x-kubernetes-int-or-string"):
        result["anyOf"] = flat["anyOf"]
    if "const" in flat:
        result["enum"] = [flat["const"]]
    if CRD_DEFAULT in flat:
        result["default"] = flat[CRD_DEFAULT]
    if "enum" in result:
        result.setdefault("type", "string")
    if "properties" in result:
        result["properties"] = {name: structural(below, definitions) for name, below in result["properties"].items()}
    if "items" in result:
        result["items"] = structural(result["items"], definitions)
    if isinstance(result.get("additionalProperties"), bool):
        del result["additionalProperties"]
    elif "additionalProperties" in result:
        result["additionalProperties"] = structural(result["additionalProperties"], definitions)
    return _ordered(result)


def _resolve(schema: Mapping[str, Any], definitions: Mapping[str, Mapping[str, Any]]) -> Schema:
    """References and `X or null` replaced by what they stand for; what is said beside them wins."""
    flat = dict(schema)
    while True:
        if "$ref" in flat:
            target = flat.pop("$ref").rpartition("/")[2]
            flat = {**definitions[target], **flat}
        elif "anyOf" in flat and not flat.get("x-kubernetes-int-or-string"):
            kept = [one for one in flat.pop("anyOf") if one.get("type") != "null"]
            if len(kept) != 1:
                raise ValueError(f"a structural schema has one type for each field, this one has {len(kept)}: {schema}")
            flat = {**kept[0], **flat}
        else:
            return flat


def _ordered(schema: Schema) -> Schema:
    first = [key for key in ORDER if key in schema]
    last = [key for key in NESTED if key in schema]
    middle = [key for key in schema if key not in first and key not in last]
    return {key: schema[key] for key in (*first, *middle, *last)}


def _time_fields(struct: type[Struct]) -> Iterator[tuple[str, str]]:
    """(Struct, field as it travels) of every datetime within, which msgspec writes as plain strings."""
    seen: set[type] = set()
    todo: list[Any] = [msgspec.inspect.type_info(struct)]
    while todo:
        told = todo.pop()
        if isinstance(told, msgspec.inspect.StructType) and told.cls not in seen:
            seen.add(told.cls)
            for field in told.fields:
                if any(isinstance(one, msgspec.inspect.DateTimeType) for one in _alternatives(field.type)):
                    yield told.cls.__name__, field.encode_name
            todo += [field.type for field in told.fields]
        for name in ("item_type", "value_type", "type"):
            below = getattr(told, name, None)
            if isinstance(below, msgspec.inspect.Type):
                todo.append(below)
        if isinstance(told, msgspec.inspect.UnionType):
            todo += told.types


def _alternatives(told: Any) -> tuple[Any, ...]:
    while isinstance(told, msgspec.inspect.Metadata):
        told = told.type
    return told.types if isinstance(told, msgspec.inspect.UnionType) else (told,)


WHOLE_ONLY = ("required", "default", "minItems", "x-kubernetes-list-type", "x-kubernetes-list-map-keys")


def partial(schema: Schema) -> Schema:
    """The schema of a part of such an object: the same types and limits, and nothing that has to be there.

    Without defaults, above all: the API server would write them into every patch, where they would overwrite what the
    patch meant to leave alone.
    """
    result: Schema = {}
    for key, value in schema.items():
        if key in ("properties", "additionalProperties", "items") and isinstance(value, dict):
            nested = key == "properties"
            result[key] = {name: partial(below) for name, below in value.items()} if nested else partial(value)
        elif key not in WHOLE_ONLY:
            result[key] = value
    return result
