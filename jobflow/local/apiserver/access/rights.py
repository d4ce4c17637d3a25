"""Rights: what roles and bindings allow. Pure.

In: rules and subjects as RBAC objects have them, a caller, and what it wants to do. Out: yes, with the binding that
allows it, or no. Nothing denies: rights only add up.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from jobflow.local.apiserver.access.callers import Caller

SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"


class Rule(Struct, frozen=True, gc=False):
    """One rule of a Role; of a ClusterRole it may be about paths instead of resources."""

    verbs: tuple[str, ...] = ()
    apiGroups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resourceNames: tuple[str, ...] = ()
    nonResourceURLs: tuple[str, ...] = ()


class Subject(Struct, frozen=True, gc=False):
    """Whom a binding is about."""

    kind: str
    name: str
    namespace: str = ""


class RoleRef(Struct, frozen=True, gc=False):
    """The role that a binding gives."""

    kind: str
    name: str


class Attributes(Struct, frozen=True, gc=False):
    """What a request wants to do. `path` is set where it is about no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        """The resource with its subresource, as rules name it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def allows(rule: Rule, wanted: Attributes) -> bool:
    """Whether a rule covers what is wanted."""
    if not _has(rule.verbs, wanted.verb):
        return False
    if wanted.path:
        return any(_path_matches(path, wanted.path) for path in rule.nonResourceURLs)
    names = rule.resourceNames
    return (
        _has(rule.apiGroups, wanted.group)
        and any(_resource_matches(one, wanted) for one in rule.resources)
        and (not names or wanted.name in names)
    )


def _has(held: tuple[str, ...], wanted: str) -> bool:
    return "*" in held or wanted in held


def _resource_matches(written: str, wanted: Attributes) -> bool:
    if written in ("*", wanted.full_resource):
        return True
    return bool(wanted.subresource) and written == f"*/{wanted.subresource}"


def _path_matches(written: str, path: str) -> bool:
    return written == path or (written.endswith("*") and path.startswith(written[:-1]))


def binds(subjects: Iterable[Subject], caller: Caller, namespace: str) -> Subject | None:
    """The subject of a binding that the caller is, if any. `namespace` is that of the binding, "" for cluster-wide."""
    for subject in subjects:
        match subject.kind:
            case "User" if subject.name == caller.name:
                return subject
            case "Group" if subject.name in caller.groups:
                return subject
            case "ServiceAccount":
                where = subject.namespace or namespace
                if caller.name == f"{SERVICE_ACCOUNT_PREFIX}{where}:{subject.name}":
                    return subject
    return None
