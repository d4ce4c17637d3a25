"""create, update and patch: an object as a client wants it becomes an object as it is stored.

In: a Call with a body. Out: a Response; at most one change in the store. From reading what is there to writing what
shall be there nothing waits, so no other request comes between.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jobflow.kube.transport import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, Response
from jobflow.local.apiserver import metadata as meta
from jobflow.local.apiserver.admission import (
    check_identity,
    default,
    finalizer_warnings,
    prune,
    validate,
    warning_headers,
)
from jobflow.local.apiserver.bodies import media_type, read_object, read_patch
from jobflow.local.apiserver.calls import Call
from jobflow.local.apiserver.metadata import Object
from jobflow.local.apiserver.objects import Objects
from jobflow.local.apiserver.patches import PatchError, apply_patch, json_patch, merge_patch, strategic_merge
from jobflow.local.apiserver.registry import CRDS, NAMESPACES
from jobflow.local.apiserver.statuses import (
    Cause,
    StatusError,
    already_exists,
    bad_request,
    forbidden,
    invalid,
    invalid_options,
    method_not_allowed,
    not_found,
    still_deleting,
    unsupported_media_type,
)
from jobflow.local.apiserver.store import Stored
from jobflow.local.apiserver.strategies import strategy_of, take

_NAME_ATTEMPTS = 8  # as kube-apiserver tries for generateName before it gives up


def create(call: Call, objects: Objects) -> Response:
    """POST to a collection."""
    obj = read_object(call.request)
    check_identity(call.served, obj, call.route.namespace, None)
    return _create(call, objects, obj)


def _create(call: Call, objects: Objects, obj: Object) -> Response:
    served, query = call.served, call.query
    _check_room(call, objects)
    warnings = [*prune(served, obj, query.field_validation), *finalizer_warnings(served, obj)]
    default(served, obj)
    _begin(call, objects, obj)
    if served.has_status:
        obj.pop("status", None)
    validate(served, obj, None)
    strategy_of(served).created(served, obj, meta.timestamp(objects.clock.now()))
    name = obj["metadata"]["name"]
    taken = objects.store.get(call.collection, call.namespace, name)
    if taken is not None:
        raise (still_deleting if is_deleting(taken) else already_exists)(served.resource, name)
    data = objects.create(served, obj, dry_run=query.dry_run)
    return call.answer(data, 201, warning_headers(warnings))


def _begin(call: Call, objects: Objects, obj: Object) -> None:
    """Give the object its name and identity; a generated name that is taken is drawn again."""
    chosen = obj["metadata"].get("name")
    for _ in range(_NAME_ATTEMPTS):
        meta.begin(call.served, obj, objects.clock.now(), objects.random)
        name = obj["metadata"].get("name") or ""
        if chosen or objects.store.get(call.collection, call.namespace, name) is None:
            return
        obj["metadata"]["name"] = ""


def _check_room(call: Call, objects: Objects) -> None:
    """Refuse a new object where its namespace is absent or ends, or its kind ends."""
    if call.served.resource.namespaced:
        namespace = objects.store.get(NAMESPACES, "", call.namespace)
        if namespace is None:
            raise _namespace_absent(call.namespace)
        if is_deleting(namespace):
            told = f"unable to create new content in namespace {call.namespace} because it is being terminated"
            raise forbidden(call.served.resource, call.route.name or "", told)
    if call.served.custom:
        crd = objects.store.get(CRDS, "", str(call.collection))
        if crd is None or is_deleting(crd):
            error = method_not_allowed()
            told = "create not allowed while custom resource definition is terminating"
            raise StatusError(error.code, error.reason, told)


def _namespace_absent(name: str) -> StatusError:
    details = {"name": name, "kind": "namespaces"}
    return StatusError(404, "NotFound", f'namespaces "{name}" not found', details)


class _Deleting(msgspec.Struct):
    deletionTimestamp: str | None = None


class _Head(msgspec.Struct):
    metadata: _Deleting


def is_deleting(stored: Stored) -> bool:
    """Whether the object's delete has begun."""
    return msgspec.json.decode(stored.data, type=_Head).metadata.deletionTimestamp is not None


