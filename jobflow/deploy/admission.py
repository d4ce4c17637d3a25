"""The admission webhook: what is installed beside the controller where it is wanted.

In: nothing but names. Out: ServiceAccount, roles, Deployment, Service, disruption budget, NetworkPolicy and the
ValidatingWebhookConfiguration. Its rights are its own and not the controller's: it writes nothing but its certificates
and its own configuration. docs/admission.md explains what is chosen here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jobflow.api.access import Rule, Scope
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, JOB_TEMPLATE
from jobflow.deploy import workload
from jobflow.deploy.names import METRICS_PORT, NAMESPACE, Manifest
from jobflow.deploy.rbac import API_VERSION, RBAC, policy_rules
from jobflow.webhook import access, keeper, known
from jobflow.webhook.reviews import FLOWS, TEMPLATES

NAME = "jobflow-webhook"
SECRET = f"{NAME}-certificates"
PORT = 9443
SELECTOR = {"app.kubernetes.io/name": "jobflow", "app.kubernetes.io/component": "webhook"}
ARGUMENTS = (
    "webhook",
    f"--listen-address=0.0.0.0:{PORT}",
    f"--admission-service={NAME}.{NAMESPACE}",
    f"--certificate-secret={SECRET}",
    f"--configuration={NAME}",
    f"--metrics-address=0.0.0.0:{METRICS_PORT}",
    "--log-format=json",
)
TIMEOUT_SECONDS = 10  # Volcano's too; the largest flow takes one or two, and an API server that is busy some more
CHANGES = "object.spec != oldObject.spec"
WRITES = [{"name": "spec-changes", "expression": f'request.operation != "UPDATE" || {CHANGES}'}]


def declared() -> tuple[Rule, ...]:
    """Every rule that the webhook needs for any object of a kind."""
    return (*known.ACCESS, *access.ACCESS, *keeper.MAKES)


def _metadata(name: str = NAME, namespace: str | None = NAMESPACE) -> dict[str, Any]:
    place = {"namespace": namespace} if namespace else {}
    return {"name": name, **place, "labels": dict(SELECTOR)}


def service_account() -> Manifest:
    """Who the webhook is."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata()}


def cluster_roles() -> list[Manifest]:
    """To see templates and flows, to ask about rights, and to write its own configuration."""
    rules = policy_rules(rule for rule in declared() if rule.scope is not Scope.OWN)
    return _roles("ClusterRole", NAME, None, [*rules, *_named(keeper.CONFIGURES, NAME)])


def own_roles() -> list[Manifest]:
    """In its own namespace: the Secret of its certificates."""
    rules = policy_rules(rule for rule in declared() if rule.scope is Scope.OWN)
    return _roles("Role", NAME, NAMESPACE, [*rules, *_named(keeper.KEEPS, SECRET)])


def cluster_template_roles() -> list[Manifest]:
    """To see ClusterJobTemplates, where they are switched on."""
    return _roles("ClusterRole", f"{NAME}-cluster-templates", None, policy_rules(known.CLUSTER_TEMPLATES_ACCESS))


def _named(rules: Iterable[Rule], name: str) -> list[dict[str, Any]]:
    return [{**rule, "resourceNames": [name]} for rule in policy_rules(rules)]


def _roles(kind: str, name: str, namespace: str | None, rules: list[dict[str, Any]]) -> list[Manifest]:
    role = {"apiVersion": API_VERSION, "kind": kind, "metadata": _metadata(name, namespace), "rules": rules}
    binding = {
        "apiVersion": API_VERSION,
        "kind": f"{kind}Binding",
        "metadata": _metadata(name, namespace),
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }
    return [role, binding]


