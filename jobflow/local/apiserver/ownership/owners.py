"""Owners: field ownership of one request.

In: a Call, the object before and after. Out: the object's `metadata.managedFields`; and of a server-side apply the
object itself. Which fields an endpoint does not write, so that nobody owns them through it, is told here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jobflow.local.apiserver.calls import Call
from jobflow.local.apiserver.ownership import last_applied
from jobflow.local.apiserver.ownership.applying import Applied, Conflicts, apply
from jobflow.local.apiserver.ownership.comparison import added, compare
from jobflow.local.apiserver.ownership.declared import undeclared
from jobflow.local.apiserver.ownership.entries import (
    APPLY,
    UPDATE,
    Entries,
    are_sound,
    identity,
    is_reset,
    read_entries,
    write_entries,
)
from jobflow.local.apiserver.ownership.extraction import NotMergeable
from jobflow.local.apiserver.ownership.fieldsets import LEAF, Fields, difference
from jobflow.local.apiserver.ownership.updates import Object, Writer, after_update, reassigned
from jobflow.local.apiserver.ownership.zeros import zero_of
from jobflow.local.apiserver.schema.nodes import Node
from jobflow.local.apiserver.statuses import StatusError, bad_request
from jobflow.local.apiserver.types import ServedType

BEFORE = "before-first-apply"  # who owns all of an object whose owners were not known when it was first applied
SERVER = "kube-apiserver"  # whose name the server's own writes bear

_STATUS: Fields = {"f:status": LEAF}
_SPEC: Fields = {"f:spec": LEAF}
_POD_STATUS: Fields = {**_SPEC, "f:metadata": {"f:deletionTimestamp": LEAF, "f:ownerReferences": LEAF}}
_CRD_STATUS: Fields = {**_SPEC, "f:metadata": LEAF}


def not_written(served: ServedType, subresource: str | None) -> Fields:
    """The fields that a write to this endpoint does not reach."""
    if subresource != "status":
        return _STATUS if served.has_status and subresource != "scale" else {}
    return {"Pod": _POD_STATUS, "CustomResourceDefinition": _CRD_STATUS}.get(served.resource.kind, _SPEC)


def own_new(call: Call, obj: Object, sent: Any, time: str) -> None:
    """Give a new object its entries: everything in it is its creator's. `sent` are entries that came with it."""
    zero = zero_of(call.served)
    node = _node(call.served)
    try:
        comparison = compare(zero, obj, node) if zero else added(obj, node)
    except NotMergeable:  # what is so wrong is refused, but not here
        _own(obj, {})
        return
    _own(obj, after_update(comparison, _entries(sent, None), _writer(call, UPDATE, time)))


def own_changed(call: Call, obj: Object, old: Object, sent: Any, time: str) -> None:
    """Give a replacement its entries: what it changes is the caller's."""
    held = (old["metadata"]).get("managedFields")
    if call.route.subresource is not None:
        sent = None  # entries are written through the object itself only
    entries = _entries(sent, held)
    if not entries:  # of an object whose owners are not known, only an apply begins to tell them
        _own(obj, {})
        return
    try:
        comparison = compare(old, obj, _node(call.served))
    except NotMergeable:
        _own(obj, {})
        return
    _own(obj, after_update(comparison, entries, _writer(call, UPDATE, time)))


def own_scaled(call: Call, obj: Object, old: Object) -> None:
    """Give an object whose scale was written its entries; a scale has no time, as on kube-apiserver."""
    own_changed(call, obj, old, None, "")


def own_by_server(served: ServedType, obj: Object, old: Object, time: str, subresource: str) -> None:
    """Note what the server itself has written into a subresource of the object."""
    api_version = served.resource.api_version
    who = identity(SERVER, UPDATE, api_version, subresource)
    entries = read_entries(obj["metadata"].get("managedFields")) or {}
    comparison = compare({subresource: old}, {subresource: obj.get(subresource)}, _node(served))
    _own(obj, after_update(comparison, entries, Writer(who, api_version, time, {})))


def disown(served: ServedType, obj: Object, old: Object) -> None:
    """What the server takes off an object of itself (owners that are gone) is nobody's any more."""
    entries = read_entries(obj["metadata"].get("managedFields"))
    if entries:
        removed = compare(old, obj, _node(served)).removed
        _own(obj, reassigned(entries, {}, removed))


def _entries(sent: Any, held: Any) -> Entries:
    if is_reset(sent):
        return {}
    if sent and are_sound(sent):
        return read_entries(sent) or {}
    return read_entries(held) or {}


