"""The pods of a Job: their names, and their bodies as they are created.

In: a Job with its defaults, one of its tasks, an index. Out: the pod as a dict. The local runtime is also the
scheduler, and its one node always has room: pods are bound to it from the start.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jobflow.api.resources import VOLCANO_JOB
from jobflow.local.kubelet.node import NODE_NAME
from jobflow.local.volcano import objects
from jobflow.local.volcano.objects import Job, TaskSpec
from jobflow.local.volcano.plugins import PLUGINS


def pod_name(job: str, task: str, index: int) -> str:
    """`<job>-<task>-<index>`; a name in the template is not looked at."""
    return f"{job}-{task}-{index}"


def build(job: Job, task: TaskSpec, index: int) -> dict[str, Any]:
    """The pod of a task with this index. Raises msgspec.MsgspecError where the template is not an object."""
    template = msgspec.json.decode(task.template, type=dict[str, Any])
    spec: dict[str, Any] = dict(template.get("spec") or {})
    spec.setdefault("schedulerName", job.spec.scheduler_name)
    spec.setdefault("nodeName", NODE_NAME)
    if job.spec.priority_class_name:
        spec.setdefault("priorityClassName", job.spec.priority_class_name)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(job, task, index, template), "spec": spec}
    for name in job.spec.plugins:
        PLUGINS[name](job, task, index, pod)
    return pod


def _metadata(job: Job, task: TaskSpec, index: int, template: dict[str, Any]) -> dict[str, Any]:
    given = template.get("metadata") or {}
    shared = {
        objects.JOB_NAME: job.name,
        objects.TASK_SPEC: task.name,
        objects.TASK_INDEX: str(index),
        objects.QUEUE_NAME: job.spec.queue,
    }
    annotations = {
        objects.JOB_VERSION: str(job.status.version),
        objects.JOB_RETRY_COUNT: str(job.status.retry_count),
        objects.TEMPLATE_UID: f"{job.name}-{task.name}",
        objects.GROUP_NAME: f"{job.name}-{job.uid}",
    }
    return {
        "name": pod_name(job.name, task.name, index),
        "namespace": job.namespace,
        "labels": {**(given.get("labels") or {}), **shared, objects.JOB_NAMESPACE: job.namespace},
        "annotations": {**(given.get("annotations") or {}), **shared, **annotations},
        "ownerReferences": [
            {
                "apiVersion": VOLCANO_JOB.api_version,
                "kind": VOLCANO_JOB.kind,
                "name": job.name,
                "uid": job.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
