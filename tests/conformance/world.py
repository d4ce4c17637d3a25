"""World: one control plane, embedded or real, and the controller at work in a namespace of it.

In: flows and templates as builders write them. Out: what the API server says of them, read as users read it. Waiting is
for states, with a bound; nothing here measures.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB, Resource
from jobflow.app import App
from jobflow.clock import SystemClock
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.errors import NotFound
from jobflow.testing.builders import TemplateBuilder, template

SETTLE_SECONDS = 30.0
DRAIN_SECONDS = 30.0
QUIET_SECONDS = 1.0

Body = dict[str, Any]


@dataclass
class World:
    """A client of one API server, and a namespace of the test's own."""

    plane: str
    client: Client
    namespace: str

    async def create(self, resource: Resource, body: Body, **metadata: Any) -> Body:
        """Create what a user would write: the server's own metadata is left out."""
        status = body.get("status")
        written = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": body["metadata"]["name"], **metadata},
            **{key: value for key, value in body.items() if key == "spec"},
        }
        made = await self.client.create(resource, self.namespace, written)
        if status:
            name = body["metadata"]["name"]
            made = await self.client.patch(resource, self.namespace, name, {"status": status}, subresource="status")
        return msgspec.json.decode(made)

    async def templates(self, *named: str | TemplateBuilder) -> None:
        """JobTemplates of one task, or as built."""
        for one in named:
            built = template(one).task("main") if isinstance(one, str) else one
            await self.create(JOB_TEMPLATE, built.body())

    async def read(self, resource: Resource, name: str) -> Body | None:
        """The object, or None."""
        try:
            return msgspec.json.decode(await self.client.get(resource, self.namespace, name))
        except NotFound:
            return None

    async def flow(self, name: str) -> Body:
        """The JobFlow."""
        found = await self.read(JOB_FLOW, name)
        assert found is not None, f"JobFlow {name} is gone"
        return found

    async def jobs(self) -> dict[str, Body]:
        """All Jobs by name."""
        pages = [msgspec.json.decode(page) async for page in self.client.list(VOLCANO_JOB, self.namespace)]
        return {job["metadata"]["name"]: job for page in pages for job in page["items"]}

    async def until(self, name: str, holds: Callable[[Body], bool]) -> Body:
        """The status of a flow, once it holds."""
        status: Body = {}
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while True:
                    status = (await self.flow(name)).get("status", {})
                    if holds(status):
                        return status
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"flow {name} stands at {status}") from None

    async def phase(self, name: str, phase: str) -> Body:
        """The status of a flow, once it is in a phase."""
        return await self.until(name, lambda status: status.get("state", {}).get("phase") == phase)

    async def eventually(self, look: Callable[[], Any]) -> Any:
        """What `look` gives, once that is true."""
        async with asyncio.timeout(SETTLE_SECONDS):
            while not (found := await look()):
                await asyncio.sleep(0.02)
        return found

    async def is_quiet(self, name: str) -> None:
        """Nothing is written to the flow at rest."""
        before = (await self.flow(name))["metadata"]["resourceVersion"]
        await asyncio.sleep(QUIET_SECONDS)
        assert (await self.flow(name))["metadata"]["resourceVersion"] == before, "something is written at rest"

    @asynccontextmanager
    async def controller(self) -> AsyncIterator[App]:
        """The real controller, confined to the namespace; drains at the end."""
        stop = asyncio.Event()
        app = App(self.client, SystemClock(), Settings(namespaces=(self.namespace,)))
        running = asyncio.create_task(app.run(stop), name="controller")
        try:
            yield app
        finally:
            stop.set()
            async with asyncio.timeout(DRAIN_SECONDS):
                await running
