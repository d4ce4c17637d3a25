"""Resource: where a kind lives on an API server; Key: one object of it.

In: nothing. Out: the value types by which every package names kinds and objects, and the rows for the kinds
that jobflow itself reads or writes. Workload kinds other than Volcano's Job are rows of `jobflow.kinds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as an API server serves it: group, version, plural and kind."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The `apiVersion` of its objects: `v1`, `batch.volcano.sh/v1alpha1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of the collection, of one object, or of its subresource; no namespace means all."""
        parts = [f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"]
        if self.namespaced and namespace:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


class Key(NamedTuple):
    """The identity a work queue carries: a kind's name, a namespace, a name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


JOB_FLOW = Resource("flow.volcano.sh", "v1alpha1", "jobflows", "JobFlow")
JOB_TEMPLATE = Resource("flow.volcano.sh", "v1alpha1", "jobtemplates", "JobTemplate")
CLUSTER_JOB_TEMPLATE = Resource(
    "ext.flow.volcano.sh", "v1alpha1", "clusterjobtemplates", "ClusterJobTemplate", namespaced=False
)
VOLCANO_JOB = Resource("batch.volcano.sh", "v1alpha1", "jobs", "Job")
CRON_JOB = Resource("batch.volcano.sh", "v1alpha1", "cronjobs", "CronJob")
POD_GROUP = Resource("scheduling.volcano.sh", "v1beta1", "podgroups", "PodGroup")
QUEUE = Resource("scheduling.volcano.sh", "v1beta1", "queues", "Queue", namespaced=False)
COMMAND = Resource("bus.volcano.sh", "v1alpha1", "commands", "Command")
CUSTOM_RESOURCE_DEFINITION = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
NAMESPACE = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
POD = Resource("", "v1", "pods", "Pod")
SERVICE = Resource("", "v1", "services", "Service")
CONFIG_MAP = Resource("", "v1", "configmaps", "ConfigMap")
SECRET = Resource("", "v1", "secrets", "Secret")
SERVICE_ACCOUNT = Resource("", "v1", "serviceaccounts", "ServiceAccount")
EVENT = Resource("", "v1", "events", "Event")
LEASE = Resource("coordination.k8s.io", "v1", "leases", "Lease")
