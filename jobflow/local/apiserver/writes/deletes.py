"""delete and deletecollection.

In: a Call, with DeleteOptions in its body or its query. Out: a Response, and objects that are gone or marked. What a
mark leads to is the business of `garbage` (owners), `terminating` (namespaces, kinds) and the kubelet (pods).
"""

from __future__ import annotations

from typing import Any

from jobflow.kube.transport import JSON, Response
from jobflow.local.apiserver.builtin.strategies import strategy_of
from jobflow.local.apiserver.calls import Call, Selection
from jobflow.local.apiserver.registry import NAMESPACES
from jobflow.local.apiserver.routes import Query
from jobflow.local.apiserver.statuses import Cause, StatusError, bad_request, forbidden, invalid_options, success
from jobflow.local.apiserver.storage.store import Stored
from jobflow.local.apiserver.wire.bodies import read_options
from jobflow.local.apiserver.writes.admission import SCHEME, warning_headers
from jobflow.local.apiserver.writes.gates import Gate
from jobflow.local.apiserver.writes.objects import DeleteOptions, Objects

DELETES_AT_ONCE = 100  # then others may run: watchers read what was deleted, and the loop stays responsive

IMMORTAL_NAMESPACES = frozenset(("default", "kube-system", "kube-public"))

_PROPAGATIONS = ("Foreground", "Background", "Orphan")


async def delete(call: Call, objects: Objects, gate: Gate) -> Response:
    """DELETE of one object."""
    options = _options(call)
    stored = objects.find(call.served, call.namespace, call.name)
    warnings = await _admitted(call, objects, gate, stored)
    stored = objects.find(call.served, call.namespace, call.name)
    if call.collection == NAMESPACES and call.name in IMMORTAL_NAMESPACES:
        raise forbidden(call.served.resource, call.name, "this namespace may not be deleted")
    done = objects.delete(call.served, stored, options)
    if done.gone and not strategy_of(call.served).returns_deleted:
        body = success(call.served.resource, call.name, done.uid)
        return Response(200, body, {"content-type": JSON, **warning_headers(warnings)})
    return call.answer(done.data, headers=warning_headers(warnings))


async def _admitted(call: Call, objects: Objects, gate: Gate, stored: Stored) -> list[str]:
    """Ask about a delete. Raises the refusal."""
    if not gate.validates(call, "DELETE"):
        return []
    return await gate.check(call, "DELETE", None, objects.read(call.served, stored))


async def delete_collection(call: Call, objects: Objects, gate: Gate) -> Response:
    """DELETE of all objects that are selected; answers with what they were."""
    options, selection = _options(call), Selection(call)
    store = objects.store
    at = store.revision
    chosen = [obj for obj in store.list(call.collection, selection.namespace, None, at) if selection.holds(obj)]
    for index, obj in enumerate(chosen, 1):
        now = store.get(call.collection, obj.namespace, obj.name)
        if now is not None and now.uid == obj.uid:
            await _admitted(call, objects, gate, now)
            _delete_if_held_to(call, objects, options, obj.key)
        if index % DELETES_AT_ONCE == 0:
            await objects.clock.sleep(0)
    body = call.view.many([call.view.stored(obj) for obj in chosen], {"resourceVersion": str(store.revision)})
    return Response(200, body, {"content-type": JSON})


def _delete_if_held_to(call: Call, objects: Objects, options: DeleteOptions, key: tuple[str, str]) -> None:
    try:
        objects.delete(call.served, objects.find(call.served, *key), options)
    except StatusError as error:
        if error.code != 409:  # a precondition: the client asked for objects that still are what it saw
            raise


def _options(call: Call) -> DeleteOptions:
    body = read_options(call.request)
    if body.get("kind") not in (None, "", "DeleteOptions"):
        kind, version = body["kind"], body.get("apiVersion") or ""
        told = f'no kind "{kind}" is registered for version "{version}" in scheme "{SCHEME}"'
        raise bad_request(told)
    query = call.query
    preconditions = body.get("preconditions") or {}
    propagation = body.get("propagationPolicy") or query.text("propagationPolicy")
    orphans = _orphans(body, query)
    if propagation:
        _check_propagation(propagation, orphans)
    elif orphans is not None:
        propagation = "Orphan" if orphans else "Background"
    grace = body.get("gracePeriodSeconds")
    if grace is None:
        grace = query.number("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool)):
        raise bad_request(f"gracePeriodSeconds: Invalid value: {grace!r}: must be a whole number")
    return DeleteOptions(
        propagation=propagation,
        grace_seconds=None if grace is None else max(1 if grace < 0 else 0, grace),
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
        dry_run=query.dry_run or body.get("dryRun") == ["All"],
    )


def _check_propagation(propagation: str, orphans: bool | None) -> None:
    if orphans is not None:
        told = f'Invalid value: "{propagation}": orphanDependents and deletionPropagation cannot be both set'
        raise invalid_options("DeleteOptions", [Cause("propagationPolicy", told)])
    if propagation not in _PROPAGATIONS:
        supported = ", ".join(f'"{one}"' for one in (*_PROPAGATIONS, "nil"))
        told = f'Unsupported value: "{propagation}": supported values: {supported}'
        raise invalid_options("DeleteOptions", [Cause("propagationPolicy", told, "FieldValueNotSupported")])


def _orphans(body: dict[str, Any], query: Query) -> bool | None:
    if "orphanDependents" in body:
        return bool(body["orphanDependents"])
    return query.flag("orphanDependents") if "orphanDependents" in query else None
