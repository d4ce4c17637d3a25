"""Attributes of a request: the verb, resource, namespace and name that its rights are asked for.

In: a Request, and the Route of its path if it has one. Out: Attributes, as kube-apiserver names them.
"""

from __future__ import annotations

from jobflow.kube.transport import Request
from jobflow.local.apiserver.access.rights import Attributes
from jobflow.local.apiserver.routes import Query, Route, is_watch

_ONE = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_MANY = {**_ONE, "GET": "list", "HEAD": "list", "DELETE": "deletecollection"}


def attributes_of(request: Request, route: Route | None) -> Attributes:
    """What the request wants to do."""
    method = request.method
    if route is None or not route.plural:
        return Attributes(verb=_ONE.get(method, method.lower()), path=request.path.split("?", 1)[0])
    verb = (_MANY if route.name is None else _ONE).get(method, method.lower())
    if method == "GET" and is_watch(request) and route.subresource is None:
        verb = "watch"
    name = route.name or ""
    if not name and verb in ("list", "watch", "deletecollection"):
        name = _selected_name(Query(request.query))
    namespace = route.namespace or ""
    if (route.group, route.plural) == ("", "namespaces"):
        namespace = name
    return Attributes(verb, route.group, route.plural, route.subresource or "", namespace, name)


def _selected_name(query: Query) -> str:
    """The one name that a field selector asks for."""
    selector = query.text("fieldSelector")
    for separator in ("==", "="):
        field, found, name = selector.partition(separator)
        if found and field.strip() == "metadata.name" and "," not in name:
            return name.strip()
    return ""
