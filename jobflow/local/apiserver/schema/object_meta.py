"""ObjectMeta and ListMeta: what every object and every list carries, told once for validation, patches and explain.

In: nothing. Out: OpenAPI schemas. `creationTimestamp` and its like are nullable because clients in Go send
them as null.
"""

from __future__ import annotations

from typing import Any

META = "io.k8s.apimachinery.pkg.apis.meta.v1"

OWNER_REFERENCE: dict[str, Any] = {
    "type": "object",
    "description": "An object that this one belongs to; when all owners are gone, this object is deleted.",
    "required": ["apiVersion", "kind", "name", "uid"],
    "x-kubernetes-map-type": "atomic",
    "properties": {
        "apiVersion": {"type": "string", "description": "Group and version of the owner."},
        "kind": {"type": "string", "description": "Kind of the owner."},
        "name": {"type": "string", "description": "Name of the owner."},
        "uid": {
            "type": "string",
            "description": "UID of the owner; another object of the same name is not meant.",
        },
        "controller": {
            "type": "boolean",
            "description": "The owner manages this object; at most one owner does.",
        },
        "blockOwnerDeletion": {
            "type": "boolean",
            "description": "Under foreground deletion the owner stays until this object is gone.",
        },
    },
}

MANAGED_FIELDS: dict[str, Any] = {
    "type": "object",
    "description": "Which fields one manager has set.",
    "properties": {
        "apiVersion": {"type": "string", "description": "Version of the object that the fields belong to."},
        "fieldsType": {"type": "string", "description": "Form of fieldsV1; always FieldsV1."},
        "fieldsV1": {
            "type": "object",
            "description": "The fields, as a tree.",
            "x-kubernetes-preserve-unknown-fields": True,
        },
        "manager": {"type": "string", "description": "Name of the manager."},
        "operation": {"type": "string", "description": "Apply or Update."},
        "subresource": {
            "type": "string",
            "description": "The subresource through which the fields were set.",
        },
        "time": {
            "type": "string",
            "format": "date-time",
            "nullable": True,
            "description": "When the manager last changed a field.",
        },
    },
}

_STRINGS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}

OBJECT_META: dict[str, Any] = {
    "type": "object",
    "description": "What every stored object carries, whatever its kind.",
    "properties": {
        "name": {
            "type": "string",
            "description": "Name of the object, unique among its kind in the namespace. It cannot be changed.",
        },
        "generateName": {
            "type": "string",
            "description": "Where name is empty, the server makes one: this prefix and five random characters.",
        },
        "namespace": {"type": "string", "description": "The namespace the object lives in."},
        "labels": {**_STRINGS, "description": "Short keys and values by which objects are selected."},
        "annotations": {
            **_STRINGS,
            "description": "Keys and values for tools and people; nothing selects by them.",
        },
        "finalizers": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Names of those who must act before the object is really deleted.",
            "x-kubernetes-list-type": "set",
            "x-kubernetes-patch-strategy": "merge",
        },
        "ownerReferences": {
            "type": "array",
            "items": OWNER_REFERENCE,
            "description": "The objects this one belongs to.",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["uid"],
            "x-kubernetes-patch-merge-key": "uid",
            "x-kubernetes-patch-strategy": "merge",
        },
        "uid": {"type": "string", "description": "Unique in time and space; given by the server."},
        "resourceVersion": {
            "type": "string",
            "description": "Changes with every write; given by the server. "
            "An update that carries it is refused when it is no longer current.",
        },
        "generation": {
            "type": "integer",
            "format": "int64",
            "description": "Counts the changes of the desired state; given by the server.",
        },
        "creationTimestamp": {
            "type": "string",
            "format": "date-time",
            "nullable": True,
            "description": "When the object was created; given by the server.",
        },
        "deletionTimestamp": {
            "type": "string",
            "format": "date-time",
            "nullable": True,
            "description": "When the object is due to go; set when a deletion is asked for.",
        },
        "deletionGracePeriodSeconds": {
            "type": "integer",
            "format": "int64",
            "description": "Seconds the object is given to end.",
        },
        "managedFields": {
            "type": "array",
            "items": MANAGED_FIELDS,
            "description": "Who set which fields; kept by the server.",
            "x-kubernetes-list-type": "atomic",
        },
        "selfLink": {"type": "string", "description": "No longer used."},
    },
}

LIST_META: dict[str, Any] = {
    "type": "object",
    "description": "What every list carries.",
    "properties": {
        "resourceVersion": {"type": "string", "description": "The version the list was read at."},
        "continue": {"type": "string", "description": "Where the next page begins; absent on the last."},
        "remainingItemCount": {
            "type": "integer",
            "format": "int64",
            "description": "How many objects are on later pages.",
        },
        "selfLink": {"type": "string", "description": "No longer used."},
    },
}
