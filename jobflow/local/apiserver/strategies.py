"""Strategies: what the built-in kinds do beyond the rules of every object.

In: an object about to be created, changed or deleted. Out: the same object with what its kind adds (a Pod's first
status, a Namespace's finalizer, a CRD's conditions), and for deletes what holds it back. Kinds without a row here,
custom ones above all, follow the general rules.
"""

from __future__ import annotations

from typing import Any

from jobflow.local.apiserver.statuses import Cause, invalid
from jobflow.local.apiserver.types import ServedType, types_of_crd

DEFAULT_GRACE_SECONDS = 30  # a Pod's, where neither it nor the delete names one
NODE_TROUBLES = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
TOLERATION_SECONDS = 300  # how long a pod stays on a node in trouble, where it does not say
CRD_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"

Object = dict[str, Any]


class Strategy:
    """The general rules: no additions, no grace."""

    returns_deleted = False  # whether a delete answers with the object rather than with a Status
    graceful = False  # whether a delete that takes it away at once is told in it, as one of no seconds

    def created(self, served: ServedType, obj: Object, now: str) -> None:
        """Complete a new object that is valid, its metadata and schema defaults in place."""

    def replaced(self, served: ServedType, obj: Object, old: Object, now: str) -> None:
        """Complete a replacement that is valid."""

    def status_replaced(self, served: ServedType, obj: Object, old: Object) -> Object:
        """What a write to `status` makes of the object: of a custom kind, its status and nothing else."""
        new = dict(old)
        take("status", new, obj)
        return new

    def holding(self, finalizers: list[str]) -> list[str]:
        """The finalizers that an object has once its delete begins."""
        return finalizers

    def grace(self, obj: Object, asked: int | None) -> int:
        """Seconds that a delete leaves the object."""
        return 0

    def terminating(self, obj: Object) -> None:
        """Tell in the object that its delete has begun."""

    def held(self, obj: Object) -> bool:
        """Whether something other than metadata.finalizers keeps a deleted object."""
        return False


def take(field: str, into: Object, source: Object) -> None:
    """Give one object a field as another has it, absence included."""
    if field in source:
        into[field] = source[field]
    else:
        into.pop(field, None)


class BuiltinStrategy(Strategy):
    """Built-in kinds: a write to `status` may change labels, annotations and finalizers too."""

    def status_replaced(self, served: ServedType, obj: Object, old: Object) -> Object:
        """The new status and metadata, but for the owners; the old spec."""
        metadata = {**obj["metadata"]}
        take("ownerReferences", metadata, old["metadata"])
        new = {**old, "metadata": metadata}
        take("status", new, obj)
        return new


class ReturningStrategy(BuiltinStrategy):
    """Kinds whose delete answers with the object."""

    returns_deleted = True


