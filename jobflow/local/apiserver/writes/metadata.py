"""Object metadata: which of it the server sets, which a client may change, and what it may look like.

In: an object as a client sent it, and the one it replaces. Out: the same object with the server's own fields
put right, in place, and the complaints about the client's. Rules are those of kube-apiserver's
`rest.BeforeCreate` and `rest.BeforeUpdate`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime
from random import Random
from typing import Any

import msgspec

from jobflow.local.apiserver.schema.validation import type_name
from jobflow.local.apiserver.statuses import Cause, StatusError, bad_request, conflict, invalid, modified
from jobflow.local.apiserver.types import ServedType
from jobflow.local.apiserver.writes.names import label_key_problem, label_value_problem, name_problem

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # without vowels, so that no words come about
SUFFIX_CHARACTERS = 5
MAX_GENERATED_BASE = 63 - SUFFIX_CHARACTERS
MAX_ANNOTATION_BYTES = 256 * 1024

STANDARD_FINALIZERS = frozenset((FOREGROUND, ORPHAN, "kubernetes"))
_SERVER_SET = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
_IGNORED = ("managedFields", "selfLink")
_COUNTED = frozenset(
    ("Pod", "CustomResourceDefinition", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
)
_UNVERSIONED = frozenset(("apiVersion", "kind", "metadata"))

Object = dict[str, Any]


def timestamp(moment: datetime) -> str:
    """A time as metadata tells it: whole seconds, UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def encode(obj: Object, revision: int | None) -> bytes:
    """The object's bytes, its identity first; `revision` becomes its resourceVersion."""
    metadata = {key: value for key, value in obj["metadata"].items() if value is not None}
    metadata.pop("resourceVersion", None)
    if revision is not None:
        metadata["resourceVersion"] = str(revision)
    head = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": metadata}
    return msgspec.json.encode({**head, **{key: value for key, value in obj.items() if key not in head}})


def begin(served: ServedType, obj: Object, now: datetime, random: Random) -> None:
    """Give a new object what the server gives: name from generateName, uid, time, first generation."""
    metadata = obj["metadata"]
    for name in (*_SERVER_SET, *_IGNORED, "resourceVersion"):
        metadata.pop(name, None)
    base = metadata.get("generateName")
    if not metadata.get("name") and isinstance(base, str) and base:
        suffix = "".join(random.choice(SUFFIX_ALPHABET) for _ in range(SUFFIX_CHARACTERS))
        metadata["name"] = base[:MAX_GENERATED_BASE] + suffix
    metadata["uid"] = str(uuid.UUID(int=random.getrandbits(128), version=4))
    metadata["creationTimestamp"] = timestamp(now)
    if has_generation(served):
        metadata["generation"] = 1


def carry_over(served: ServedType, new: Object, old: Object, *, patched: bool = False) -> None:
    """Check a replacement's identity and give it what the server keeps. Raises 409 where it is of another object."""
    resource, name = served.resource, old["metadata"]["name"]
    metadata, kept = new["metadata"], old["metadata"]
    version = metadata.get("resourceVersion")
    if version and version != kept["resourceVersion"]:
        raise modified(resource, name)
    uid = metadata.get("uid")
    if uid and uid != kept["uid"]:
        if patched and served.custom:
            cause = Cause("metadata.uid", f"Invalid value: {msgspec.json.encode(uid).decode()}: field is immutable")
            raise invalid(resource, name, [cause, cause])  # two places look at it, and both tell
        where = "/".join(part for part in (resource.group, resource.plural, kept.get("namespace"), name) if part)
        raise conflict(
            resource,
            name,
            f"StorageError: invalid object, Code: 4, Key: /registry/{where}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {kept['uid']}",
        )
    for field in _IGNORED:
        metadata.pop(field, None)
    for field in (*_SERVER_SET, "resourceVersion"):
        metadata.pop(field, None)
        if field in kept:
            metadata[field] = kept[field]


def bump_generation(served: ServedType, new: Object, old: Object) -> None:
    """Count a change of what the user wants; metadata and (where it is a subresource) status do not count."""
    if not has_generation(served):
        return
    ignored = _UNVERSIONED | {"status"} if served.has_status else _UNVERSIONED
    if _without(new, ignored) != _without(old, ignored):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def has_generation(served: ServedType) -> bool:
    """Kinds whose spec is counted; a ConfigMap's or a Namespace's is not."""
    return served.custom or served.resource.kind in _COUNTED


def _without(obj: Object, names: frozenset[str]) -> Object:
    return {key: value for key, value in obj.items() if key not in names}


def check_shape(served: ServedType, obj: Object) -> None:
    """Refuse, with 400, metadata whose JSON types are wrong: nothing below copes with them."""
    for name, kind in _TYPES.items():
        value = obj["metadata"].get(name)
        if value is not None and not isinstance(value, kind):
            raise _undecodable(served, name, value, _GO_TYPES[name])
    for name in ("labels", "annotations"):
        for value in (obj["metadata"].get(name) or {}).values():
            if not isinstance(value, str):
                raise _undecodable(served, name, value, "string")


