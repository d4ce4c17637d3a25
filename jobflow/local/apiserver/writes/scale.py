"""scale: the replicas of an object, told and set as an `autoscaling/v1` Scale, whatever the kind calls them.

In: a Call to the `scale` subresource of a kind that has it. Out: a Scale; a write changes the one field of the object.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jobflow.kube.transport import JSON, Response
from jobflow.local.apiserver.calls import Call
from jobflow.local.apiserver.ownership import owners
from jobflow.local.apiserver.statuses import Cause, bad_request, invalid, method_not_allowed
from jobflow.local.apiserver.types import Scale
from jobflow.local.apiserver.wire.bodies import media_type, read_object, read_patch
from jobflow.local.apiserver.writes import metadata as meta
from jobflow.local.apiserver.writes.admission import validate
from jobflow.local.apiserver.writes.metadata import Object
from jobflow.local.apiserver.writes.objects import Objects
from jobflow.local.apiserver.writes.patching import check_patch_options, patched

VERSION = "autoscaling/v1"


def answer(call: Call, objects: Objects, scale: Scale) -> Response:
    """GET, PUT or PATCH of a Scale."""
    stored = objects.find(call.served, call.namespace, call.name)
    obj = objects.read(call.served, stored)
    match call.request.method:
        case "GET":
            return _told(obj, scale)
        case "PUT":
            wanted: Any = read_object(call.request)
        case "PATCH":
            check_patch_options(call.query, media_type(call.request))
            wanted = patched(call, _scale(obj, scale), read_patch(call.request), media_type(call.request))
        case _:
            raise method_not_allowed()
    old = objects.read(call.served, stored)
    meta.carry_over(call.served, _identified(obj, wanted), old)
    _set_replicas(call, obj, scale, wanted)
    meta.bump_generation(call.served, obj, old)
    owners.own_scaled(call, obj, old)
    validate(call.served, obj, old)
    return _told(msgspec.json.decode(objects.replace(call.served, obj, stored, dry_run=call.query.dry_run)), scale)


def _identified(obj: Object, wanted: Any) -> Object:
    """The object with the identity that the client's Scale claims, for the check of preconditions."""
    if not isinstance(wanted, dict) or not isinstance(wanted.get("metadata"), dict):
        raise bad_request("a Scale must be an object with metadata")
    for field in ("uid", "resourceVersion"):
        if wanted["metadata"].get(field):
            obj["metadata"][field] = wanted["metadata"][field]
    return obj


def _set_replicas(call: Call, obj: Object, scale: Scale, wanted: Any) -> None:
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        cause = Cause("spec.replicas", f"Invalid value: {replicas}: must be a whole number, zero or more")
        raise invalid(call.served.resource, call.name, [cause])
    *parents, last = _names(scale.spec_replicas_path)
    holder = obj
    for name in parents:
        holder = holder.setdefault(name, {})
    holder[last] = replicas


def _told(obj: Object, scale: Scale) -> Response:
    return Response(200, msgspec.json.encode(_scale(obj, scale)), {"content-type": JSON})


def _scale(obj: Object, scale: Scale) -> Object:
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    metadata = {name: obj["metadata"][name] for name in kept if name in obj["metadata"]}
    status: Object = {"replicas": _at(obj, scale.status_replicas_path) or 0}
    if scale.label_selector_path and (selector := _at(obj, scale.label_selector_path)):
        status["selector"] = selector
    spec = {"replicas": _at(obj, scale.spec_replicas_path) or 0}
    return {"kind": "Scale", "apiVersion": VERSION, "metadata": metadata, "spec": spec, "status": status}


def _at(obj: Object, path: str) -> Any:
    value: Any = obj
    for name in _names(path):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _names(path: str) -> list[str]:
    return path.strip(".").split(".")
