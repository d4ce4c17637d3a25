"""Authorizer: one question to the Roles and bindings that are stored now.

In: a caller and what it wants. Out: a Decision: yes, by which binding; or no, with what was wrong on the way (a role
that is not there). Parsed objects are kept by their bytes, so that a question costs no parsing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec import Struct

from jobflow.local.apiserver.access.callers import Caller
from jobflow.local.apiserver.access.rights import Attributes, RoleRef, Rule, Subject, allows, binds
from jobflow.local.apiserver.statuses import StatusError
from jobflow.local.apiserver.storage.store import Collection, Store, Stored

GROUP = "rbac.authorization.k8s.io"
ROLES, ROLE_BINDINGS = Collection(GROUP, "roles"), Collection(GROUP, "rolebindings")
CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS = Collection(GROUP, "clusterroles"), Collection(GROUP, "clusterrolebindings")


class _Role(Struct, frozen=True, gc=False):
    rules: tuple[Rule, ...] | None = ()


class _Binding(Struct, frozen=True, gc=False):
    roleRef: RoleRef
    subjects: tuple[Subject, ...] | None = ()


class Decision(NamedTuple):
    """Whether something is allowed, and why."""

    allowed: bool
    reason: str = ""


class Given(NamedTuple):
    """The rules that one binding gives a caller."""

    rules: tuple[Rule, ...]
    reason: str


class Authorizer:
    """Asks the RBAC objects of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._roles: dict[tuple[Collection, str, str], tuple[Stored, _Role]] = {}
        self._bindings: dict[tuple[Collection, str, str], tuple[Stored, _Binding]] = {}

    def ask(self, caller: Caller, wanted: Attributes) -> Decision:
        """Whether the caller may."""
        if caller.is_admin:
            return Decision(True, f"{caller.name} may do everything on this development server")
        missing: list[str] = []
        for given in self.given(caller, wanted.namespace, missing):
            if any(allows(rule, wanted) for rule in given.rules):
                return Decision(True, given.reason)
        told = ", ".join(dict.fromkeys(missing))
        return Decision(False, f"RBAC: [{told}]" if len(missing) > 1 else f"RBAC: {told}" if missing else "")

    def given(self, caller: Caller, namespace: str, missing: list[str]) -> Iterator[Given]:
        """What each binding gives the caller, cluster-wide ones first; roles that are not there go to `missing`."""
        for stored in self._all(CLUSTER_ROLE_BINDINGS, ""):
            yield from self._given(CLUSTER_ROLE_BINDINGS, stored, caller, missing)
        if namespace:
            for stored in self._all(ROLE_BINDINGS, namespace):
                yield from self._given(ROLE_BINDINGS, stored, caller, missing)

    def _all(self, collection: Collection, namespace: str) -> Iterator[Stored]:
        return self._store.list(collection, namespace, None, self._store.revision)

    def _given(self, collection: Collection, stored: Stored, caller: Caller, missing: list[str]) -> Iterator[Given]:
        binding = self._binding(collection, stored)
        subject = binds(binding.subjects or (), caller, stored.namespace)
        if subject is None:
            return
        reference = binding.roleRef
        role = self._role(reference, stored.namespace)
        if role is None:
            kind = "clusterrole" if reference.kind == "ClusterRole" else "role"
            missing.append(f'{kind}.{GROUP} "{reference.name}" not found')
            return
        yield Given(role.rules or (), _reason(stored, reference, subject))

    def _binding(self, collection: Collection, stored: Stored) -> _Binding:
        key = (collection, *stored.key)
        held = self._bindings.get(key)
        if held is None or held[0] is not stored:
            held = self._bindings[key] = stored, msgspec.json.decode(stored.data, type=_Binding)
        return held[1]

    def _role(self, reference: RoleRef, namespace: str) -> _Role | None:
        cluster = reference.kind == "ClusterRole"
        key = (CLUSTER_ROLES, "", reference.name) if cluster else (ROLES, namespace, reference.name)
        stored = self._store.get(*key)
        if stored is None:
            return None
        held = self._roles.get(key)
        if held is None or held[0] is not stored:
            held = self._roles[key] = stored, msgspec.json.decode(stored.data, type=_Role)
        return held[1]


def _reason(stored: Stored, reference: RoleRef, subject: Subject) -> str:
    kind = "RoleBinding" if stored.namespace else "ClusterRoleBinding"
    name = f"{stored.name}/{stored.namespace}" if stored.namespace else stored.name
    who = f"{subject.name}/{subject.namespace}" if subject.kind == "ServiceAccount" else subject.name
    return f'RBAC: allowed by {kind} "{name}" of {reference.kind} "{reference.name}" to {subject.kind} "{who}"'


def refused(caller: Caller, wanted: Attributes, decision: Decision) -> StatusError:
    """403 in the words of kube-apiserver."""
    why = f": {decision.reason}" if decision.reason else ""
    if wanted.path:
        told = f'forbidden: User "{caller.name}" cannot {wanted.verb} path "{wanted.path}"{why}'
        return StatusError(403, "Forbidden", told, {})
    qualified = f"{wanted.resource}.{wanted.group}" if wanted.group else wanted.resource
    subject = f'{qualified} "{wanted.name}"' if wanted.name else qualified
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    what = f'cannot {wanted.verb} resource "{wanted.full_resource}" in API group "{wanted.group}" {where}{why}'
    details = {"name": wanted.name, "group": wanted.group, "kind": wanted.resource}
    details = {key: value for key, value in details.items() if value}
    return StatusError(403, "Forbidden", f'{subject} is forbidden: User "{caller.name}" {what}', details)
