"""Reread: an object that was read without some of its fields is read again, once the installed CRD has them.

In: the key of a flow or a template. Out: the cache has the object as it is shown now. An API server whose CRD is
replaced shows stored objects with other fields from then on, without a new version of them: no watch tells of it.
"""

from __future__ import annotations

import msgspec

from jobflow.api.objects import FlowObject, FlowView, TemplateObject, TemplateView, flow_view, template_view
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, JOB_TEMPLATE, Key
from jobflow.cache.cache import Cache
from jobflow.kube.client import Client
from jobflow.reconcile.phase import FINAL_PHASES

AGAIN_SECONDS = 30.0  # a replica of the API server may take a moment to take up a CRD; what is gone for good stays gone


class _Templates(msgspec.Struct):
    """A list of one: the right to list templates is there, for the watch, and the right to get one is not."""

    items: tuple[TemplateObject, ...] = ()


async def reread(client: Client, cache: Cache, key: Key) -> None:
    """Read the object again where that may help. Raises ApiError. Any other version the watch brings by itself."""
    if not is_worth_a_look(cache, key):
        return
    place = (key.namespace, key.name)
    if key.kind == JOB_FLOW.kind:
        body = await client.get(JOB_FLOW, *place)
        flow = flow_view(msgspec.json.decode(body, type=FlowObject))
        if _same_version(cache.flows.get(place), flow):
            cache.flows.put(flow)
    else:
        resource = JOB_TEMPLATE if key.kind == JOB_TEMPLATE.kind else CLUSTER_JOB_TEMPLATE
        templates = cache.templates_in(key.namespace)
        async for page in client.list(resource, key.namespace, field_selector=f"metadata.name={key.name}"):
            for found in msgspec.json.decode(page, type=_Templates).items:
                template = template_view(found)
                if _same_version(templates.get(place), template):
                    templates.put(template)


def is_worth_a_look(cache: Cache, key: Key) -> bool:
    """The object matters yet, and has lost fields that the installed CRD has, as far as is known."""
    place = (key.namespace, key.name)
    if key.kind == JOB_FLOW.kind:
        flow = cache.flows.get(place)
        return _is_curable(cache, flow) and flow is not None and flow.status.state.phase not in FINAL_PHASES
    return _is_curable(cache, cache.templates_in(key.namespace).get(place))


def _is_curable(cache: Cache, view: FlowView | TemplateView | None) -> bool:
    if view is None or not view.lost:
        return False
    return not cache.installed.missing(view.resource if isinstance(view, TemplateView) else JOB_FLOW)


def _same_version(seen: FlowView | TemplateView | None, live: FlowView | TemplateView) -> bool:
    return seen is not None and (seen.uid, seen.resource_version) == (live.uid, live.resource_version)
