"""OpenAPI v3: what objects look like, for `kubectl explain` and for whoever generates clients.

In: all served types. Out: the index at `/openapi/v3`, and one document for each group and version. kubectl
also reads from them what the server can do: a PATCH with the query parameter `fieldValidation` means that the
server tells unknown fields, and `application/strategic-merge-patch+json` among the bodies means that it knows
strategic merge patches.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from jobflow.kube.transport import APPLY_PATCH, JSON, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH
from jobflow.local.apiserver.builtin.kinds import DEFINITIONS, LIST_META_NAME, TYPE_FIELDS
from jobflow.local.apiserver.documents.discovery import version_info
from jobflow.local.apiserver.schema.words import COMPONENTS, CORE, Schema, item, listed, obj, ref, referred
from jobflow.local.apiserver.types import ServedType

Document = dict[str, Any]

GROUP_VERSION_KIND = "x-kubernetes-group-version-kind"
HASH_CHARACTERS = 32  # enough to tell one state of a document from the next

_STRING_QUERIES = {
    "fieldManager": "Who writes, for managedFields.",
    "fieldValidation": "What becomes of unknown and duplicate fields: Ignore, Warn or Strict.",
    "dryRun": "All: everything is done except storing.",
}
_LIST_QUERIES = {
    "labelSelector": "Only objects with these labels.",
    "fieldSelector": "Only objects with these fields.",
    "continue": "Where the page begins; from the page before.",
    "resourceVersion": "How fresh the answer must be.",
}


def index(types: Iterable[ServedType]) -> Document:
    """The body of `/openapi/v3`: where each document is; its address changes when the document does."""
    held = list(types)
    paths = {}
    for group_version in dict.fromkeys(served.resource.api_version for served in held):
        content = json.dumps(document(group_version, held), sort_keys=True).encode()
        digest = hashlib.sha256(content).hexdigest()[:HASH_CHARACTERS].upper()
        root = _root(group_version)
        paths[root] = {"serverRelativeURL": f"/openapi/v3/{root}?hash={digest}"}
    return {"paths": paths}


def document(group_version: str, types: Iterable[ServedType]) -> Document | None:
    """The document of `v1` or `<group>/<version>`, or None where nothing of it is served."""
    members = [served for served in types if served.resource.api_version == group_version]
    if not members:
        return None
    schemas: Schema = {}
    paths: Document = {}
    for served in members:
        name = component_name(served)
        schemas[name] = _schema(served)
        schemas[f"{name}List"] = _list_schema(served)
        paths |= dict(_paths(served))
    _add_definitions(schemas)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": version_info()["gitVersion"]},
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def component_name(served: ServedType) -> str:
    """The name of a kind's schema: the group backwards, the version and the kind."""
    resource = served.resource
    if not resource.group:
        return f"{CORE}.{resource.kind}"
    return ".".join((*reversed(resource.group.split(".")), resource.version, resource.kind))


def _root(group_version: str) -> str:
    return f"apis/{group_version}" if "/" in group_version else f"api/{group_version}"


def _kind(served: ServedType, suffix: str = "") -> Schema:
    resource = served.resource
    return {"group": resource.group, "version": resource.version, "kind": resource.kind + suffix}


def _schema(served: ServedType) -> Schema:
    properties = {**(served.openapi.get("properties") or {}), **TYPE_FIELDS}
    return {**served.openapi, "properties": properties, GROUP_VERSION_KIND: [_kind(served)]}


def _list_schema(served: ServedType) -> Schema:
    fields = {
        **TYPE_FIELDS,
        "metadata": ref(LIST_META_NAME, "What every list carries."),
        "items": listed(item(component_name(served)), f"The objects of kind {served.resource.kind}."),
    }
    schema = obj(f"A list of objects of kind {served.resource.kind}.", fields, required=("items",))
    return {**schema, GROUP_VERSION_KIND: [_kind(served, "List")]}


