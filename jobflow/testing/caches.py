"""Caches: does a controller still hold what the API server sent it, and in the end what it has?

In: every commit, a controller's cache. Out: each object that was changed in the cache, or is not there as it is stored.
Whoever changes a cached object compares its next status with its own wish, finds them equal, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import structs

from jobflow.api import names
from jobflow.api.objects import FlowObject, TemplateObject, flow_view, template_view
from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB
from jobflow.cache.cache import Cache
from jobflow.kinds import vcjob
from jobflow.testing.history import Body, Commit, Place

Version = tuple[Place, str]

_NO_SPEC = b""  # specs are never compared: they are bytes, which nobody can change


@dataclass
class Sent:
    """What the API server has had of each object that a controller caches, by version."""

    _bodies: dict[Version, Body] = field(default_factory=dict)
    _views: dict[Version, Any] = field(default_factory=dict)

    def saw(self, commit: Commit) -> None:
        """A change was committed."""
        if commit.after is not None and commit.kind in _VIEWS:
            self._bodies[commit.place, str(commit.after["metadata"]["resourceVersion"])] = commit.after

    def altered(self, cache: Cache) -> Iterator[str]:
        """Cached objects that are not what was sent at their version."""
        for kind, view in _held(cache):
            version = ((kind, view.namespace, view.name), view.resource_version)
            if version in self._bodies and _without_spec(view) != self._view(version):
                yield f"{kind} {view.namespace}/{view.name} at version {view.resource_version} was changed in the cache"

    def outdated(self, cache: Cache, objects: Mapping[Place, Body]) -> Iterator[str]:
        """Objects that the cache has otherwise than they are stored, or has not, or has and nobody else."""
        held = {(kind, view.namespace, view.name): view.resource_version for kind, view in _held(cache)}
        stored = {
            place: str(body["metadata"]["resourceVersion"])
            for place, body in objects.items()
            if _is_watched(place, body)
        }
        for kind, namespace, name in sorted(held.keys() | stored.keys()):
            place = (kind, namespace, name)
            if held.get(place) != stored.get(place):
                has, is_ = held.get(place, "nothing"), stored.get(place, "nothing")
                yield f"{kind} {namespace}/{name}: the cache has version {has}, the API server {is_}"
        if len(cache.children) > (watched := sum(kind == VOLCANO_JOB.kind for kind, _, _ in stored)):
            yield f"the cache has {len(cache.children)} Jobs, the API server {watched}"

    def _view(self, version: Version) -> Any:
        if version not in self._views:
            self._views[version] = _without_spec(_VIEWS[version[0][0]](self._bodies[version]))
        return self._views[version]


def _view_of(wire: type[Any], view: Callable[[Any], Any]) -> Callable[[Body], Any]:
    """As the codec of the kind makes it."""
    decoder = msgspec.json.Decoder(wire)
    return lambda body: view(decoder.decode(msgspec.json.encode(body)))


_VIEWS: Mapping[str, Callable[[Body], Any]] = {
    JOB_FLOW.kind: _view_of(FlowObject, flow_view),
    JOB_TEMPLATE.kind: _view_of(TemplateObject, template_view),
    VOLCANO_JOB.kind: _view_of(vcjob.Job, vcjob.view),
}


def _held(cache: Cache) -> Iterator[tuple[str, Any]]:
    """What the cache has, but for Jobs that no flow of it owns."""
    for template in cache.templates.values():
        yield JOB_TEMPLATE.kind, template
    for flow in cache.flows.values():
        yield JOB_FLOW.kind, flow
        for child in cache.children.of_flow(flow.uid):
            yield VOLCANO_JOB.kind, child


def _without_spec(view: Any) -> Any:
    return structs.replace(view, spec=_NO_SPEC) if "spec" in view.__struct_fields__ else view


def _is_watched(place: Place, body: Body) -> bool:
    """A flow, a template, or a Job that the controller's label selector picks and a flow owns."""
    if place[0] != VOLCANO_JOB.kind:
        return place[0] in _VIEWS
    meta = body["metadata"]
    return names.CREATED_BY_JOB_FLOW in (meta.get("labels") or {}) and bool(meta.get("ownerReferences"))
