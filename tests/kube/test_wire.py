"""Reflector, client and HttpTransport together, over a real socket that breaks."""

from __future__ import annotations

import asyncio
from random import Random

from aiohttp import web

from jobflow.clock import SystemClock
from jobflow.kube.client import Client
from jobflow.kube.http import connect
from jobflow.kube.reflector import Reflector


class Versions:
    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.lists = 0
        self.reached = asyncio.Event()

    def replace(self, objects, resource_version: str) -> None:
        self.lists += 1
        self.held = {obj.name: obj.version for obj in objects}

    def put(self, obj) -> None:
        self.held[obj.name] = obj.version
        if obj.version == "9":
            self.reached.set()

    def remove(self, obj) -> None:
        del self.held[obj.name]


async def test_a_watch_goes_on_after_resets_half_lines_and_errors(api, codec, server, kubeconfig):
    """Each stream brings one event and breaks its own way; nothing is lost, and the list is not read again."""
    ways = [
        (api.event("ADDED", "b", "6") + b"\n", "reset"),
        (api.event("ADDED", "c", "7") + b"\n" + api.event("ADDED", "d", "8")[:20], "end"),
        (b"", "refuse"),
        (api.event("DELETED", "b", "8") + b"\n", "end"),
        (api.event("MODIFIED", "a", "9") + b"\n", "stay"),
    ]
    watched: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.Response(body=api.page("a", version="5").body)
        watched.append(request.query["resourceVersion"])
        sent, then = ways.pop(0)
        if then == "refuse":
            return web.Response(status=500, text="out of order")
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(sent)
        await asyncio.sleep(0.05 if then != "stay" else 3600)
        if then == "reset":
            request.transport.abort()
        return response

    server.handler = handler
    transport = await connect(kubeconfig(server.port))
    client = Client(transport, SystemClock(), random=Random(1))
    sink = Versions()
    reflector = Reflector(client, SystemClock(), api.widget, codec, sink)
    running = asyncio.create_task(reflector.run())
    await asyncio.wait_for(sink.reached.wait(), 20)
    assert sink.held == {"a": "9", "c": "7"}
    assert watched == ["5", "6", "7", "7", "8"]
    assert sink.lists == 1
    assert reflector.problem is None
    running.cancel()
    await asyncio.wait({running})
    await transport.close()
