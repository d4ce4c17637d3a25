"""The HTTP adaptor over real sockets and TLS."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket

import aiohttp
import msgspec
import pytest

from jobflow.api.resources import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION
from jobflow.clock import SystemClock
from jobflow.local.apiserver.server import ApiServer
from jobflow.local.apiserver.wire.certificates import Certificate
from jobflow.local.apiserver.wire.http import PortTaken, serve

TOKEN = "the-token"
MAPS = CONFIG_MAP.path("default")


@pytest.fixture(scope="module")
def certificate():
    return Certificate.create()


@pytest.fixture
async def served(certificate):
    """(server, session, port): the session has the token and trusts the server's CA alone."""
    async with ApiServer(SystemClock()) as server, serve(server, token=TOKEN, certificate=certificate) as port:
        context = await asyncio.to_thread(certificate.client_context)
        async with aiohttp.ClientSession(
            f"https://localhost:{port}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            connector=aiohttp.TCPConnector(ssl=context),
        ) as session:
            yield server, session, port


async def test_requests_and_answers_pass_through(served):
    _, session, _ = served
    async with session.post(MAPS, json={"metadata": {"name": "c"}}) as response:
        assert response.status == 201
        assert response.content_type == "application/json"
    async with session.get(f"{MAPS}?labelSelector=a%3Db&limit=3") as response:
        assert (await response.json())["items"] == []
    async with session.get(f"{MAPS}/none") as response:
        assert (response.status, (await response.json())["reason"]) == (404, "NotFound")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
async def test_without_the_token_nobody_enters(served, headers):
    _, session, port = served
    async with aiohttp.ClientSession(connector=session.connector, connector_owner=False) as stranger:
        async with stranger.get(f"https://localhost:{port}{MAPS}", headers=headers) as response:
            body = await response.json()
        assert response.status == 401
        assert (body["kind"], body["reason"]) == ("Status", "Unauthorized")
        async with stranger.get(f"https://localhost:{port}/healthz") as response:
            assert (response.status, await response.text()) == (200, "ok")


async def test_a_watch_is_sent_line_by_line_as_it_happens(served):
    _, session, _ = served
    async with session.get(f"{MAPS}?watch=1") as watch:
        assert watch.headers["Transfer-Encoding"] == "chunked"
        for name in "ab":
            async with session.post(MAPS, json={"metadata": {"name": name}}):
                pass
            event = msgspec.json.decode(await watch.content.readline())
            assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", name)


async def test_a_watch_that_is_refused_answers_with_a_status(served):
    _, session, _ = served
    async with session.get(f"{MAPS}?watch=1&resourceVersion=99999") as response:
        assert (response.status, (await response.json(content_type=None))["reason"]) == (410, "Expired")


async def test_a_client_that_goes_leaves_no_watch_behind(served):
    _, session, _ = served
    async with session.get(f"{MAPS}?watch=1") as watch:
        assert watch.status == 200
        [alarm] = [task for task in asyncio.all_tasks() if task.get_name() == "watch: timeout"]
        watch.close()
    await asyncio.wait_for(asyncio.wait([alarm]), timeout=5)


async def test_the_end_of_the_server_does_not_wait_for_watches(certificate):
    context = await asyncio.to_thread(certificate.client_context)
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(ApiServer(SystemClock()))
        listening = contextlib.AsyncExitStack()
        port = await listening.enter_async_context(serve(server, token=TOKEN, certificate=certificate))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                headers={"Authorization": f"Bearer {TOKEN}"}, connector=aiohttp.TCPConnector(ssl=context)
            )
        )
        async with session.get(f"https://127.0.0.1:{port}{MAPS}?watch=1") as watch:
            async with asyncio.timeout(1.5):
                await listening.aclose()
            with contextlib.suppress(aiohttp.ClientError):
                assert await watch.content.read() == b""


async def test_a_body_that_is_too_large_is_413(served):
    _, session, _ = served
    async with session.post(MAPS, data=io.BytesIO(b"x" * (3 * 1024 * 1024 + 10))) as response:
        assert (response.status, (await response.json())["reason"]) == (413, "RequestEntityTooLarge")


async def test_a_list_of_megabytes_is_sent(served):
    _, session, _ = served
    for index in range(5):
        body = {"metadata": {"name": f"c{index}"}, "data": {"x": "y" * 500_000}}
        async with session.post(MAPS, json=body) as response:
            assert response.status == 201
    async with session.get(MAPS) as response:
        assert len((await response.json())["items"]) == 5


async def test_a_port_that_is_taken_is_told(certificate):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with ApiServer(SystemClock()) as server:
            with pytest.raises(PortTaken, match=f"port {port} of 127.0.0.1 is taken"):
                async with serve(server, port=port, token=TOKEN, certificate=certificate):
                    pass


async def test_a_fault_of_the_server_is_500_and_the_next_request_works(served, caplog):
    server, session, _ = served

    def fail(request, count):
        raise RuntimeError("planted")

    server.after_commit = fail
    async with session.post(MAPS, json={"metadata": {"name": "c"}}) as response:
        assert (response.status, (await response.json())["reason"]) == (500, "InternalError")
    assert "planted" in caplog.text
    server.after_commit = None
    async with session.get(MAPS) as response:
        assert response.status == 200


async def test_the_certificate_is_good_for_loopback_by_name_and_address(served, certificate):
    _, session, port = served
    for host in ("localhost", "127.0.0.1"):
        async with session.get(f"https://{host}:{port}/healthz") as response:
            assert response.status == 200


async def test_many_writers_and_watchers_at_once(served, crd):
    _, session, _ = served
    async with session.post(CUSTOM_RESOURCE_DEFINITION.path(), json=crd()) as response:
        assert response.status == 201
    path = "/apis/example.com/v1/namespaces/default/widgets"

    async def follow():
        async with session.get(f"{path}?watch=1") as watch:
            names = set()
            while len(names) < 200:
                names.add(msgspec.json.decode(await watch.content.readline())["object"]["metadata"]["name"])

    async def write(first):
        for index in range(first, first + 50):
            async with session.post(path, json={"metadata": {"name": f"w{index}"}}) as response:
                assert response.status == 201

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        for _ in range(5):
            tasks.create_task(follow())
        for first in (0, 50, 100, 150):
            tasks.create_task(write(first))


async def test_each_warning_is_a_line_of_its_own(served):
    _, session, _ = served
    body = '{"metadata":{"name":"w"},"dat":{}, "metadata":{"name":"w"},"more":"a, 299 - b"}'
    json_body = {"Content-Type": "application/json"}
    async with session.post(f"{MAPS}?fieldValidation=Warn", data=body, headers=json_body) as response:
        assert response.status == 201
        assert response.headers.getall("warning") == [
            '299 - "duplicate field \\"metadata\\""',
            '299 - "unknown field \\"dat\\""',
            '299 - "unknown field \\"more\\""',
        ]
