"""Proxy: stands in front of the API server and does what networks do.

In: the API server's address, and a certificate where the proxy speaks TLS itself. Out: an address to put into a
kubeconfig, and faults: connections that are reset, that fall silent for good while they stay open, that are refused;
a certificate that changes. Bytes are otherwise passed as they come. It runs in a thread of its own: the tests of
processes have no event loop.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time at all: closing sends RST
CHUNK = 65536
ANSWER_SECONDS = 30.0


@dataclass(eq=False)
class _Connection:
    """One client's, and ours to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
            while data := await source.read(CHUNK):
                await self.goes_on.wait()
                sink.write(data)
                await sink.drain()

    def cut(self, *, reset: bool) -> None:
        for writer in (self.client, self.server):
            raw = writer.get_extra_info("socket")
            if reset and raw is not None:
                with suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


class Proxy:
    """Listens on loopback from the start; `port` stays the same whatever happens."""

    def __init__(self, url: str, trusted: ssl.SSLContext, certificate: ssl.SSLContext | None = None) -> None:
        """`trusted` is by whom the API server is known, where the proxy ends TLS with a `certificate` of its own."""
        address = urlsplit(url)
        assert address.hostname
        assert address.port
        self._address = (address.hostname, address.port)
        self._trusted = trusted
        self._certificate = certificate
        self._open: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self.accepted = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._thread.start()
        self._do(self._listen)

    @property
    def url(self) -> str:
        """For kubeconfigs."""
        return f"https://127.0.0.1:{self.port}"

    def reset(self) -> int:
        """RST on all connections; how many there were."""
        return self._do(self._cut, True)

    def silence(self) -> int:
        """Nothing is passed any more on the connections there are, and none is closed; how many there are."""
        return self._do(self._freeze)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """All connections are cut, and new ones refused."""
        self._do(self._shut)
        self._do(self._cut, True)
        yield
        self._do(self._listen)

    def show(self, certificate: ssl.SSLContext) -> None:
        """Another certificate from now on; open connections end, as when a server is restarted."""
        self._do(self._shut)
        self._certificate = certificate
        self._do(self._cut, False)
        self._do(self._listen)

    def close(self) -> None:
        """End it."""
        self._do(self._shut)
        self._do(self._cut, True)
        self._do(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, what: Callable[..., Coroutine[Any, Any, Any]], *how: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what(*how), self._loop).result(ANSWER_SECONDS)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._certificate)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _cut(self, reset: bool) -> int:
        cut = list(self._open)
        for connection in cut:
            connection.cut(reset=reset)
        return len(cut)

    async def _freeze(self) -> int:
        for connection in self._open:
            connection.goes_on.clear()
        return len(self._open)

    async def _end(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        try:
            await self._pass(reader, writer)
        except OSError:
            writer.transport.abort()  # no API server behind us
        finally:
            self._tasks.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        trusted = self._trusted if self._certificate else None
        from_server, to_server = await asyncio.open_connection(*self._address, ssl=trusted)
        connection = _Connection(writer, to_server)
        connection.goes_on.set()
        self._open.add(connection)
        pumps = [
            asyncio.create_task(connection.pump(reader, to_server)),
            asyncio.create_task(connection.pump(from_server, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
            self._open.discard(connection)
            connection.cut(reset=False)
