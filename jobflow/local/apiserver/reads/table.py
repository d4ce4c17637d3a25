"""Tables: what `kubectl get` prints. In: a served type, objects and the time now. Out: a `meta.k8s.io/v1` Table.

The server decides what is in a row, kubectl only lays it out; so the columns of CRDs and of built-in kinds,
and the ages, are made here. Also `PartialObjectMetadata`, the form in which a row refers to its object.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from jobflow.local.apiserver.reads.ages import age
from jobflow.local.apiserver.reads.jsonpath import parse
from jobflow.local.apiserver.schema.object_meta import OBJECT_META
from jobflow.local.apiserver.schema.validation import told
from jobflow.local.apiserver.types import Column, ServedType

Object = dict[str, Any]

META_VERSION = "meta.k8s.io/v1"
NAME = Column("Name", "string", ".metadata.name", OBJECT_META["properties"]["name"]["description"], format="name")


def table(
    served: ServedType,
    objects: list[Object],
    list_meta: Object,
    now: datetime,
    include_object: str = "Metadata",
) -> Object:
    """A Table of the objects, one row each; for a watch event, of its one object with its own metadata.

    `include_object` is None, Metadata or Object, as in the query `includeObject`; anything else raises
    ValueError.
    """
    columns = columns_of(served)
    cells = [_cell(column) for column in columns]
    rows = []
    for obj in objects:
        row: Object = {"cells": [cell(obj, now) for cell in cells]}
        match include_object:
            case "Metadata" | "":
                row["object"] = partial_object(obj)
            case "Object":
                row["object"] = obj
            case "None":
                row["object"] = None
            case _:
                raise ValueError(
                    f'includeObject: Unsupported value: "{include_object}": supported values: '
                    '"Metadata", "None", "Object"'
                )
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": META_VERSION,
        "metadata": list_meta,
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": rows,
    }


def partial_object(obj: Object) -> Object:
    """The object as PartialObjectMetadata: its metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": META_VERSION, "metadata": obj.get("metadata", {})}


def partial_list(objects: list[Object], list_meta: Object) -> Object:
    """A PartialObjectMetadataList of the objects."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": META_VERSION,
        "metadata": list_meta,
        "items": [partial_object(obj) for obj in objects],
    }


def columns_of(served: ServedType) -> tuple[Column, ...]:
    """The columns of a type: the name first, unless the type places it itself."""
    if any(column.format == "name" for column in served.columns):
        return served.columns
    return (NAME, *served.columns)


def _definition(column: Column) -> Object:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _cell(column: Column) -> Callable[[Object, datetime], object]:
    if not isinstance(column.path, str):
        return column.path
    find = parse(column.path)

    def cell(obj: Object, now: datetime) -> object:
        found = find(obj)
        if not found or found[0] is None:
            return None  # kubectl leaves the place empty
        return _typed(found[0], column.type, now)

    return cell


def _typed(value: Any, kind: str, now: datetime) -> object:
    """A value as a cell of the column's type; null where it is of another type, as on a real API server."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match kind:
        case "string":
            return value if isinstance(value, str) else told(value)
        case "integer":
            return int(value) if number else None
        case "number":
            return value if number else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return age(value, now) if isinstance(value, str) else None
    return None
