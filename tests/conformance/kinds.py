"""Objects that the conformance tests write, smallest first, and where they live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]

CORE = "/api/v1/namespaces/NS"
FLOWS = "/apis/flow.volcano.sh/v1alpha1/namespaces/NS"
BATCH = "/apis/batch.volcano.sh/v1alpha1/namespaces/NS"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

POD_SPEC: Body = {"containers": [{"name": "main", "image": "busybox"}], "restartPolicy": "Never"}
TASKS = [{"name": "main", "replicas": 1, "template": {"spec": POD_SPEC}}]


@dataclass(frozen=True)
class Kind:
    """A kind, its collection, and an object of it without its name. `change` is a merge patch that it takes."""

    kind: str
    api_version: str
    collection: str
    fields: Body
    change: Body
    status: Body | None = None  # a merge patch of its status; None where it has none

    def __str__(self) -> str:
        return self.kind

    def named(self, name: str, **metadata: Any) -> Body:
        """The object."""
        head = {"apiVersion": self.api_version, "kind": self.kind, "metadata": {"name": name, **metadata}}
        return {**head, **self.fields}

    def at(self, name: str) -> str:
        """The object's path."""
        return f"{self.collection}/{name}"


CONFIG_MAP = Kind("ConfigMap", "v1", f"{CORE}/configmaps", {"data": {"a": "b"}}, {"data": {"a": "c", "x": "y"}})
POD = Kind(
    "Pod",
    "v1",
    f"{CORE}/pods",
    {"spec": POD_SPEC},
    {"spec": {"activeDeadlineSeconds": 9}},
    {"status": {"phase": "Running", "message": "so"}},
)
NAMESPACE = Kind(
    "Namespace",
    "v1",
    "/api/v1/namespaces",
    {},
    {"metadata": {"labels": {"a": "b"}}},
    {"status": {"phase": "Active"}},
)
JOB_FLOW = Kind(
    "JobFlow",
    "flow.volcano.sh/v1alpha1",
    f"{FLOWS}/jobflows",
    {"spec": {"jobRetainPolicy": "retain", "flows": [{"name": "a"}, {"name": "b", "dependsOn": {"targets": ["a"]}}]}},
    {"spec": {"jobRetainPolicy": "delete"}},
    {"status": {"state": {"phase": "Running"}, "runningJobs": ["f-a"]}},
)
JOB_TEMPLATE = Kind(
    "JobTemplate",
    "flow.volcano.sh/v1alpha1",
    f"{FLOWS}/jobtemplates",
    {"spec": {"tasks": TASKS, "minAvailable": 1}},
    {"spec": {"queue": "q"}},
    {"status": {"jobDependsOnList": ["f-a"]}},
)
JOB = Kind(
    "Job",
    "batch.volcano.sh/v1alpha1",
    f"{BATCH}/jobs",
    {"spec": {"tasks": TASKS, "minAvailable": 1}},
    {"spec": {"queue": "q"}},
    {"status": {"state": {"phase": "Running"}, "running": 1}},
)

CUSTOM = (JOB_FLOW, JOB_TEMPLATE, JOB)
NAMESPACED = (*CUSTOM, CONFIG_MAP, POD)
WITH_STATUS = (*CUSTOM, POD)
