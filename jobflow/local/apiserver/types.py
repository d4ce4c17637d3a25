"""ServedType: one kind in one version, as the server serves it; and how a CRD becomes some of them.

In: the rows of `builtin`, and CustomResourceDefinitions as users apply them. Out: the facts that discovery,
OpenAPI, tables, validation and the verbs are driven by. A CRD whose schema is not structural is refused here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobflow.api.resources import Resource
from jobflow.local.apiserver.reads.jsonpath import parse
from jobflow.local.apiserver.schema.structural import StructuralSchema

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")

Cell = Callable[[dict[str, Any], datetime], object]

# In the order in which kube-apiserver tells them of custom kinds.
CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


@dataclass(frozen=True)
class Column:
    """One column of a table: a JSONPath as in `additionalPrinterColumns`, or a function of the object and the time."""

    name: str
    type: str
    path: str | Cell
    description: str = ""
    priority: int = 0  # 0 is always shown, 1 only with `-o wide`
    format: str = ""


@dataclass(frozen=True)
class Scale:
    """Where a kind with the `scale` subresource keeps its replicas; paths such as `.spec.replicas`."""

    spec_replicas_path: str
    status_replicas_path: str
    label_selector_path: str = ""


@dataclass(frozen=True)
class ServedType:
    """One kind in one version. `openapi` may hold `$ref`s to `definitions`; `schema` has them resolved."""

    resource: Resource
    singular: str
    short_names: tuple[str, ...]
    categories: tuple[str, ...]
    schema: StructuralSchema | None
    openapi: dict[str, Any]
    columns: tuple[Column, ...]
    has_status: bool
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[str, ...] = ()  # read and written by themselves, besides status and scale: a Pod's "log"
    scale: Scale | None = None
    selectable_fields: tuple[str, ...] = ()  # for field selectors, besides metadata.name and metadata.namespace
    storage: bool = True  # the version its CRD stores
    custom: bool = False  # comes from a CRD, so strategic merge patches are not for it

    @property
    def list_kind(self) -> str:
        """The kind of its lists."""
        return f"{self.resource.kind}List"


def types_of_crd(crd: dict[str, Any]) -> list[ServedType]:
    """One ServedType for each served version of a CustomResourceDefinition, in the order written.

    Raises ValueError, with the path of the field, for a CRD that lacks what it must have or is not
    structural.
    """
    spec = _required(crd, "spec", dict, "")
    versions = _required(spec, "versions", list, "spec")
    if sum(1 for version in versions if isinstance(version, dict) and version.get("storage")) != 1:
        raise ValueError("spec.versions: Invalid value: must have exactly one version marked as storage version")
    served = []
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        if not isinstance(version, dict):
            raise ValueError(f"{path}: Invalid value: must be an object")
        one = _type_of_version(spec, version, path)
        if version.get("served"):
            served.append(one)
    return served


def _type_of_version(spec: dict[str, Any], version: dict[str, Any], path: str) -> ServedType:
    names = _required(spec, "names", dict, "spec")
    kind = _required(names, "kind", str, "spec.names")
    resource = Resource(
        group=_required(spec, "group", str, "spec"),
        version=_required(version, "name", str, path),
        plural=_required(names, "plural", str, "spec.names"),
        kind=kind,
        namespaced=_scope(spec),
    )
    written = version.get("schema")
    schema = written if isinstance(written, dict) else {}
    openapi = _required(schema, "openAPIV3Schema", dict, f"{path}.schema")
    subresources = version.get("subresources") or {}
    return ServedType(
        resource=resource,
        singular=names.get("singular") or kind.lower(),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        schema=StructuralSchema(openapi, f"{path}.schema.openAPIV3Schema"),
        openapi=openapi,
        columns=_columns(version.get("additionalPrinterColumns") or (), f"{path}.additionalPrinterColumns"),
        has_status="status" in subresources,
        scale=_scale(subresources.get("scale"), f"{path}.subresources.scale"),
        selectable_fields=tuple(
            str(field.get("jsonPath", "")).lstrip(".") for field in version.get("selectableFields") or ()
        ),
        verbs=CUSTOM_VERBS,
        storage=bool(version.get("storage")),
        custom=True,
    )


def _scope(spec: dict[str, Any]) -> bool:
    scope = _required(spec, "scope", str, "spec")
    if scope not in ("Namespaced", "Cluster"):
        raise ValueError(f'spec.scope: Unsupported value: "{scope}": supported values: "Cluster", "Namespaced"')
    return bool(scope == "Namespaced")


def _columns(written: Any, path: str) -> tuple[Column, ...]:
    """The CRD's columns; a CRD that names none gets the age, as on a real API server."""
    columns = [_column(column, f"{path}[{index}]") for index, column in enumerate(written)]
    return tuple(columns) or (AGE,)


def _column(written: dict[str, Any], path: str) -> Column:
    where = _required(written, "jsonPath", str, path)
    try:
        parse(where)
    except ValueError as error:
        raise ValueError(f'{path}.jsonPath: Invalid value: "{where}": {error}') from error
    return Column(
        name=_required(written, "name", str, path),
        type=_required(written, "type", str, path),
        path=where,
        description=written.get("description") or f"Custom resource definition column (in JSONPath format): {where}",
        priority=written.get("priority") or 0,
        format=written.get("format") or "",
    )


AGE = Column(
    "Age",
    "date",
    ".metadata.creationTimestamp",
    "Time since the object was created.",
)


def _scale(written: dict[str, Any] | None, path: str) -> Scale | None:
    if not written:
        return None
    return Scale(
        spec_replicas_path=_required(written, "specReplicasPath", str, path),
        status_replicas_path=_required(written, "statusReplicasPath", str, path),
        label_selector_path=written.get("labelSelectorPath") or "",
    )


def _required(holder: dict[str, Any], name: str, expected: type, path: str) -> Any:
    where = f"{path}.{name}" if path else name
    value = holder.get(name)
    if not value:
        raise ValueError(f"{where}: Required value")
    if not isinstance(value, expected):
        raise ValueError(f"{where}: Invalid value: must be {_JSON_NAMES[expected]}")
    return value


_JSON_NAMES: dict[type, str] = {str: "a string", dict: "an object", list: "a list"}
