"""A scripted API server below the Transport seam, a real HTTP server on loopback, and a kind small enough to read."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

import msgspec
import pytest
import yaml
from aiohttp import web

from jobflow.api.metadata import ObjectMeta
from jobflow.api.resources import Resource
from jobflow.clock import SystemClock
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.transport import Request, Response

WIDGET = Resource("example.com", "v1", "widgets", "Widget")
OPEN = "open"  # how a stream ends that does not end


class Widget(msgspec.Struct, frozen=True, gc=False):
    metadata: ObjectMeta
    size: int = 0


@dataclass(frozen=True)
class View:
    name: str
    version: str
    size: int = 0


def view(widget: Widget) -> View:
    if widget.size < 0:
        raise ValueError("size is negative")
    return View(widget.metadata.name, widget.metadata.resourceVersion, widget.size)


@dataclass
class ScriptedStream:
    """Lines, and seconds between them; then `end`: None is EOF, OPEN never comes, an exception is raised."""

    parts: tuple[bytes | float, ...] = ()
    end: object = None
    status: int = 200
    refusal: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    async def body(self) -> bytes:
        return self.refusal

    async def lines(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
            else:
                await asyncio.sleep(part)
        if isinstance(self.end, Exception):
            raise self.end
        if self.end == OPEN:
            await asyncio.Event().wait()


class ScriptedApi:
    """Answers in the order given; the last answer of lists, of watches and of other requests repeats."""

    page_type = Response
    widget = WIDGET

    def __init__(self) -> None:
        self.lists: list[object] = []
        self.watches: list[object] = []
        self.others: list[object] = []
        self.log: list[tuple[float, Request]] = []
        self.running = self.most_running = 0
        self.latency = 0.0
        self.closed = False

    async def request(self, request: Request, timeout: float) -> Response:
        self.log.append((asyncio.get_running_loop().time(), request))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(self.latency)
        finally:
            self.running -= 1
        is_list = request.method == "GET" and dict(request.query).get("limit")
        answer = _next(self.lists if is_list else self.others)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @asynccontextmanager
    async def stream(self, request: Request, silence: float) -> AsyncIterator[ScriptedStream]:
        self.log.append((asyncio.get_running_loop().time(), request))
        answer = _next(self.watches)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Response):
            answer = ScriptedStream(status=answer.status, refusal=answer.body, headers=answer.headers)
        yield answer

    async def close(self) -> None:
        self.closed = True

    # answers

    @staticmethod
    def page(*names: str, version: str, more: str = "") -> Response:
        items = [{"metadata": {"name": name, "resourceVersion": version}} for name in names]
        meta = {"resourceVersion": version, "continue": more}
        return Response(200, msgspec.json.encode({"kind": "WidgetList", "metadata": meta, "items": items}))

    @staticmethod
    def refusal(code: int, reason: str = "", headers: dict | None = None, **more: object) -> Response:
        body = {
            "kind": "Status",
            "status": "Failure",
            "code": code,
            "reason": reason,
            "message": reason,
            **more,
        }
        return Response(code, msgspec.json.encode(body), headers or {})

    @staticmethod
    def stream_of(*parts: bytes | float, end: object = OPEN) -> ScriptedStream:
        return ScriptedStream(parts, end)

    @staticmethod
    def event(kind: str, name: str, version: str, **fields: object) -> bytes:
        obj = {"metadata": {"name": name, "resourceVersion": version}, **fields}
        return msgspec.json.encode({"type": kind, "object": obj})

    @staticmethod
    def bookmark(version: str) -> bytes:
        obj = {"kind": "Widget", "metadata": {"resourceVersion": version, "creationTimestamp": None}}
        return msgspec.json.encode({"type": "BOOKMARK", "object": obj})

    @classmethod
    def error_event(cls, code: int, reason: str) -> bytes:
        return b'{"type":"ERROR","object":' + cls.refusal(code, reason).body + b"}"

    # what was asked

    def asked(self, verb: str) -> list[tuple[float, dict[str, str]]]:
        """(seconds since the first request, query) of each request of a verb: list, watch."""
        start = self.log[0][0]
        found = []
        for at, request in self.log:
            query = dict(request.query)
            if verb == ("watch" if "watch" in query else "list" if "limit" in query else request.method):
                found.append((at - start, query))
        return found

    def versions_watched(self) -> list[str]:
        return [query["resourceVersion"] for _, query in self.asked("watch")]


def _next(answers: list[object]) -> object:
    return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def api() -> ScriptedApi:
    return ScriptedApi()


@pytest.fixture
def client(api: ScriptedApi) -> Client:
    return Client(api, SystemClock(), random=Random(1))


@pytest.fixture
def codec() -> Codec[View]:
    return Codec(Widget, view)


class Server:
    """An aiohttp server whose one handler is a test's; it remembers the requests."""

    def __init__(self) -> None:
        self.handler = None
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.port = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        return await self.handler(request)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


def write_kubeconfig(directory: Path, port: int, **changes: object) -> str:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}", **changes.get("cluster", {})}}],
        "users": [{"name": "u", "user": changes.get("user", {"token": "secret"})}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", **changes.get("context", {})}}],
    }
    path = directory / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return str(path)


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Callable[..., str]:
    """Writes a kubeconfig for a port of this host, with changes to its user, cluster and context."""
    return partial(write_kubeconfig, tmp_path)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]
