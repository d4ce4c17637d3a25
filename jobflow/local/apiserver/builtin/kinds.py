"""The kinds the server serves before any CRD arrives, one row each.

In: the schemas of `builtin_core`, `builtin_pods`, `builtin_groups` and the columns of `builtin_columns`. Out:
`BUILTIN_TYPES`, which are stored; `REVIEW_TYPES`, which are questions answered at once; `DEFINITIONS`, the
schemas that theirs refer to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobflow.api.resources import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    EVENT,
    LEASE,
    NAMESPACE,
    POD,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    Resource,
)
from jobflow.local.apiserver.builtin import containers, core, groups, pods
from jobflow.local.apiserver.builtin.columns import AGE, COLUMNS
from jobflow.local.apiserver.builtin.completion import COMPLETIONS, CompletedSchema
from jobflow.local.apiserver.schema.object_meta import LIST_META, META, OBJECT_META
from jobflow.local.apiserver.schema.structural import StructuralSchema
from jobflow.local.apiserver.schema.words import Definitions, Schema, obj, ref, resolve, text
from jobflow.local.apiserver.types import ALL_VERBS, ServedType
from jobflow.local.apiserver.webhooks import kinds as webhook_kinds

OBJECT_META_NAME = f"{META}.ObjectMeta"
LIST_META_NAME = f"{META}.ListMeta"

DEFINITIONS: Definitions = {
    OBJECT_META_NAME: OBJECT_META,
    LIST_META_NAME: LIST_META,
    **containers.DEFINITIONS,
    **pods.DEFINITIONS,
    **core.DEFINITIONS,
}

TYPE_FIELDS: Schema = {
    "apiVersion": text("Group and version that the object is written in."),
    "kind": text("What kind of object it is, in camel case."),
    "metadata": ref(OBJECT_META_NAME, "What every object carries: name, labels, owners."),
}

_RBAC = "rbac.authorization.k8s.io"
_FIELDS: dict[str, dict[str, Any]] = {**core.FIELDS, **groups.FIELDS, **webhook_kinds.FIELDS}
_REQUIRED = {**core.REQUIRED, **groups.REQUIRED}


@dataclass(frozen=True)
class Row:
    """What is particular to one built-in kind."""

    resource: Resource
    description: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    has_status: bool = False
    subresources: tuple[str, ...] = ()
    selectable_fields: tuple[str, ...] = ()
    fields: str = ""  # the key of its fields, where it is not its kind


ROWS = (
    Row(
        NAMESPACE,
        "A space for names: most objects live in one.",
        ("ns",),
        has_status=True,
        subresources=("finalize",),
        selectable_fields=("status.phase",),
    ),
    Row(
        Resource("", "v1", "nodes", "Node", namespaced=False),
        "A machine that runs pods.",
        ("no",),
        has_status=True,
        selectable_fields=("spec.unschedulable",),
    ),
    Row(
        POD,
        "Containers that are started together on one node and share its network and volumes.",
        ("po",),
        ("all",),
        has_status=True,
        subresources=("log",),
        selectable_fields=(
            *("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName"),
            *("spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"),
        ),
    ),
    Row(
        SERVICE,
        "A name and an address for a set of pods.",
        ("svc",),
        ("all",),
        has_status=True,
        selectable_fields=("spec.clusterIP", "spec.type"),
    ),
    Row(CONFIG_MAP, "Configuration as keys and values, for pods to read.", ("cm",)),
    Row(SECRET, "Keys and values that not everybody may read.", selectable_fields=("type",)),
    Row(SERVICE_ACCOUNT, "An identity for the processes of pods.", ("sa",), subresources=("token",)),
    Row(
        Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
        "A request for storage.",
        ("pvc",),
        has_status=True,
    ),
    Row(
        EVENT,
        "Something that happened to an object.",
        ("ev",),
        selectable_fields=(
            *(f"involvedObject.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion")),
            *("involvedObject.resourceVersion", "involvedObject.fieldPath", "reason", "type"),
            *("reportingComponent", "source"),
        ),
    ),
    Row(
        Resource("events.k8s.io", "v1", "events", "Event"),
        "Something that happened to an object.",
        selectable_fields=(
            *(f"regarding.{name}" for name in ("kind", "namespace", "name", "uid")),
            *("reason", "type", "reportingController"),
        ),
        fields="events.k8s.io Event",
    ),
    Row(LEASE, "Who of several holds a role, for how long."),
    Row(
        CUSTOM_RESOURCE_DEFINITION,
        "A kind of objects that the server serves besides its own.",
        ("crd", "crds"),
        ("api-extensions",),
        has_status=True,
    ),
    *(
        Row(
            Resource("admissionregistration.k8s.io", "v1", f"{kind.lower()}s", kind, namespaced=False),
            f"Webhooks that are asked before an object is stored: they may {what} it.",
        )
        for kind, what in (("ValidatingWebhookConfiguration", "refuse"), ("MutatingWebhookConfiguration", "change"))
    ),
    Row(Resource(_RBAC, "v1", "roles", "Role"), "Rights in one namespace."),
    Row(Resource(_RBAC, "v1", "rolebindings", "RoleBinding"), "Who has the rights of a role in one namespace."),
    Row(Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False), "Rights in all namespaces."),
    Row(
        Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
        "Who has the rights of a ClusterRole everywhere.",
    ),
)

REVIEW_ROWS = (
    Row(
        Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False),
        "Asks: may I do this?",
    ),
    Row(
        Resource("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", False),
        "Asks: what may I do in this namespace?",
    ),
    Row(
        Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", False),
        "Asks: who am I?",
    ),
)


def _served(row: Row, verbs: tuple[str, ...]) -> ServedType:
    kind = row.resource.kind
    fields = row.fields or kind
    openapi = obj(row.description, {**TYPE_FIELDS, **_FIELDS[fields]}, _REQUIRED.get(fields, ()))
    return ServedType(
        resource=row.resource,
        singular=kind.lower(),
        short_names=row.short_names,
        categories=row.categories,
        schema=_schema(resolve(openapi, DEFINITIONS), kind),
        openapi=openapi,
        columns=COLUMNS.get(kind, (AGE,)),
        has_status=row.has_status,
        verbs=verbs,
        subresources=row.subresources,
        selectable_fields=row.selectable_fields,
    )


def _schema(openapi: Schema, kind: str) -> StructuralSchema:
    complete = COMPLETIONS.get(kind)
    return CompletedSchema(openapi, kind, complete) if complete else StructuralSchema(openapi, kind)


BUILTIN_TYPES: list[ServedType] = [_served(row, ALL_VERBS) for row in ROWS]
REVIEW_TYPES: list[ServedType] = [_served(row, ("create",)) for row in REVIEW_ROWS]
