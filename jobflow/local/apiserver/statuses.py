"""metav1.Status: how the server says that something did not work, or that a delete is done.

In: what went wrong, in the words of whoever found it. Out: `StatusError`, raised anywhere below the server
and turned into a response at its rim; the bodies have the reason, the message and the details that
kube-apiserver gives, since clients decide by them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from jobflow.api.resources import Resource
from jobflow.kube.transport import JSON, Response

MAX_BODY_BYTES = 3 * 1024 * 1024  # what kube-apiserver reads of a request
MAX_OBJECT_BYTES = 1536 * 1024  # etcd's limit of one value; a flow that passes it would fail in a cluster


@dataclass(frozen=True)
class Cause:
    """One entry of `details.causes`: the field, what is wrong with it, and the machine-readable reason."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"


class StatusError(Exception):
    """An answer that is not a success; `body` is its metav1.Status."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = dict(headers or {})

    def status(self) -> dict[str, Any]:
        """The Status object as a watch's ERROR event carries it."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = dict(self.details)
        body["code"] = self.code
        return body

    @property
    def body(self) -> bytes:
        """The encoded Status object."""
        return msgspec.json.encode(self.status())

    def response(self) -> Response:
        """The HTTP answer."""
        return Response(self.code, self.body, {"content-type": JSON, **self.headers})


def _details(resource: Resource, name: str, **more: Any) -> dict[str, Any]:
    details = {"name": name, "group": resource.group, "kind": resource.plural, **more}
    return {key: value for key, value in details.items() if value}


def success(resource: Resource, name: str, uid: str) -> bytes:
    """The Status that answers a delete which took the object away at once."""
    return msgspec.json.encode(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": _details(resource, name, uid=uid),
        }
    )


def path_not_found() -> StatusError:
    """404 for a path or a kind that is not served; it names no object, and clients tell the two apart by that."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def not_found(resource: Resource, name: str) -> StatusError:
    """404 for an object."""
    return StatusError(404, "NotFound", f'{resource} "{name}" not found', _details(resource, name))


def already_exists(resource: Resource, name: str) -> StatusError:
    """409: the name is taken."""
    return StatusError(409, "AlreadyExists", f'{resource} "{name}" already exists', _details(resource, name))


def still_deleting(resource: Resource, name: str) -> StatusError:
    """409: the name is taken by an object whose delete has begun."""
    message = f'object is being deleted: {resource} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, _details(resource, name))


def conflict(resource: Resource, name: str, why: str) -> StatusError:
    """409: a precondition does not hold."""
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return StatusError(409, "Conflict", message, _details(resource, name))


def precondition(resource: Resource, name: str, why: str) -> StatusError:
    """409: what a delete asks for does not hold; told with the kind where other conflicts are with the plural."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = {**_details(resource, name), "kind": resource.kind}
    return StatusError(409, "Conflict", f'Operation cannot be fulfilled on {kind} "{name}": {why}', details)


def modified(resource: Resource, name: str) -> StatusError:
    """409: the resourceVersion that was sent is not the object's."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> StatusError:
    """422 with one cause per field."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    told = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    message = f'{kind} "{name}" is invalid: ' + (told[0] if len(told) == 1 else "[" + ", ".join(told) + "]")
    rows = [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]
    details = {**_details(resource, name), "kind": resource.kind, "causes": rows}
    return StatusError(422, "Invalid", message, details)


def invalid_options(kind: str, causes: Sequence[Cause]) -> StatusError:
    """422: the query, or the options in a body, say what cannot be."""
    told = [f"{cause.field}: {cause.message}" for cause in causes]
    message = f'{kind}.meta.k8s.io "" is invalid: ' + (told[0] if len(told) == 1 else "[" + ", ".join(told) + "]")
    rows = [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]
    return StatusError(422, "Invalid", message, {"group": "meta.k8s.io", "kind": kind, "causes": rows})


def bad_request(message: str) -> StatusError:
    """400: the request makes no sense as it is."""
    return StatusError(400, "BadRequest", message)


def forbidden(resource: Resource, name: str, why: str) -> StatusError:
    """403: understood and refused."""
    return StatusError(403, "Forbidden", f'{resource} "{name}" is forbidden: {why}', _details(resource, name))


def unauthorized() -> StatusError:
    """401: no token, or the wrong one."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def expired(message: str) -> StatusError:
    """410: the history that was asked for is gone; list again."""
    return StatusError(410, "Expired", message)


def too_old(wanted: int, oldest: int) -> StatusError:
    """410 for a resourceVersion below what the server still knows."""
    return expired(f"too old resource version: {wanted} ({oldest})")


def too_new(wanted: int, newest: int) -> StatusError:
    """504 for a list at a resourceVersion that has not been reached."""
    details = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    message = f"Timeout: Too large resource version: {wanted}, current: {newest}"
    return StatusError(504, "Timeout", message, details, {"retry-after": "1"})


def method_not_allowed() -> StatusError:
    """405: the kind is served, the verb is not."""
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable(served: str) -> StatusError:
    """406: the client takes none of the media types that are served."""
    return StatusError(406, "NotAcceptable", f"only the following media types are accepted: {served}")


def unsupported_media_type(taken: str) -> StatusError:
    """415: the body is in a form that is not read here."""
    message = f"the body of the request was in an unknown format - accepted media types include: {taken}"
    return StatusError(415, "UnsupportedMediaType", message)


def too_large(size: int, limit: int) -> StatusError:
    """413: more bytes than a cluster would take."""
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: {size} bytes; limit is {limit}")


def internal(message: str) -> StatusError:
    """500: the server's own fault."""
    details = {"causes": [{"message": message}]}
    return StatusError(500, "InternalError", f"Internal error occurred: {message}", details)
