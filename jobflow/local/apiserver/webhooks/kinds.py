"""MutatingWebhookConfiguration and ValidatingWebhookConfiguration, as OpenAPI with their defaults."""

from __future__ import annotations

from typing import Any

from jobflow.local.apiserver.builtin.core import LABEL_SELECTOR
from jobflow.local.apiserver.schema.words import (
    Schema,
    choice,
    keyed,
    listed,
    number,
    obj,
    text,
    words,
)

DEFAULT_SECONDS, MOST_SECONDS = 10, 30

_SERVICE = obj(
    "The Service that answers.",
    {
        "name": text("Its name."),
        "namespace": text("Its namespace."),
        "path": text("The path that is asked."),
        "port": number("Its port.", default=443),
    },
    required=("name", "namespace"),
)
_CLIENT: Schema = obj(
    "How the hook is reached: by a URL or through a Service.",
    {
        "url": text("https://host:port/path."),
        "service": _SERVICE,
        "caBundle": {**text("PEM of the CAs that vouch for it."), "format": "byte"},
    },
)
_RULE = obj(
    "Which requests the hook is about.",
    {
        "apiGroups": words("Groups; * for all."),
        "apiVersions": words("Versions; * for all."),
        "resources": words("Resources and subresources, such as pods, pods/status, */*."),
        "operations": words("CREATE, UPDATE, DELETE, CONNECT or *."),
        "scope": choice("Namespaced, Cluster or * for both.", "Cluster", "Namespaced", "*", default="*"),
    },
)
_CONDITION = obj(
    "An expression in CEL that must be true for the hook to be asked.",
    {"name": text("Its name."), "expression": text("The expression.")},
    required=("name", "expression"),
)


def _selector(description: str) -> Schema:
    return {**LABEL_SELECTOR, "description": description, "default": {}}


def _hook(**more: Any) -> Schema:
    fields: dict[str, Any] = {
        "name": text("Its name, a domain name."),
        "clientConfig": _CLIENT,
        "rules": listed(_RULE, "Which requests it is about; any of them.", **{"x-kubernetes-list-type": "atomic"}),
        "failurePolicy": choice("What becomes of a request that it cannot judge.", "Fail", "Ignore", default="Fail"),
        "matchPolicy": choice(
            "Whether other versions of a resource match too.", "Equivalent", "Exact", default="Equivalent"
        ),
        "namespaceSelector": _selector("Labels of the namespaces it is about."),
        "objectSelector": _selector("Labels of the objects it is about."),
        "sideEffects": choice("Whether it does anything else.", "None", "NoneOnDryRun"),
        "timeoutSeconds": number("How long it may take.", default=DEFAULT_SECONDS, minimum=1, maximum=MOST_SECONDS),
        "admissionReviewVersions": words("Versions of AdmissionReview it understands; v1 must be among them."),
        "matchConditions": keyed(_CONDITION, "What else must be true.", "name"),
        **more,
    }
    return obj("One hook.", fields, required=("name", "clientConfig", "sideEffects", "admissionReviewVersions"))


_AGAIN = choice("Whether it is asked again after others have changed the object.", "IfNeeded", "Never", default="Never")

FIELDS: dict[str, dict[str, Any]] = {
    "ValidatingWebhookConfiguration": {"webhooks": keyed(_hook(), "The hooks.", "name")},
    "MutatingWebhookConfiguration": {"webhooks": keyed(_hook(reinvocationPolicy=_AGAIN), "The hooks.", "name")},
}
