"""HttpTransport against real sockets on loopback."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from jobflow.api.resources import VOLCANO_JOB
from jobflow.clock import SystemClock
from jobflow.kube.client import Client
from jobflow.kube.errors import (
    Forbidden,
    NotSent,
    SilentStream,
    Throttled,
    TruncatedStream,
    Unavailable,
    error_for,
)
from jobflow.kube.http import HttpTransport, connect
from jobflow.kube.transport import Request

WATCH = Request("GET", "/watch", (("watch", "true"),))


@pytest.fixture
async def transport(server, kubeconfig) -> AsyncIterator[HttpTransport]:
    transport = await connect(kubeconfig(server.port))
    yield transport
    await transport.close()


def answering(status: int = 200, text: str = "{}", **headers: str):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers, content_type="application/json")

    return handler


def streaming(*parts: bytes, then: str = "end"):
    """Send the parts, then end cleanly, reset the connection, close it, or stay silent."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        if then == "silence":
            await asyncio.sleep(3600)
        if then == "reset":
            await asyncio.sleep(0.05)  # let what was sent be read: a reset overtakes it
            reset = struct.pack("ii", 1, 0)  # SO_LINGER 0: close() sends RST
            request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            request.transport.abort()
        if then == "close":
            request.transport.close()
        return response

    return handler


async def lines_of(transport: HttpTransport, silence: float = 5.0) -> tuple[list[bytes], Exception | None]:
    lines: list[bytes] = []
    try:
        async with transport.stream(WATCH, silence) as stream:
            async for line in stream.lines():
                lines.append(line)
    except Unavailable as error:
        return lines, error
    return lines, None


async def test_a_request_travels_as_it_is(server, transport):
    server.handler = answering(201, '{"kind":"Job"}', **{"X-Some": "Value"})
    body = b'{"spec" : 1}'
    request = Request("PATCH", "/apis/g/v1/jobs/a", (("force", "true"), ("labelSelector", "a in (b,c)")), body, "x/y")
    answer = await transport.request(request, 5)
    assert (answer.status, answer.body, dict(answer.headers)["x-some"]) == (201, b'{"kind":"Job"}', "Value")
    (seen,) = server.requests
    assert (seen.method, seen.path) == ("PATCH", "/apis/g/v1/jobs/a")
    assert dict(seen.query) == {"force": "true", "labelSelector": "a in (b,c)"}
    assert (seen.headers["Content-Type"], server.bodies[0]) == ("x/y", body)


async def test_paths_and_queries_cannot_leave_their_place(server, transport):
    server.handler = answering()
    await transport.request(Request("GET", "/a b/ä?x#y\rX-Evil: 1", (("s", "a in (b)"), ("t", "1&u=2\r\n%"))), 5)
    (seen,) = server.requests
    assert seen.raw_path == "/a%20b/%C3%A4%3Fx%23y%0DX-Evil:%201?s=a%20in%20%28b%29&t=1%26u%3D2%0D%0A%25"
    assert "X-Evil" not in seen.headers


async def test_the_bearer_token_is_sent_with_requests_and_streams(server, transport):
    server.handler = answering()
    await transport.request(Request("GET", "/x"), 5)
    await lines_of(transport)
    assert [seen.headers["Authorization"] for seen in server.requests] == ["Bearer secret"] * 2


async def test_proxies_of_the_environment_are_not_used(server, transport, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server.handler = answering()
    assert (await transport.request(Request("GET", "/x"), 5)).status == 200


async def test_the_proxy_of_the_kubeconfig_is_used(server, kubeconfig, closed_port):
    proxied = kubeconfig(closed_port, cluster={"proxy-url": f"http://127.0.0.1:{server.port}"})
    transport = await connect(proxied)
    server.handler = answering(text='"by proxy"')
    assert (await transport.request(Request("GET", "/x"), 5)).body == b'"by proxy"'
    await transport.close()


async def test_redirects_are_not_followed(server, transport):
    server.handler = answering(302, Location="/elsewhere")
    assert (await transport.request(Request("GET", "/x"), 5)).status == 302
    assert len(server.requests) == 1


async def test_more_than_64_requests_and_any_number_of_streams_at_once(server, transport):
    arrived, everyone = 0, asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        nonlocal arrived
        arrived += 1
        if arrived == 64 + 64 + 64:
            everyone.set()
        await everyone.wait()
        return web.Response(text="{}")

    server.handler = handler
    requests = (transport.request(Request("GET", "/x"), 10) for _ in range(64))
    await asyncio.gather(*requests, *(lines_of(transport) for _ in range(128)))
    assert arrived == 192


async def test_complete_lines_come_without_their_newline(server, transport):
    server.handler = streaming(b'{"a":1}\n{"b"', b":2}\n", b"x" * 3_000_000 + b"\n")
    lines, error = await lines_of(transport)
    assert lines[:2] == [b'{"a":1}', b'{"b":2}']
    assert len(lines[2]) == 3_000_000
    assert error is None


@pytest.mark.parametrize(
    ("what", "handler", "error"),
    [
        ("a reset", streaming(b"one\n", then="reset"), Unavailable),
        ("a connection closed without an end", streaming(b"one\n", then="close"), Unavailable),
        ("half a line", streaming(b"one\nhal"), TruncatedStream),
        ("silence", streaming(b"one\n", then="silence"), SilentStream),
        ("a line beyond all limits", streaming(b"one\n", b"x" * 9_000_000), Unavailable),
    ],
)
async def test_how_streams_break(what, handler, error, server, transport):
    server.handler = handler
    lines, told = await lines_of(transport, silence=0.3)
    assert lines == [b"one"]
    assert type(told) is error
    assert f"127.0.0.1:{server.port}" in told.message


async def test_a_watch_that_is_refused_has_its_status_and_body(server, transport):
    server.handler = answering(403, '{"kind":"Status","message":"no rights"}')
    async with transport.stream(WATCH, 5) as stream:
        assert stream.status == 403
        assert isinstance(error_for(stream.status, await stream.body(), stream.headers), Forbidden)


async def test_a_stream_that_is_left_early_closes_its_connection(server, transport):
    closed = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"line\n")
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    server.handler = handler
    async with transport.stream(WATCH, 5) as stream:
        async for _ in stream.lines():
            break
    await asyncio.wait_for(closed.wait(), 5)


