"""Columns of built-in kinds, as `kubectl get` is used to them.

In: objects as stored, and the time now. Out: `COLUMNS` by kind, the name's column apart. Where a JSONPath
cannot say what a cell holds (a pod's STATUS, an event's OBJECT), a function does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from jobflow.local.apiserver.builtin.pod_columns import POD_COLUMNS
from jobflow.local.apiserver.reads.ages import UNKNOWN, age
from jobflow.local.apiserver.types import Column

Object = dict[str, Any]

NONE = "<none>"


def field(*path: str, absent: object = NONE) -> Callable[[Object, datetime], object]:
    """A cell that holds one field."""
    return lambda obj, now: _at(obj, *path, absent=absent)


def _at(obj: Object, *path: str, absent: object = None) -> Any:
    value: Any = obj
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return absent if value in (None, "") else value


def since(*path: str) -> Callable[[Object, datetime], object]:
    """A cell that holds how long ago the time in a field was."""
    return lambda obj, now: age(_at(obj, *path), now)


def count(*names: str) -> Callable[[Object, datetime], object]:
    """A cell that holds how many keys or items some fields have together."""
    return lambda obj, now: sum(len(_at(obj, name, absent=())) for name in names)


AGE = Column("Age", "string", since("metadata", "creationTimestamp"), "Time since the object was created.")


def _namespace_status(obj: Object, now: datetime) -> object:
    return "Terminating" if _at(obj, "metadata", "deletionTimestamp") else _at(obj, "status", "phase", absent="Active")


def _service_ports(obj: Object, now: datetime) -> object:
    written = []
    for one in _at(obj, "spec", "ports", absent=()):
        node_port = f":{one['nodePort']}" if one.get("nodePort") else ""
        written.append(f"{one.get('port')}{node_port}/{one.get('protocol', 'TCP')}")
    return ",".join(written) or NONE


def _external_ip(obj: Object, now: datetime) -> object:
    if _at(obj, "spec", "type") == "ExternalName":
        return _at(obj, "spec", "externalName", absent=NONE)
    external = list(_at(obj, "spec", "externalIPs", absent=()))
    external += [
        one.get("ip") or one.get("hostname") or "" for one in _at(obj, "status", "loadBalancer", "ingress", absent=())
    ]
    if not external and _at(obj, "spec", "type") == "LoadBalancer":
        return "<pending>"
    return ",".join(external) or NONE


def _labels(*path: str) -> Callable[[Object, datetime], object]:
    return lambda obj, now: ",".join(f"{k}={v}" for k, v in sorted(_at(obj, *path, absent={}).items())) or NONE


def _reference(obj: Object) -> Any:
    return obj.get("involvedObject") or obj.get("regarding") or {}


def _event_object(obj: Object, now: datetime) -> object:
    about = _reference(obj)
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _event_source(obj: Object, now: datetime) -> object:
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    component = source.get("component") or obj.get("reportingComponent") or obj.get("reportingController") or ""
    host = source.get("host") or ""
    return f"{component}, {host}" if host else component


def _first(obj: Object, *names: str) -> Any:
    return next((obj[name] for name in names if obj.get(name)), None)


def _first_seen(obj: Object, now: datetime) -> object:
    return age(_first(obj, "firstTimestamp", "deprecatedFirstTimestamp", "eventTime"), now)


def _last_seen(obj: Object, now: datetime) -> object:
    series = (obj.get("series") or {}).get("lastObservedTime")
    last = series or _first(obj, "lastTimestamp", "deprecatedLastTimestamp", "eventTime")
    return age(last, now) if last else _first_seen(obj, now)


def _event_count(obj: Object, now: datetime) -> object:
    series = (obj.get("series") or {}).get("count")
    return series or _first(obj, "count", "deprecatedCount") or 1


def _event_message(obj: Object, now: datetime) -> object:
    return str(_first(obj, "message", "note") or "").strip()


EVENT_COLUMNS = (
    Column("Last Seen", "string", _last_seen, "Time since it last happened."),
    Column("Type", "string", field("type", absent=""), "Normal or Warning."),
    Column("Reason", "string", field("reason", absent=""), "What happened, in one word."),
    Column("Object", "string", _event_object, "What the event is about."),
    Column("Subobject", "string", lambda obj, now: _reference(obj).get("fieldPath", ""), "The part of it.", priority=1),
    Column("Source", "string", _event_source, "Who saw it.", priority=1),
    Column("Message", "string", _event_message, "What happened, in a sentence."),
    Column("First Seen", "string", _first_seen, "Time since it first happened.", priority=1),
    Column("Count", "integer", _event_count, "How often it happened.", priority=1),
    Column("Name", "string", field("metadata", "name"), "Name of the event.", priority=1, format="name"),
)


def _node_status(obj: Object, now: datetime) -> object:
    conditions = _at(obj, "status", "conditions", absent=())
    ready = next((one.get("status") for one in conditions if one.get("type") == "Ready"), "Unknown")
    told = {"True": "Ready", "False": "NotReady"}.get(ready, "Unknown")
    return f"{told},SchedulingDisabled" if _at(obj, "spec", "unschedulable") else told


def _node_roles(obj: Object, now: datetime) -> object:
    prefix = "node-role.kubernetes.io/"
    labels = _at(obj, "metadata", "labels", absent={})
    return ",".join(sorted(name.removeprefix(prefix) for name in labels if name.startswith(prefix))) or NONE


_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _access_modes(obj: Object, now: datetime) -> object:
    return ",".join(_MODES.get(mode, mode) for mode in _at(obj, "status", "accessModes", absent=()))


def _created_at(obj: Object, now: datetime) -> object:
    return _at(obj, "metadata", "creationTimestamp", absent=UNKNOWN)


def _role(obj: Object, now: datetime) -> object:
    return f"{_at(obj, 'roleRef', 'kind', absent='')}/{_at(obj, 'roleRef', 'name', absent='')}"


_CREATED_AT = Column("Created At", "date", _created_at, "When it was created.")

COLUMNS: dict[str, tuple[Column, ...]] = {
    "Pod": (*POD_COLUMNS[:3], AGE, *POD_COLUMNS[3:]),
    "Event": EVENT_COLUMNS,
    "Namespace": (Column("Status", "string", _namespace_status, "Active or Terminating."), AGE),
    "Node": (
        Column("Status", "string", _node_status, "Whether it is ready."),
        Column("Roles", "string", _node_roles, "Its roles, from labels."),
        AGE,
        Column("Version", "string", field("status", "nodeInfo", "kubeletVersion", absent=""), "Of its kubelet."),
    ),
    "ConfigMap": (Column("Data", "string", count("data", "binaryData"), "How many keys it has."), AGE),
    "Secret": (
        Column("Type", "string", field("type", absent="Opaque"), "What it is for."),
        Column("Data", "string", count("data"), "How many keys it has."),
        AGE,
    ),
    "Service": (
        Column("Type", "string", field("spec", "type", absent="ClusterIP"), "How it is reached."),
        Column("Cluster-IP", "string", field("spec", "clusterIP"), "Its address."),
        Column("External-IP", "string", _external_ip, "Its addresses outside."),
        Column("Port(s)", "string", _service_ports, "Its ports."),
        AGE,
        Column("Selector", "string", _labels("spec", "selector"), "Labels of its pods.", priority=1),
    ),
    "ServiceAccount": (Column("Secrets", "integer", count("secrets"), "How many Secrets it names."), AGE),
    "PersistentVolumeClaim": (
        Column("Status", "string", field("status", "phase", absent="Pending"), "Whether it is bound."),
        Column("Volume", "string", field("spec", "volumeName", absent=""), "The volume."),
        Column("Capacity", "string", field("status", "capacity", "storage", absent=""), "How much there is."),
        Column("Access Modes", "string", _access_modes, "How it may be mounted."),
        Column("StorageClass", "string", field("spec", "storageClassName", absent=""), "The class of storage."),
        AGE,
    ),
    "Lease": (Column("Holder", "string", field("spec", "holderIdentity", absent=""), "Who holds it."), AGE),
    "CustomResourceDefinition": (_CREATED_AT,),
    "Role": (_CREATED_AT,),
    "ClusterRole": (_CREATED_AT,),
    "RoleBinding": (Column("Role", "string", _role, "The role that is given."), AGE),
    "ClusterRoleBinding": (Column("Role", "string", _role, "The role that is given."), AGE),
}
