"""A pod's columns: READY, STATUS, RESTARTS, and for `-o wide` its address and node.

In: pods as stored, and the time now. Out: `POD_COLUMNS`. STATUS is not a field: it is the most telling of the
phase, the reasons of containers that wait or ended, and whether the pod is being deleted, by the rules of
kubectl's printer.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from jobflow.local.apiserver.reads.ages import age
from jobflow.local.apiserver.types import Column

Object = dict[str, Any]

NONE = "<none>"


def _status(obj: Object) -> Object:
    return obj.get("status") or {}


def _containers(obj: Object, name: str = "containerStatuses") -> list[Object]:
    return list(_status(obj).get(name) or ())


def _state(container: Object, name: str) -> Object | None:
    state = (container.get("state") or {}).get(name)
    return state if isinstance(state, dict) else None


def pod_ready(obj: Object, now: datetime) -> object:
    """Containers that are ready, of all that there should be: 1/2. Sidecars among the init containers count."""
    spec = obj.get("spec") or {}
    sidecars = {one.get("name") for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"}
    total = len(spec.get("containers") or ()) + len(sidecars)
    ready = sum(1 for one in _containers(obj) if one.get("ready") and _state(one, "running") is not None)
    ready += sum(
        1 for one in _containers(obj, "initContainerStatuses") if one.get("name") in sidecars and one.get("ready")
    )
    return f"{ready}/{total}"


def pod_status(obj: Object, now: datetime) -> object:
    """What the pod is up to, in a word."""
    status = _status(obj)
    told = status.get("reason") or status.get("phase") or "Unknown"
    told = _initializing(obj) or _containers_tell(obj, told)
    if (obj.get("metadata") or {}).get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if status.get("phase") not in ("Succeeded", "Failed"):
            return "Terminating"
    return told


def _initializing(obj: Object) -> str | None:
    """`Init:1/3`, `Init:Error` and the like, while an init container has not done its part."""
    declared = {one.get("name"): one for one in (obj.get("spec") or {}).get("initContainers") or ()}
    for index, container in enumerate(_containers(obj, "initContainerStatuses")):
        sidecar = declared.get(container.get("name"), {}).get("restartPolicy") == "Always"
        ended, waiting = _state(container, "terminated"), _state(container, "waiting")
        if (ended and not ended.get("exitCode")) or (sidecar and container.get("started")):
            continue
        if ended:
            return f"Init:{_reason_of_end(ended)}"
        if waiting and waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{len(declared)}"
    return None


def _reason_of_end(ended: Object) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _containers_tell(obj: Object, told: str) -> str:
    running = False
    for container in reversed(_containers(obj)):
        waiting, ended = _state(container, "waiting"), _state(container, "terminated")
        if waiting and waiting.get("reason"):
            told = str(waiting["reason"])
        elif ended is not None:
            told = _reason_of_end(ended)
        elif container.get("ready") and _state(container, "running") is not None:
            running = True
    if told == "Completed" and running:
        return "Running" if _is_ready(obj) else "NotReady"
    return told


def _is_ready(obj: Object) -> bool:
    conditions = _status(obj).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def pod_restarts(obj: Object, now: datetime) -> object:
    """How often containers were started anew, and how long ago the last of them had ended: `3 (5m ago)`."""
    containers = _containers(obj)
    total = sum(int(one.get("restartCount") or 0) for one in containers)
    ends = [
        ended["finishedAt"]
        for one in containers
        if (ended := (one.get("lastState") or {}).get("terminated")) and ended.get("finishedAt")
    ]
    return f"{total} ({age(max(ends), now)} ago)" if total and ends else str(total)


def _readiness_gates(obj: Object, now: datetime) -> object:
    gates = (obj.get("spec") or {}).get("readinessGates") or ()
    if not gates:
        return NONE
    met = {one.get("type") for one in _status(obj).get("conditions") or () if one.get("status") == "True"}
    return f"{sum(1 for gate in gates if gate.get('conditionType') in met)}/{len(gates)}"


POD_COLUMNS = (
    Column("Ready", "string", pod_ready, "Containers that are ready, of all."),
    Column("Status", "string", pod_status, "What the pod is up to."),
    Column("Restarts", "string", pod_restarts, "How often its containers were started anew."),
    Column("IP", "string", lambda obj, now: _status(obj).get("podIP") or NONE, "Its address.", priority=1),
    Column(
        "Node",
        "string",
        lambda obj, now: (obj.get("spec") or {}).get("nodeName") or NONE,
        "The node it runs on.",
        priority=1,
    ),
    Column(
        "Nominated Node",
        "string",
        lambda obj, now: _status(obj).get("nominatedNodeName") or NONE,
        "The node others are moved away from for it.",
        priority=1,
    ),
    Column("Readiness Gates", "string", _readiness_gates, "Conditions that must be True.", priority=1),
)
