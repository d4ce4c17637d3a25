"""Sources: the objects that pods take variables and files from: ConfigMaps and Secrets, and tokens.

In: names, from pods that are about to start. Out: their data as the API server has it now, and a word when one of them
changed. Only names are watched and held: data is read when a container needs it, as kubelets may do.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import msgspec

from jobflow.api.metadata import ObjectMeta
from jobflow.api.resources import CONFIG_MAP, SECRET, Resource
from jobflow.cache.store import Store
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.errors import NotFound
from jobflow.kube.reflector import Reflector


class Source(StrEnum):
    """A kind that has data, as messages call it."""

    CONFIG_MAP = "configmap"
    SECRET = "secret"


class ObjectName(NamedTuple):
    """A ConfigMap or Secret in a pod's namespace."""

    kind: Source
    name: str


Data = Mapping[str, bytes]
Objects = Mapping[ObjectName, Data | None]
Changed = Callable[[str, ObjectName], None]  # namespace, which

_RESOURCES: dict[Source, Resource] = {Source.CONFIG_MAP: CONFIG_MAP, Source.SECRET: SECRET}


class Sources(Protocol):
    """Where data comes from."""

    async def run(self, changed: Changed) -> None:
        """Tell of each object that appears, changes or goes, until cancelled."""

    async def data(self, namespace: str, name: ObjectName) -> Data | None:
        """What the object has; None where there is no such object."""


class NoSources:
    """A machine without an API server: nothing is there."""

    async def run(self, changed: Changed) -> None:
        """Nothing ever changes."""
        await asyncio.Event().wait()

    async def data(self, namespace: str, name: ObjectName) -> Data | None:
        """None."""
        return None


class _Named(msgspec.Struct, frozen=True, gc=False):
    """An object whose data is not looked at."""

    metadata: ObjectMeta


class ApiSources:
    """Data from an API server."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def run(self, changed: Changed) -> None:
        """Watch both kinds."""
        async with asyncio.TaskGroup() as group:
            for kind, resource in _RESOURCES.items():
                store = _names(kind, changed)
                reflector = Reflector(self._client, self._clock, resource, Codec(_Named, _meta), store)
                group.create_task(reflector.run(), name=f"{resource.plural} reflector")

    async def data(self, namespace: str, name: ObjectName) -> Data | None:
        """What the object has now."""
        if not name.name:
            return None
        try:
            body = await self._client.get(_RESOURCES[name.kind], namespace, name.name)
        except NotFound:
            return None
        return _data_of(name.kind, msgspec.json.decode(body))


def _names(kind: Source, changed: Changed) -> Store[tuple[str, str], ObjectMeta]:
    def told(old: ObjectMeta | None, new: ObjectMeta | None) -> None:
        meta = new or old
        assert meta is not None
        changed(meta.namespace, ObjectName(kind, meta.name))

    return Store(lambda meta: (meta.namespace, meta.name), told)


def _meta(named: _Named) -> ObjectMeta:
    meta = named.metadata
    return ObjectMeta(meta.name, meta.namespace, resourceVersion=meta.resourceVersion)


def _data_of(kind: Source, body: dict[str, Any]) -> dict[str, bytes]:
    text, encoded = body.get("data") or {}, body.get("binaryData") or {}
    if kind is Source.SECRET:
        text, encoded = {}, text
    data = {key: str(value).encode() for key, value in text.items()}
    for key, value in encoded.items():
        try:
            data[key] = base64.b64decode(value or "")
        except (binascii.Error, ValueError):
            data[key] = str(value).encode()  # stored by a server that does not check
    return data
