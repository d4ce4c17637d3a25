"""Discovery: which kinds are there, what are they called, and what can be done with them?

In: all served types. Out: the bodies of `/api`, `/apis`, `/apis/<group>`, `/apis/<group>/<version>` and
`/version`. kubectl asks for the aggregated form (one answer for all groups), clients in other languages for
the older lists.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import re
from collections.abc import Iterable
from typing import Any

from jobflow.local.apiserver.types import ServedType

AGGREGATED = "apidiscovery.k8s.io/v2"
STATUS_VERBS = ("get", "patch", "update")
SUBRESOURCE_VERBS = {"log": ("get",), "finalize": ("update",), "token": ("create",)}
SCALE_KIND = ("autoscaling", "v1", "Scale")
TOKEN_KIND: Kind = ("authentication.k8s.io", "v1", "TokenRequest")
OTHER_KINDS = {"token": TOKEN_KIND}

MAJOR, MINOR, PATCH = 1, 33, 0  # the release whose behaviour is followed

Body = dict[str, Any]
Kind = tuple[str, str, str]


def aggregated(types: Iterable[ServedType], *, core: bool) -> Body:
    """An APIGroupDiscoveryList: of the core group for `/api`, of all others for `/apis`."""
    grouped = _grouped(served for served in types if (served.resource.group == "") == core)
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": AGGREGATED,
        "metadata": {},
        "items": [
            {
                "metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None},
                "versions": [
                    {
                        "version": version,
                        "resources": [_aggregated_resource(served) for served in members],
                        "freshness": "Current",
                    }
                    for version, members in versions.items()
                ],
            }
            for name, versions in grouped.items()
        ],
    }


def api_versions() -> Body:
    """The older body of `/api`."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
    }


def group_list(types: Iterable[ServedType]) -> Body:
    """The older body of `/apis`: an APIGroupList of all groups but the core one."""
    grouped = _grouped(types)
    groups = [_group(name, versions) for name, versions in grouped.items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(name: str, types: Iterable[ServedType]) -> Body | None:
    """The APIGroup of `/apis/<group>`, or None where nothing of it is served."""
    versions = _grouped(types).get(name)
    if not name or versions is None:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}


def resource_list(group_version: str, types: Iterable[ServedType]) -> Body | None:
    """The APIResourceList of `v1` or `<group>/<version>`, or None where nothing of it is served."""
    members = [served for served in types if served.resource.api_version == group_version]
    if not members:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": [entry for served in members for entry in _resources(served)],
    }


def version_info() -> Body:
    """The body of `/version`."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": str(MAJOR),
        "minor": str(MINOR),
        "gitVersion": f"v{MAJOR}.{MINOR}.{PATCH}+jobflow",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": platform.python_implementation(),
        "platform": f"{platform.system().lower()}/{machine}",
    }


def version_order(version: str) -> tuple[int, int, int, int, str]:
    """A sort key that puts the preferred version first: v2, v1, v1beta2, v1beta1, v1alpha1, anything else."""
    found = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if found is None:
        return (1, 0, 0, 0, version)
    stability = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return (0, stability, -int(found[1]), -int(found[3] or 0), version)


def _grouped(types: Iterable[ServedType]) -> dict[str, dict[str, list[ServedType]]]:
    """Types by group and version; groups in the order they came, versions with the preferred one first."""
    grouped: dict[str, dict[str, list[ServedType]]] = {}
    for served in types:
        versions = grouped.setdefault(served.resource.group, {})
        versions.setdefault(served.resource.version, []).append(served)
    return {
        name: {version: versions[version] for version in sorted(versions, key=version_order)}
        for name, versions in grouped.items()
    }


def _group(name: str, versions: Iterable[str]) -> Body:
    told = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": told, "preferredVersion": told[0]}


def _subresources(served: ServedType) -> list[tuple[str, Kind, tuple[str, ...]]]:
    own = (served.resource.group, served.resource.version, served.resource.kind)
    found: list[tuple[str, Kind, tuple[str, ...]]] = []
    if served.has_status:
        found.append(("status", own, STATUS_VERBS))
    if served.scale:
        found.append(("scale", SCALE_KIND, STATUS_VERBS))
    found += [
        (name, OTHER_KINDS.get(name, own), SUBRESOURCE_VERBS.get(name, STATUS_VERBS)) for name in served.subresources
    ]
    return found


def _aggregated_resource(served: ServedType) -> Body:
    resource = served.resource
    told: Body = {
        "resource": resource.plural,
        "responseKind": _response_kind((resource.group, resource.version, resource.kind)),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": served.singular,
        "verbs": list(served.verbs),
    }
    if served.short_names:
        told["shortNames"] = list(served.short_names)
    if served.categories:
        told["categories"] = list(served.categories)
    if subresources := _subresources(served):
        told["subresources"] = [
            {"subresource": name, "responseKind": _response_kind(kind), "verbs": list(verbs)}
            for name, kind, verbs in subresources
        ]
    return told


def _response_kind(kind: Kind) -> Body:
    return dict(zip(("group", "version", "kind"), kind, strict=True))


def _resources(served: ServedType) -> list[Body]:
    resource = served.resource
    told: Body = {
        "name": resource.plural,
        "singularName": served.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(served.verbs),
    }
    if served.short_names:
        told["shortNames"] = list(served.short_names)
    if served.categories:
        told["categories"] = list(served.categories)
    if served.custom and served.storage:
        told["storageVersionHash"] = _hash_of(f"{resource.api_version}/{resource.kind}")
    return [told, *(_subresource(served, *one) for one in _subresources(served))]


def _hash_of(stored: str) -> str:
    """What those who migrate stored objects compare."""
    return base64.b64encode(hashlib.sha256(stored.encode()).digest()[:8]).decode()


def _subresource(served: ServedType, name: str, kind: Kind, verbs: tuple[str, ...]) -> Body:
    told: Body = {
        "name": f"{served.resource.plural}/{name}",
        "singularName": "",
        "namespaced": served.resource.namespaced,
        "kind": kind[2],
        "verbs": list(verbs),
    }
    if kind in (SCALE_KIND, TOKEN_KIND):
        told |= {"group": kind[0], "version": kind[1]}
    return told