class PodStrategy(ReturningStrategy):
    """Pods: the few defaults that others rely on, and the grace period that the kubelet ends."""

    graceful = True

    def created(self, served: ServedType, obj: Object, now: str) -> None:
        """Default the spec, and begin as Pending."""
        self._default(obj.setdefault("spec", {}))
        obj["status"] = {"phase": "Pending", "qosClass": _quality(obj["spec"])}

    def replaced(self, served: ServedType, obj: Object, old: Object, now: str) -> None:
        """Default what the replacement leaves out, as in a new pod."""
        self._default(obj.setdefault("spec", {}))

    def _default(self, spec: Object) -> None:
        spec.setdefault("restartPolicy", "Always")
        spec.setdefault("dnsPolicy", "ClusterFirst")
        spec.setdefault("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS)
        spec.setdefault("schedulerName", "default-scheduler")
        spec.setdefault("securityContext", {})
        spec.setdefault("serviceAccountName", "default")
        spec.setdefault("enableServiceLinks", True)
        spec.setdefault("priority", 0)
        spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
        tolerated = {one.get("key") for one in spec.get("tolerations") or ()}
        if None not in tolerated:  # one that names no key tolerates everything
            added = [_tolerated(key) for key in NODE_TROUBLES if key not in tolerated]
            if added:
                spec["tolerations"] = [*(spec.get("tolerations") or ()), *added]

    def grace(self, obj: Object, asked: int | None) -> int:
        """None for a pod that no kubelet runs: not bound to a node, or ended."""
        if not obj.get("spec", {}).get("nodeName"):
            return 0
        if (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return 0
        if asked is not None:
            return asked
        own = obj["spec"].get("terminationGracePeriodSeconds")
        return DEFAULT_GRACE_SECONDS if own is None else int(own)


def _tolerated(key: str) -> Object:
    return {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATION_SECONDS}


def _quality(spec: Object) -> str:
    resources = [container.get("resources") or {} for container in spec.get("containers") or ()]
    if not any(one.get("requests") or one.get("limits") for one in resources):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= (one.get("limits") or {}).keys()
        and (one.get("requests") or one["limits"]) == one["limits"]
        for one in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"


class NamespaceStrategy(BuiltinStrategy):
    """Namespaces: held by `spec.finalizers` until what is in them has gone."""

    def created(self, served: ServedType, obj: Object, now: str) -> None:
        """Begin as Active, held by the finalizer."""
        obj["spec"] = {"finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"]["name"]

    def replaced(self, served: ServedType, obj: Object, old: Object, now: str) -> None:
        """Keep the spec: its finalizers are the server's."""
        take("spec", obj, old)

    def terminating(self, obj: Object) -> None:
        """Say so in the phase."""
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}

    def held(self, obj: Object) -> bool:
        """Held until the server takes its finalizer off."""
        return bool((obj.get("spec") or {}).get("finalizers"))


class CrdStrategy(BuiltinStrategy):
    """CustomResourceDefinitions: accepted names and Established at once, cleanup of their objects at the end."""

    def holding(self, finalizers: list[str]) -> list[str]:
        """Held until its objects are gone."""
        return sorted({*finalizers, CRD_CLEANUP})

    def created(self, served: ServedType, obj: Object, now: str) -> None:
        """Check the schema, and establish the kind at once."""
        _check_crd(served, obj)
        _establish(obj, {}, now)

    def replaced(self, served: ServedType, obj: Object, old: Object, now: str) -> None:
        """Check the schema, and establish what changed."""
        _check_crd(served, obj)
        for path, new, was in (
            ("spec.scope", obj["spec"]["scope"], old["spec"]["scope"]),
            ("spec.names.kind", obj["spec"]["names"]["kind"], old["spec"]["names"]["kind"]),
        ):
            if new != was:
                cause = Cause(path, f'Invalid value: "{new}": field is immutable')
                raise invalid(served.resource, obj["metadata"]["name"], [cause])
        if "deletionTimestamp" not in obj["metadata"]:
            _establish(obj, old, now)

    def terminating(self, obj: Object) -> None:
        """Say so in a condition."""
        status = obj.setdefault("status", {})
        status["conditions"] = [
            *(one for one in status.get("conditions") or () if one.get("type") != "Terminating"),
            {
                "type": "Terminating",
                "status": "True",
                "reason": "InstanceDeletionPending",
                "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
                "lastTransitionTime": obj["metadata"]["deletionTimestamp"],
            },
        ]


def _check_crd(served: ServedType, obj: Object) -> None:
    name = obj["metadata"]["name"]
    try:
        types_of_crd(obj)
    except ValueError as error:
        path, _, message = str(error).partition(": ")
        raise invalid(served.resource, name, [Cause(path, message or "Invalid value")]) from error
    strategy = (obj["spec"].get("conversion") or {}).get("strategy") or "None"
    if strategy != "None":
        message = f'Unsupported value: "{strategy}": supported values: "None"'
        cause = Cause("spec.conversion.strategy", message, "FieldValueNotSupported")
        raise invalid(served.resource, name, [cause])
    expected = f"{obj['spec']['names']['plural']}.{obj['spec']['group']}"
    if name != expected:
        message = f'Invalid value: "{name}": must be spec.names.plural+"."+spec.group'
        raise invalid(served.resource, name, [Cause("metadata.name", message)])


def _establish(obj: Object, old: Object, now: str) -> None:
    spec = obj["spec"]
    names = dict(spec["names"])
    names.setdefault("listKind", f"{names['kind']}List")
    names.setdefault("singular", names["kind"].lower())
    spec["names"] = names
    spec.setdefault("conversion", {"strategy": "None"})
    before = old.get("status") or {}
    since = {one["type"]: one.get("lastTransitionTime", now) for one in before.get("conditions") or ()}
    conditions = [
        {
            "type": type,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastTransitionTime": since.get(type, now),
        }
        for type, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    storing = next(version["name"] for version in spec["versions"] if version.get("storage"))
    kept = [name for name in before.get("storedVersions") or () if name != storing]
    obj["status"] = {"conditions": conditions, "acceptedNames": names, "storedVersions": [*kept, storing]}


_GENERAL = Strategy()
_BUILTIN = BuiltinStrategy()
_STRATEGIES: dict[tuple[str, str], Strategy] = {
    ("", "Pod"): PodStrategy(),
    ("", "Namespace"): NamespaceStrategy(),
    ("", "Service"): ReturningStrategy(),
    ("", "ServiceAccount"): ReturningStrategy(),
    ("", "PersistentVolumeClaim"): ReturningStrategy(),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): CrdStrategy(),
}


def strategy_of(served: ServedType) -> Strategy:
    """The rules of a kind."""
    if served.custom:
        return _GENERAL
    return _STRATEGIES.get((served.resource.group, served.resource.kind), _BUILTIN)
