"""Call: one request to a resource, with everything about it looked up that every verb needs.

In: a Request whose path names a resource. Out: the served type, its collection, the key, the query and the view; or a
StatusError where the kind or the verb is not served.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from jobflow.kube.transport import JSON, Request, Response
from jobflow.local.apiserver.access.callers import ADMIN, Caller
from jobflow.local.apiserver.reads.representations import View, negotiate
from jobflow.local.apiserver.reads.selectors import match_fields, parse_field_selector, parse_label_selector
from jobflow.local.apiserver.registry import Registry, collection_of
from jobflow.local.apiserver.routes import Query, Route
from jobflow.local.apiserver.statuses import bad_request, path_not_found
from jobflow.local.apiserver.storage.store import Collection, Stored
from jobflow.local.apiserver.types import ServedType

_ALWAYS_SELECTABLE = frozenset(("metadata.name", "metadata.namespace"))


@dataclass(frozen=True, slots=True)
class Call:
    """One request, understood."""

    request: Request
    route: Route
    served: ServedType
    query: Query
    view: View
    caller: Caller = ADMIN

    @property
    def collection(self) -> Collection:
        """Where the objects are."""
        return collection_of(self.served)

    @property
    def namespace(self) -> str:
        """The namespace of the object: "" for cluster-wide kinds."""
        return self.route.namespace or ""

    @property
    def name(self) -> str:
        """The name in the path. Raises 404 where the path is that of a collection."""
        if self.route.name is None:
            raise path_not_found()
        return self.route.name

    def answer(self, data: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        """An answer with one object."""
        return Response(status, self.view.one(data), {"content-type": JSON, **(headers or {})})


def understand(
    request: Request, route: Route, registry: Registry, now: Callable[[], datetime], caller: Caller = ADMIN
) -> Call:
    """Look up what a request is about. Raises 404 where it is not served."""
    served = registry.find(route.group, route.version, route.plural)
    if served is None:
        raise path_not_found()
    resource = served.resource
    if route.namespace is not None and not resource.namespaced:
        raise path_not_found()
    if resource.namespaced and route.name is not None and route.namespace is None:
        raise path_not_found()
    query = Query(request.query)
    include = query.get("includeObject", "Metadata")
    if include not in ("None", "Metadata", "Object"):
        raise bad_request(
            "Unable to convert to Table as requested: includeObject: Invalid value: "
            f"\"{include}\": must be 'Metadata', 'Object', 'None', or empty"
        )
    return Call(request, route, served, query, View(served, negotiate(request.accept), include, now), caller)


def _not_selectable(served: ServedType, path: str) -> str:
    if served.custom or served.selectable_fields:
        return f"field label not supported: {path}"
    return f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'


class Selection:
    """Which objects a list, a watch or a deletecollection is about: namespace, labels, fields, or one name."""

    def __init__(self, call: Call) -> None:
        self.namespace = call.route.namespace
        labels, fields = call.query.text("labelSelector"), call.query.text("fieldSelector")
        try:
            self._labels = parse_label_selector(labels) if labels else None
            terms = parse_field_selector(fields) if fields else []
        except ValueError as error:
            raise bad_request(str(error)) from error
        if call.route.name is not None:
            terms = [("metadata.name", "=", call.route.name), *terms]
        known = _ALWAYS_SELECTABLE | set(call.served.selectable_fields)
        for path, _, _ in terms:
            if path not in known:
                raise bad_request(_not_selectable(call.served, path))
        self._terms = terms
        self._parses = any(path not in _ALWAYS_SELECTABLE for path, _, _ in terms)
        self._view = call.view

    @property
    def name(self) -> str | None:
        """The one name that can be selected, where the selectors say so."""
        return next((value for path, op, value in self._terms if path == "metadata.name" and op == "="), None)

    @property
    def everything(self) -> bool:
        """Whether every object of the namespace is meant."""
        return self._labels is None and not self._terms

    def holds(self, obj: Stored) -> bool:
        """Whether the object is meant; it is parsed only where a field outside its metadata decides."""
        if self.namespace is not None and obj.namespace != self.namespace:
            return False
        if self._labels is not None and not self._labels(obj.labels):
            return False
        if not self._terms:
            return True
        if self._parses:
            return match_fields(self._terms, msgspec.json.decode(self._view.stored(obj)))
        return match_fields(self._terms, {"metadata": {"name": obj.name, "namespace": obj.namespace}})
