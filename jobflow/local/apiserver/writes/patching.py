"""Patching: a PATCH body, by its content type, applied to what is there.

In: a Call, the object as it is stored, and the parsed body. Out: the object as the client wants it, unchecked yet.
Server-side apply is another thing (`owners`): it knows who owns what.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jobflow.kube.transport import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH
from jobflow.local.apiserver.access.callers import MAX_MANAGER_CHARACTERS
from jobflow.local.apiserver.calls import Call
from jobflow.local.apiserver.routes import Query
from jobflow.local.apiserver.schema.validation import type_name
from jobflow.local.apiserver.statuses import Cause, StatusError, bad_request, invalid_options, unsupported_media_type
from jobflow.local.apiserver.writes.patches import PatchError, json_patch, merge_patch, strategic_merge

Object = dict[str, Any]

_NO_LIST = "error decoding patch: json: cannot unmarshal {} into Go value of type []handlers.jsonPatchOp"


def patched(call: Call, base: Object, change: Any, kind: str) -> Any:
    """The base with a patch of some content type applied."""
    served = call.served
    try:
        if kind == MERGE_PATCH:
            return merge_patch(base, change)
        if kind == JSON_PATCH:
            if not isinstance(change, list):
                raise bad_request(_NO_LIST.format(type_name(change)))
            return json_patch(base, change)
        if kind == STRATEGIC_MERGE_PATCH and not served.custom:
            return strategic_merge(base, change, served.schema)
    except PatchError as error:
        raise StatusError(422, "Invalid", f"the server rejected our request: {error}", {}) from error
    if not served.custom:
        raise StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    raise unsupported_media_type(", ".join((JSON_PATCH, MERGE_PATCH, APPLY_PATCH)))


def check_patch_options(query: Query, kind: str) -> None:
    """Refuse options that do not go with the kind of the patch."""
    causes = []
    if kind == APPLY_PATCH:
        if not query.text("fieldManager"):
            told = "Required value: is required for apply patch"
            causes.append(Cause("fieldManager", told, "FieldValueRequired"))
    elif "force" in query:
        told = "Forbidden: may not be specified for non-apply patch"
        causes.append(Cause("force", told, "FieldValueForbidden"))
    causes += manager_causes(query)
    if causes:
        raise invalid_options("PatchOptions", causes)


def manager_causes(query: Query) -> list[Cause]:
    """What is wrong with the name of the field manager."""
    name = query.text("fieldManager")
    causes = []
    if len(name.encode()) > MAX_MANAGER_CHARACTERS:
        told = f"Too long: may not be more than {MAX_MANAGER_CHARACTERS} bytes"
        causes.append(Cause("fieldManager", told, "FieldValueTooLong"))
    for index, letter in enumerate(name):
        if not letter.isprintable():
            shown = msgspec.json.encode(name).decode()
            told = f"Invalid value: {shown}: invalid character U+{ord(letter):04X} (at position {index})"
            causes.append(Cause("fieldManager", told))
            break
    return causes
