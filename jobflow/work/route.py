"""Route: which keys a change makes due.

In: what the cache saw change. Out: keys on the work queue. A flow is due when it or one of its children changes, or
when an object that its last plan awaited does; a template is due, after a few seconds for company, when
a child made from it comes or goes.
"""

from __future__ import annotations

from jobflow.api.children import ChildView
from jobflow.api.objects import FlowView, TemplateView
from jobflow.api.probes import PodView
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, JOB_TEMPLATE, POD, Key
from jobflow.work.interests import Interests
from jobflow.work.queue import WorkQueue

TEMPLATE_SECONDS = 3.0  # a burst of flows makes many Jobs from one template; its list is written once for all


class Route:
    """The cache's listener: puts keys on the queue."""

    def __init__(self, queue: WorkQueue[Key], interests: Interests) -> None:
        self._queue = queue
        self._interests = interests

    def flow_changed(self, old: FlowView | None, new: FlowView | None) -> None:
        """The flow itself."""
        flow = new or old
        if flow is not None:
            self._queue.add(Key(JOB_FLOW.kind, flow.namespace, flow.name))

    def template_changed(self, old: TemplateView | None, new: TemplateView | None) -> None:
        """The flows that wait for it, and the template where its own status may be stale."""
        template = new or old
        if template is None:
            return
        key = template.key
        for flow in self._interests.of(key):
            self._queue.add(flow)
        if old is None or new is None:
            self._queue.add_after(key, TEMPLATE_SECONDS)

    def pod_changed(self, old: PodView | None, new: PodView | None) -> None:
        """The flows that ask pods of its Job."""
        pod = new or old
        if pod is not None:
            for flow in self._interests.of(Key(POD.kind, pod.namespace, pod.job)):
                self._queue.add(flow)

    def child_changed(self, old: ChildView | None, new: ChildView | None) -> None:
        """The flow that owns it; its template where the set of its children changed."""
        came_or_went = old is None or new is None or old.uid != new.uid
        for child in (old, new) if came_or_went else (new,):
            if child is None:
                continue
            if child.flow:
                self._queue.add(Key(JOB_FLOW.kind, child.namespace, child.flow))
            if came_or_went and child.template:
                self._queue.add_after(_template_key(child), TEMPLATE_SECONDS)


def _template_key(child: ChildView) -> Key:
    if child.template.startswith("."):
        return Key(CLUSTER_JOB_TEMPLATE.kind, "", child.template[1:])
    return Key(JOB_TEMPLATE.kind, child.namespace, child.template.removeprefix(f"{child.namespace}."))
