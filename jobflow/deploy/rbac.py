"""Roles: exactly the rules that the code declares beside its calls.

In: the modules that call the API server. Out: a ClusterRole for an install that serves all namespaces, a Role for one
that is confined to some, a Role for the controller's own namespace, their bindings, and the view and edit roles that
Kubernetes aggregates into its own. No verb and no resource is a wildcard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from jobflow import watches
from jobflow.act import children, endings, status
from jobflow.api.access import Rule, Scope
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW
from jobflow.deploy.names import NAME, NAMESPACE, Manifest, metadata
from jobflow.kube import events, lease_records
from jobflow.probe import config_maps

RBAC = "rbac.authorization.k8s.io"
API_VERSION = f"{RBAC}/v1"
READ = ["get", "list", "watch"]
WRITE = ["create", "delete", "deletecollection", "patch", "update"]


def declared() -> tuple[Rule, ...]:
    """Every rule that the controller needs."""
    return (
        *watches.ACCESS,
        *children.ACCESS,
        *endings.ACCESS,
        *config_maps.ACCESS,
        *status.ACCESS,
        *events.ACCESS,
        *lease_records.ACCESS,
    )


def policy_rules(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """RBAC's form: one entry for each group and set of verbs, in a stable order."""
    verbs: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for rule in rules:
        verbs[rule.resource.group, rule.target].update(rule.verbs)
    together: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (group, target), allowed in sorted(verbs.items()):
        together[group, tuple(sorted(allowed))].append(target)
    return [
        {"apiGroups": [group], "resources": targets, "verbs": list(allowed)}
        for (group, allowed), targets in sorted(together.items())
    ]


def cluster_roles() -> list[Manifest]:
    """For an install that serves all namespaces."""
    rules = policy_rules(rule for rule in declared() if rule.scope is not Scope.OWN)
    role = {"apiVersion": API_VERSION, "kind": "ClusterRole", "metadata": metadata(namespace=None), "rules": rules}
    return [role, _binding("ClusterRoleBinding", "ClusterRole", NAME, None)]


def cluster_template_roles() -> list[Manifest]:
    """What an install that lets steps run ClusterJobTemplates needs beside: the controller's rights, and people's.

    Whoever has the role view for the whole cluster may see them; to write what all namespaces run is the
    administrator's.
    """
    name = f"{NAME}-cluster-templates"
    rules = policy_rules((*watches.CLUSTER_TEMPLATES_ACCESS, *status.CLUSTER_TEMPLATES_ACCESS))
    role = {"apiVersion": API_VERSION, "kind": "ClusterRole", "metadata": metadata(name, None), "rules": rules}
    kind = CLUSTER_JOB_TEMPLATE
    view = [{"apiGroups": [kind.group], "resources": [kind.plural], "verbs": READ}]
    viewers = _aggregated("jobflow-cluster-templates-view", view, "view", "edit", "admin")
    return [role, _binding("ClusterRoleBinding", "ClusterRole", name, None), viewers]


def flow_roles(namespace: str) -> list[Manifest]:
    """For an install that is confined to namespaces: once for each of them."""
    rules = policy_rules(rule for rule in declared() if rule.scope is Scope.FLOWS)
    return [_role(NAME, namespace, rules), _binding("RoleBinding", "Role", NAME, namespace)]


def own_roles() -> list[Manifest]:
    """In the controller's own namespace: its lease."""
    name = f"{NAME}-own"
    rules = policy_rules(rule for rule in declared() if rule.scope is Scope.OWN)
    return [_role(name, NAMESPACE, rules), _binding("RoleBinding", "Role", name, NAMESPACE)]


def user_roles() -> list[Manifest]:
    """For people: Kubernetes adds them to its own roles view, edit and admin."""
    kinds = ["jobflows", "jobtemplates"]
    view = [{"apiGroups": [JOB_FLOW.group], "resources": kinds, "verbs": READ}]
    edit = [{"apiGroups": [JOB_FLOW.group], "resources": kinds, "verbs": [*WRITE, *READ]}]
    return [
        _aggregated("jobflow-view", view, "view", "edit", "admin"),
        _aggregated("jobflow-edit", edit, "edit", "admin"),
    ]


def _aggregated(name: str, rules: list[dict[str, Any]], *into: str) -> Manifest:
    labels = {f"{RBAC}/aggregate-to-{role}": "true" for role in into}
    return {
        "apiVersion": API_VERSION,
        "kind": "ClusterRole",
        "metadata": metadata(name, None, **labels),
        "rules": rules,
    }


def _role(name: str, namespace: str, rules: list[dict[str, Any]]) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": "Role", "metadata": metadata(name, namespace), "rules": rules}


def _binding(kind: str, role_kind: str, role: str, namespace: str | None) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": metadata(role, namespace),
        "roleRef": {"apiGroup": RBAC, "kind": role_kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }
