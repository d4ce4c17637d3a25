"""Both: one request to two servers, and their answers compared in normal form.

In: a request as a test writes it; where it needs what a server said before (a resourceVersion, a continue token), a
function of what that server has `seen`. Out: each difference that is not on the allowance as `path: embedded | real`;
a test with any fails at its end.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from conformance import normal
from conformance.allowance import allowed

from jobflow.kube.http import connect
from jobflow.kube.transport import JSON, Request, Transport

KUBECTL = Path(sys.executable).with_name("kubectl")
REQUEST_SECONDS = 30.0
WATCH_SECONDS = 20.0  # for the events that a test waits for
KUBECTL_SECONDS = 90.0
TOLD_CHARACTERS = 600  # of a value that differs
SETTLE_SECONDS = 30.0  # kube-controller-manager's collector needs a second or two
TELLING = ("status", "code", "body.message", "out[0]", "err[0]")  # what is told of answers that are not alike at all
TELLING_OF_EVENTS = ("events[0].type", "events[0].object.message", "events[0].status")

Seen = dict[str, Any]
Varying = Any  # a value, or a function of Seen that gives it


@dataclass
class Side:
    """One server: a way to it, a kubeconfig, and the last object seen under each name."""

    name: str
    transport: Transport
    kubeconfig: Path
    seen: Seen = field(default_factory=dict)

    async def ask(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        """Send it; an answer that is not JSON is taken as text."""
        answer = await self.transport.request(request, REQUEST_SECONDS)
        try:
            told = json.loads(answer.body)
        except ValueError:
            told = answer.body.decode()
        if isinstance(told, dict):
            self.seen[""] = told
            if "metadata" in told and told.get("kind") != "Status":
                self.seen[told["metadata"].get("name", "list")] = told
        return answer.status, told, dict(answer.headers)

    async def events(self, request: Request, count: int) -> list[Any]:
        """The first `count` events of a watch, or the one answer that is not a watch."""
        found: list[Any] = []
        async with asyncio.timeout(WATCH_SECONDS), self.transport.stream(request, WATCH_SECONDS) as stream:
            if stream.status != 200:
                return [{"status": stream.status, "body": json.loads(await stream.body())}]
            async for line in stream.lines():
                found.append(json.loads(line))
                if len(found) == count:
                    break
        return found


@dataclass
class Both:
    """The embedded server and the real one, seen from a namespace that both have."""

    embedded: Side
    real: Side
    namespace: str
    differ: list[str] = field(default_factory=list)  # what was not allowed so far

    @property
    def sides(self) -> tuple[Side, Side]:
        """The embedded one first."""
        return self.embedded, self.real

    @asynccontextmanager
    async def as_user(self, tokens: Sequence[str]) -> AsyncIterator[Both]:
        """The same two servers, asked with other bearer tokens; differences are noted here."""
        async with AsyncExitStack() as stack:
            sides = []
            for side, token in zip(self.sides, tokens, strict=True):
                home = side.kubeconfig.parent / f"as-{hash(token)}"
                document = yaml.safe_load(side.kubeconfig.read_text())
                document["users"][0]["user"] = {"token": token}
                home.mkdir(exist_ok=True)
                (home / "kubeconfig").write_text(yaml.safe_dump(document))
                (home / "kubeconfig").chmod(0o600)
                transport = await connect(str(home / "kubeconfig"))
                stack.push_async_callback(transport.close)
                sides.append(Side(side.name, transport, home / "kubeconfig"))
            yield Both(*sides, self.namespace, self.differ)

    async def send(
        self,
        method: str,
        path: str,
        body: Varying = None,
        /,
        content_type: str = JSON,
        accept: str = JSON,
        **query: Varying,
    ) -> list[Any]:
        """Send to both and compare status, headers and body; returns both bodies as they came."""
        requests = [self._request(side, method, path, body, query, content_type, accept) for side in self.sides]
        answers = [await side.ask(request) for side, request in zip(self.sides, requests, strict=True)]
        normals = [
            {"status": status, "headers": normal.headers(headers), "body": normal.body(told)}
            for status, told, headers in answers
        ]
        self.compare(_asked(requests[0]), *normals)
        return [told for _, told, _ in answers]

    async def watch(self, path: str, count: int, /, accept: str = JSON, **query: Varying) -> list[list[Any]]:
        """The first `count` events of the same watch on both, compared."""
        query = {"watch": "1", **query}
        requests = [self._request(side, "GET", path, None, query, JSON, accept) for side in self.sides]
        found = [await side.events(request, count) for side, request in zip(self.sides, requests, strict=True)]
        self.compare(_asked(requests[0]), *({"events": normal.body(events)} for events in found))
        return found

    async def agree(self, path: str, fact: Callable[[int, Any], bool], /, **query: Varying) -> None:
        """GET until `fact` of status and body holds on each side; for what happens after the answer."""
        for side in self.sides:
            request = self._request(side, "GET", path, None, query, JSON, JSON)
            async with asyncio.timeout(SETTLE_SECONDS):
                while not fact(*(await side.ask(request))[:2]):
                    await asyncio.sleep(0.05)

    async def until(
        self,
        side: Side,
        method: str,
        path: str,
        body: Varying,
        fact: Callable[[int, Any], bool],
        /,
        **query: Varying,
    ) -> None:
        """Send to one side until `fact` of status and body holds; for what takes effect after an answer."""
        request = self._request(side, method, path, body, query, JSON, JSON)
        async with asyncio.timeout(SETTLE_SECONDS):
            while not fact(*(await side.ask(request))[:2]):
                await asyncio.sleep(0.05)

    def same(self, fact: Callable[[Seen], Any]) -> None:
        """A fact about what each server has said is the same for both."""
        told = [normal.body(fact(side.seen)) for side in self.sides]
        if told[0] != told[1]:
            self.differ.append(f"{fact.__name__}: {told[0]} | {told[1]}")

    async def kubectl(self, *words: str, stdin: str = "", env: dict[str, str] | None = None) -> str:
        """The same words to both; exit code and what is printed compared. Returns what the real one printed."""
        found = await asyncio.gather(*(self.run(side, words, stdin, env or {}) for side in self.sides))
        normals = [
            {"code": code, "out": normal.printed(out).splitlines(), "err": normal.printed(err).splitlines()}
            for code, out, err in found
        ]
        self.compare(f"kubectl {' '.join(words)}", *normals)
        return found[1][1] + found[1][2]

    async def run(self, side: Side, words: tuple[str, ...], stdin: str, env: dict[str, str]) -> tuple[int, str, str]:
        """Run kubectl against one side, in the namespace of the test."""
        home = side.kubeconfig.parent
        environment = {"HOME": str(home), "KUBECONFIG": str(side.kubeconfig), "PATH": "/usr/bin:/bin", **env}
        process = await asyncio.create_subprocess_exec(
            str(KUBECTL),
            *("--namespace", self.namespace),
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        async with AsyncExitStack() as stack:
            stack.callback(lambda: process.returncode is None and process.kill())
            async with asyncio.timeout(KUBECTL_SECONDS):
                out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    def compare(self, asked: str, embedded: Any, real: Any) -> None:
        """Take note of every difference that is not allowed; the test goes on, and fails at its end."""
        asked = asked.replace(self.namespace, "NS")
        different = list(normal.differences(embedded, real))
        if any(where in ("status", "code") for where, _, _ in different):  # an object and a refusal differ in all
            different = [row for row in different if row[0] in TELLING or not isinstance(embedded.get("body"), dict)]
        if _is_error(embedded) != _is_error(real):  # so do an event and an error in its place
            different = [row for row in different if row[0] in TELLING_OF_EVENTS]
        found = [
            f"  {where}: {_told(one)} | {_told(other)}"
            for where, one, other in different
            if not allowed(asked, where, f"{_json(one)} | {_json(other)}")
        ]
        if found:
            self.differ += [asked, *found]

    def _request(
        self, side: Side, method: str, path: str, body: Varying, query: dict[str, Varying], *types: str
    ) -> Request:
        content_type, accept = types
        given = body(side.seen) if callable(body) else body
        data = given.encode() if isinstance(given, str) else b"" if given is None else json.dumps(given).encode()
        pairs = tuple(
            (name, str(value(side.seen) if callable(value) else value))
            for name, value in query.items()
            if value is not None
        )
        path = path(side.seen) if callable(path) else path
        return Request(method, path.replace("NS", self.namespace), pairs, data, content_type, accept)


def _is_error(told: Any) -> bool:
    """Whether a watch began with an error."""
    events = told.get("events") if isinstance(told, dict) else None
    return bool(events) and isinstance(events[0], dict) and events[0].get("type") == "ERROR"


def _asked(request: Request) -> str:
    query = "&".join(f"{name}={value}" for name, value in request.query)
    told = f"{request.method} {request.path}{'?' + query if query else ''}"
    return f"{told} [{request.content_type}]" if request.body else told


def _json(value: Any) -> str:
    return "(absent)" if value is ... else json.dumps(value)


def _told(value: Any) -> str:
    text = _json(value)
    return text if len(text) < TOLD_CHARACTERS else text[:TOLD_CHARACTERS] + "..."
