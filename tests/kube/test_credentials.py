"""Credentials: read again when it is time, and when they are refused; over real sockets and TLS."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from structlog.testing import capture_logs

from jobflow.clock import SystemClock
from jobflow.kube.credentials import FILES_RETRY_SECONDS, FILES_SECONDS, PLUGIN_RETRY_SECONDS, Credentials
from jobflow.kube.errors import Unavailable
from jobflow.kube.http import HttpTransport, NotTrusted, connect
from jobflow.kube.kubeconfig import Access, KubeconfigError, load
from jobflow.kube.transport import Request
from jobflow.local.apiserver.wire.certificates import Certificate
from jobflow.testing.clock import EPOCH, FixedClock, VirtualClock

PING = Request("GET", "/version")
WRITE = Request("POST", "/x", (), b"{}")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("first\n")
    return path


async def test_a_token_file_is_read_without_its_newline(kubeconfig, token_file):
    access = await asyncio.to_thread(load, kubeconfig(1, user={"tokenFile": str(token_file)}), None)
    assert (access.authorization, access.plugin) == ("Bearer first", False)
    assert "first" not in repr(access)


async def test_a_revoked_token_is_replaced_within_the_same_request(server, kubeconfig, token_file):
    transport = await connect(kubeconfig(server.port, user={"tokenFile": str(token_file)}))
    valid = "Bearer first"

    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.headers["Authorization"] == valid else 401)

    server.handler = handler
    assert (await transport.request(PING, 5)).status == 200
    valid = "Bearer second"
    token_file.write_text("second")
    assert (await transport.request(WRITE, 5)).status == 200
    assert len(server.requests) == 3

    valid = "Bearer nobody's"
    assert (await transport.request(PING, 5)).status == 401
    assert len(server.requests) == 4, "reading again brought nothing new: it is not sent twice"
    await transport.close()


@asynccontextmanager
async def https(certificate: Certificate) -> AsyncIterator[int]:
    """A server that says yes to everything."""

    async def yes(request: web.Request) -> web.Response:
        return web.Response(text="{}")

    runner = web.ServerRunner(web.Server(yes))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=await asyncio.to_thread(certificate.server_context))
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.fixture
def secure(tmp_path: Path) -> Callable[[int], str]:
    """Writes a kubeconfig whose CA is the file ca.crt."""

    def write(port: int) -> str:
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "ca.crt"}
        document = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        (tmp_path / "config").write_text(yaml.safe_dump(document))
        return str(tmp_path / "config")

    return write


@pytest.mark.blocking
async def test_a_ca_that_was_rotated_is_read_again(tmp_path, secure):
    old, new = Certificate.create(), Certificate.create()
    (tmp_path / "ca.crt").write_bytes(old.ca_pem)
    async with https(new) as port:
        transport = await connect(secure(port))
        with pytest.raises(NotTrusted, match=r"is not trusted.*certificate"):
            await transport.request(PING, 5)
        (tmp_path / "ca.crt").write_bytes(old.ca_pem + new.ca_pem)
        await asyncio.sleep(FILES_RETRY_SECONDS + 0.1)
        assert (await transport.request(PING, 5)).status == 200
        await transport.close()


def access(token: str, **how) -> Access:
    told = {"plugin": False, "expires": None, **how}
    return Access("a file", "http://x", "default", token, None, None, None, None, digest=token, **told)


@pytest.mark.looptime
class TestPace:
    async def test_files_are_read_once_a_minute(self):
        read = []
        credentials = Credentials(access("a"), lambda: read.append(1) or access("b"), VirtualClock())
        assert (await credentials.current()).authorization == "a"
        await asyncio.sleep(FILES_SECONDS)
        assert [(await credentials.current()).authorization for _ in range(3)] == ["b"] * 3
        assert len(read) == 1

    async def test_a_plugin_that_says_no_end_runs_again_only_when_its_token_is_refused(self):
        credentials = Credentials(access("a", plugin=True), lambda: access("b", plugin=True), VirtualClock())
        await asyncio.sleep(FILES_SECONDS * 10)
        used = await credentials.current()
        assert used.authorization == "a"
        assert await credentials.refused(used)
        assert (await credentials.current()).authorization == "b"

    async def test_many_refusals_at_once_read_once(self):
        read = []
        credentials = Credentials(access("a"), lambda: read.append(1) or access("a"), VirtualClock())
        used = await credentials.current()
        assert await asyncio.gather(*(credentials.refused(used) for _ in range(50))) == [False] * 50
        assert len(read) == 1

    async def test_what_cannot_be_read_is_told_and_the_old_is_kept(self):
        def gone() -> Access:
            raise KubeconfigError("kubeconfig x does not exist")

        credentials = Credentials(access("a"), gone, VirtualClock())
        await asyncio.sleep(FILES_SECONDS)
        with capture_logs() as logs:
            assert (await credentials.current()).authorization == "a"
        assert logs == [
            {
                "event": "credentials cannot be read again",
                "error": "kubeconfig x does not exist",
                "log_level": "warning",
            }
        ]


class SlowPlugin:
    """A credential plugin that takes until it is let go; then it gives `brings`, or raises it."""

    def __init__(self) -> None:
        self.brings: Access | Exception = access("b", plugin=True)
        self.runs = 0
        self.is_running = threading.Event()
        self._gate = threading.Event()

    def let_go(self) -> None:
        self._gate.set()

    def __call__(self) -> Access:
        self.runs += 1
        self.is_running.set()
        self._gate.wait(30)
        if isinstance(self.brings, Exception):
            raise self.brings
        return self.brings


@pytest.fixture
def plugin() -> Iterator[SlowPlugin]:
    plugin = SlowPlugin()
    yield plugin
    plugin.let_go()


async def give_up(credentials: Credentials, plugin: SlowPlugin) -> None:
    """As a request does whose time is over."""
    asking = asyncio.create_task(credentials.current())
    await asyncio.to_thread(plugin.is_running.wait)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


class TestASlowPlugin:
    @pytest.fixture
    def clock(self) -> FixedClock:
        return FixedClock()

    @pytest.fixture
    async def credentials(self, plugin: SlowPlugin, clock: FixedClock) -> AsyncIterator[Credentials]:
        credentials = Credentials(access("a", plugin=True, expires=EPOCH), plugin, clock)
        yield credentials
        plugin.let_go()
        await credentials.close()

    async def test_runs_once_for_all_who_give_up_and_the_next_has_what_it_brings(self, plugin, credentials, clock):
        for _ in range(4):
            await give_up(credentials, plugin)
            clock.advance(PLUGIN_RETRY_SECONDS)
        plugin.let_go()
        assert (await credentials.current()).authorization == "b"
        assert plugin.runs == 1

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (KubeconfigError("the plugin says no"), "the plugin says no"),
            (ValueError("not foreseen"), "ValueError('not foreseen')"),
        ],
    )
    async def test_that_fails_when_nobody_waits_any_more_is_told_once(self, error, told, plugin, credentials, clock):
        never_retrieved = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: never_retrieved.append(context))
        plugin.brings = error
        with capture_logs() as logs:
            await give_up(credentials, plugin)
            plugin.let_go()
            while asyncio.all_tasks() != {asyncio.current_task()}:
                await asyncio.sleep(0)
        plugin.brings = access("c", plugin=True)
        clock.advance(PLUGIN_RETRY_SECONDS)
        assert (await credentials.current()).authorization == "c"
        gc.collect()
        assert never_retrieved == []
        assert [line["error"] for line in logs] == [told]

    async def test_is_not_waited_for_once_closed_and_not_run_again(self, plugin, credentials, clock):
        waiting = asyncio.create_task(credentials.current())
        await asyncio.to_thread(plugin.is_running.wait)
        await credentials.close()
        assert (await waiting).authorization == "a"
        clock.advance(PLUGIN_RETRY_SECONDS)
        assert not await credentials.refused(await credentials.current())
        assert plugin.runs == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}


class TestRequestsDuringASlowPlugin:
    @pytest.fixture
    async def transport(self, server, kubeconfig, plugin: SlowPlugin) -> AsyncIterator[HttpTransport]:
        async def only_b(request: web.Request) -> web.Response:
            return web.Response(status=200 if request.headers["Authorization"] == "b" else 401)

        server.handler = only_b
        old = await asyncio.to_thread(load, kubeconfig(server.port), None)
        old = replace(old, plugin=True, expires=LONG_AGO)
        plugin.brings = replace(old, authorization="b", expires=None, digest="b")
        transport = HttpTransport(Credentials(old, plugin, SystemClock()))
        yield transport
        plugin.let_go()
        await transport.close()

    async def test_the_write_that_gave_up_is_never_sent_and_the_next_has_the_new_token(self, server, plugin, transport):
        with pytest.raises(Unavailable, match=r"within 0.05 s"):
            await transport.request(WRITE, 0.05)
        plugin.let_go()
        assert (await transport.request(PING, 5)).status == 200
        assert [seen.method for seen in server.requests] == ["GET"]
        assert plugin.runs == 1

    async def test_closing_ends_them_and_the_reading(self, plugin, transport):
        before = asyncio.all_tasks()
        asking = asyncio.create_task(transport.request(PING, 30))
        await asyncio.to_thread(plugin.is_running.wait)
        await transport.close()
        with pytest.raises(Unavailable, match="closed by us"):
            await asking
        assert asyncio.all_tasks() <= before
