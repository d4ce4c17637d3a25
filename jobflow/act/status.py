"""Status: write it once, and only when it differs.

In: the flow as the plan saw it and the status it should have. Out: the new resourceVersion, and the status as it is
stored now: less than was sent where the installed CRD lacks fields of ours. The write carries the snapshot's version:
where somebody wrote first it is a Conflict, and the plan is made anew from what is there then.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import msgspec

from jobflow.api.access import Rule, Scope
from jobflow.api.metadata import ObjectMeta
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, JOB_TEMPLATE, Resource
from jobflow.api.status import JobFlowStatus, JobTemplateStatus
from jobflow.kube.client import Client

ACCESS = tuple(Rule(resource, ("update",), "status") for resource in (JOB_FLOW, JOB_TEMPLATE))
CLUSTER_TEMPLATES_ACCESS = (Rule(CLUSTER_JOB_TEMPLATE, ("update",), "status", Scope.CLUSTER),)


S = TypeVar("S", JobFlowStatus, JobTemplateStatus)


class _Answer(msgspec.Struct):
    metadata: ObjectMeta
    status: msgspec.Raw = msgspec.Raw(b"{}")


class Written(NamedTuple, Generic[S]):
    """What the API server made of it."""

    resource_version: str
    status: S


async def write_status(client: Client, resource: Resource, identity: ObjectMeta, status: S) -> Written[S]:
    """Write the whole status of the object that `identity` (name, namespace, uid, resourceVersion) names."""
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": identity, "status": status}
    answer = await client.replace(resource, identity.namespace, identity.name, body, subresource="status")
    told = msgspec.json.decode(answer, type=_Answer)
    try:
        stored = msgspec.json.decode(told.status, type=type(status))
    except msgspec.ValidationError:  # somebody's webhook has put in what is not ours to read: it is no evidence
        stored = status
    return Written(told.metadata.resourceVersion, stored)
