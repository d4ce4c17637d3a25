"""Upstream: the fields that Volcano's own CRDs have, and so which of ours are additions.

In: nothing; the names are those of volcano-sh/volcano's CRDs. Out: what a field of our CRDs is: upstream's, or added by
us. A field that joins our models and is not in these lists is an addition without being named anywhere else: it is
looked for in the installed CRD, and a flow that uses it stops where it is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from jobflow.api import crd
from jobflow.api.fields import ANYTHING, ITEM, VALUE, Path, Shape, object_shape, paths
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, JOB_TEMPLATE, Resource


def _fields(words: str, **nested: Shape) -> Shape:
    """Leaves by name, and what has fields of its own."""
    return {**{name: {} for name in words.split()}, **nested}


_TASK_COUNTS: Shape = {VALUE: {"phase": {VALUE: {}}}}
_CONDITION = _fields("phase createTime runningDuration", taskStatusCount=_TASK_COUNTS)
_HISTORY = _fields("startTimestamp endTimestamp state")
_JOB_STATUS = _fields("name state startTimestamp endTimestamp restartCount", runningHistories={ITEM: _HISTORY})
_LISTS = "pendingJobs runningJobs failedJobs completedJobs terminatedJobs unKnowJobs"
_PROBE = {
    "httpGetList": {ITEM: _fields("taskName path port", httpHeader=_fields("name value"))},
    "tcpSocketList": {ITEM: _fields("taskName port")},
    "taskStatusList": {ITEM: _fields("taskName phase")},
}
_STEP = _fields(
    "name", dependsOn={"targets": {ITEM: {}}, "probe": _PROBE}, patch={"jobSpec": ANYTHING}
)  # jobSpec is a whole Job's spec, of which we add nothing

_JOB_FLOW: Shape = {
    "spec": _fields("jobRetainPolicy", flows={ITEM: _STEP}),
    "status": {
        **{name: {ITEM: {}} for name in _LISTS.split()},
        "jobStatusList": {ITEM: _JOB_STATUS},
        "conditions": {VALUE: _CONDITION},
        "state": _fields("phase"),
    },
}

_JOB_TEMPLATE: Shape = {
    "spec": dict.fromkeys(
        (
            "schedulerName",
            "minAvailable",
            "minSuccess",
            "maxRetry",
            "queue",
            "priorityClassName",
            "ttlSecondsAfterFinished",
            "runningEstimate",
            "tasks",
            "policies",
            "plugins",
            "volumes",
            "networkTopology",
        ),
        ANYTHING,  # below these, the fields are those of the cluster's Job
    ),
    "status": {"jobDependsOnList": {ITEM: {}}},
}

UPSTREAM: Mapping[Resource, Shape] = {
    JOB_FLOW: _JOB_FLOW,
    JOB_TEMPLATE: _JOB_TEMPLATE,
    CLUSTER_JOB_TEMPLATE: _JOB_TEMPLATE,  # ours alone; an old CRD of it may lack what is an addition to JobTemplate's
}


@cache
def ours(resource: Resource) -> Shape:
    """The fields of our CRD."""
    build = {
        JOB_FLOW: crd.job_flow_crd,
        JOB_TEMPLATE: crd.job_template_crd,
        CLUSTER_JOB_TEMPLATE: crd.cluster_job_template_crd,
    }
    return object_shape(build[resource]()["spec"]["versions"][0]["schema"]["openAPIV3Schema"])


def beyond(shape: Shape, upstream: Shape) -> frozenset[Path]:
    """Every field that upstream does not have, also those within others."""
    return frozenset(path for path in paths(shape) if not has(upstream, path))


@cache
def added(resource: Resource) -> frozenset[Path]:
    """The fields of our CRD that upstream's does not have."""
    return beyond(ours(resource), UPSTREAM[resource])


def has(shape: Shape, path: Path) -> bool:
    """Whether an object of this shape keeps the field."""
    for name in path:
        if shape == ANYTHING:
            return True
        if name not in shape:
            return False
        shape = shape[name]
    return True
