"""What kubectl get shows of built-in kinds."""

from datetime import UTC, datetime

import pytest

from jobflow.local.apiserver.builtin.kinds import BUILTIN_TYPES
from jobflow.local.apiserver.reads.table import table

NOW = datetime(2024, 5, 4, 12, tzinfo=UTC)
TYPES = {str(served.resource): served for served in BUILTIN_TYPES}
CREATED = "2024-05-01T12:00:00Z"


def shown(plural, obj, *, wide=False):
    obj = {"metadata": {"name": "a", "creationTimestamp": CREATED, **obj.pop("metadata", {})}, **obj}
    told = table(TYPES[plural], [obj], {}, NOW)
    cells = zip(told["columnDefinitions"], told["rows"][0]["cells"], strict=True)
    return {column["name"]: cell for column, cell in cells if wide or column["priority"] == 0}


@pytest.mark.parametrize(
    ("plural", "obj", "cells"),
    [
        ("namespaces", {"status": {"phase": "Active"}}, {"Name": "a", "Status": "Active", "Age": "3d"}),
        (
            "namespaces",
            {"metadata": {"deletionTimestamp": CREATED}},
            {"Name": "a", "Status": "Terminating", "Age": "3d"},
        ),
        ("configmaps", {"data": {"x": "1"}, "binaryData": {"y": ""}}, {"Name": "a", "Data": 2, "Age": "3d"}),
        ("secrets", {"type": "Opaque", "data": {"x": ""}}, {"Name": "a", "Type": "Opaque", "Data": 1, "Age": "3d"}),
        (
            "services",
            {"spec": {"clusterIP": "None", "ports": [{"port": 80}, {"port": 53, "protocol": "UDP", "nodePort": 9}]}},
            {
                "Name": "a",
                "Type": "ClusterIP",
                "Cluster-IP": "None",
                "External-IP": "<none>",
                "Port(s)": "80/TCP,53:9/UDP",
                "Age": "3d",
            },
        ),
        ("serviceaccounts", {}, {"Name": "a", "Secrets": 0, "Age": "3d"}),
        ("leases.coordination.k8s.io", {"spec": {"holderIdentity": "me"}}, {"Name": "a", "Holder": "me", "Age": "3d"}),
        (
            "customresourcedefinitions.apiextensions.k8s.io",
            {},
            {"Name": "a", "Created At": CREATED},
        ),
        (
            "rolebindings.rbac.authorization.k8s.io",
            {"roleRef": {"kind": "Role", "name": "r"}},
            {"Name": "a", "Role": "Role/r", "Age": "3d"},
        ),
        (
            "nodes",
            {
                "metadata": {"labels": {"node-role.kubernetes.io/worker": ""}},
                "spec": {"unschedulable": True},
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "nodeInfo": {"kubeletVersion": "v1"},
                },
            },
            {"Name": "a", "Status": "Ready,SchedulingDisabled", "Roles": "worker", "Age": "3d", "Version": "v1"},
        ),
        (
            "persistentvolumeclaims",
            {
                "spec": {"volumeName": "v", "storageClassName": "fast"},
                "status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}},
            },
            {
                "Name": "a",
                "Status": "Bound",
                "Volume": "v",
                "Capacity": "1Gi",
                "Access Modes": "RWO",
                "StorageClass": "fast",
                "Age": "3d",
            },
        ),
    ],
)
def test_columns(plural, obj, cells):
    assert shown(plural, obj) == cells


EVENT = {
    "type": "Normal",
    "reason": "Created",
    "message": "created Job a\n",
    "involvedObject": {"kind": "JobFlow", "name": "f", "fieldPath": "spec"},
    "source": {"component": "jobflow", "host": "n1"},
    "firstTimestamp": "2024-05-04T11:00:00Z",
    "lastTimestamp": "2024-05-04T11:55:00Z",
    "count": 3,
}


def test_an_event():
    assert shown("events", dict(EVENT), wide=True) == {
        "Last Seen": "5m",
        "Type": "Normal",
        "Reason": "Created",
        "Object": "jobflow/f",
        "Subobject": "spec",
        "Source": "jobflow, n1",
        "Message": "created Job a",
        "First Seen": "60m",
        "Count": 3,
        "Name": "a",
    }


def test_an_event_of_the_newer_group_shows_the_same():
    newer = {
        "type": "Normal",
        "reason": "Created",
        "note": "created Job a",
        "regarding": {"kind": "JobFlow", "name": "f"},
        "reportingController": "jobflow",
        "eventTime": "2024-05-04T11:00:00.000000Z",
        "series": {"count": 4, "lastObservedTime": "2024-05-04T11:55:00.000000Z"},
    }
    assert shown("events.events.k8s.io", newer) == {
        "Last Seen": "5m",
        "Type": "Normal",
        "Reason": "Created",
        "Object": "jobflow/f",
        "Message": "created Job a",
    }


def test_an_event_without_times_was_seen_nobody_knows_when():
    assert shown("events", {"involvedObject": {"kind": "Pod", "name": "p"}})["Last Seen"] == "<unknown>"
