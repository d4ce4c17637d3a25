"""Observations: what the watches show of how flows fare, for metrics.

In: changes of flows and children while they are ours, and which creates a plan is about to make. Out: reports to
Measures: flows that ended, and how long after the end of a step's last target its child was seen to exist. Both ends
are taken from the watch, with this process's monotonic clock: no two machines' clocks are compared. Ends that were not
seen happening (they were in the first list) give no sample.
"""

from __future__ import annotations

from jobflow.api.children import ChildView
from jobflow.api.objects import FlowView, TemplateView
from jobflow.api.probes import PodView
from jobflow.clock import Clock
from jobflow.obs.measures import Measures
from jobflow.reconcile.phase import FINAL_PHASES
from jobflow.reconcile.plan import Plan
from jobflow.reconcile.snapshot import Flow


class Observations:
    """Remembers, for each unfinished flow, when its steps were seen to end."""

    def __init__(self, clock: Clock, measures: Measures) -> None:
        self._clock = clock
        self._measures = measures
        self._ended: dict[str, dict[str, float]] = {}  # flow UID -> step -> monotonic
        self._due: dict[str, dict[str, float]] = {}  # the same, of steps whose child is being created

    def __len__(self) -> int:
        return len(self._ended) + len(self._due)

    def flow_changed(self, old: FlowView | None, new: FlowView | None) -> None:
        """A flow came, changed or went."""
        if old is not None and new is not None:
            phase = new.status.state.phase
            if phase in FINAL_PHASES and phase != old.status.state.phase:
                self._measures.flow_ended(new.namespace, phase)
        if old is not None and (new is None or new.status.completionTime is not None):
            self._ended.pop(old.uid, None)
            self._due.pop(old.uid, None)

    def template_changed(self, old: TemplateView | None, new: TemplateView | None) -> None:
        """Templates tell nothing of how flows fare."""

    def pod_changed(self, old: PodView | None, new: PodView | None) -> None:
        """Nor do pods."""

    def child_changed(self, old: ChildView | None, new: ChildView | None) -> None:
        """A child came, changed or went."""
        child = new or old
        if child is None or child.node is None:
            return
        if old is None:
            since = _popped(self._due, child.flow_uid, child.node.step)
            if since is not None:
                self._measures.dependency_seen(self._clock.monotonic() - since)
        elif new is None:
            _popped(self._ended, child.flow_uid, child.node.step)
        elif new.phase.terminal and not old.phase.terminal:
            self._ended.setdefault(child.flow_uid, {})[child.node.step] = self._clock.monotonic()

    def planned(self, flow: Flow, plan: Plan) -> None:
        """The plan's creates are about to be made."""
        ended = self._ended.get(flow.uid)
        if not plan.creates or not ended:
            return
        for wanted in plan.creates:
            if wanted.node.attempt:
                continue  # it waited for its own last attempt, and not for its targets
            step = flow.compiled.graph.by_name.get(wanted.node.step)
            ends = [ended.get(target) for target in step.edges] if step is not None else []
            seen = [end for end in ends if end is not None]
            if seen and len(seen) == len(ends):
                self._due.setdefault(flow.uid, {})[wanted.node.step] = max(seen)


def _popped(times: dict[str, dict[str, float]], flow_uid: str, step: str) -> float | None:
    steps = times.get(flow_uid)
    if steps is None:
        return None
    found = steps.pop(step, None)
    if not steps:
        del times[flow_uid]
    return found