def update(call: Call, objects: Objects) -> Response:
    """PUT of an object, or of its status."""
    obj = read_object(call.request)
    check_identity(call.served, obj, call.route.namespace, call.name)
    stored = objects.find(call.served, call.namespace, call.name)
    if call.served.custom and not obj["metadata"].get("resourceVersion"):
        cause = Cause("metadata.resourceVersion", "Invalid value: 0: must be specified for an update")
        raise invalid(call.served.resource, call.name, [cause])
    return _replace(call, objects, obj, stored)


def patch(call: Call, objects: Objects) -> Response:
    """PATCH of an object, or of its status, in one of four forms; server-side apply may create it."""
    change = read_patch(call.request)
    kind = media_type(call.request)
    stored = objects.store.get(call.collection, call.namespace, call.name)
    if stored is None:
        if kind != APPLY_PATCH or call.route.subresource:
            raise not_found(call.served.resource, call.name)
        return _create_applied(call, objects, change)
    obj = patched(call, objects.read(call.served, stored), change, kind)
    if not isinstance(obj, dict):
        raise bad_request("the patched object is not a JSON object")
    check_identity(call.served, obj, call.route.namespace, call.name)
    return _replace(call, objects, obj, stored)


def _create_applied(call: Call, objects: Objects, change: Any) -> Response:
    obj = patched(call, None, change, APPLY_PATCH)
    check_identity(call.served, obj, call.route.namespace, call.name)
    return _create(call, objects, obj)


def patched(call: Call, base: Object | None, change: Any, kind: str) -> Any:
    """The base with a patch of some content type applied."""
    served = call.served
    try:
        if kind == MERGE_PATCH:
            return merge_patch(base, change)
        if kind == JSON_PATCH:
            if not isinstance(change, list):
                raise bad_request("error decoding patch: it must be a list of operations")
            return json_patch(base, change)
        if kind == STRATEGIC_MERGE_PATCH and not served.custom:
            return strategic_merge(base, change, served.schema)
        if kind == APPLY_PATCH:
            _check_apply(call, change)
            return apply_patch(base, change, served.schema)
    except PatchError as error:
        raise StatusError(422, "Invalid", f"the server rejected our request: {error}") from error
    taken = [JSON_PATCH, MERGE_PATCH, *([] if served.custom else [STRATEGIC_MERGE_PATCH]), APPLY_PATCH]
    raise unsupported_media_type(kind, ", ".join(taken))


def _check_apply(call: Call, change: Any) -> None:
    if not call.query.text("fieldManager"):
        told = "Required value: is required for apply patch"
        raise invalid_options("PatchOptions", [Cause("fieldManager", told, "FieldValueRequired")])
    if not isinstance(change, dict) or not change.get("apiVersion") or not change.get("kind"):
        raise bad_request("an applied configuration must be an object with apiVersion and kind")


def _replace(call: Call, objects: Objects, obj: Object, stored: Stored) -> Response:
    served, query = call.served, call.query
    warnings = prune(served, obj, query.field_validation, patched=call.request.method == "PATCH")
    old = objects.read(served, stored)
    meta.carry_over(served, obj, old)
    strategy = strategy_of(served)
    match call.route.subresource:
        case "status":
            obj = strategy.status_replaced(served, obj, old)
        case "finalize":
            obj = {**old, "spec": obj.get("spec")}
        case _ if served.has_status:
            take("status", obj, old)
    default(served, obj)
    validate(served, obj, old)
    if call.route.subresource is None:
        strategy.replaced(served, obj, old, meta.timestamp(objects.clock.now()))
        meta.bump_generation(served, obj, old)
    data = objects.replace(served, obj, stored, dry_run=query.dry_run)
    return call.answer(data, 200, warning_headers(warnings))
