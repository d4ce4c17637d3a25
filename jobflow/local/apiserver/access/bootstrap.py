"""Bootstrap: the cluster roles and bindings that are there from the start, as in every cluster.

In: nothing. Out: objects. Whoever has proved who it is may look at what is served and ask what it may do; the roles
for people (view, edit, admin) cover every kind, since here no controller gathers them from parts.
"""

from __future__ import annotations

from typing import Any

from jobflow.local.apiserver.access.callers import AUTHENTICATED, MASTERS

API_VERSION = "rbac.authorization.k8s.io/v1"
LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}

_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_PUBLIC_PATHS = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_PATHS = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version"]
_SECRET_FREE = ["configmaps", "events", "persistentvolumeclaims", "pods", "pods/log", "pods/status", "serviceaccounts"]
_SERVICES = ["services", "services/status"]
_PRODUCT = ["flow.volcano.sh", "batch.volcano.sh", "bus.volcano.sh", "scheduling.volcano.sh", "coordination.k8s.io"]


def _rules(*rows: tuple[list[str], list[str], list[str]]) -> list[dict[str, Any]]:
    return [{"apiGroups": groups, "resources": resources, "verbs": verbs} for groups, resources, verbs in rows]


_EVERYTHING = [*_rules((["*"], ["*"], ["*"])), {"nonResourceURLs": ["*"], "verbs": ["*"]}]
_SELF = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
_VIEW = _rules(([""], [*_SECRET_FREE, *_SERVICES, "namespaces"], _READ), (_PRODUCT, ["*"], _READ))
_EDIT = [
    *_VIEW,
    *_rules(([""], [*_SECRET_FREE, "services", "secrets"], [*_READ, *_WRITE]), (_PRODUCT, ["*"], _WRITE)),
]
_ADMIN = [*_EDIT, *_rules(([API_VERSION.split("/")[0]], ["roles", "rolebindings"], [*_READ, *_WRITE]))]

_ROLES: dict[str, list[dict[str, Any]]] = {
    "cluster-admin": _EVERYTHING,
    "admin": _ADMIN,
    "edit": _EDIT,
    "view": _VIEW,
    "system:basic-user": _rules(
        (["authorization.k8s.io"], _SELF, ["create"]), (["authentication.k8s.io"], ["selfsubjectreviews"], ["create"])
    ),
    "system:discovery": [{"nonResourceURLs": _PATHS, "verbs": ["get"]}],
    "system:public-info-viewer": [{"nonResourceURLs": _PUBLIC_PATHS, "verbs": ["get"]}],
}
_BINDINGS = {"cluster-admin": MASTERS, "system:basic-user": AUTHENTICATED, "system:discovery": AUTHENTICATED}
_BINDINGS["system:public-info-viewer"] = AUTHENTICATED


def bootstrap_objects() -> list[dict[str, Any]]:
    """ClusterRoles, then ClusterRoleBindings."""
    roles = [{**_head("ClusterRole", name), "rules": rules} for name, rules in _ROLES.items()]
    return roles + [_binding(name, group) for name, group in _BINDINGS.items()]


def _binding(name: str, group: str) -> dict[str, Any]:
    domain = API_VERSION.split("/")[0]
    return {
        **_head("ClusterRoleBinding", name),
        "roleRef": {"apiGroup": domain, "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": domain, "kind": "Group", "name": group}],
    }


def _head(kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, "labels": LABELS}}
