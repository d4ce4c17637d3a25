"""Credentials: read again when it is time, and when they are refused; over real sockets and TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from structlog.testing import capture_logs

from jobflow.kube.credentials import FILES_RETRY_SECONDS, FILES_SECONDS, Credentials
from jobflow.kube.http import NotTrusted, connect
from jobflow.kube.kubeconfig import Access, KubeconfigError, load
from jobflow.kube.transport import Request
from jobflow.local.apiserver.wire.certificates import Certificate
from jobflow.testing.clock import VirtualClock

PING = Request("GET", "/version")


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
    assert (await transport.request(Request("POST", "/x", (), b"{}"), 5)).status == 200
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