def _own(obj: Object, entries: Entries) -> None:
    if entries:
        obj["metadata"]["managedFields"] = write_entries(entries)
    else:
        obj["metadata"].pop("managedFields", None)


def _node(served: ServedType) -> Node | None:
    return served.schema.with_metadata if served.schema is not None else None


def _writer(call: Call, operation: str, time: str) -> Writer:
    manager = call.query.text("fieldManager") or call.caller.program
    version, subresource = call.served.resource.api_version, call.route.subresource
    who = identity(manager, operation, version, subresource or "")
    return Writer(who, version, time, not_written(call.served, subresource))


def applied(call: Call, live: Object | None, given: Any, time: str) -> Object:
    """The object that a server-side apply makes, with its entries. Raises 409 on conflicts with other managers."""
    served = call.served
    node = _node(served)
    _check(call, given)
    if live is None:
        head = {"apiVersion": given["apiVersion"], "kind": given["kind"], "metadata": {}}
        live = {**head, **zero_of(served)}
    entries = read_entries(live["metadata"].get("managedFields")) or {}
    metadata = {name: value for name, value in live["metadata"].items() if name != "managedFields"}
    live = {**live, "metadata": metadata}
    force = call.query.flag("force")
    writer = _writer(call, APPLY, time)
    if not entries and "uid" in metadata:
        first = identity(BEFORE, UPDATE, served.resource.api_version, call.route.subresource or "")
        entries = after_update(added(live, node), {}, replace(writer, who=first))
    try:
        result = _apply(live, given, node, entries, writer, force)
    except NotMergeable as error:
        raise _untyped(call, given, str(error)) from error
    except Conflicts as conflicts:
        raise _refused(conflicts) from conflicts
    obj = {**result.obj, "metadata": dict(result.obj["metadata"])}
    _own(obj, result.entries)
    return obj


def _apply(live: Object, given: Object, node: Node | None, entries: Entries, writer: Writer, force: bool) -> Applied:
    """Apply, and bring along what client-side apply left behind, where it is kubectl that applies."""
    if writer.who.manager != last_applied.MANAGER or not last_applied.last_applied(live):
        return apply(live, given, node, entries, writer, force)
    try:
        result = apply(live, given, node, entries, writer, force)
    except Conflicts as conflicts:
        allowed = last_applied.taken_over(live, node)
        left = {who: difference(fields, allowed) for who, fields in conflicts.found.items()}
        left = {who: fields for who, fields in left.items() if fields}
        if left:
            raise Conflicts(left, entries) from conflicts
        result = apply(live, given, node, entries, writer, True)
    if not last_applied.last_applied(result.obj):
        return result
    return Applied(last_applied.with_annotation(result.obj, given), result.entries)


def _check(call: Call, given: Any) -> None:
    if not isinstance(given, dict) or not given.get("apiVersion"):
        raise bad_request("an applied configuration must be an object with apiVersion and kind")
    version = call.served.resource.api_version
    is_builtin = not call.served.custom
    if given.get("kind") != call.served.resource.kind or (is_builtin and given["apiVersion"] != version):
        group = "" if "/" in given["apiVersion"] else "/"
        raise bad_request(f"invalid object type: {group}{given['apiVersion']}, Kind={given.get('kind') or ''}")
    if given["apiVersion"] != version:
        raise bad_request(
            "Incorrect version specified in apply patch. "
            f"Specified patch version: {given['apiVersion']}, expected: {version}"
        )
    metadata = given.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise bad_request("an applied configuration's metadata must be an object")
    if (metadata or {}).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    unknown = undeclared(given, _node(call.served))
    if unknown:
        raise _untyped(call, given, f"{unknown[0]}: field not declared in schema")


def _untyped(call: Call, given: Object, why: str) -> StatusError:
    """A configuration that cannot be merged; kube-apiserver has no better status for it."""
    metadata = given.get("metadata") or {}
    version = given["apiVersion"] if "/" in given["apiVersion"] else f"/{given['apiVersion']}"
    name = f"{metadata.get('namespace') or ''}/{metadata.get('name') or call.name}"
    where = f"{name}; {version}, Kind={given['kind']}"
    return StatusError(500, "", f"failed to create typed patch object ({where}): {why}")


def _refused(conflicts: Conflicts) -> StatusError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {one.owner}", "field": one.path}
        for one in conflicts.all
    ]
    return StatusError(409, "Conflict", str(conflicts), {"causes": causes})
