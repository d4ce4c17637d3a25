"""Watches: what is missing for one namespace keeps only its own flows waiting."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE, NAMESPACE
from jobflow.app import App
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.transport import Request, Response, Transport
from jobflow.local.apiserver.streams import Answer
from jobflow.local.controlplane import ControlPlane, LocalSettings
from jobflow.testing.builders import flow, template
from jobflow.testing.clock import VirtualClock

pytestmark = pytest.mark.looptime

FORBIDDEN = msgspec.json.encode({"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no rights here"})


class Narrow(Transport):
    """Refuses what is asked of one path."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.forbidden = ""
        self.asked: list[str] = []

    def _refuses(self, request: Request) -> bool:
        self.asked.append(request.path)
        return bool(self.forbidden) and self.forbidden in request.path

    async def request(self, request: Request, timeout: float) -> Response:
        if self._refuses(request):
            return Response(403, FORBIDDEN)
        return await self._inner.request(request, timeout)

    @asynccontextmanager
    async def stream(self, request: Request, silence: float):
        if self._refuses(request):
            yield Answer.whole(Response(403, FORBIDDEN))
            return
        async with self._inner.stream(request, silence) as stream:
            yield stream

    async def close(self) -> None:
        await self._inner.close()


def written(body, namespace: str):
    named = {"name": body["metadata"]["name"], "namespace": namespace}
    return {key: body[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": named}


async def phase(client: Client, namespace: str) -> str:
    found = msgspec.json.decode(await client.get(JOB_FLOW, namespace, "f"))
    return found.get("status", {}).get("state", {}).get("phase", "")


@pytest.mark.parametrize("kind", ["jobs", "jobtemplates", "jobflows"])
async def test_missing_rights_in_one_namespace(tmp_path: Path, kind: str) -> None:
    clock, stop = VirtualClock(), asyncio.Event()
    async with ControlPlane(LocalSettings(scratch=tmp_path, runtime="simulate", controller=False), clock) as plane:
        user = Client(plane.transport(), clock)
        for namespace in ("open", "shut"):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            await user.create(NAMESPACE, None, body)
            await user.create(JOB_TEMPLATE, namespace, written(template("a").task("main").body(), namespace))
            await user.create(JOB_FLOW, namespace, written(flow("f").step("a").body(), namespace))
        transport = Narrow(plane.transport())
        transport.forbidden = f"/namespaces/shut/{kind}"
        app = App(Client(transport, clock), clock, Settings(namespaces=("open", "shut")))
        running = asyncio.create_task(app.run(stop))
        await asyncio.sleep(60)
        assert (await phase(user, "open"), await phase(user, "shut")) == ("Succeed", "")
        assert any("in shut: forbidden: no rights here" in line for line in app.unready())
        assert not any("in open" in line for line in app.unready())

        transport.forbidden = ""
        await asyncio.sleep(90)
        assert (await phase(user, "shut"), app.unready()) == ("Succeed", [])
        stop.set()
        await running


async def test_children_are_listed_before_templates_before_flows(tmp_path: Path) -> None:
    clock, stop = VirtualClock(), asyncio.Event()
    async with ControlPlane(LocalSettings(scratch=tmp_path, runtime="simulate", controller=False), clock) as plane:
        transport = Narrow(plane.transport())
        app = App(Client(transport, clock), clock, Settings())
        running = asyncio.create_task(app.run(stop))
        await app.synced.wait()
        kinds = [path.rpartition("/")[2] for path in transport.asked]
        first = [kinds.index(kind) for kind in ("jobs", "jobtemplates", "jobflows")]
        assert first == sorted(first)
        stop.set()
        await running
