"""FlowView and TemplateView: a JobFlow and a JobTemplate as the cache keeps them.

In: the objects as they travel (Structs here). Out: frozen views. A spec stays bytes until somebody needs it: it is
parsed once per (uid, generation), while each write of a status brings the object anew.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from jobflow.api.metadata import ObjectMeta
from jobflow.api.status import JobFlowStatus, JobTemplateStatus

EMPTY = Raw(b"{}")


class FlowObject(Struct, frozen=True, gc=False):
    """A JobFlow on the wire."""

    metadata: ObjectMeta
    spec: Raw = EMPTY
    status: Raw = EMPTY


class FlowView(Struct, frozen=True, gc=False, kw_only=True):
    """A JobFlow as the cache keeps it.

    `status_problem` says why the stored status could not be read; such a flow is left alone, because what it has
    already run is not known.
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    created: datetime | None
    deleting: bool
    spec: bytes
    status: JobFlowStatus
    status_problem: str = ""


class TemplateObject(Struct, frozen=True, gc=False):
    """A JobTemplate on the wire."""

    metadata: ObjectMeta
    spec: Raw = EMPTY
    status: JobTemplateStatus = JobTemplateStatus()


class TemplateView(Struct, frozen=True, gc=False, kw_only=True):
    """A JobTemplate as the cache keeps it."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    spec: bytes
    status: JobTemplateStatus


def flow_view(flow: FlowObject) -> FlowView:
    """What the cache keeps of a JobFlow."""
    meta = flow.metadata
    problem = ""
    try:
        status = msgspec.json.decode(flow.status, type=JobFlowStatus)
    except msgspec.MsgspecError as error:
        status, problem = JobFlowStatus(), f"status cannot be read: {error}"
    return FlowView(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        generation=meta.generation,
        created=meta.creationTimestamp,
        deleting=meta.deletionTimestamp is not None,
        spec=bytes(flow.spec),
        status=status,
        status_problem=problem,
    )


def template_view(template: TemplateObject) -> TemplateView:
    """What the cache keeps of a JobTemplate."""
    meta = template.metadata
    return TemplateView(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        generation=meta.generation,
        spec=bytes(template.spec),
        status=template.status,
    )
