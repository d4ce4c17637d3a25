"""Conversion: one stored object in the version that was asked for.

In: a parsed object in any version of its kind. Out: the same object in another. Versions of a CRD differ in nothing but
`apiVersion` here (conversion strategy None); the two Event kinds are one object whose fields have two sets of names.
"""

from __future__ import annotations

from typing import Any

from jobflow.local.apiserver.types import ServedType

_EVENT_NAMES = {  # v1 -> events.k8s.io/v1
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_CORE_NAMES = {new: old for old, new in _EVENT_NAMES.items()}
_NEW_EVENTS = "events.k8s.io"


def convert(obj: dict[str, Any], served: ServedType) -> dict[str, Any]:
    """The object in the version of `served`; the argument itself where it is in it already."""
    resource = served.resource
    if obj["apiVersion"] == resource.api_version:
        return obj
    if resource.kind == "Event":
        names = _EVENT_NAMES if resource.group == _NEW_EVENTS else _CORE_NAMES
        obj = {names.get(field, field): value for field, value in obj.items()}
    return {**obj, "apiVersion": resource.api_version}
