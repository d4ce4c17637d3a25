"""Zeros: what an object of a built-in kind has before anything is in it.

In: a kind. Out: the fields that Go writes even when they are empty. They are there from the start, so that a creator
owns what is in them, and not them. Custom kinds have none.
"""

from __future__ import annotations

from typing import Any

from jobflow.local.apiserver.types import ServedType

_SPEC_AND_STATUS: dict[str, Any] = {"spec": {}, "status": {}}
_ROLE: dict[str, Any] = {"rules": None}
_BINDING: dict[str, Any] = {"roleRef": {"apiGroup": "", "kind": "", "name": ""}}

_ZEROS: dict[str, dict[str, Any]] = {
    "Namespace": _SPEC_AND_STATUS,
    "Node": _SPEC_AND_STATUS,
    "Pod": {"spec": {"containers": None}, "status": {}},
    "Service": {"spec": {}, "status": {"loadBalancer": {}}},
    "PersistentVolumeClaim": {"spec": {"resources": {}}, "status": {}},
    "Lease": {"spec": {}},
    "Event": {
        "involvedObject": {},
        "source": {},
        "firstTimestamp": None,
        "lastTimestamp": None,
        "eventTime": None,
        "reportingComponent": "",
        "reportingInstance": "",
    },
    "CustomResourceDefinition": {
        "spec": {"group": "", "names": {"plural": "", "kind": ""}, "scope": "", "versions": None},
        "status": {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": None},
    },
    "Role": _ROLE,
    "ClusterRole": _ROLE,
    "RoleBinding": _BINDING,
    "ClusterRoleBinding": _BINDING,
}


def zero_of(served: ServedType) -> dict[str, Any]:
    """The fields that are there from the start."""
    return {} if served.custom else _ZEROS.get(served.resource.kind, {})
