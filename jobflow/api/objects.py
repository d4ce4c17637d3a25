"""FlowView and TemplateView: a JobFlow and a template as the cache keeps them.

In: the objects as they travel (Structs here). Out: frozen views. A spec stays bytes until somebody needs it: it is
parsed once per (uid, generation), while each write of a status brings the object anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

from jobflow.api import claims
from jobflow.api.metadata import ObjectMeta
from jobflow.api.names import FIELD_MANAGER
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, JOB_TEMPLATE, Key, Resource
from jobflow.api.status import JobFlowStatus, JobTemplateStatus
from jobflow.api.upstream import added

EMPTY = Raw(b"{}")


class ManagedFields(Struct, frozen=True, gc=False):
    """Who wrote which fields of the object, and when last."""

    manager: str = ""
    subresource: str = ""
    time: datetime | None = None
    fieldsV1: Raw = EMPTY


class ManagedMeta(ObjectMeta, frozen=True, gc=False):
    """Metadata, with who wrote what."""

    managedFields: tuple[ManagedFields, ...] = ()


class StatusWrite(NamedTuple):
    """The last write of a flow's status by a controller that is not jobflow, by the API server's clock."""

    manager: str
    at: datetime


class FlowObject(Struct, frozen=True, gc=False):
    """A JobFlow on the wire."""

    metadata: ManagedMeta
    spec: Raw = EMPTY
    status: Raw = EMPTY


class FlowView(Struct, frozen=True, gc=False, kw_only=True):
    """A JobFlow as the cache keeps it.

    `status_problem` says why the stored status could not be read; such a flow is left alone, because what it has
    already run is not known. `wrote` is when we last wrote the status, `foreign` when another controller did; None
    where the API server has no evidence of it. `lost` are fields that were written into the spec and are gone from it.
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
    wrote: datetime | None = None
    foreign: StatusWrite | None = None
    lost: tuple[str, ...] = ()


class TemplateObject(Struct, frozen=True, gc=False):
    """A JobTemplate or ClusterJobTemplate on the wire."""

    metadata: ManagedMeta
    spec: Raw = EMPTY
    status: JobTemplateStatus = JobTemplateStatus()


class TemplateView(Struct, frozen=True, gc=False, kw_only=True):
    """A JobTemplate, or a ClusterJobTemplate, which has no namespace, as the cache keeps it.

    `lost` are fields that were written into the spec and are gone from it.
    """

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    spec: bytes
    status: JobTemplateStatus
    lost: tuple[str, ...] = ()

    @property
    def resource(self) -> Resource:
        """Which of the two kinds it is."""
        return JOB_TEMPLATE if self.namespace else CLUSTER_JOB_TEMPLATE

    @property
    def key(self) -> Key:
        """By which it is known on the queue."""
        return Key(self.resource.kind, self.namespace, self.name)

    def __str__(self) -> str:
        return f"{self.resource.kind} {self.name}"


def flow_view(flow: FlowObject) -> FlowView:
    """What the cache keeps of a JobFlow."""
    meta = flow.metadata
    problem = ""
    try:
        status = msgspec.json.decode(flow.status, type=JobFlowStatus)
    except msgspec.MsgspecError as error:
        status, problem = JobFlowStatus(), f"status cannot be read: {error}"
    writers = [entry for entry in meta.managedFields if entry.subresource == "status"]
    ours = [entry for entry in writers if entry.manager == FIELD_MANAGER]
    theirs = [entry for entry in writers if entry.manager != FIELD_MANAGER]
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
        wrote=max((entry.time for entry in ours if entry.time), default=None),
        foreign=_latest(theirs),
        lost=_lost(meta, flow.spec, JOB_FLOW),
    )


def _latest(entries: Sequence[ManagedFields]) -> StatusWrite | None:
    writes = [StatusWrite(entry.manager, entry.time) for entry in entries if entry.time is not None]
    return max(writes, key=lambda write: write.at, default=None)


def template_view(template: TemplateObject) -> TemplateView:
    """What the cache keeps of a JobTemplate or a ClusterJobTemplate."""
    meta = template.metadata
    return TemplateView(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        generation=meta.generation,
        spec=bytes(template.spec),
        status=template.status,
        lost=_lost(meta, template.spec, JOB_TEMPLATE if meta.namespace else CLUSTER_JOB_TEMPLATE),
    )


def _lost(meta: ManagedMeta, spec: bytes, kind: Resource) -> tuple[str, ...]:
    records = [entry.fieldsV1 for entry in meta.managedFields if not entry.subresource]
    return claims.lost(spec, records, added(kind))
