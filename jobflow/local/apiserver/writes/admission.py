"""Admission: may this object be stored, and in what form?

In: an object as it came out of a create, a replace or a patch. Out: the same object, in place, without unknown fields
and with defaults; warnings for the client; or a StatusError. The order is kube-apiserver's: identity, prune, default,
validate. What a kind adds of its own comes afterwards, to an object that is known to be sound (`strategies`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from jobflow.local.apiserver.builtin.kinds import BUILTIN_TYPES
from jobflow.local.apiserver.schema.object_meta import OBJECT_META
from jobflow.local.apiserver.schema.rules import BLOCKING, UNCHECKED
from jobflow.local.apiserver.schema.structural import FieldError
from jobflow.local.apiserver.schema.validation import DUPLICATE, TYPE_INVALID
from jobflow.local.apiserver.statuses import Cause, StatusError, bad_request, invalid
from jobflow.local.apiserver.types import ServedType
from jobflow.local.apiserver.writes.metadata import STANDARD_FINALIZERS, Object, check_shape, problems

SCHEME = "pkg/runtime/scheme.go:111"  # where kube-apiserver says that it has looked for a kind
_BUILTIN_KINDS = frozenset((served.resource.api_version, served.resource.kind) for served in BUILTIN_TYPES)

MAX_WARNINGS = 50  # each is a header line; kubectl prints them all


def check_identity(served: ServedType, obj: Object, namespace: str | None, name: str | None) -> None:
    """Refuse a body that is not of the kind, namespace and name of its URL; fill in what it leaves out."""
    resource = served.resource
    kind = obj.setdefault("kind", resource.kind)
    version = obj.setdefault("apiVersion", resource.api_version)
    if (kind, version) != (resource.kind, resource.api_version):
        raise _other_kind(served, obj)
    metadata = obj.get("metadata")
    if metadata is None:
        metadata = obj["metadata"] = {}
    if not isinstance(metadata, dict):
        raise bad_request(f"{kind}: metadata must be an object")
    check_shape(served, obj)
    for field in ("labels", "annotations", "finalizers", "ownerReferences"):
        if field in metadata and not metadata[field]:
            del metadata[field]
    if resource.namespaced:
        if (metadata.get("namespace") or namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    if name is not None and metadata.setdefault("name", name) != name:
        raise bad_request(f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})")


def _other_kind(served: ServedType, obj: Object) -> StatusError:
    """A body that says that it is of another kind or version than its path."""
    resource, kind, version = served.resource, obj["kind"], obj["apiVersion"]
    if not served.custom and (version, kind) not in _BUILTIN_KINDS:
        return bad_request(
            f'{kind} in version "{version}" cannot be handled as a {resource.kind}: no kind "{kind}" is registered for '
            f'version "{version}" in scheme "{SCHEME}"'
        )
    if version != resource.api_version:
        told = f"the API version in the data ({version}) does not match the expected API version"
        return bad_request(f"{told} ({resource.api_version})")
    if served.custom:
        metadata = obj.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else ""
        cause = Cause("kind", f"Invalid value: {msgspec.json.encode(kind).decode()}: must be {resource.kind}")
        return invalid(replace(resource, kind=str(kind)), str(name or ""), [cause])
    return bad_request(
        f'{kind} in version "{version}" cannot be handled as a {resource.kind}: the kind in the data ({kind}) does not '
        f"match the expected kind ({resource.kind})"
    )


def prune(
    served: ServedType, obj: Object, field_validation: str, *, patched: bool = False, twice: Sequence[str] = ()
) -> list[str]:
    """Take off the fields that the schema does not know; warnings where that is wanted, 400 under Strict.

    So are fields that are in the body `twice`. Of an object that a patch made it is 422: the patch could be read, what
    came of it is not valid.
    """
    unknown = [f"metadata.{name}" for name in obj["metadata"] if name not in OBJECT_META["properties"]]
    for path in unknown:
        del obj["metadata"][path.removeprefix("metadata.")]
    if served.schema is not None:
        found = served.schema.prune(obj)
        unknown += sorted(found) if served.custom else found
    told = [*(f'duplicate field "{path}"' for path in twice), *(f'unknown field "{path}"' for path in unknown)]
    if not told or field_validation == "Ignore":
        return []
    if field_validation == "Strict" and patched:
        value = msgspec.json.encode(msgspec.json.encode(obj).decode()).decode()
        message = f"Invalid value: {value}: strict decoding error: {', '.join(told)}"
        causes = [{"reason": "FieldValueInvalid", "message": message, "field": "patch"}]
        raise StatusError(422, "Invalid", f' "" is invalid: patch: {message}', {"causes": causes})
    if field_validation == "Strict":
        kind, version = served.resource.kind, served.resource.version
        raise bad_request(
            f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: {", ".join(told)}'
        )
    return told


def finalizer_warnings(served: ServedType, obj: Object) -> list[str]:
    """Finalizers of custom objects that anybody might have chosen; built-in kinds refuse them."""
    if not served.custom:
        return []
    return [
        f'metadata.finalizers: "{name}": prefer a domain-qualified finalizer name to avoid accidental conflicts with '
        "other finalizer writers"
        for name in obj["metadata"].get("finalizers") or ()
        if isinstance(name, str) and "/" not in name and name not in STANDARD_FINALIZERS
    ]


def validate(served: ServedType, obj: Object, old: Object | None, *, status_only: bool = False) -> list[str]:
    """Refuse, with 422, an object that breaks a rule of metadata or of its schema; warnings for the client.

    Messages about a write of the status name its fields by their path within it.
    """
    wrong = problems(served, obj, old)
    if wrong:
        if _judges(served) and any(cause.reason in BLOCKING for cause in wrong):
            wrong.append(Cause("<nil>", UNCHECKED))
        raise invalid(served.resource, obj["metadata"].get("name") or "", wrong)
    if served.schema is None:
        return []
    errors = [*_replicas(served, obj), *served.schema.validate(obj)]
    if not served.custom:  # which lists of theirs may hold a name once is told by the strategies, in other words
        errors = [error for error in errors if error.reason != DUPLICATE]
    if not served.custom and any(error.reason == TYPE_INVALID and " of type " in error.message for error in errors):
        raise _undecodable(served, errors)
    warnings: list[str] = []
    if _judges(served):
        if any(error.reason in BLOCKING for error in errors):
            errors.append(FieldError("", UNCHECKED, "FieldValueInvalid"))
        else:
            verdict = served.schema.judge(obj, old)
            errors += verdict.errors
            warnings = verdict.warnings
    if errors:
        cut = ": status." if status_only else ""
        causes = [
            Cause(error.path or "<nil>", error.message.replace(cut, ": ") if cut else error.message, error.reason)
            for error in errors
        ]
        raise invalid(served.resource, obj["metadata"]["name"], causes)
    return warnings


def _replicas(served: ServedType, obj: Object) -> list[FieldError]:
    """Of a kind that can be scaled: the number is judged at the path that its CRD names."""
    if served.scale is None:
        return []
    value: object = obj
    for name in served.scale.spec_replicas_path.lstrip(".").split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, int) and value < 0:
        told = f"Invalid value: {value}: should be a non-negative integer"
        return [FieldError(served.scale.spec_replicas_path, told, "FieldValueInvalid")]
    return []


def _undecodable(served: ServedType, errors: Sequence[FieldError]) -> StatusError:
    """A built-in kind is read into a Go struct, which a value of another JSON type does not get into."""
    kind, version = served.resource.kind, served.resource.version
    told = "; ".join(f"{error.path}: {error.message}" for error in errors)
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: cannot unmarshal: {told}')


def _judges(served: ServedType) -> bool:
    """Whether the kind has rules in CEL."""
    return served.custom and served.schema is not None and served.schema.root.judges


def default(served: ServedType, obj: Object, *, is_applied: bool = False) -> None:
    """Fill in what the schema defaults. A null that an apply leaves in a custom object is judged, not dropped."""
    if served.schema is not None:
        served.schema.default(obj, keep_nulls=is_applied and served.custom)


def warning_headers(warnings: Sequence[str]) -> dict[str, str]:
    """The `Warning` header of an answer, one entry per warning."""
    if not warnings:
        return {}
    quoted = (warning.replace("\\", "\\\\").replace('"', '\\"') for warning in warnings[:MAX_WARNINGS])
    return {"warning": ", ".join(f'299 - "{text}"' for text in quoted)}
