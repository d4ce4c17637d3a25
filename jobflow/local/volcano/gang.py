"""The gang of a Job: its PodGroup, and whether its pods may be created.

In: a Job with its defaults. Out: the PodGroup that it should have, named `<job>-<uid>`. The scheduler lets a group in
when there is room for `minMember` pods (`scheduler.py`); until then the Job has no pods.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jobflow.api.resources import POD_GROUP
from jobflow.local.volcano.amounts import THOUSANDTHS, Amounts, Container, add, requests_of
from jobflow.local.volcano.objects import Job, TaskSpec, owner_reference
from jobflow.local.volcano.scheduling_objects import Group


class _PodSpec(msgspec.Struct, frozen=True):
    containers: tuple[Container, ...] = ()


class _Template(msgspec.Struct, frozen=True):
    spec: _PodSpec = _PodSpec()


def group_name(job: Job) -> str:
    """`<job>-<uid>`: a Job made anew under its name gets a group of its own."""
    return f"{job.name}-{job.uid}"


def pod_group(job: Job) -> dict[str, Any]:
    """The PodGroup of a Job. It has the Job's labels and annotations, as in Volcano."""
    metadata: dict[str, Any] = {
        "name": group_name(job),
        "namespace": job.namespace,
        "labels": job.labels,
        "annotations": {key: value for key, value in job.annotations.items() if not key.startswith("kubectl.")},
        "ownerReferences": [owner_reference(job)],
    }
    return {
        "apiVersion": POD_GROUP.api_version,
        "kind": POD_GROUP.kind,
        "metadata": metadata,
        "spec": group_spec(job),
    }


def group_spec(job: Job) -> dict[str, Any]:
    """What must fit at once: `minAvailable` pods, and of each task its own minimum."""
    spec = job.spec
    wanted: dict[str, Any] = {
        "minMember": spec.min_available,
        "minTaskMember": {task.name: task.needed for task in spec.tasks},
        "queue": spec.queue,
        "minResources": {name: _quantity(amount) for name, amount in least_resources(job).items()},
    }
    if spec.priority_class_name:
        wanted["priorityClassName"] = spec.priority_class_name
    return wanted


def spec_changes(job: Job, group: Group) -> dict[str, Any]:
    """The fields of the group's spec that no longer say what the Job does, after it was scaled."""
    stored = msgspec.to_builtins(group.spec)
    changes = {name: value for name, value in group_spec(job).items() if stored.get(name) != value}
    for name in ("minTaskMember", "minResources"):
        if name in changes:  # a merge patch would keep what is no more
            changes[name] = {**dict.fromkeys(stored.get(name) or {}), **changes[name]}
    return changes


def least_resources(job: Job) -> Amounts:
    """What the first `minAvailable` pods of the Job ask for, in the order of its tasks."""
    total: Amounts = {}
    left = job.spec.min_available
    for task in job.spec.tasks:
        counted = min(left, task.replicas)
        left -= counted
        if counted:
            total = add(total, {name: amount * counted for name, amount in _requests(task).items()})
    return total


def _requests(task: TaskSpec) -> Amounts:
    try:
        template = msgspec.json.decode(task.template, type=_Template)
    except msgspec.MsgspecError:
        return {}  # no pod can be made of it either, which is told where one is tried
    return requests_of(template.spec.containers)


def _quantity(amount: int) -> str:
    return f"{amount}m" if amount % THOUSANDTHS else str(amount // THOUSANDTHS)
