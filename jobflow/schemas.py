"""Schemas: which of our fields the installed CRDs have, as the API server shows it.

In: CustomResourceDefinitions as a watch brings them, where that is permitted; else the OpenAPI document that every
client may read. Out: what `Installed` is told. The document is read at the start, when a status that we wrote came back
with less than was sent, and every 30 s while something is missing: a namespaced install may not watch CRDs.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from msgspec import Raw, Struct

from jobflow.api.fields import ANYTHING, OWN, Shape, object_shape
from jobflow.api.metadata import ObjectMeta
from jobflow.api.resources import Resource
from jobflow.cache.installed import KINDS, Installed
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.errors import ApiError

LOOK_SECONDS = 30.0  # as often as a namespaced install looks for a kind that is absent

log = structlog.get_logger(__name__)

_BY_NAME = {f"{kind.plural}.{kind.group}": kind for kind in KINDS}


class _Schema(Struct, frozen=True):
    openAPIV3Schema: dict[str, Any] = {}


class _Version(Struct, frozen=True):
    name: str
    schema: _Schema = _Schema()


class _CrdSpec(Struct, frozen=True):
    versions: tuple[_Version, ...] = ()
    preserveUnknownFields: bool = False


class CustomResourceDefinition(Struct):
    """A CRD on the wire. Most are not ours, and not looked into."""

    metadata: ObjectMeta
    spec: Raw = Raw(b"{}")


@dataclass(frozen=True, slots=True)
class Definition:
    """A CRD as it is looked at; one that is not of ours has only a name."""

    name: str
    uid: str = ""
    resource: Resource | None = None
    shape: Shape | None = None


def definition(crd: CustomResourceDefinition) -> Definition:
    """What matters of a CRD."""
    meta = crd.metadata
    resource = _BY_NAME.get(meta.name)
    if resource is None:
        return Definition(meta.name)
    spec = msgspec.json.decode(crd.spec, type=_CrdSpec)
    served = next((version for version in spec.versions if version.name == resource.version), None)
    if served is None:
        return Definition(meta.name)
    whole: Shape = dict.fromkeys(OWN, ANYTHING)
    shape = whole if spec.preserveUnknownFields else object_shape(served.schema.openAPIV3Schema)
    return Definition(meta.name, meta.uid, resource, shape)


class _Components(Struct, frozen=True):
    schemas: dict[str, Raw] = {}


class _Document(Struct, frozen=True):
    components: _Components = _Components()


class SchemaLook:
    """Reads the schemas where CRDs may not be watched."""

    def __init__(self, client: Client, clock: Clock, installed: Installed) -> None:
        self._client = client
        self._clock = clock
        self._installed = installed
        self._doubt = asyncio.Event()

    async def run(self) -> None:
        """Look when there is reason to, until cancelled."""
        self._installed.listeners.append(self._changed)
        try:
            while True:
                await self._look()
                self._doubt.clear()
                if any(self._installed.missing(kind) for kind in KINDS):
                    await self._clock.sleep(LOOK_SECONDS)
                else:
                    await self._doubt.wait()
        finally:
            self._installed.listeners.remove(self._changed)

    def _changed(self, resource: Resource) -> None:
        self._doubt.set()

    async def _look(self) -> None:
        try:
            body = await self._client.openapi(KINDS[0])
            schemas = msgspec.json.decode(body, type=_Document).components.schemas
        except (ApiError, msgspec.MsgspecError) as error:
            log.debug("schemas not read", because=str(error))
            return
        for kind in KINDS:
            reversed_group = ".".join(reversed(kind.group.split(".")))
            schema = schemas.get(f"{reversed_group}.{kind.version}.{kind.kind}")
            if schema is not None:
                self._installed.saw_schema(kind, object_shape(msgspec.json.decode(schema)))
