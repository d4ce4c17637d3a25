"""Names and labels of what is installed."""

from __future__ import annotations

from typing import Any

NAME = "jobflow-controller"
NAMESPACE = "jobflow-system"
LEASE_NAME = NAME
METRICS_PORT = 8080
SELECTOR = {"app.kubernetes.io/name": "jobflow", "app.kubernetes.io/component": "controller"}

Manifest = dict[str, Any]


def metadata(name: str = NAME, namespace: str | None = NAMESPACE, **labels: str) -> dict[str, Any]:
    """Metadata with the labels that all our objects have."""
    place = {"namespace": namespace} if namespace else {}
    return {"name": name, **place, "labels": {**SELECTOR, **labels}}
