"""create, update and patch: an object as a client wants it becomes an object as it is stored.

In: a Call with a body. Out: a Response; at most one change in the store. From reading what is there to writing what
shall be there nothing waits, so no other request comes between; where an admission webhook makes it wait, what was
read is compared with what is there then, and the request begins anew or is a conflict.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jobflow.kube.transport import APPLY_PATCH, Response
from jobflow.local.apiserver.builtin.strategies import strategy_of, take
from jobflow.local.apiserver.calls import Call
from jobflow.local.apiserver.ownership import owners
from jobflow.local.apiserver.registry import CRDS, NAMESPACES
from jobflow.local.apiserver.statuses import (
    Cause,
    StatusError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    invalid_options,
    method_not_allowed,
    modified,
    not_found,
    still_deleting,
)
from jobflow.local.apiserver.storage.store import Stored
from jobflow.local.apiserver.wire.bodies import fields_twice, media_type, read_object, read_patch
from jobflow.local.apiserver.writes import metadata as meta
from jobflow.local.apiserver.writes.admission import (
    check_identity,
    default,
    finalizer_warnings,
    prune,
    validate,
    warning_headers,
)
from jobflow.local.apiserver.writes.gates import Gate
from jobflow.local.apiserver.writes.hooks import Review
from jobflow.local.apiserver.writes.metadata import Object
from jobflow.local.apiserver.writes.objects import Objects
from jobflow.local.apiserver.writes.patching import check_patch_options, manager_causes, patched

_NAME_ATTEMPTS = 8  # as kube-apiserver tries for generateName before it gives up
_WRITE_ATTEMPTS = 5  # of a patch whose object changed while webhooks were asked


class _Overtaken(Exception):
    """The object changed while webhooks were asked about the write."""


async def create(call: Call, objects: Objects, gate: Gate) -> Response:
    """POST to a collection."""
    if causes := manager_causes(call.query):
        raise invalid_options("CreateOptions", causes)
    obj = read_object(call.request)
    check_identity(call.served, obj, call.route.namespace, None)
    if obj["metadata"].get("resourceVersion") and not call.served.custom:
        raise StatusError(500, "", "resourceVersion should not be set on objects to be created")
    return await _create(call, objects, gate, obj)


async def _create(call: Call, objects: Objects, gate: Gate, obj: Object, *, is_applied: bool = False) -> Response:
    served, query = call.served, call.query
    _check_room(call, objects, obj["metadata"].get("name") or "")
    twice = fields_twice(call.request) if query.field_validation != "Ignore" else []
    warnings = [*prune(served, obj, query.field_validation, twice=twice), *finalizer_warnings(served, obj)]
    default(served, obj, is_applied=is_applied)
    now = meta.timestamp(objects.clock.now())
    entries = obj["metadata"].get("managedFields")
    _begin(call, objects, obj)
    strategy_of(served).default(obj)
    if is_applied:
        obj["metadata"]["managedFields"] = entries
    else:
        owners.own_new(call, obj, entries, now)
    if gate.mutates(call, "CREATE"):
        obj, told = await gate.mutate(call, "CREATE", obj, None)
        warnings += told
        _complete(call, obj)
    if served.has_status:
        obj.pop("status", None)
    review = _review(call, objects, obj, None)
    if objects.admission is not None:
        objects.admission.mutate(review)
    warnings += validate(served, obj, None)
    strategy_of(served).created(served, obj, now)
    if call.collection == CRDS:
        owners.own_by_server(served, obj, _but_for_versions(None, obj), now, "status")
    if objects.admission is not None:
        warnings += objects.admission.judge(review)
    if gate.validates(call, "CREATE"):
        warnings += await gate.check(call, "CREATE", obj, None)
    name = obj["metadata"]["name"]
    _check_room(call, objects, name)
    taken = objects.store.get(call.collection, call.namespace, name)
    if taken is not None:
        raise (still_deleting if taken.deleting else already_exists)(served.resource, name)
    data = objects.create(served, obj, dry_run=query.dry_run)
    return call.answer(data, 201, warning_headers(warnings))


def _complete(call: Call, obj: Object) -> None:
    """What a webhook has made of an object is put in order as what a client sends; nobody is told."""
    check_identity(call.served, obj, call.route.namespace, obj["metadata"].get("name"))
    prune(call.served, obj, "Ignore")
    default(call.served, obj)


def _begin(call: Call, objects: Objects, obj: Object) -> None:
    """Give the object its name and identity; a generated name that is taken is drawn again."""
    chosen = obj["metadata"].get("name")
    for _ in range(_NAME_ATTEMPTS):
        meta.begin(call.served, obj, objects.clock.now(), objects.random)
        name = obj["metadata"].get("name") or ""
        if chosen or objects.store.get(call.collection, call.namespace, name) is None:
            return
        obj["metadata"]["name"] = ""


def _check_room(call: Call, objects: Objects, name: str) -> None:
    """Refuse a new object where its namespace is absent or ends, or its kind ends."""
    if call.served.resource.namespaced:
        namespace = objects.store.get(NAMESPACES, "", call.namespace)
        if namespace is None:
            raise _namespace_absent(call.namespace)
        if namespace.deleting:
            raise _namespace_ends(call, name)
    if call.served.custom:
        crd = objects.store.get(CRDS, "", str(call.collection))
        if crd is None or crd.deleting:
            error = method_not_allowed()
            told = "create not allowed while custom resource definition is terminating"
            raise StatusError(error.code, error.reason, told)


def _namespace_ends(call: Call, name: str) -> StatusError:
    told = f"unable to create new content in namespace {call.namespace} because it is being terminated"
    error = forbidden(call.served.resource, name, told)
    why = f"namespace {call.namespace} is being terminated"
    causes = [{"reason": "NamespaceTerminating", "message": why, "field": "metadata.namespace"}]
    return StatusError(error.code, error.reason, error.message, {**(error.details or {}), "causes": causes})


def _namespace_absent(name: str) -> StatusError:
    details = {"name": name, "kind": "namespaces"}
    return StatusError(404, "NotFound", f'namespaces "{name}" not found', details)


async def update(call: Call, objects: Objects, gate: Gate) -> Response:
    """PUT of an object, or of its status."""
    if causes := manager_causes(call.query):
        raise invalid_options("UpdateOptions", causes)
    obj = read_object(call.request)
    check_identity(call.served, obj, call.route.namespace, call.name)
    stored = objects.find(call.served, call.namespace, call.name)
    if call.served.custom and not obj["metadata"].get("resourceVersion"):
        cause = Cause("metadata.resourceVersion", "Invalid value: 0: must be specified for an update")
        resource = replace(call.served.resource, kind=call.served.resource.plural)  # so it is told there, and here only
        raise invalid(resource, call.name, [cause])
    try:
        return await _replace(call, objects, gate, obj, stored)
    except _Overtaken:
        raise modified(call.served.resource, call.name) from None


async def patch(call: Call, objects: Objects, gate: Gate) -> Response:
    """PATCH of an object, or of its status, in one of four forms; server-side apply may create it."""
    change = read_patch(call.request)
    check_patch_options(call.query, media_type(call.request))
    for _ in range(_WRITE_ATTEMPTS):
        try:
            return await _patch(call, objects, gate, change)
        except _Overtaken:
            continue
    raise modified(call.served.resource, call.name)


async def _patch(call: Call, objects: Objects, gate: Gate, change: Any) -> Response:
    kind = media_type(call.request)
    stored = objects.store.get(call.collection, call.namespace, call.name)
    if stored is None and (kind != APPLY_PATCH or call.route.subresource):
        raise not_found(call.served.resource, call.name)
    base = objects.read(call.served, stored) if stored is not None else None
    if kind == APPLY_PATCH:
        obj = owners.applied(call, base, change, meta.timestamp(objects.clock.now()))
    else:
        obj = patched(call, base or {}, change, kind)
    if not isinstance(obj, dict):
        raise bad_request("the patched object is not a JSON object")
    try:
        check_identity(call.served, obj, call.route.namespace, call.name)
    except StatusError as error:
        raise _unreadable(call, error) from error
    if stored is None:
        if uid := obj["metadata"].get("uid"):
            told = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise conflict(call.served.resource, call.name, told)
        return await _create(call, objects, gate, obj, is_applied=True)
    return await _replace(call, objects, gate, obj, stored, is_applied=kind == APPLY_PATCH)


def _unreadable(call: Call, error: StatusError) -> StatusError:
    """A patch of a built-in kind could be read, and what comes of it cannot: that is 422 there."""
    if call.served.custom or "cannot unmarshal" not in error.message:
        return error
    return StatusError(422, "Invalid", f'{call.served.resource.kind} "{call.name}" is invalid: {error.message}')


async def _replace(
    call: Call, objects: Objects, gate: Gate, obj: Object, stored: Stored, *, is_applied: bool = False
) -> Response:
    served, query = call.served, call.query
    is_patch = call.request.method == "PATCH"
    twice = fields_twice(call.request) if query.field_validation != "Ignore" else []
    warnings = prune(served, obj, query.field_validation, patched=is_patch, twice=twice)
    old = objects.read(served, stored)
    entries = obj["metadata"].get("managedFields")
    meta.carry_over(served, obj, old, patched=is_patch)
    default(served, obj, is_applied=is_applied)
    strategy = strategy_of(served)
    if call.route.subresource is None:
        strategy.default(obj)
    now = meta.timestamp(objects.clock.now())
    if not is_applied:
        owners.own_changed(call, obj, old, entries, now)
    elif entries:
        obj["metadata"]["managedFields"] = entries
    if gate.mutates(call, "UPDATE"):
        obj, told = await gate.mutate(call, "UPDATE", obj, old)
        warnings += told
        _complete(call, obj)
    obj = _confined(call, obj, old)
    hooks = objects.admission if call.route.subresource is None else None
    if hooks is not None:
        hooks.mutate(_review(call, objects, obj, old))
    warnings += validate(served, obj, old, status_only=call.route.subresource == "status")
    if call.route.subresource is None:
        strategy.replaced(served, obj, old, now)
        if call.collection == CRDS:
            owners.own_by_server(served, obj, _but_for_versions(old.get("status"), obj), now, "status")
        meta.bump_generation(served, obj, old)
    if hooks is not None:
        warnings += hooks.judge(_review(call, objects, obj, old))
    if gate.validates(call, "UPDATE"):
        warnings += await gate.check(call, "UPDATE", obj, old)
    if objects.store.get(call.collection, call.namespace, stored.name) is not stored:
        raise _Overtaken
    data = objects.replace(served, obj, stored, dry_run=query.dry_run)
    return call.answer(data, 200, warning_headers(warnings))


def _but_for_versions(status: Object | None, obj: Object) -> Object:
    """The status of a CRD before it is established; which versions it stores is told with the spec."""
    kept = status or {"conditions": None, "acceptedNames": {}}
    return {**kept, "storedVersions": obj["status"]["storedVersions"]}


def _review(call: Call, objects: Objects, obj: Object, old: Object | None) -> Review:
    return Review(call.served.resource, obj, old, objects.look)


def _confined(call: Call, obj: Object, old: Object) -> Object:
    """The object with changes only where this endpoint makes them; who owns what is taken as it is."""
    served = call.served
    match call.route.subresource:
        case "status":
            confined = strategy_of(served).status_replaced(served, obj, old)
        case "finalize":
            confined = {**old, "spec": obj.get("spec")}
        case _:
            if served.has_status:
                take("status", obj, old)
            return obj
    metadata = dict(confined["metadata"])
    take("managedFields", metadata, obj["metadata"])
    return {**confined, "metadata": metadata}
