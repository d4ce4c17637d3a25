"""Unstored: who owns what in an answer that is not kept (a review, a token).

In: the spec as it was sent, and who sent it. Out: `metadata.managedFields` of the answer. Nobody will ever merge into
it; it is there because kube-apiserver has it there.
"""

from __future__ import annotations

from typing import Any


def owned(manager: str, api_version: str, time: str, spec: dict[str, Any], subresource: str = "") -> dict[str, Any]:
    """`managedFields` with one entry, to be laid into the metadata; nothing where no field was sent."""
    if not spec:
        return {}
    entry = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": api_version,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {f"f:{name}": _below(value) for name, value in spec.items()}},
    }
    return {"managedFields": [{**entry, "subresource": subresource} if subresource else entry]}


def _below(value: Any) -> dict[str, Any]:
    """Of an object, it and what it holds; a list is owned whole."""
    return {".": {}, **{f"f:{name}": _below(one) for name, one in value.items()}} if isinstance(value, dict) else {}
