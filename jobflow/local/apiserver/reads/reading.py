"""get and list: what is there, now or at a revision that is still known.

In: a Call. Out: a Response. A list with a limit is told in pages that all show one revision: the continue token carries
the revision and the last key, and the store undoes what happened since.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from jobflow.kube.transport import JSON, Response
from jobflow.local.apiserver.calls import Call, Selection
from jobflow.local.apiserver.statuses import Cause, StatusError, bad_request, expired, invalid_options, too_new
from jobflow.local.apiserver.storage.store import Store, Stored
from jobflow.local.apiserver.writes.objects import Objects


class _Token(msgspec.Struct):
    revision: int
    namespace: str
    name: str


def get(call: Call, objects: Objects) -> Response:
    """One object, by its key."""
    stored = objects.find(call.served, call.namespace, call.name)
    _check_reached(call, objects.store)
    return call.answer(call.view.stored(stored))


def list_objects(call: Call, store: Store) -> Response:
    """The objects that are selected, in key order; a page of them where a limit is given."""
    selection = Selection(call)
    token = _token(call)
    at = token.revision if token else _revision(call, store)
    after = (token.namespace, token.name) if token else None
    limit = call.query.number("limit") or 0
    try:
        candidates = store.list(call.collection, selection.namespace, after, at)
    except StatusError as error:
        raise _expired_token(error) if token else error from error
    selected = candidates if selection.everything else filter(selection.holds, candidates)
    page: list[Stored] = []
    meta: dict[str, Any] = {"resourceVersion": str(at)}
    for obj in selected:
        if limit and len(page) == limit:
            meta |= _more(page[-1], at, (1 + sum(1 for _ in selected)) if selection.everything else None)
            break
        page.append(obj)
    body = call.view.many([call.view.stored(obj) for obj in page], meta)
    return Response(200, body, {"content-type": JSON})


def _more(last: Stored, at: int, remaining: int | None) -> dict[str, Any]:
    token = msgspec.json.encode(_Token(at, last.namespace, last.name))
    more: dict[str, Any] = {"continue": base64.urlsafe_b64encode(token).decode().rstrip("=")}
    if remaining is not None:
        more["remainingItemCount"] = remaining
    return more


def _token(call: Call) -> _Token | None:
    text = call.query.text("continue")
    if not text:
        return None
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.json.decode(raw, type=_Token)
    except (ValueError, msgspec.MsgspecError) as error:
        raise bad_request("continue key is not valid: start the list again without it") from error


def _revision(call: Call, store: Store) -> int:
    wanted = revision_of(call)
    match = call.query.text("resourceVersionMatch")
    if match:
        _check_match(match, call.query.text("resourceVersion"))
    _check_reached(call, store)
    return wanted if match == "Exact" and wanted else store.revision


def _check_match(match: str, version: str) -> None:
    field, reason = "resourceVersionMatch", "FieldValueForbidden"
    causes = []
    if not version:
        told = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        causes.append(Cause(field, told, reason))
    if match not in ("Exact", "NotOlderThan"):
        told = f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""'
        causes.append(Cause(field, told, "FieldValueNotSupported"))
    elif match == "Exact" and version == "0":
        told = 'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        causes.append(Cause(field, told, reason))
    if causes:
        raise invalid_options("ListOptions", causes)


def _check_reached(call: Call, store: Store) -> None:
    wanted = revision_of(call)
    if wanted is not None and wanted > store.revision:
        raise too_new(wanted, store.revision)


def revision_of(call: Call) -> int | None:
    """The resourceVersion in the query; None where there is none."""
    text = call.query.text("resourceVersion")
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        told = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        if call.query.flag("watch"):
            raise StatusError(500, "", told)  # so it is there
        raise bad_request(f"invalid resource version: {told}")
    return int(text)


def _expired_token(error: StatusError) -> StatusError:
    return expired(
        "The provided continue parameter is too old to display a consistent list result. You must start a new list "
        f"without the continue parameter. ({error.message})"
    )
