"""Upgrades: what is said and done when an installed CRD is found to lack fields of ours, or to have them again.

In: what `Installed` finds, while we lead. Out: a line in the log, an Event on the CRD, and a look at every flow: those
that use a field that is gone stop, those that were stopped go on. Where the CRD may not be seen there is nothing to
hang an Event on; the flow whose status came back incomplete then has it (`act/flow.py`).
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from jobflow.api.metadata import ObjectReference
from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, Resource
from jobflow.api.status import Reason
from jobflow.cache.installed import KINDS, Installed
from jobflow.kube.events import EventRecorder
from jobflow.reconcile.events import NORMAL, WARNING

CURRENT = "CRDCurrent"

log = structlog.get_logger(__name__)


class Upgrades:
    """Tells of the installed CRDs."""

    def __init__(self, installed: Installed, recorder: EventRecorder, look_at_all: Callable[[], None]) -> None:
        self._installed = installed
        self._recorder = recorder
        self._look_at_all = look_at_all

    def begin(self) -> None:
        """We lead: tell what is missing now, and what changes."""
        for kind in KINDS:
            if self._installed.missing(kind):
                self._tell(kind)
        self._installed.listeners.append(self._changed)

    def end(self) -> None:
        """We lead no more."""
        if self._changed in self._installed.listeners:
            self._installed.listeners.remove(self._changed)

    def _changed(self, resource: Resource) -> None:
        self._tell(resource)
        self._look_at_all()

    def _tell(self, resource: Resource) -> None:
        name = f"{resource.plural}.{resource.group}"
        if self._installed.missing(resource):
            said = self._installed.said(resource)
            log.warning("CRD outdated", crd=name, missing=self._installed.told(resource))
            self._emit(resource, name, WARNING, Reason.CRD_OUTDATED, said)
        else:
            log.info("CRD current", crd=name)
            self._emit(resource, name, NORMAL, CURRENT, f"the CRD {name} has all of jobflow's fields again")

    def _emit(self, resource: Resource, name: str, kind: str, reason: str, message: str) -> None:
        if uid := self._installed.uid(resource):
            self._recorder.emit(ObjectReference(CUSTOM_RESOURCE_DEFINITION, "", name, uid), kind, reason, message)
