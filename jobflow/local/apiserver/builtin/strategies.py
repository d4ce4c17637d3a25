"""Strategies: which built-in kind does what beyond the rules of every object.

In: a kind. Out: its Strategy (a Pod's first status, a Namespace's finalizer, a CRD's conditions). Kinds without a row
here, custom ones above all, follow the general rules.
"""

from __future__ import annotations

import re

import msgspec

from jobflow.local.apiserver.builtin.strategy import BuiltinStrategy, Object, ReturningStrategy, Strategy, take
from jobflow.local.apiserver.builtin.strategy_crds import CRD_CLEANUP, CrdStrategy
from jobflow.local.apiserver.builtin.strategy_pods import PodStrategy
from jobflow.local.apiserver.statuses import Cause, invalid
from jobflow.local.apiserver.types import ServedType

_FILE = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_NO_FILE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)

__all__ = ["CRD_CLEANUP", "Strategy", "strategy_of", "take"]


class NamespaceStrategy(BuiltinStrategy):
    """Namespaces: held by `spec.finalizers` until what is in them has gone."""

    holds_others = True

    def created(self, served: ServedType, obj: Object, now: str) -> None:
        """Begin as Active, held by the finalizer."""
        obj["spec"] = {"finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}

    def default(self, obj: Object) -> None:
        """Bear the name as a label, for selectors."""
        metadata = obj["metadata"]
        if isinstance(obj.get("spec"), dict) and not obj["spec"].get("finalizers"):
            obj["spec"] = {key: value for key, value in obj["spec"].items() if key != "finalizers"}
        if metadata.get("name"):
            metadata["labels"] = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]}

    def replaced(self, served: ServedType, obj: Object, old: Object, now: str) -> None:
        """Keep the spec: its finalizers are the server's."""
        take("spec", obj, old)

    def terminating(self, obj: Object) -> None:
        """Say so in the phase."""
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}

    def held(self, obj: Object) -> bool:
        """Held until the server takes its finalizer off."""
        return bool((obj.get("spec") or {}).get("finalizers"))


class KeyedStrategy(BuiltinStrategy):
    """ConfigMaps and Secrets: each key names a file."""

    def created(self, served: ServedType, obj: Object, now: str) -> None:
        """Refuse keys that are no names of files."""
        causes = [
            Cause(f"{field}[{key}]", f"Invalid value: {msgspec.json.encode(key).decode()}: {_NO_FILE}")
            for field in ("data", "binaryData")
            for key in obj.get(field) or ()
            if not _FILE.fullmatch(key)
        ]
        if causes:
            raise invalid(served.resource, obj["metadata"]["name"], causes)

    def replaced(self, served: ServedType, obj: Object, old: Object, now: str) -> None:
        """Refuse them in a replacement too."""
        self.created(served, obj, now)


class ServiceStrategy(ReturningStrategy):
    """Services: a headless one has no address, and says so in every field that tells of addresses."""

    def created(self, served: ServedType, obj: Object, now: str) -> None:
        """Complete what a cluster's allocator would fill in."""
        spec = obj.setdefault("spec", {})
        if spec.get("clusterIP") == "None":
            spec.setdefault("clusterIPs", ["None"])
            spec.setdefault("ipFamilies", ["IPv4"])
            spec.setdefault("ipFamilyPolicy", "SingleStack")
        obj["status"] = {"loadBalancer": {}}


_GENERAL = Strategy()
_BUILTIN = BuiltinStrategy()
_STRATEGIES: dict[tuple[str, str], Strategy] = {
    ("", "Pod"): PodStrategy(),
    ("", "Namespace"): NamespaceStrategy(),
    ("", "ConfigMap"): KeyedStrategy(),
    ("", "Secret"): KeyedStrategy(),
    ("", "Service"): ServiceStrategy(),
    ("", "ServiceAccount"): ReturningStrategy(),
    ("", "PersistentVolumeClaim"): ReturningStrategy(),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): CrdStrategy(),
}


def strategy_of(served: ServedType) -> Strategy:
    """The rules of a kind."""
    if served.custom:
        return _GENERAL
    return _STRATEGIES.get((served.resource.group, served.resource.kind), _BUILTIN)