_TYPES: dict[str, type] = {
    "name": str,
    "generateName": str,
    "namespace": str,
    "uid": str,
    "resourceVersion": str,
    "labels": dict,
    "annotations": dict,
    "finalizers": list,
    "ownerReferences": list,
    "managedFields": list,
}
_GO_TYPES = {
    **dict.fromkeys(_TYPES, "string"),
    "uid": "types.UID",
    "labels": "map[string]string",
    "annotations": "map[string]string",
    "finalizers": "[]string",
    "ownerReferences": "[]v1.OwnerReference",
    "managedFields": "[]v1.ManagedFieldsEntry",
}


def _undecodable(served: ServedType, field: str, value: Any, wanted: str) -> StatusError:
    """400 in the words of Go's decoder: people search for them."""
    kind, version = served.resource.kind, served.resource.version
    found = {"integer": "number", "boolean": "bool"}.get(type_name(value), type_name(value))
    where = f"ObjectMeta.{field}" if served.custom else f"ObjectMeta.metadata.{field}"
    told = f"json: cannot unmarshal {found} into Go struct field {where} of type {wanted}"
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {told}')


def problems(served: ServedType, obj: Object, old: Object | None) -> list[Cause]:
    """What in the metadata breaks a rule."""
    return [*_name(served, obj), *_labels(obj), *_annotations(obj), *_owners(obj), *_finalizers(served, obj, old)]


def _name(served: ServedType, obj: Object) -> Iterator[Cause]:
    name = obj["metadata"].get("name")
    if not name:
        yield Cause("metadata.name", "Required value: name or generateName is required", "FieldValueRequired")
    elif wrong := name_problem(served.resource.group, served.resource.kind, name):
        yield Cause("metadata.name", f'Invalid value: "{name}": {wrong}')


def _labels(obj: Object) -> Iterator[Cause]:
    for key, value in (obj["metadata"].get("labels") or {}).items():
        if wrong := label_key_problem(key):
            yield Cause("metadata.labels", f'Invalid value: "{key}": {wrong}')
        if wrong := label_value_problem(value):
            yield Cause("metadata.labels", f'Invalid value: "{value}": {wrong}')


def _annotations(obj: Object) -> Iterator[Cause]:
    annotations = obj["metadata"].get("annotations") or {}
    for key in annotations:
        if wrong := label_key_problem(key.lower()):
            yield Cause("metadata.annotations", f'Invalid value: "{key}": {wrong}')
    if sum(len(key) + len(value.encode()) for key, value in annotations.items()) > MAX_ANNOTATION_BYTES:
        message = f"Too long: may not be more than {MAX_ANNOTATION_BYTES} bytes"
        yield Cause("metadata.annotations", message, "FieldValueTooLong")


_OWNER_FIELDS = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")  # in the order of Go's struct


def _owners(obj: Object) -> Iterator[Cause]:
    controllers = []
    owners = obj["metadata"].get("ownerReferences") or ()
    for index, owner in enumerate(owners):
        path = f"metadata.ownerReferences[{index}]"
        if not isinstance(owner, dict):
            yield Cause(path, "Invalid value: must be an object", "FieldValueTypeInvalid")
            continue
        for field in ("apiVersion", "kind", "name", "uid"):
            if not isinstance(owner.get(field), str) or not owner[field]:
                yield Cause(f"metadata.ownerReferences.{field}", 'Invalid value: "": must not be empty')
        if owner.get("controller"):
            controllers.append(f"{owner.get('kind')}/{owner.get('name')}")
    if len(controllers) > 1:
        sent = [{name: owner[name] for name in _OWNER_FIELDS if name in owner} for owner in owners]
        message = (
            f"Invalid value: {msgspec.json.encode(sent).decode()}: Only one reference can have Controller set to true. "
            f'Found "true" in references for {controllers[0]} and {controllers[1]}'
        )
        yield Cause("metadata.ownerReferences", message)


def _finalizers(served: ServedType, obj: Object, old: Object | None) -> Iterator[Cause]:
    finalizers = obj["metadata"].get("finalizers") or []
    for index, finalizer in enumerate(finalizers):
        told = f'Invalid value: "{finalizer}": name is neither a standard finalizer name nor is it fully qualified'
        if not isinstance(finalizer, str) or label_key_problem(finalizer):
            yield Cause("metadata.finalizers", told)
        elif not served.custom and "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
            yield Cause(f"metadata.finalizers[{index}]", told)
    if FOREGROUND in finalizers and ORPHAN in finalizers:
        yield Cause("metadata.finalizers", f"Invalid value: {ORPHAN} and {FOREGROUND} cannot both be set")
    if old is None or "deletionTimestamp" not in old["metadata"]:
        return
    if added := [name for name in finalizers if name not in (old["metadata"].get("finalizers") or ())]:
        message = (
            "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
            f"[]string{{{', '.join(map(_quoted, added))}}}"
        )
        cause = Cause("metadata.finalizers", message, "FieldValueForbidden")
        yield from (cause, cause)  # kube-apiserver looks at two places, and tells of both


def _quoted(text: str) -> str:
    return f'"{text}"'
