"""Wire: requests to an API server with as little round them as aiohttp allows.

In: a kubeconfig as `jobflow.local.apiserver.wire.kubeconfig` writes it, paths, bodies as bytes. Out: answers as bytes,
lines of watches. The load driver and the ideal client use it, so that they take no more of the machine than they must,
and so that what is measured is not what measures. Nothing is retried but 429: whatever else fails ends the measurement.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import yaml
from yarl import URL

from bench.errors import BenchError
from jobflow.kube.transport import JSON, MERGE_PATCH
from jobflow.local.apiserver.wire.kubeconfig import CONTEXT

PAGE = 500
CONNECTIONS = 64
BOOKMARK = b'{"type":"BOOKMARK"'
LINE_BYTES = 2**20  # aiohttp's buffer: half of the longest line it gives
REQUEST_SECONDS = 60.0
TOLD_BYTES = 300
EMPTY_WATCHES = 5  # in a row
PAUSE_SECONDS = 0.2
CLOSING_SECONDS = 0.05  # aiohttp does not wait until closed connections are gone

Lines = AsyncIterator[bytes]


class Refused(BenchError):
    """An answer that is not 2xx."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(told)
        self.status = status


class _ListMeta(msgspec.Struct, frozen=True):
    version: str = msgspec.field(name="resourceVersion", default="")
    token: str = msgspec.field(name="continue", default="")


class _Listed(msgspec.Struct, frozen=True):
    metadata: _ListMeta


class _List(msgspec.Struct, frozen=True):
    metadata: _ListMeta
    items: list[msgspec.Raw] = []


class _Event(msgspec.Struct, frozen=True):
    object: _Listed


_list = msgspec.json.Decoder(_List)
_event = msgspec.json.Decoder(_Event)


class Wire:
    """One API server, one identity. To be made in a running loop, and closed."""

    def __init__(self, kubeconfig: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        cluster = document["clusters"][0]["cluster"]
        ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        token = next(user["user"]["token"] for user in document["users"] if user["name"] == CONTEXT)
        context = ssl.create_default_context(cadata=ca)
        self._server: str = cluster["server"]
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0, limit_per_host=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Authorization": f"Bearer {token}", "Accept": JSON},
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=LINE_BYTES,
        )
        self._turns = asyncio.Semaphore(CONNECTIONS)

    async def get(self, path: str) -> bytes:
        """One object, or a list that is short."""
        return await self._ask("GET", path, b"", JSON)

    async def post(self, path: str, body: bytes) -> bytes:
        """Create."""
        return await self._ask("POST", path, body, JSON)

    async def put(self, path: str, body: bytes) -> bytes:
        """Replace."""
        return await self._ask("PUT", path, body, JSON)

    async def patch(self, path: str, body: bytes) -> bytes:
        """Merge."""
        return await self._ask("PATCH", path, body, MERGE_PATCH)

    async def delete(self, path: str, body: bytes = b"") -> bytes:
        """Delete; `body` are DeleteOptions."""
        return await self._ask("DELETE", path, body, JSON)

    async def list(self, path: str) -> tuple[list[msgspec.Raw], str]:
        """All objects, and the version they are at."""
        found: list[msgspec.Raw] = []
        token = ""
        while True:
            page = _list.decode(await self.get(f"{path}?limit={PAGE}" + (f"&continue={token}" if token else "")))
            found += page.items
            token = page.metadata.token
            if not token:
                return found, page.metadata.version

    async def follow(self, path: str) -> Lines:
        """What there is, as if it had just been added, and then what changes."""
        found, version = await self.list(path)
        for item in found:
            yield b'{"type":"ADDED","object":' + bytes(item) + b"}"
        empty = 0  # kube-apiserver ends the watches of a kind whose CRD it takes up anew
        while True:
            last = b""
            async for line in self.watch(path, version):
                last = line
                if not line.startswith(BOOKMARK):
                    yield line
            empty = 0 if last else empty + 1
            if empty == EMPTY_WATCHES:
                raise BenchError(f"the API server ended the watch of {path} at once: is it still running?")
            if empty:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            version = _event.decode(last).object.metadata.version  # it ends watches that are read too slowly

    async def watch(self, path: str, version: str) -> Lines:
        """What changes after a version, bookmarks too, until the server ends it."""
        query = f"{path}?watch=1&allowWatchBookmarks=true&resourceVersion={version}"
        async with self._session.get(URL(self._server + query, encoded=True)) as answer:
            if answer.status != 200:
                raise Refused(answer.status, await _told("watch", path, answer))
            try:
                while line := await answer.content.readline():
                    yield line
            finally:
                if answer.connection is not None and answer.connection.transport is not None:
                    answer.connection.transport.abort()  # TLS would say goodbye, and outlast the event loop

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        await asyncio.sleep(CLOSING_SECONDS)

    async def _ask(self, method: str, path: str, body: bytes, content_type: str) -> bytes:
        headers = {"Content-Type": content_type} if body else None
        url = URL(self._server + path, encoded=True)
        while True:
            async with (
                self._turns,
                asyncio.timeout(REQUEST_SECONDS),
                self._session.request(method, url, data=body or None, headers=headers) as answer,
            ):
                if 200 <= answer.status < 300:
                    return await answer.read()
                if answer.status != 429:
                    raise Refused(answer.status, await _told(method, path, answer))
                pause = float(answer.headers.get("Retry-After", "1"))
            await asyncio.sleep(pause)


async def _told(method: str, path: str, answer: aiohttp.ClientResponse) -> str:
    body = (await answer.read())[:TOLD_BYTES].decode(errors="replace")
    return f"{method} {path}: {answer.status}: {body}"
