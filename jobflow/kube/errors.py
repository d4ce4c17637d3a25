"""What can go wrong with an API server, by what the caller can do about it.

    ApiError                    any answer that is not a success; has status, reason, message, details
    +-- Conflict                409: somebody wrote first; read again and recompute
    |   +-- AlreadyExists       409 AlreadyExists: the name is taken; look whose it is
    +-- Gone                    410: the version is too old; list again
    +-- NotFound                404: the object is not there
    |   +-- KindNotFound        404 without an object: this kind is not served (its CRD is absent)
    +-- Invalid                 400, 413, 422: the request will never be accepted as it is
    +-- Forbidden               403: rights, quota or an admission policy; may change without us
    |   +-- Unauthorized        401: credentials; may be refreshed
    +-- Throttled               429: slow down; has retry_after
    +-- Unavailable             5xx, no connection, reset, timeout; the request may or may not have been done
        +-- NotSent             no connection: nothing was sent, so a write may be tried again
        +-- TruncatedStream     a watch ended in the middle of a line
        +-- SilentStream        a watch brought nothing for too long

Messages of unknown bodies are cut: they may be long, and may hold what should not be in a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

MAX_MESSAGE_CHARACTERS = 500  # enough for a validation error of several fields; a whole HTML page is noise


class StatusBody(msgspec.Struct, frozen=True):
    """The fields of metav1.Status that decide what to do."""

    kind: str = ""
    status: str = ""
    code: int = 0
    reason: str = ""
    message: str = ""
    details: dict[str, Any] | None = None


class ApiError(Exception):
    """An answer of the API server that is not a success."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason
        self.retry_after = retry_after
        self.details = details or {}


class Conflict(ApiError):
    """Somebody wrote first, or a precondition (UID, resourceVersion) does not hold."""


class AlreadyExists(Conflict):
    """The name is taken."""


class Gone(ApiError):
    """The resource version asked for is no longer there."""


class NotFound(ApiError):
    """The object is not there."""


class KindNotFound(NotFound):
    """The API server does not serve this kind."""


class Invalid(ApiError):
    """The request can never be accepted as it is."""


class Forbidden(ApiError):
    """Refused by RBAC, quota or admission."""


class Unauthorized(Forbidden):
    """The credentials were not accepted."""


class Throttled(ApiError):
    """The server asks us to slow down; `retry_after` says for how many seconds, if it said."""


class Unavailable(ApiError):
    """No useful answer: the request may or may not have been carried out."""


class NotSent(Unavailable):
    """No connection could be made: the API server has seen nothing of the request."""


class TruncatedStream(Unavailable):
    """A stream ended in the middle of a line."""


class SilentStream(Unavailable):
    """A stream brought nothing for too long."""


def error_for(status: int, body: bytes, headers: Mapping[str, str]) -> ApiError:
    """The error of an HTTP answer, or of a Status object inside a watch (`status` is then its code)."""
    try:
        told = msgspec.json.decode(body, type=StatusBody)
    except msgspec.MsgspecError:
        told = StatusBody(message=body[:MAX_MESSAGE_CHARACTERS].decode(errors="replace"))
    text = told.message or f"the API server answered {status}"
    if len(text) > MAX_MESSAGE_CHARACTERS:
        text = text[:MAX_MESSAGE_CHARACTERS] + "..."
    return _class_for(status, told)(
        text, status=status, reason=told.reason, retry_after=_retry_after(headers), details=told.details
    )


def _class_for(status: int, told: StatusBody) -> type[ApiError]:
    match status:
        case 409:
            return AlreadyExists if told.reason == "AlreadyExists" else Conflict
        case 410:
            return Gone
        case 404:
            return NotFound if (told.details or {}).get("name") else KindNotFound
        case 400 | 413 | 422:
            return Invalid
        case 401:
            return Unauthorized
        case 403:
            return Forbidden
        case 429:
            return Throttled
        case _ if status >= 500 or status == 0:
            return Unavailable
    return ApiError


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        return float(headers["retry-after"])
    except (KeyError, ValueError):
        return None  # absent, or an HTTP date, which API servers do not send
