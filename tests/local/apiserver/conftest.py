"""A server in memory, and a client that says what it does: `await api.create(WIDGETS, widget("a", size=3))`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, Resource
from jobflow.clock import SystemClock
from jobflow.kube.transport import JSON, MERGE_PATCH, Request, Stream, Transport
from jobflow.local.apiserver.server import ApiServer

CRDS = CUSTOM_RESOURCE_DEFINITION


@dataclass(frozen=True)
class Told:
    """An answer: status, parsed body, headers."""

    status: int
    body: Any
    headers: dict[str, str]


class Api:
    """One client of one server; methods named after verbs, answers as they are, errors included."""

    def __init__(self, server: ApiServer, transport: Transport) -> None:
        self.server = server
        self.transport = transport

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Told:
        content_type = options.pop("content_type", JSON)
        accept = options.pop("accept", JSON)
        query = tuple((name, str(value)) for name, value in options.items())
        raw = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        request = Request(method, path, query, raw, content_type, accept)
        response = await self.transport.request(request, timeout=10)
        is_json = response.headers.get("content-type", "").startswith(JSON)
        told = msgspec.json.decode(response.body) if is_json else response.body
        return Told(response.status, told, dict(response.headers))

    async def create(self, resource: Resource, obj: Any, namespace: str | None = "default", **options: Any) -> Told:
        return await self.call("POST", resource.path(namespace), obj, **options)

    async def get(self, resource: Resource, name: str, namespace: str | None = "default", **options: Any) -> Told:
        return await self.call("GET", resource.path(namespace, name), **options)

    async def list(self, resource: Resource, namespace: str | None = "default", **options: Any) -> Told:
        return await self.call("GET", resource.path(namespace), **options)

    async def replace(self, resource: Resource, obj: Any, subresource: str | None = None, **options: Any) -> Told:
        metadata = obj["metadata"]
        path = resource.path(metadata.get("namespace", "default"), metadata["name"], subresource)
        return await self.call("PUT", path, obj, **options)

    async def patch(
        self, resource: Resource, name: str, change: Any, subresource: str | None = None, **options: Any
    ) -> Told:
        options.setdefault("content_type", MERGE_PATCH)
        namespace = options.pop("namespace", "default")
        return await self.call("PATCH", resource.path(namespace, name, subresource), change, **options)

    async def delete(
        self, resource: Resource, name: str, options: Any = None, namespace: str | None = "default", **query: Any
    ) -> Told:
        return await self.call("DELETE", resource.path(namespace, name), options, **query)

    async def names(self, resource: Resource, namespace: str | None = "default", **options: Any) -> list[str]:
        told = await self.list(resource, namespace, **options)
        assert told.status == 200, told.body
        return [item["metadata"]["name"] for item in told.body["items"]]

    @contextlib.asynccontextmanager
    async def watching(
        self, resource: Resource, namespace: str | None = "default", **query: Any
    ) -> AsyncIterator[Watching]:
        options = tuple((name, str(value)) for name, value in {"watch": "true", **query}.items() if name != "accept")
        request = Request("GET", resource.path(namespace), options, accept=query.get("accept", JSON))
        async with self.transport.stream(request, silence=90) as stream:
            yield Watching(stream)

    async def gone(self, resource: Resource, name: str, namespace: str | None = "default") -> None:
        """Return once the object is no longer there."""
        selector = f"metadata.name={name}"
        listed = (await self.list(resource, namespace, fieldSelector=selector)).body
        if not listed["items"]:
            return
        version = listed["metadata"]["resourceVersion"]
        async with self.watching(resource, namespace, resourceVersion=version, fieldSelector=selector) as watch:
            while (await watch.next())["type"] != "DELETED":
                pass


class Watching:
    """A watch that is open."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.status = stream.status
        self._lines = stream.lines()

    async def next(self) -> Any:
        """The next event, parsed."""
        return msgspec.json.decode(await asyncio.wait_for(anext(self._lines), 3600))

    async def take(self, count: int) -> list[tuple[str, str]]:
        """The next events as type and name."""
        events = [await self.next() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]

    async def rest(self) -> list[Any]:
        """All events until the stream ends."""
        return [msgspec.json.decode(line) async for line in self._lines]


def crd(
    plural: str = "widgets", kind: str = "Widget", *, status: bool = True, namespaced: bool = True
) -> dict[str, Any]:
    """A CRD with a `spec.size` (integer, at least 0, default 1) and a `status.phase`."""
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer", "minimum": 0, "default": 1},
                    "color": {"type": "string"},
                },
            },
            "status": {"type": "object", "properties": {"phase": {"type": "string"}, "ready": {"type": "integer"}}},
        },
    }
    version: dict[str, Any] = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
        "selectableFields": [{"jsonPath": ".spec.color"}],
    }
    if status:
        version["subresources"] = {
            "status": {},
            "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.ready"},
        }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced" if namespaced else "Cluster",
            "names": {"plural": plural, "kind": kind},
            "versions": [version],
        },
    }


@pytest.fixture(name="crd")
def crd_builder() -> Any:
    return crd


@pytest.fixture
def widgets() -> Resource:
    return Resource("example.com", "v1", "widgets", "Widget")


@pytest.fixture
def widget() -> Any:
    """widget("a", size=3, labels={...}, owners=[...])."""

    def build(name: str, *, owners: tuple[Any, ...] = (), block: bool = False, **more: Any) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name}
        for field in ("labels", "annotations", "finalizers", "namespace"):
            if field in more:
                metadata[field] = more.pop(field)
        if owners:
            metadata["ownerReferences"] = [owner_reference(owner, block=block) for owner in owners]
        return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata, "spec": more}

    return build


def owner_reference(owner: dict[str, Any], *, block: bool = False) -> dict[str, Any]:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": block,
    }


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A client of a server in memory that serves Widgets."""
    async with ApiServer(SystemClock()) as server:
        client = Api(server, server.transport())
        told = await client.create(CRDS, crd(), None)
        assert told.status == 201, told.body
        yield client


@pytest.fixture
def client() -> type[Api]:
    """The class, for tests that open their own server: `client(server, server.transport())`."""
    return Api