def deployment() -> Manifest:
    """Two replicas that both answer; the one of before goes when the new one is ready."""
    made = workload.deployment()
    spec = made["spec"]
    spec["selector"] = {"matchLabels": dict(SELECTOR)}
    spec["strategy"]["rollingUpdate"]["maxUnavailable"] = 0
    spec["template"]["metadata"]["labels"] = dict(SELECTOR)
    pod = spec["template"]["spec"]
    pod["serviceAccountName"] = NAME
    pod["topologySpreadConstraints"][0]["labelSelector"] = {"matchLabels": dict(SELECTOR)}
    [container] = pod["containers"]
    container["name"] = "webhook"
    container["args"] = list(ARGUMENTS)
    container["ports"] = [{"name": "admission", "containerPort": PORT}, *container["ports"]]
    return {**made, "metadata": _metadata()}


def service() -> Manifest:
    """Where API servers send reviews: to replicas that are ready."""
    port = {"name": "admission", "port": 443, "targetPort": "admission"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(),
        "spec": {"selector": dict(SELECTOR), "ports": [port]},
    }


def disruption_budget() -> Manifest:
    """A drain of nodes leaves one."""
    spec = {"minAvailable": 1, "selector": {"matchLabels": dict(SELECTOR)}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": _metadata(), "spec": spec}


def network_policy() -> Manifest:
    """In: reviews, metrics and health. From where API servers ask is not known here."""
    ports = [{"port": port, "protocol": "TCP"} for port in (PORT, METRICS_PORT)]
    spec = {"podSelector": {"matchLabels": dict(SELECTOR)}, "policyTypes": ["Ingress"], "ingress": [{"ports": ports}]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": _metadata(), "spec": spec}


def configuration() -> Manifest:
    """Which requests are asked about. The webhook adds the caBundle itself."""
    return {
        "apiVersion": keeper.CONFIGURATION.api_version,
        "kind": keeper.CONFIGURATION.kind,
        "metadata": _metadata(namespace=None),
        "webhooks": [
            _hook("jobflows", FLOWS, _rules(("CREATE", "UPDATE"), JOB_FLOW.plural), conditions=WRITES),
            _hook("jobtemplates", TEMPLATES, _rules(("CREATE", "UPDATE"), JOB_TEMPLATE.plural), conditions=WRITES),
            _hook("jobtemplate-deletions", TEMPLATES, _rules(("DELETE",), JOB_TEMPLATE.plural), policy="Ignore"),
        ],
    }


def flow_deletions() -> dict[str, Any]:
    """The hook that the overlay for protected flows adds."""
    return _hook("jobflow-deletions", FLOWS, _rules(("DELETE",), JOB_FLOW.plural), policy="Ignore")


def cluster_template_hooks() -> list[dict[str, Any]]:
    """The hooks that ClusterJobTemplates add."""
    group, plural = CLUSTER_JOB_TEMPLATE.group, CLUSTER_JOB_TEMPLATE.plural
    writes = _rules(("CREATE", "UPDATE"), plural, group)
    deletes = _rules(("DELETE",), plural, group)
    return [
        _hook("clusterjobtemplates", TEMPLATES, writes, conditions=WRITES),
        _hook("clusterjobtemplate-deletions", TEMPLATES, deletes, policy="Ignore"),
    ]


def _rules(operations: tuple[str, ...], plural: str, group: str = JOB_FLOW.group) -> list[dict[str, Any]]:
    scope = "Cluster" if plural == CLUSTER_JOB_TEMPLATE.plural else "Namespaced"
    version = JOB_FLOW.version
    return [
        {
            "apiGroups": [group],
            "apiVersions": [version],
            "operations": list(operations),
            "resources": [plural],
            "scope": scope,
        }
    ]


def _hook(
    name: str,
    path: str,
    rules: list[dict[str, Any]],
    *,
    policy: str = "Fail",
    conditions: list[dict[str, str]] | None = None,
) -> dict[str, Any]:
    service = {"name": NAME, "namespace": NAMESPACE, "path": path, "port": 443}
    hook: dict[str, Any] = {
        "name": f"{name}.{JOB_FLOW.group}",
        "clientConfig": {"service": service},
        "rules": rules,
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": policy,
        "matchPolicy": "Equivalent",
        "timeoutSeconds": TIMEOUT_SECONDS,
    }
    return {**hook, "matchConditions": conditions} if conditions else hook
