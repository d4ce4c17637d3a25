"""Registry: which kinds are served now, and under which collection their objects are kept.

In: the built-in types, and CustomResourceDefinitions as they come, change and go. Out: the ServedType of a
URL, of a collection, and all of them for discovery. Objects of every version of a kind share one collection.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION
from jobflow.local.apiserver.storage.store import Collection
from jobflow.local.apiserver.types import ServedType, types_of_crd

CRDS = Collection(CUSTOM_RESOURCE_DEFINITION.group, CUSTOM_RESOURCE_DEFINITION.plural)
NAMESPACES = Collection("", "namespaces")
PODS = Collection("", "pods")
_SAME_OBJECTS = {Collection("events.k8s.io", "events"): Collection("", "events")}  # two views of one kind


def collection_of(served: ServedType) -> Collection:
    """Where the type's objects are kept."""
    own = Collection(served.resource.group, served.resource.plural)
    return _SAME_OBJECTS.get(own, own)


class Registry:
    """The types served, by URL and by collection."""

    def __init__(self, builtin: Iterable[ServedType]) -> None:
        self._types: dict[tuple[str, str, str], ServedType] = {}
        self._of_crd: dict[str, list[ServedType]] = {}
        self.generation = 0  # grows whenever what is served changes
        for served in builtin:
            self._add(served)

    def find(self, group: str, version: str, plural: str) -> ServedType | None:
        """The type under a URL, or None where it is not served."""
        return self._types.get((group, version, plural))

    def storage(self, collection: Collection) -> ServedType | None:
        """The type in whose version objects of a collection are handled by the server itself."""
        found = [
            served for served in self._types.values() if (served.resource.group, served.resource.plural) == collection
        ]
        return next((served for served in found if served.storage), found[0] if found else None)

    def of_kind(self, api_version: str, kind: str) -> ServedType:
        """The built-in type of a kind. Raises LookupError."""
        for served in self._types.values():
            if (served.resource.api_version, served.resource.kind) == (api_version, kind):
                return served
        raise LookupError(f"{kind} of {api_version} is not served")

    def types(self) -> list[ServedType]:
        """All that is served, in the order it came."""
        return list(self._types.values())

    def serve_crd(self, data: bytes) -> None:
        """Serve what a stored CRD defines, in place of what it defined before."""
        crd: dict[str, Any] = msgspec.json.decode(data)
        self.drop_crd(crd["metadata"]["name"])
        served = types_of_crd(crd)
        self._of_crd[crd["metadata"]["name"]] = served
        for one in served:
            self._add(one)
        self.generation += 1

    def drop_crd(self, name: str) -> None:
        """Serve its kinds no more."""
        for served in self._of_crd.pop(name, ()):
            self._types.pop(_url(served), None)
        self.generation += 1

    def _add(self, served: ServedType) -> None:
        self._types[_url(served)] = served


def _url(served: ServedType) -> tuple[str, str, str]:
    return served.resource.group, served.resource.version, served.resource.plural
