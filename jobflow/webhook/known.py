"""Known: which templates there are, and which unfinished flows need them.

In: watches of templates and flows. Out: look-ups without a request, so that a burst of flows costs the API server
nothing more. Of flows only the names of the templates are kept that they still need. A watch is a moment late: where
that would be told to somebody (a template that is not there, a flow that needs one), the object itself is read.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from jobflow.api.access import Rule, Scope
from jobflow.api.metadata import ObjectMeta
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, JOB_TEMPLATE, NAMESPACE, Resource
from jobflow.api.status import FlowPhase, StepPhase
from jobflow.cache.store import Store
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.errors import ApiError, NotFound
from jobflow.kube.reflector import Reflector
from jobflow.webhook.flows import TemplateName

READ = ("get", "list", "watch")
ACCESS = (
    *(Rule(resource, READ) for resource in (JOB_TEMPLATE, JOB_FLOW)),
    Rule(NAMESPACE, ("get",), scope=Scope.CLUSTER),
)
CLUSTER_TEMPLATES_ACCESS = (Rule(CLUSTER_JOB_TEMPLATE, READ, scope=Scope.CLUSTER),)

MOST_LOOKS = 16  # objects that are read for one question, beside what the watches have brought
DONE = frozenset({StepPhase.SUCCEEDED, StepPhase.FAILED, StepPhase.SKIPPED, StepPhase.UNREACHABLE})
ENDED = frozenset({FlowPhase.SUCCEED, FlowPhase.FAILED})


class _Template(Struct, frozen=True, gc=False):
    metadata: ObjectMeta
    spec: Raw = Raw(b"{}")


class TemplateSpec(NamedTuple):
    """A template, its spec as bytes until somebody needs it."""

    namespace: str
    name: str
    version: str
    spec: bytes


class _Reference(Struct, frozen=True, gc=False):
    name: str = ""
    kind: str | None = None


class _Step(Struct, frozen=True, gc=False):
    name: str = ""
    templateRef: _Reference | None = None


class _Spec(Struct, frozen=True, gc=False):
    flows: tuple[_Step, ...] | None = ()
    onExit: tuple[_Step, ...] | None = ()


class _State(Struct, frozen=True, gc=False):
    phase: str = ""


class _StepStatus(Struct, frozen=True, gc=False):
    name: str = ""
    phase: str = ""


class _Status(Struct, frozen=True, gc=False):
    state: _State | None = None
    flowStatuses: tuple[_StepStatus, ...] | None = ()


class _Flow(Struct, frozen=True, gc=False):
    metadata: ObjectMeta
    spec: _Spec = _Spec()
    status: _Status = _Status()


class Need(NamedTuple):
    """A flow, and the templates that it still needs."""

    namespace: str
    name: str
    version: str
    templates: frozenset[TemplateName]


def _template(wire: _Template) -> TemplateSpec:
    meta = wire.metadata
    return TemplateSpec(meta.namespace, meta.name, meta.resourceVersion, bytes(wire.spec))


def _need(flow: _Flow) -> Need:
    """None of a flow that has ended or is going; else those of the steps that have not ended."""
    meta, status = flow.metadata, flow.status
    phase = status.state.phase if status.state else ""
    if phase in ENDED or meta.deletionTimestamp is not None:
        return Need(meta.namespace, meta.name, meta.resourceVersion, frozenset())
    done = {step.name for step in status.flowStatuses or () if step.phase in DONE}
    steps = [*(flow.spec.flows or ()), *(flow.spec.onExit or ())]
    needed = frozenset(_runs(step) for step in steps if step.name not in done)
    return Need(meta.namespace, meta.name, meta.resourceVersion, needed)


def _runs(step: _Step) -> TemplateName:
    reference = step.templateRef
    if reference is None or not reference.name:
        return TemplateName(step.name)
    return TemplateName(reference.name, reference.kind == CLUSTER_JOB_TEMPLATE.kind)


class Known:
    """Templates and flows of the whole cluster."""

    def __init__(self, client: Client, clock: Clock, *, cluster_templates: bool) -> None:
        self._client = client
        self._templates = Store[tuple[str, str], TemplateSpec](lambda one: (one.namespace, one.name), _nobody)
        self._users: defaultdict[tuple[str, TemplateName], dict[tuple[str, str], None]] = defaultdict(dict)
        self._flows = Store[tuple[str, str], Need](lambda one: (one.namespace, one.name), self._flow_changed)
        self._cluster_templates = Store[tuple[str, str], TemplateSpec](lambda one: ("", one.name), _nobody)
        self._with_cluster_templates = cluster_templates
        self._flow_codec, template_codec = Codec(_Flow, _need), Codec(_Template, _template)
        self._reflectors: dict[Resource, Reflector[Any]] = {
            JOB_TEMPLATE: Reflector(client, clock, JOB_TEMPLATE, template_codec, self._templates),
            JOB_FLOW: Reflector(client, clock, JOB_FLOW, self._flow_codec, self._flows),
        }
        if cluster_templates:
            codec = Codec(_Template, _template)
            self._reflectors[CLUSTER_JOB_TEMPLATE] = Reflector(
                client, clock, CLUSTER_JOB_TEMPLATE, codec, self._cluster_templates
            )
        self._filled: set[Resource] = set()

    async def run(self) -> None:
        """Watch, for ever."""
        async with asyncio.TaskGroup() as group:
            for resource, reflector in self._reflectors.items():
                group.create_task(reflector.run(), name=f"watch {resource}")
                group.create_task(self._fill(resource, reflector), name=f"fill {resource}")

    async def _fill(self, resource: Resource, reflector: Reflector[Any]) -> None:
        await reflector.synced()
        self._filled.add(resource)

    @property
    def waiting(self) -> list[str]:
        """What has yet to be listed, with what keeps it."""
        return [
            f"{resource}: {reflector.problem or 'listing'}"
            for resource, reflector in self._reflectors.items()
            if resource not in self._filled
        ]

    async def templates(self, namespace: str, names: Iterable[TemplateName]) -> dict[TemplateName, Any]:
        """The specs of these, None for what is not there. What could not be looked for is left out."""
        found: dict[TemplateName, Any] = {}
        missing: list[TemplateName] = []
        for name in dict.fromkeys(names):
            if name.cluster and not self._with_cluster_templates:
                continue
            held = self._cluster_templates.get(("", name.name)) if name.cluster else None
            held = held or (None if name.cluster else self._templates.get((namespace, name.name)))
            if held is None:
                missing.append(name)
            else:
                found[name] = msgspec.json.decode(held.spec)
        looked = await asyncio.gather(*(self._look(namespace, name) for name in missing[:MOST_LOOKS]))
        return found | {name: spec for name, (known, spec) in zip(missing, looked, strict=False) if known}

    async def _look(self, namespace: str, name: TemplateName) -> tuple[bool, Any]:
        resource = CLUSTER_JOB_TEMPLATE if name.cluster else JOB_TEMPLATE
        try:
            body = await self._client.get(resource, None if name.cluster else namespace, name.name)
        except NotFound:
            return True, None
        except ApiError:
            return False, None
        return True, msgspec.json.decode(msgspec.json.decode(body, type=_Template).spec)

    async def users(self, namespace: str, template: TemplateName) -> Sequence[str]:
        """Unfinished flows that need the template; the first of them are read to be sure. Raises ApiError."""
        place = "" if template.cluster else namespace
        candidates = sorted(self._users.get((place, template), ()))
        shown = [f"{flow_namespace}/{name}" if template.cluster else name for flow_namespace, name in candidates]
        for index, (flow_namespace, name) in enumerate(candidates[:MOST_LOOKS]):
            if await self._needs(flow_namespace, name, template):
                return shown[index:]
        return shown[MOST_LOOKS:]

    async def _needs(self, namespace: str, name: str, template: TemplateName) -> bool:
        try:
            body = await self._client.get(JOB_FLOW, namespace, name)
        except NotFound:
            return False
        try:
            return template in _need(msgspec.json.decode(body, type=_Flow)).templates
        except msgspec.MsgspecError:
            return True  # what cannot be read is left alone

    async def namespace_ends(self, namespace: str) -> bool:
        """Whether the namespace is on its way out. Raises ApiError."""
        try:
            body = await self._client.get(NAMESPACE, None, namespace)
        except NotFound:
            return True
        return msgspec.json.decode(body, type=_Template).metadata.deletionTimestamp is not None

    def _flow_changed(self, old: Need | None, new: Need | None) -> None:
        before, after = (one.templates if one else frozenset[TemplateName]() for one in (old, new))
        flow = old or new
        assert flow is not None
        key = (flow.namespace, flow.name)
        for template in before - after:
            place = "" if template.cluster else flow.namespace, template
            self._users[place].pop(key, None)
            if not self._users[place]:
                del self._users[place]
        for template in after - before:
            self._users["" if template.cluster else flow.namespace, template][key] = None


def _nobody(old: TemplateSpec | None, new: TemplateSpec | None) -> None:
    """Nobody waits for templates here."""
