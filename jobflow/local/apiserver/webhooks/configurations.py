"""Configurations: which hooks there are, and which requests each is about. Pure.

In: stored configurations, and a request with its objects. Out: the hooks to ask, in the order of their configurations'
names and then as written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from jobflow.api.resources import Resource
from jobflow.local.apiserver.reads.selectors import parse_label_selector
from jobflow.local.apiserver.webhooks.kinds import DEFAULT_SECONDS

ADMISSION_GROUP = "admissionregistration.k8s.io"

Object = dict[str, Any]
Labels = Mapping[str, str]


class Service(Struct, frozen=True):
    """The Service behind a hook."""

    name: str
    namespace: str
    path: str = ""
    port: int = 443


class Client(Struct, frozen=True):
    """How a hook is reached."""

    url: str | None = None
    service: Service | None = None
    caBundle: str | None = None


class Rule(Struct, frozen=True):
    """Which requests a hook is about."""

    apiGroups: tuple[str, ...] = ()
    apiVersions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    scope: str = "*"


class Requirement(Struct, frozen=True):
    """One term of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class Selector(Struct, frozen=True):
    """A label selector as JSON; the empty one selects everything."""

    matchLabels: dict[str, str] = {}
    matchExpressions: tuple[Requirement, ...] = ()

    def holds(self, labels: Labels) -> bool:
        """Whether the labels are meant."""
        if not self.matchLabels and not self.matchExpressions:
            return True
        return _matcher(self)(dict(labels))


class Condition(Struct, frozen=True):
    """An expression that must be true."""

    name: str
    expression: str


class Hook(Struct, frozen=True):
    """One hook of a configuration."""

    name: str
    clientConfig: Client
    rules: tuple[Rule, ...] = ()
    failurePolicy: str = "Fail"
    matchPolicy: str = "Equivalent"
    namespaceSelector: Selector = Selector()
    objectSelector: Selector = Selector()
    sideEffects: str = "None"
    timeoutSeconds: int = DEFAULT_SECONDS
    matchConditions: tuple[Condition, ...] = ()
    reinvocationPolicy: str = "Never"

    @property
    def must_answer(self) -> bool:
        """Whether a request fails that it cannot judge."""
        return self.failurePolicy != "Ignore"


class Configuration(Struct, frozen=True):
    """The hooks of one object."""

    webhooks: tuple[Hook, ...] | None = ()


class Target(Struct, frozen=True):
    """The request that hooks may be about. `versions` are all in which its resource is served."""

    resource: Resource
    subresource: str
    operation: str
    versions: tuple[str, ...]
    namespaced: bool


def version_for(hook: Hook, target: Target) -> str | None:
    """The version in which a hook wants to see a request; None where it is not about it."""
    own = target.resource.version
    candidates = (own,) if hook.matchPolicy == "Exact" else (own, *(one for one in target.versions if one != own))
    return next(
        (version for version in candidates if any(_matches(rule, target, version) for rule in hook.rules)), None
    )


def _matches(rule: Rule, target: Target, version: str) -> bool:
    scope = "Namespaced" if target.namespaced else "Cluster"
    return (
        _has(rule.operations, target.operation)
        and _has(rule.apiGroups, target.resource.group)
        and _has(rule.apiVersions, version)
        and rule.scope in ("*", scope)
        and any(_names(one, target) for one in rule.resources)
    )


def _has(held: tuple[str, ...], wanted: str) -> bool:
    return "*" in held or wanted in held


def _names(written: str, target: Target) -> bool:
    """`pods` is the object alone, `pods/status` that part of it, `pods/*` and `*/*` all parts of it too."""
    resource, _, part = written.partition("/")
    if resource not in ("*", target.resource.plural):
        return False
    return part == target.subresource or part == "*"


def selects(hook: Hook, objects: tuple[Object | None, ...], namespace: Labels | None) -> bool:
    """Whether the labels of the namespace and of one of the objects are those that the hook is about."""
    if namespace is not None and not hook.namespaceSelector.holds(namespace):
        return False
    return any(hook.objectSelector.holds(_labels(obj)) for obj in objects if obj is not None)


def _labels(obj: Object) -> Labels:
    return (obj.get("metadata") or {}).get("labels") or {}


def _matcher(selector: Selector) -> Callable[[dict[str, str]], bool]:
    terms = [f"{key}={value}" for key, value in selector.matchLabels.items()]
    for one in selector.matchExpressions:
        values = f"({','.join(one.values)})"
        terms.append(
            {
                "In": f"{one.key} in {values}",
                "NotIn": f"{one.key} notin {values}",
                "Exists": one.key,
                "DoesNotExist": f"!{one.key}",
            }[one.operator]
        )
    return parse_label_selector(",".join(terms))