async def test_500_with_text_is_an_error_with_that_text_cut(server, transport):
    server.handler = answering(500, "<html>" + "bad gateway " * 1000)
    client = Client(transport, SystemClock())
    with pytest.raises(Unavailable, match="bad gateway") as told:
        await client.create(VOLCANO_JOB, "ns", {})
    assert len(told.value.message) < 600


async def test_429_is_repeated_after_retry_after(server, transport):
    answers = [answering(429, "{}", **{"Retry-After": "0.2"}), answering(201, '{"kind":"Job"}')]

    async def handler(request: web.Request) -> web.Response:
        return await answers.pop(0)(request)

    server.handler = handler
    assert await Client(transport, SystemClock()).create(VOLCANO_JOB, "ns", {}) == b'{"kind":"Job"}'


async def test_429_for_long_is_told_with_its_seconds(server, transport):
    server.handler = answering(429, "{}", **{"Retry-After": "77"})
    with pytest.raises(Throttled) as told:
        await Client(transport, SystemClock()).create(VOLCANO_JOB, "ns", {})
    assert told.value.retry_after == 77


async def test_a_refused_connection_sent_nothing(kubeconfig, closed_port):
    transport = await connect(kubeconfig(closed_port))
    with pytest.raises(NotSent, match=f"no connection to http://127.0.0.1:{closed_port}"):
        await transport.request(Request("POST", "/x", (), b"{}"), 5)
    lines, error = await lines_of(transport)
    assert (lines, type(error)) == ([], NotSent)
    await transport.close()


async def test_an_answer_that_does_not_come_in_time_may_have_been_carried_out(server, transport):
    server.handler = streaming(then="silence")
    with pytest.raises(Unavailable, match=r"within 0.2 s") as told:
        await transport.request(Request("POST", "/x", (), b"{}"), 0.2)
    assert type(told.value) is Unavailable


async def test_a_reset_before_the_answer_may_have_been_carried_out(server, transport):
    server.handler = streaming(b"{", then="reset")
    with pytest.raises(Unavailable) as told:
        await transport.request(Request("POST", "/x", (), b"{}"), 5)
    assert type(told.value) is Unavailable


async def test_closing_fails_what_is_in_flight(server, transport):
    both_answered = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one\n")
        if len(server.requests) == 2:
            both_answered.set()
        await asyncio.sleep(3600)
        return response

    server.handler = handler
    request = asyncio.create_task(transport.request(Request("GET", "/x"), 30))
    watch = asyncio.create_task(lines_of(transport, 30))
    await both_answered.wait()
    await asyncio.sleep(0.05)  # until the line has been read
    await transport.close()
    lines, error = await asyncio.wait_for(watch, 5)
    assert (lines, type(error)) == ([b"one"], Unavailable)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(request, 5)
    with pytest.raises(Unavailable):
        await transport.request(Request("GET", "/x"), 30)


@pytest.mark.blocking  # on purpose: its timers are then overdue in one turn of the loop
async def test_closing_in_the_turn_in_which_a_request_runs_out_of_time_closes_everything(server, transport):
    arrived, time_to_close = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/slow":
            arrived.set()
        then = "end" if request.path == "/fast" else "silence"
        return await streaming(b"one\n", then=then)(request)

    async def close() -> None:
        await time_to_close.wait()
        await transport.close()

    server.handler = handler
    watch = asyncio.create_task(lines_of(transport, 30))
    await asyncio.gather(*(transport.request(Request("GET", "/fast"), 5) for _ in range(2)))  # two connections
    asking, closing = asyncio.create_task(transport.request(Request("GET", "/slow"), 0.5)), asyncio.create_task(close())
    await arrived.wait()
    assert not asking.done()
    asyncio.get_running_loop().call_later(0, time_to_close.set)
    time.sleep(0.5)  # noqa: ASYNC251
    await closing
    with pytest.raises(Unavailable):
        await asking
    lines, error = await asyncio.wait_for(watch, 5)
    assert (lines, type(error)) == ([b"one"], Unavailable)
    async with asyncio.timeout(5):
        while any(seen.transport is not None for seen in server.requests):
            await asyncio.sleep(0)
