"""A request whose time is over is not sent, wherever the process stood still meanwhile.

The server is a thread of its own, which notes when something arrives; the loop of the client is blocked after each
number of turns in turn, as a process is by SIGSTOP.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from jobflow.kube.errors import Unavailable
from jobflow.kube.http import HttpTransport, connect
from jobflow.kube.timely import TimelyBody
from jobflow.kube.transport import Request
from jobflow.testing.clock import FixedClock

LIMIT_SECONDS = 0.1
STANDSTILL_SECONDS = 0.15
SLACK_SECONDS = 0.03  # between what the client sent in time and what the server's thread notes
TURNS = 14  # of the loop, until a request has surely been sent
WRITE = Request("POST", "/api/v1/namespaces/default/configmaps", body=b'{"metadata": {"name": "a"}}')


class Server(ThreadingHTTPServer):
    """Answers everything with an empty object, and notes when each request came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.arrived: list[float] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.arrived.append(time.monotonic())
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
async def transport(server: Server, tmp_path: Path):
    kubeconfig = tmp_path / "kubeconfig"
    context = {"name": "x", "context": {"cluster": "x", "user": "x"}}
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                "users": [{"name": "x", "user": {"token": "t"}}],
                "contexts": [context],
                "current-context": "x",
            }
        )
    )
    transport = await connect(str(kubeconfig))
    yield transport
    await transport.close()


@pytest.mark.blocking  # on purpose: that is what is tested
@pytest.mark.parametrize("connected", [False, True], ids=["with a new connection", "over a connection that is open"])
async def test_a_request_is_not_sent_after_its_time(server: Server, transport: HttpTransport, connected: bool) -> None:
    sent_in_time = kept_back = 0
    for turns in range(1, TURNS):
        if connected:
            await transport.request(WRITE, 5)
        server.arrived.clear()
        began = time.monotonic()
        asking = asyncio.create_task(transport.request(WRITE, LIMIT_SECONDS))
        for _ in range(turns):
            await asyncio.sleep(0)
        time.sleep(STANDSTILL_SECONDS)  # noqa: ASYNC251
        try:
            await asking
        except Unavailable:
            kept_back += not server.arrived
        await asyncio.sleep(SLACK_SECONDS)
        late = [at - began for at in server.arrived if at - began > LIMIT_SECONDS + SLACK_SECONDS]
        assert late == [], f"blocked after {turns} turns of the loop"
        sent_in_time += len(server.arrived)
    assert kept_back
    assert sent_in_time or not connected


class Sink:
    """What aiohttp writes to."""

    def __init__(self) -> None:
        self.written = b""

    async def write(self, data: bytes) -> None:
        self.written += data


class TwoClocks(FixedClock):
    """A machine of which one clock may stand still while the other goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.monotonic_gone = 0.0
        self.wall_gone = 0.0

    def monotonic(self) -> float:
        return self.monotonic_gone

    def now(self):
        return super().now() + timedelta(seconds=self.wall_gone)


@pytest.mark.parametrize(
    ("told", "monotonic", "wall", "is_sent"),
    [
        ("at once", 0.0, 0.0, True),
        ("just in time", 4.9, 4.9, True),
        ("too late", 5.0, 5.0, False),
        ("a paused machine, whose monotonic clock stood still", 0.1, 60.0, False),
        ("a wall clock that was set back", 1.0, -3600.0, True),
        ("too late, and a wall clock that was set back", 6.0, -3600.0, False),
    ],
)
async def test_the_clock_that_went_further_counts(told: str, monotonic: float, wall: float, is_sent: bool) -> None:
    clock, sink = TwoClocks(), Sink()
    body = TimelyBody(b"{}", "application/json", 5.0, clock)
    clock.monotonic_gone, clock.wall_gone = monotonic, wall
    if is_sent:
        await body.write_with_length(sink, 2)
        assert sink.written == b"{}", told
    else:
        with pytest.raises(TimeoutError):
            await body.write_with_length(sink, 2)
        assert sink.written == b"", told
