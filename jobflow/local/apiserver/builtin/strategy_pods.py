"""Pods: the few defaults that others rely on, what may change of them, and the grace period that the kubelet ends."""

from __future__ import annotations

from collections.abc import Iterator

from jobflow.local.apiserver.builtin.pod_checks import pod_causes
from jobflow.local.apiserver.builtin.strategy import Object, ReturningStrategy
from jobflow.local.apiserver.statuses import Cause, invalid
from jobflow.local.apiserver.types import ServedType

DEFAULT_GRACE_SECONDS = 30  # where neither the pod nor the delete names one
NODE_TROUBLES = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
TOLERATION_SECONDS = 300  # how long a pod stays on a node in trouble, where it does not say

_NOT_MINE = (
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


class PodStrategy(ReturningStrategy):
    """Pods: the few defaults that others rely on, and the grace period that the kubelet ends."""

    graceful = True

    def default(self, obj: Object) -> None:
        """What a pod that says nothing of it gets."""
        spec = obj.get("spec")
        if not isinstance(spec, dict):
            return
        spec.setdefault("restartPolicy", "Always")
        spec.setdefault("dnsPolicy", "ClusterFirst")
        spec.setdefault("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS)
        spec.setdefault("schedulerName", "default-scheduler")
        spec.setdefault("securityContext", {})
        spec.setdefault("enableServiceLinks", True)

    def created(self, served: ServedType, obj: Object, now: str) -> None:
        """Admit the spec, and begin as Pending."""
        self._admit(obj.setdefault("spec", {}))
        if causes := pod_causes(obj["spec"]):
            raise invalid(served.resource, obj["metadata"]["name"], causes)
        obj["status"] = {"phase": "Pending", "qosClass": _quality(obj["spec"])}

    def replaced(self, served: ServedType, obj: Object, old: Object, now: str) -> None:
        """Admit what the replacement leaves out, as in a new pod; refuse what may not change."""
        self._admit(obj.setdefault("spec", {}))
        causes = list(_changes(obj["spec"], old.get("spec") or {}))
        if causes:
            raise invalid(served.resource, obj["metadata"]["name"], causes)

    def status_replaced(self, served: ServedType, obj: Object, old: Object) -> Object:
        """The new status, which always tells the class that the pod's resources put it in."""
        new = super().status_replaced(served, obj, old)
        quality = (old.get("status") or {}).get("qosClass") or _quality(new.get("spec") or {})
        new["status"] = {**(new.get("status") or {}), "qosClass": quality}
        return new

    def _admit(self, spec: Object) -> None:
        """What the admission plugins of a cluster add; nobody owns it."""
        spec.setdefault("serviceAccountName", "default")
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


def _changes(spec: Object, old: Object) -> Iterator[Cause]:
    """What a running pod cannot take up."""
    for name in ("containers", "initContainers"):
        if len(spec.get(name) or ()) != len(old.get(name) or ()):
            told = "Forbidden: pod updates may not add or remove containers"
            yield Cause(f"spec.{name}", told, "FieldValueForbidden")
            return
    if _fixed(spec, old) != _fixed(old, old):
        yield Cause("spec", _NOT_MINE, "FieldValueForbidden")


def _fixed(spec: Object, old: Object) -> Object:
    """The spec without what may change."""
    fixed = {name: value for name, value in spec.items() if name != "activeDeadlineSeconds"}
    for name in ("containers", "initContainers"):
        if name in fixed:
            fixed[name] = [{**container, "image": ""} for container in fixed[name]]
    were = old.get("tolerations") or []
    if all(one in (spec.get("tolerations") or ()) for one in were):
        fixed["tolerations"] = were
    if (old.get("terminationGracePeriodSeconds") or 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        fixed["terminationGracePeriodSeconds"] = old["terminationGracePeriodSeconds"]
    if not old.get("nodeName"):
        fixed.pop("nodeName", None)  # a pod is bound by a write of its own kind in a cluster; here by whoever runs it
    return fixed


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
