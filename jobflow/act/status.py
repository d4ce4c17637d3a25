"""Status: write it once, and only when it differs.

In: the flow as the plan saw it and the status it should have. Out: the new resourceVersion. The write carries the
snapshot's version: where somebody wrote first it is a Conflict, and the plan is made anew from what is there then.
"""

from __future__ import annotations

import msgspec

from jobflow.api.access import Rule
from jobflow.api.metadata import ObjectMeta
from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE, Resource
from jobflow.api.status import JobFlowStatus, JobTemplateStatus
from jobflow.kube.client import Client

ACCESS = tuple(Rule(resource, ("update",), "status") for resource in (JOB_FLOW, JOB_TEMPLATE))


class _Written(msgspec.Struct):
    metadata: ObjectMeta


async def write_status(
    client: Client, resource: Resource, identity: ObjectMeta, status: JobFlowStatus | JobTemplateStatus
) -> str:
    """Write the whole status of the object that `identity` (name, namespace, uid, resourceVersion) names."""
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": identity, "status": status}
    answer = await client.replace(resource, identity.namespace, identity.name, body, subresource="status")
    return msgspec.json.decode(answer, type=_Written).metadata.resourceVersion
