"""Access: what a piece of code may do to a kind, declared beside the code that does it.

In: a resource and verbs. Out: a Rule; `jobflow.deploy.rbac` gathers all of them into the roles that are installed, so
that a call which is added without its rule fails the test that runs with those roles, and a rule that nothing
needs is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jobflow.api.resources import Resource


class Scope(StrEnum):
    """Where the right is needed."""

    FLOWS = "flows"  # in every namespace that flows run in
    CLUSTER = "cluster"  # on kinds without a namespace; an install that is confined to namespaces goes without
    OWN = "own"  # in the controller's own namespace


@dataclass(frozen=True, slots=True)
class Rule:
    """The verbs that are used on a resource, or on one of its subresources."""

    resource: Resource
    verbs: tuple[str, ...]
    subresource: str = ""
    scope: Scope = Scope.FLOWS

    @property
    def target(self) -> str:
        """As RBAC names it: `jobflows/status`."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural
