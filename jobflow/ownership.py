"""Ownership: whose flow is it? The one place where that is asked.

In: what the cache sees change. Out: the same, to the term's listeners, for flows that are ours to work on; of all
others only that is done which keeps the cache from growing. Today a replica owns all flows while it leads, and none
while it stands by. Where flows come to be divided between replicas, `owns` will ask about the flow it is given.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobflow.api.children import ChildView
from jobflow.api.objects import FlowView, TemplateView
from jobflow.api.probes import PodView
from jobflow.cache.cache import Cache, Listener


class Ownership:
    """The cache's listener, from the first list on; it owns the cache, which is filled before anybody leads."""

    def __init__(self) -> None:
        self._listeners: Sequence[Listener] = ()
        self.cache = Cache(self)

    def owns(self, namespace: str, flow: str) -> bool:
        """Whether this process works on the flow."""
        return bool(self._listeners)

    def begin(self, *listeners: Listener) -> None:
        """All flows are ours from now on; these are told of changes, in this order."""
        self._listeners = listeners

    def end(self) -> None:
        """No flow is ours any more."""
        self._listeners = ()

    def flow_changed(self, old: FlowView | None, new: FlowView | None) -> None:
        """A JobFlow came, changed or went."""
        flow = new or old
        if flow is None:
            return
        if self.owns(flow.namespace, flow.name):
            for listener in self._listeners:
                listener.flow_changed(old, new)
        elif new is None:
            self.cache.children.forget(flow.namespace, flow.name)

    def template_changed(self, old: TemplateView | None, new: TemplateView | None) -> None:
        """A JobTemplate came, changed or went."""
        for listener in self._listeners:
            listener.template_changed(old, new)

    def pod_changed(self, old: PodView | None, new: PodView | None) -> None:
        """A pod that a probe may ask came, changed or went."""
        for listener in self._listeners:
            listener.pod_changed(old, new)

    def child_changed(self, old: ChildView | None, new: ChildView | None) -> None:
        """A child came, changed or went."""
        child = new or old
        if child is None:
            return
        if self.owns(child.namespace, child.flow):
            for listener in self._listeners:
                listener.child_changed(old, new)
        elif new is None and self.cache.flows.get((child.namespace, child.flow)) is None:
            self.cache.children.forget(child.namespace, child.flow)  # nobody will ask how it ended
