"""Servers that probes ask: some answer when they are told to, some never do, some mean no good.

In: on standard input one line, `open EPOCH PER_SECOND`: the server of number i is ready at EPOCH + i / PER_SECOND.
Out: on standard output one JSON object of ports by kind. They listen on loopback only, on many of its addresses, so
that they are many hosts to whoever counts connections by host. A process of its own, so that it takes no time of what
is measured.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from jobflow.local.apiserver.wire.certificates import Certificate

ADDRESSES = [f"127.0.{third}.{last}" for third in (1, 2) for last in range(1, 101)]
FLOOD = b"x" * 65536
DRIP_SECONDS = 60.0

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Answering:
    """`GET /i` is 200 once the time of i has come, and 503 before."""

    def __init__(self) -> None:
        self.start = float("inf")
        self.per_second = 1.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        line = await reader.readline()
        await reader.readuntil(b"\r\n\r\n")
        number = int(line.split()[1].lstrip(b"/") or 0)
        ready = time.time() >= self.start + number / self.per_second
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" if ready else b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        await writer.drain()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One byte a minute."""
    for byte in b"HTTP/1.1 200 OK\r\n\r\n":
        writer.write(bytes((byte,)))
        await asyncio.sleep(DRIP_SECONDS)


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bad status, and ten gigabytes with it."""
    writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 10000000000\r\n\r\n")
    for _ in range(10_000_000_000 // len(FLOOD)):
        writer.write(FLOOD)
        await writer.drain()


async def headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Headers without end."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Y: " + FLOOD[:8000] + b"\r\n")
        await writer.drain()


async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """To itself, for ever; 307 is outside what the probe accepts."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Not HTTP."""
    writer.write(bytes(range(256)) * 64)
    await writer.drain()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Closed as soon as it is accepted."""


async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """To clients that go on speaking TLS, which ours must not."""
    await reader.read(1)


HOSTILE: dict[str, Serve] = {
    "one byte a minute": drip,
    "ten gigabytes": flood,
    "headers without end": headers,
    "redirects to itself": redirect,
    "not HTTP": garbage,
    "hangs up": hang_up,
    "TLS asked, plain answer": garbage,
    "certificate of nobody": nothing,
}
TLS = frozenset({"TLS asked, plain answer", "certificate of nobody"})  # asked by HTTPS
CERTIFIED = "certificate of nobody"
DEAD = "never accepts"


async def main() -> None:
    """Serve until standard input ends."""
    answering = Answering()
    ports = {"answering": await _listen(answering.serve)}
    for name, serve in HOSTILE.items():
        ports[name] = await _listen(serve, _unknown() if name == CERTIFIED else None)
    sockets = _dead()
    ports[DEAD] = sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        _, start, per_second = line.split()
        answering.start, answering.per_second = float(start), float(per_second)


async def _listen(serve: Serve, tls: ssl.SSLContext | None = None) -> int:
    """On every address, at one port."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError, IndexError):
            await serve(reader, writer)
        writer.transport.abort()

    first = await asyncio.start_server(connected, ADDRESSES[0], 0, backlog=1024, ssl=tls)
    port: int = first.sockets[0].getsockname()[1]
    for address in ADDRESSES[1:]:
        await asyncio.start_server(connected, address, port, backlog=1024, ssl=tls)
    return port


def _unknown() -> ssl.SSLContext:
    """With a certificate that no client has reason to trust."""
    return Certificate.create().server_context()


def _dead() -> list[socket.socket]:
    """Sockets that listen and never accept: the kernel takes a few connections and drops the rest."""
    made = [socket.create_server((ADDRESSES[0], 0), backlog=0)]
    port = made[0].getsockname()[1]
    return made + [socket.create_server((address, port), backlog=0) for address in ADDRESSES[1:]]


if __name__ == "__main__":
    asyncio.run(main())
