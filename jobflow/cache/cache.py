"""Cache: what the controller knows, in one place: flows, templates, children, expectations.

In: the reflectors of three kinds, each through its sink. Out: look-ups for snapshots, and the keys that a change
makes due, told to `on_due` by the rules of the listener it is given (`jobflow.work.route`). What is not in the cache
is not in the cluster, unless `unseen` says that it could not be seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from jobflow.api.children import ChildView
from jobflow.api.objects import FlowView, TemplateView
from jobflow.api.probes import PodView
from jobflow.api.resources import Resource
from jobflow.cache.children import Children
from jobflow.cache.expectations import Expectations
from jobflow.cache.installed import Installed
from jobflow.cache.pods import Pods
from jobflow.cache.store import Store

Unseen = Callable[[Resource, str], str]  # of a kind, in a namespace: why it cannot be seen, or nothing


class Listener(Protocol):
    """Who is told of changes; None stands for an object that was not there, or is no longer."""

    def flow_changed(self, old: FlowView | None, new: FlowView | None) -> None:
        """A JobFlow came, changed or went."""

    def template_changed(self, old: TemplateView | None, new: TemplateView | None) -> None:
        """A JobTemplate or a ClusterJobTemplate came, changed or went."""

    def child_changed(self, old: ChildView | None, new: ChildView | None) -> None:
        """A child came, changed or went."""

    def pod_changed(self, old: PodView | None, new: PodView | None) -> None:
        """A pod that a probe may ask came, changed or went."""


class Cache:
    """Everything known of the cluster."""

    def __init__(self, listener: Listener) -> None:
        self.flows = Store[tuple[str, str], FlowView](
            key=lambda flow: (flow.namespace, flow.name),
            on_change=listener.flow_changed,
        )
        self.templates = Store[tuple[str, str], TemplateView](
            key=lambda template: (template.namespace, template.name),
            on_change=listener.template_changed,
        )
        self.cluster_templates = Store[tuple[str, str], TemplateView](
            key=lambda template: ("", template.name),
            on_change=listener.template_changed,
        )
        self.children = Children(listener.child_changed)
        self.pods = Pods(listener.pod_changed)
        self.expectations = Expectations(self.children)
        self.installed = Installed()
        self.unseen: Unseen = lambda resource, namespace: ""

    def templates_in(self, namespace: str) -> Store[tuple[str, str], TemplateView]:
        """The templates among which one of this namespace is; the cluster's have none."""
        return self.templates if namespace else self.cluster_templates
