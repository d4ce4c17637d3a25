"""One try of a probe, against real servers on loopback: friendly ones, and such as mean no good."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aioresponses import aioresponses

from jobflow.api.probes import HttpCheck, OfHost, PodAddress, Probe, TcpCheck, Timing
from jobflow.local.apiserver.wire.certificates import Certificate
from jobflow.probe.addresses import AddressRules, rules_of
from jobflow.probe.dial import Dialer, Tried
from jobflow.probe.resolve import Found, Unresolved

LOOPBACK = rules_of(["127.0.0.0/8", "::1/128"], [])
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Names:
    """Every name is this machine."""

    async def look_up(self, name: str) -> Found:
        if name.startswith("nowhere"):
            raise Unresolved(f"{name}: domain name not found")
        return Found(("127.0.0.1",))

    async def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def dialer(rules: AddressRules = LOOPBACK) -> AsyncIterator[Dialer]:
    dials = Dialer(Names(), rules)
    yield dials
    await dials.close()


def ask(check: HttpCheck | TcpCheck, host: str = "", timeout: int = 2) -> Probe:
    address = OfHost(host) if host else PodAddress("uid", "127.0.0.1")
    return Probe("default", address, check, Timing(timeout=timeout))


def get(port: int, path: str = "/health", **more) -> HttpCheck:
    return HttpCheck("http", port, path, **more)


@asynccontextmanager
async def serving(serve: Serve, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server whose connections are `serve`; what still talks at the end is cut."""
    open_now: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the probe hung up
        finally:
            open_now.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(connected, host, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in open_now:
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)


async def app(handler) -> tuple[web.AppRunner, int]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, runner.addresses[0][1]


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def answering(text: bytes, then: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        await writer.drain()
        if then is not None:
            await then(writer)

    return serve


@pytest.mark.parametrize(
    ("status", "accepted", "passed"),
    [
        (200, (200, 399), True),
        (302, (200, 399), True),
        (404, (200, 399), False),
        (503, (200, 399), False),
        (204, (200, 200), False),
        (404, (404, 404), True),
    ],
)
async def test_the_status_code_decides(status, accepted, passed):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else None)

    runner, port = await app(handler)
    async with dialer() as dials:
        assert await dials.dial(ask(get(port, accepted=accepted))) == Tried(passed, str(status))
    await runner.cleanup()


async def test_what_is_sent_is_what_was_written():
    seen = {}

    async def handler(request: web.Request) -> web.Response:
        seen.update(method=request.method, path=request.raw_path, headers=dict(request.headers))
        return web.Response()

    runner, port = await app(handler)
    check = get(port, "/a%20b?x=1&y=%2F", method="HEAD", headers=(("X-Token", "t"), ("Host", "inner.example")))
    async with dialer() as dials:
        await dials.dial(ask(check, host="model"))
    await runner.cleanup()
    assert (seen["method"], seen["path"]) == ("HEAD", "/a%20b?x=1&y=%2F")
    assert seen["headers"]["Host"] == "inner.example"
    assert seen["headers"]["X-Token"] == "t"
    assert seen["headers"]["User-Agent"] == "jobflow-probe"


async def test_a_host_is_told_its_own_name():
    hosts = []

    async def handler(request: web.Request) -> web.Response:
        hosts.append(request.headers["Host"])
        return web.Response()

    runner, port = await app(handler)
    async with dialer() as dials:
        await dials.dial(ask(get(port), host="model.default.svc"))
        await dials.dial(ask(get(port)))
    await runner.cleanup()
    assert hosts == [f"model.default.svc:{port}", f"127.0.0.1:{port}"]


async def test_a_redirect_is_not_followed():
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        raise web.HTTPFound("http://169.254.169.254/latest")

    runner, port = await app(handler)
    async with dialer() as dials:
        assert await dials.dial(ask(get(port))) == Tried(True, "302")
    await runner.cleanup()
    assert asked == ["/health"]


async def test_a_body_without_end_is_not_read():
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        for _ in range(10_000):
            writer.write(b"x" * 1_000_000)
            await writer.drain()
            sent += 1_000_000

    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n"
    async with serving(answering(head, flood)) as port, dialer() as dials:
        assert await dials.dial(ask(get(port))) == Tried(True, "200")
    assert sent < 50_000_000  # what the sockets of both sides hold


