"""Words to write schemas in, so that the tables of built-in kinds read as lists of fields.

In: a description and what is allowed. Out: OpenAPI schemas. A kind that others use is written once, as a
definition with a name, and referred to by `ref`; `resolve` puts the definitions in place of the references.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
Definitions = dict[str, Schema]

CORE = "io.k8s.api.core.v1"
COMPONENTS = "#/components/schemas/"


def text(description: str, **rules: Any) -> Schema:
    """A string."""
    return {"type": "string", "description": description, **rules}


def choice(description: str, *values: str, default: str | None = None) -> Schema:
    """One of some words."""
    schema = text(description, enum=list(values))
    return schema if default is None else {**schema, "default": default}


def number(description: str, *, bits: int = 32, **rules: Any) -> Schema:
    """A whole number."""
    return {"type": "integer", "format": f"int{bits}", "description": description, **rules}


def flag(description: str, **rules: Any) -> Schema:
    """True or false."""
    return {"type": "boolean", "description": description, **rules}


def time(description: str) -> Schema:
    """A point in time; clients in Go send one that is not set as null."""
    return {"type": "string", "format": "date-time", "nullable": True, "description": description}


def port(description: str, **rules: Any) -> Schema:
    """A port by number or by name, and other things that are either a number or a string."""
    return {"x-kubernetes-int-or-string": True, "description": description, **rules}


def quantity(description: str) -> Schema:
    """An amount such as 500m, 2 or 1Gi."""
    return {
        "x-kubernetes-int-or-string": True,
        "pattern": r"^[-+]?([0-9]+|[0-9]+\.[0-9]*|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|[eE][-+]?[0-9]+)?$",
        "description": description,
    }


def obj(description: str, properties: Schema, required: tuple[str, ...] = (), **rules: Any) -> Schema:
    """An object with these fields and no others."""
    schema = {"type": "object", "description": description, "properties": properties, **rules}
    return {**schema, "required": list(required)} if required else schema


def table_of(values: Schema, description: str, **rules: Any) -> Schema:
    """An object with any keys."""
    return {"type": "object", "description": description, "additionalProperties": values, **rules}


def texts(description: str) -> Schema:
    """An object with any keys, and strings for values."""
    return table_of({"type": "string"}, description)


def quantities(description: str) -> Schema:
    """Amounts by the name of the resource."""
    return table_of(quantity("An amount, such as 500m or 1Gi."), description)


def anything(description: str) -> Schema:
    """An object whose fields are stored as they come."""
    return {"type": "object", "description": description, "x-kubernetes-preserve-unknown-fields": True}


def listed(items: Schema, description: str, **rules: Any) -> Schema:
    """A list that is replaced as a whole."""
    return {
        "type": "array",
        "items": items,
        "description": description,
        "x-kubernetes-list-type": "atomic",
        **rules,
    }


def words(description: str) -> Schema:
    """A list of strings that is replaced as a whole."""
    return listed({"type": "string"}, description)


def keyed(items: Schema, description: str, *keys: str, merge: str = "merge") -> Schema:
    """A list whose items are told apart by keys, and merge one by one; patches know them by the first key."""
    return {
        "type": "array",
        "items": items,
        "description": description,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
        "x-kubernetes-patch-merge-key": keys[0],
        "x-kubernetes-patch-strategy": merge,
    }


def ref(name: str, description: str, **rules: Any) -> Schema:
    """A field of a defined type. The reference stands in allOf, since nothing may stand beside a bare one."""
    return {"description": description, "allOf": [{"$ref": COMPONENTS + name}], **rules}


def item(name: str) -> Schema:
    """A defined type as the items of a list."""
    return {"allOf": [{"$ref": COMPONENTS + name}]}


def resolve(schema: Any, definitions: Definitions) -> Any:
    """The schema with every reference replaced by what it refers to; what stands beside it wins."""
    if isinstance(schema, list):
        return [resolve(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if name := referred(schema):
        beside = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        return {**resolve(definitions[name], definitions), **resolve(beside, definitions)}
    return {key: resolve(value, definitions) for key, value in schema.items()}


def referred(schema: Schema) -> str | None:
    """The name of the definition a schema refers to, if it does."""
    for one in (schema, *(schema.get("allOf") or ())):
        target = one.get("$ref") if isinstance(one, dict) else None
        if isinstance(target, str):
            return target.removeprefix(COMPONENTS)
    return None
