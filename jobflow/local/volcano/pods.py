"""The pods of a Job: their names, and their bodies as they are created.

In: a Job with its defaults, one of its tasks, an index. Out: the pod as a dict. The local runtime is also the
scheduler, and its one node always has room: pods are bound to it from the start.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jobflow.local.kubelet.node import NODE_NAME
from jobflow.local.volcano import objects
from jobflow.local.volcano.gang import group_name
from jobflow.local.volcano.objects import Job, TaskSpec, owner_reference
from jobflow.local.volcano.partitions import partition_of
from jobflow.local.volcano.plugins import change_pod
from jobflow.local.volcano.plugins.placement import pod_name
from jobflow.local.volcano.volumes import mount_volumes

__all__ = ["build", "pod_name"]

LABELS_OF_THE_JOB = ("volcano.sh/preemptable", "volcano.sh/cooldown-time")  # given to its pods
ANNOTATIONS_OF_THE_JOB = (
    "volcano.sh/preemptable",
    "volcano.sh/cooldown-time",
    "volcano.sh/revocable-zone",
    "volcano.sh/jdb-min-available",
    "volcano.sh/jdb-max-unavailable",
)
TOPOLOGY_POLICY = "volcano.sh/numa-topology-policy"


def build(job: Job, task: TaskSpec, index: int) -> dict[str, Any]:
    """The pod of a task with this index. Raises msgspec.MsgspecError where the template is not an object."""
    template = msgspec.json.decode(task.template, type=dict[str, Any])
    spec: dict[str, Any] = dict(template.get("spec") or {})
    spec.setdefault("schedulerName", job.spec.scheduler_name)
    spec.setdefault("nodeName", NODE_NAME)
    if job.spec.priority_class_name:
        spec.setdefault("priorityClassName", job.spec.priority_class_name)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(job, task, index, template), "spec": spec}
    mount_volumes(job, pod)
    change_pod(job, task, index, pod)
    return pod


def _metadata(job: Job, task: TaskSpec, index: int, template: dict[str, Any]) -> dict[str, Any]:
    given = template.get("metadata") or {}
    shared = {
        objects.JOB_NAME: job.name,
        objects.TASK_SPEC: task.name,
        objects.TASK_INDEX: str(index),
        objects.QUEUE_NAME: job.spec.queue,
    }
    labels = {
        **(given.get("labels") or {}),
        **shared,
        objects.JOB_NAMESPACE: job.namespace,
        **{name: job.labels[name] for name in LABELS_OF_THE_JOB if name in job.labels},
    }
    annotations = {
        **(given.get("annotations") or {}),
        **shared,
        objects.JOB_VERSION: str(job.status.version),
        objects.JOB_RETRY_COUNT: str(job.status.retry_count),
        objects.TEMPLATE_UID: f"{job.name}-{task.name}",
        objects.GROUP_NAME: group_name(job),
        **{name: job.annotations[name] for name in ANNOTATIONS_OF_THE_JOB if name in job.annotations},
    }
    if partition := partition_of(task, index):
        labels[objects.PARTITION_ID] = partition
    if task.topology_policy:
        annotations[TOPOLOGY_POLICY] = task.topology_policy
    return {
        "name": pod_name(job.name, task.name, index),
        "namespace": job.namespace,
        "labels": labels,
        "annotations": annotations,
        "ownerReferences": [owner_reference(job)],
    }