async def test_one_byte_a_minute_is_no_answer():
    async def drip(writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n":
            writer.write(bytes([byte]))
            await asyncio.sleep(60)

    async with serving(answering(b"", drip)) as port, dialer() as dials:
        assert await dials.dial(ask(get(port), timeout=1)) == Tried(False, "no answer within 1 s")


async def test_a_server_that_only_says_continue_is_no_answer():
    async def go_on(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving(answering(b"", go_on)) as port, dialer() as dials:
        tried = await dials.dial(ask(get(port), timeout=1))
    assert not tried.passed


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "the connection was closed before an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "the answer is not HTTP"),
    ],
)
async def test_what_is_not_an_answer_is_told(answer, said):
    async with serving(answering(answer)) as port, dialer() as dials:
        assert await dials.dial(ask(get(port))) == Tried(False, said)


async def test_a_connection_that_is_closed_at_once_is_told():
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hang up."""

    async with serving(close) as port, dialer() as dials:
        tried = await dials.dial(ask(get(port)))
    assert tried == Tried(False, "the connection was closed before an answer")


async def test_a_port_that_is_open_answers():
    async with serving(answering(b"")) as port, dialer() as dials:
        assert await dials.dial(ask(TcpCheck(port))) == Tried(True, "connected")


async def test_a_port_that_is_closed_is_told(unused_port):
    async with dialer() as dials:
        assert await dials.dial(ask(TcpCheck(unused_port))) == Tried(False, "connection refused")
        assert await dials.dial(ask(get(unused_port))) == Tried(False, "connection refused")


async def test_ipv6_is_spoken():
    async with serving(answering(b"HTTP/1.1 200 OK\r\n\r\n"), host="::1") as port, dialer() as dials:
        address = PodAddress("uid", "::1")
        assert (await dials.dial(Probe("default", address, get(port), Timing()))).passed
        assert (await dials.dial(Probe("default", address, TcpCheck(port), Timing()))).passed


async def test_a_name_that_is_not_known_is_told(unused_port):
    async with dialer() as dials:
        tried = await dials.dial(ask(TcpCheck(unused_port), host="nowhere"))
    assert tried == Tried(False, "nowhere.default.svc: domain name not found")


async def test_an_address_that_is_refused_is_never_dialled():
    """Asserted at the connection: the server that would be reached sees nobody."""
    callers = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal callers
        callers += 1

    async with serving(count) as port, dialer(rules_of((), ())) as dials:
        for check in (TcpCheck(port), get(port)):
            for host in ("", "model", "127.0.0.1", "localhost.default.svc"):
                tried = await dials.dial(ask(check, host=host))
                assert (tried.passed, tried.said.startswith("refused: 127.0.0.1 is a loopback")) == (False, True)
    assert callers == 0


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    return Certificate.create().server_context()


async def test_https_checks_the_certificate_unless_told_otherwise(tls):
    async with serving(answering(b"HTTP/1.1 200 OK\r\n\r\n"), tls=tls) as port, dialer() as dials:
        tried = await dials.dial(ask(HttpCheck("https", port, "/")))
        assert not tried.passed
        assert tried.said.startswith("certificate: ")
        assert await dials.dial(ask(HttpCheck("https", port, "/", verify=False))) == Tried(True, "200")


async def test_https_to_a_server_that_speaks_http_is_told():
    async with serving(answering(b"HTTP/1.1 200 OK\r\n\r\n")) as port, dialer() as dials:
        tried = await dials.dial(ask(HttpCheck("https", port, "/")))
    assert not tried.passed


async def test_a_client_side_error_of_any_kind_is_a_failure_not_an_exception():
    """What no real server can be made to cause."""
    with aioresponses() as answers:
        answers.get("http://127.0.0.1:8080/health", exception=ValueError("a header that cannot be"))
        async with dialer() as dials:
            assert await dials.dial(ask(get(8080))) == Tried(False, "a header that cannot be")
