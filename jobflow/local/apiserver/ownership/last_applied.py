"""The annotation in which client-side apply remembers: how `kubectl apply --server-side` takes over from it.

In: the live object and a configuration. Out: the fields that client-side apply had set, which the same user may take
over without a conflict; and the annotation for an object that has it. Only for the manager `kubectl`, as kube-apiserver
does it.
"""

from __future__ import annotations

import copy
from typing import Any

import msgspec

from jobflow.local.apiserver.ownership.comparison import compare
from jobflow.local.apiserver.ownership.extraction import given_fields
from jobflow.local.apiserver.ownership.fieldsets import Fields, difference, union
from jobflow.local.apiserver.schema.nodes import Node

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER = "kubectl"


def last_applied(obj: dict[str, Any]) -> str:
    """The annotation, or the empty string."""
    return (obj.get("metadata", {}).get("annotations") or {}).get(ANNOTATION) or ""


def taken_over(live: dict[str, Any], node: Node | None) -> Fields:
    """The fields that the last client-side apply gave and that still are as it gave them."""
    try:
        given = msgspec.json.decode(last_applied(live))
    except msgspec.DecodeError:
        return {}
    if not isinstance(given, dict) or given.get("apiVersion") != live.get("apiVersion"):
        return {}
    seen = compare(given, live, node)
    return difference(given_fields(given, node), union(union(seen.added, seen.removed), seen.modified))


def with_annotation(obj: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The object with the annotation brought up to date with what is applied now."""
    told = copy.deepcopy(given)
    annotations = told.get("metadata", {}).get("annotations")
    if annotations is not None:
        annotations.pop(ANNOTATION, None)
    metadata = obj["metadata"]
    text = msgspec.json.encode(told, order="deterministic").decode() + "\n"
    return {**obj, "metadata": {**metadata, "annotations": {**metadata["annotations"], ANNOTATION: text}}}