def _add_definitions(schemas: Schema) -> None:
    """Add to the schemas all that they refer to, directly or through each other."""
    waiting = list(schemas.values())
    while waiting:
        for name in _references(waiting.pop()):
            if name not in schemas:
                schemas[name] = DEFINITIONS[name]
                waiting.append(DEFINITIONS[name])


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if name := referred(schema):
            yield name
        for below in schema.values():
            yield from _references(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from _references(below)


def _paths(served: ServedType) -> Iterator[tuple[str, Document]]:
    root = f"/{_root(served.resource.api_version)}"
    plural = served.resource.plural
    scopes = [f"{root}/namespaces/{{namespace}}/{plural}"] if served.resource.namespaced else [f"{root}/{plural}"]
    for collection in scopes:
        yield collection, _collection_operations(served, collection)
        if "get" in served.verbs:
            yield f"{collection}/{{name}}", _object_operations(served, f"{collection}/{{name}}")
        if served.has_status:
            path = f"{collection}/{{name}}/status"
            operations = _object_operations(served, path)
            yield path, {verb: operations[verb] for verb in operations if verb != "delete"}
    if served.resource.namespaced and "list" in served.verbs:
        path = f"{root}/{plural}"
        yield path, {"get": _operation(served, "list", path), "parameters": _parameters(path)}


def _collection_operations(served: ServedType, path: str) -> Document:
    operations: Document = {"parameters": _parameters(path)}
    if "list" in served.verbs:
        operations["get"] = _operation(served, "list", path)
    if "create" in served.verbs:
        operations["post"] = _operation(served, "create", path)
    if "deletecollection" in served.verbs:
        operations["delete"] = _operation(served, "deletecollection", path)
    return operations


def _object_operations(served: ServedType, path: str) -> Document:
    return {
        "parameters": _parameters(path),
        "get": _operation(served, "get", path),
        "put": _operation(served, "update", path),
        "patch": _operation(served, "patch", path),
        "delete": _operation(served, "delete", path),
    }


_ACTIONS = {"create": "post", "update": "put"}


def _operation(served: ServedType, verb: str, path: str) -> Document:
    kind = served.resource.kind
    name = component_name(served) + ("List" if verb == "list" else "")
    scope = "Namespaced" if "{namespace}" in path else ""
    part = "Status" if path.endswith("/status") else ""
    group = "".join(word.capitalize() for word in served.resource.group.split(".")) or "Core"
    queries = _LIST_QUERIES if verb in ("list", "deletecollection") else _STRING_QUERIES
    operation: Document = {
        "operationId": f"{verb}{group}{served.resource.version.capitalize()}{scope}{kind}{part}",
        "responses": {"200": {"description": "OK", "content": _content(name, JSON)}},
        "parameters": [] if verb in ("get", "delete") else [_query(*one) for one in queries.items()],
        "x-kubernetes-action": _ACTIONS.get(verb, verb),
        GROUP_VERSION_KIND: _kind(served),
    }
    if verb in ("create", "update"):
        operation["requestBody"] = {"required": True, "content": _content(name, JSON)}
    elif verb == "patch":
        operation["parameters"].append(
            {**_query("force", "Take fields over from other managers."), "schema": {"type": "boolean"}}
        )
        operation["requestBody"] = {"required": True, "content": _patch_content(served)}
    return operation


def _content(name: str, *media_types: str) -> Document:
    return {media_type: {"schema": {"$ref": COMPONENTS + name}} for media_type in media_types}


def _patch_content(served: ServedType) -> Document:
    kinds = [APPLY_PATCH, JSON_PATCH, MERGE_PATCH]
    if not served.custom:
        kinds.append(STRATEGIC_MERGE_PATCH)
    return {kind: {"schema": {"type": "object" if kind != JSON_PATCH else "array"}} for kind in kinds}


def _query(name: str, description: str) -> Document:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string"}}


def _parameters(path: str) -> list[Document]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"The {name} of the object.",
            "schema": {"type": "string"},
        }
        for name in ("namespace", "name")
        if f"{{{name}}}" in path
    ]
