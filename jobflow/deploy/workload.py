"""The Deployment and what goes with it.

In: nothing but names. Out: namespace, ServiceAccount, Deployment, disruption budget, Service, NetworkPolicy. The pods
run as nobody in particular, on a root that cannot be written, under the restricted Pod Security Standard.
"""

from __future__ import annotations

from typing import Any

from jobflow import __version__
from jobflow.deploy.names import LEASE_NAME, METRICS_PORT, NAME, NAMESPACE, SELECTOR, Manifest, metadata

REPLICAS = 2  # one leads; the other has its cache filled and takes over within a lease
USER = 65532
IMAGE = f"jobflow:{__version__}"
ARGUMENTS = (
    "controller",
    "--leader-elect",
    f"--lease-name={LEASE_NAME}",
    f"--lease-namespace={NAMESPACE}",
    f"--metrics-address=0.0.0.0:{METRICS_PORT}",
    "--log-format=json",
)
GRACE_SECONDS = 30  # the drain takes at most 20


def namespace() -> Manifest:
    """Its own, held to the restricted standard."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(NAMESPACE, None, **levels)}


def service_account() -> Manifest:
    """Who the controller is."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata()}


def deployment() -> Manifest:
    """Two replicas on different nodes where there are several."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(),
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": SELECTOR},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}},
            "template": {"metadata": {"labels": SELECTOR}, "spec": _pod()},
        },
    }


def disruption_budget() -> Manifest:
    """A drain of nodes leaves one."""
    spec = {"minAvailable": 1, "selector": {"matchLabels": SELECTOR}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata(), "spec": spec}


def service() -> Manifest:
    """For the scraper of metrics, which has most to tell while a replica is not ready."""
    port = {"name": "metrics", "port": METRICS_PORT, "targetPort": "metrics"}
    spec = {"selector": SELECTOR, "ports": [port], "publishNotReadyAddresses": True}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata(), "spec": spec}


def network_policy() -> Manifest:
    """In: metrics and health only. Out is left open: the API server's address is not known here."""
    ports = [{"port": METRICS_PORT, "protocol": "TCP"}]
    spec = {"podSelector": {"matchLabels": SELECTOR}, "policyTypes": ["Ingress"], "ingress": [{"ports": ports}]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata(), "spec": spec}


def _pod() -> dict[str, Any]:
    return {
        "serviceAccountName": NAME,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": SELECTOR},
            }
        ],
        "containers": [_container()],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }


def _container() -> dict[str, Any]:
    return {
        "name": "controller",
        "image": IMAGE,
        "args": list(ARGUMENTS),
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT}],
        "livenessProbe": _probe("/healthz", period=10, failures=6),
        "readinessProbe": _probe("/readyz", period=5, failures=3),
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }


def _probe(path: str, period: int, failures: int) -> dict[str, Any]:
    get = {"path": path, "port": "metrics"}
    return {"httpGet": get, "periodSeconds": period, "timeoutSeconds": 5, "failureThreshold": failures}
