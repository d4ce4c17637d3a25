"""Documents: the answers that are about the server and not about objects: discovery, OpenAPI, version, health.

In: a GET of a path that names no resource. Out: the document; or None, and the path is somebody else's. Documents are
encoded once for each set of served types: kubectl asks for all of them at every start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from jobflow.kube.transport import JSON, Request, Response
from jobflow.local.apiserver.builtin.kinds import REVIEW_TYPES
from jobflow.local.apiserver.documents import discovery, openapi
from jobflow.local.apiserver.registry import Registry
from jobflow.local.apiserver.statuses import method_not_allowed, path_not_found
from jobflow.local.apiserver.types import ServedType

HEALTH_PATHS = frozenset(("/healthz", "/livez", "/readyz"))
_AGGREGATED = f"{JSON};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_OPENAPI = "/openapi/v3"

_Make = Callable[[list[ServedType]], Any]


def is_health(path: str) -> bool:
    """Whether the path is one of health, which is answered without a token."""
    return path.rstrip("/") in HEALTH_PATHS or path.startswith(("/healthz/", "/livez/", "/readyz/"))


class Documents:
    """The documents of one server."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._encoded: dict[tuple[str, bool], Response] = {}
        self._generation = -1

    def answer(self, request: Request) -> Response | None:
        """The document under a path; None where the path may be that of a resource. Raises 404 and 405."""
        path = request.path.rstrip("/") or "/"
        if is_health(path):
            return Response(200, b"ok", {"content-type": "text/plain; charset=utf-8"})
        aggregated = path in ("/api", "/apis") and wants_aggregated(request.accept)
        make = _maker(path, aggregated)
        if make is None:
            if path.startswith(("/api/", "/apis/")):
                return None
            raise path_not_found()
        if request.method != "GET":
            raise method_not_allowed()
        if self._generation != self._registry.generation:
            self._encoded.clear()
            self._generation = self._registry.generation
        if (path, aggregated) not in self._encoded:
            document = make([*self._registry.types(), *REVIEW_TYPES])
            if document is None:
                raise path_not_found()
            media = _AGGREGATED if aggregated else JSON
            self._encoded[path, aggregated] = Response(200, msgspec.json.encode(document), {"content-type": media})
        return self._encoded[path, aggregated]


def _maker(path: str, aggregated: bool) -> _Make | None:
    """What makes the document of a path from the served types."""
    match path.strip("/").split("/"):
        case [""]:
            return lambda _: {"paths": ["/api", "/apis", *sorted(HEALTH_PATHS), _OPENAPI, "/version"]}
        case ["version"]:
            return lambda _: discovery.version_info()
        case ["api" | "apis" as root, *rest]:
            return _discovery(root, rest, aggregated)
        case ["openapi", "v3"]:
            return openapi.index
        case ["openapi", "v3", "api", version]:
            return lambda types: openapi.document(version, types)
        case ["openapi", "v3", "apis", group, version]:
            return lambda types: openapi.document(f"{group}/{version}", types)
    return None


def _discovery(root: str, rest: list[str], aggregated: bool) -> _Make | None:
    match root, rest:
        case _, [] if aggregated:
            return lambda types: discovery.aggregated(types, core=root == "api")
        case "api", []:
            return lambda _: discovery.api_versions()
        case "apis", []:
            return discovery.group_list
        case "api", [version]:
            return lambda types: discovery.resource_list(version, types)
        case "apis", [group]:
            return lambda types: discovery.group(group, types)
        case "apis", [group, version]:
            return lambda types: discovery.resource_list(f"{group}/{version}", types)
    return None


def wants_aggregated(accept: str) -> bool:
    """Whether the client takes the aggregated discovery document, in the version served here."""
    for entry in accept.split(","):
        parameters = {part.strip() for part in entry.split(";")[1:]}
        if {"g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"} <= parameters:
            return True
    return False
