"""Installed: which of our fields the CRDs of this cluster keep.

In: schemas as the watch of CRDs or the API server's OpenAPI document brings them, and what became of statuses that we
wrote. Out: the fields that are missing, by kind, and a notice when they change. A cluster may have upstream's CRDs from
the start, or get them under us when an upstream chart is upgraded: fields of ours are then dropped by the API server,
from what is written and from what is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from jobflow.api import upstream
from jobflow.api.fields import Path, Shape, outermost, places, words
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, JOB_TEMPLATE, Resource

KINDS = (JOB_FLOW, JOB_TEMPLATE, CLUSTER_JOB_TEMPLATE)
NOTHING: frozenset[Path] = frozenset()
CURE = "kubectl replace -k manifests/crds"
_CURE = {CLUSTER_JOB_TEMPLATE: "kubectl replace -f manifests/components/cluster-templates/crd.yaml"}
NAMED_FIELDS = 12  # in a message; the log names all


class Installed:
    """What is known of the installed CRDs. Until something is known, all of our fields count as there."""

    def __init__(self) -> None:
        self._declared: dict[Resource, frozenset[Path]] = {}
        self._missing: dict[Resource, frozenset[Path]] = {}
        self._mentioned: set[Resource] = set()
        self._uids: dict[Resource, str] = {}  # of CRDs that are watched
        self.listeners: list[Callable[[Resource], None]] = []  # told when what is missing of a kind changes

    def added(self, resource: Resource) -> frozenset[Path]:
        """The fields that upstream's CRD does not have."""
        return self._declared[resource] if resource in self._declared else upstream.added(resource)

    def declare(self, resource: Resource, added: frozenset[Path]) -> None:
        """Say what counts as ours, in place of what our CRD of this version has: for tests of what later ones add."""
        self._declared[resource] = added

    def missing(self, resource: Resource) -> frozenset[Path]:
        """Those of them that the installed CRD does not have either."""
        return self._missing.get(resource, NOTHING)

    def told(self, resource: Resource) -> list[str]:
        """The same in words, the outermost ones."""
        return sorted(words(path) for path in outermost(self.missing(resource)))

    def uid(self, resource: Resource) -> str:
        """The CRD's UID, where CRDs may be watched."""
        return self._uids.get(resource, "")

    def saw_schema(self, resource: Resource, shape: Shape, uid: str = "") -> None:
        """The CRD has this schema now."""
        self._uids[resource] = uid
        self._set(resource, (path for path in self.added(resource) if not upstream.has(shape, path)))

    def saw_answer(self, resource: Resource, sent: Any, stored: Any) -> frozenset[Path]:
        """A status was written, and this came back; the fields that did not. They count where no CRD can be watched.

        Where a field of the status is lost, those of the spec are taken for lost too: they are of the same CRD.
        """
        lost = self._lost(resource, sent, stored) if sent != stored else NOTHING
        if self.uid(resource):
            return lost
        if lost:
            below_spec = (path for path in self.added(resource) if path[0] == "spec")
            self._set(resource, {*self.missing(resource), *lost, *below_spec})
        elif self.missing(resource) and self._lost(resource, sent, type(sent)()):
            self._set(resource, ())  # something of ours was sent, and all of it was kept
        return lost

    def said(self, resource: Resource) -> str:
        """What is missing, what that means and what to do."""
        told = sorted(self.told(resource), reverse=True)  # those of the status first, which every flow has
        more = f" and {len(told) - NAMED_FIELDS} more" if len(told) > NAMED_FIELDS else ""
        return (
            f"the CRD {resource.plural}.{resource.group} of this cluster lacks fields of jobflow's: "
            f"{', '.join(told[:NAMED_FIELDS])}{more}. Flows that use an added field of the spec are left alone; all "
            f"others go on, told by upstream's status fields only. To have the rest: {_CURE.get(resource, CURE)}"
        )

    def mention(self, resource: Resource) -> str:
        """The same, once, where there is no CRD to tell it about; else nothing."""
        if self.uid(resource) or resource in self._mentioned or not self.missing(resource):
            return ""
        self._mentioned.add(resource)
        return self.said(resource)

    def _lost(self, resource: Resource, sent: Any, stored: Any) -> frozenset[Path]:
        there, back = ({"status": msgspec.to_builtins(status)} for status in (sent, stored))
        return frozenset(
            path
            for path in self.added(resource)
            if next(places(there, path), None) is not None and next(places(back, path), None) is None
        )

    def _set(self, resource: Resource, missing: Iterable[Path]) -> None:
        now = frozenset(missing)
        if now != self.missing(resource):
            self._missing[resource] = now
            self._mentioned.discard(resource)
            for listener in tuple(self.listeners):
                listener(resource)
