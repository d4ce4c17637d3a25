"""Health: what a kubelet and a scraper are answered, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from jobflow.clock import SystemClock
from jobflow.obs.address import Address
from jobflow.obs.health import AddressTakenError, serve, watched_loop
from jobflow.obs.measures import Measures
from jobflow.obs.metrics import Metrics

ANYWHERE = Address("127.0.0.1", 0)


class Asked:
    """A server, and what it is asked."""

    def __init__(self, session: aiohttp.ClientSession, port: int, missing: list[str]) -> None:
        self._session = session
        self.port = port
        self.missing = missing

    async def get(self, path: str) -> tuple[int, str, str]:
        async with self._session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, await answer.text(), answer.headers["Content-Type"]


@pytest.fixture
async def server() -> AsyncIterator[Asked]:
    missing: list[str] = []
    async with serve(ANYWHERE, lambda: missing, Metrics()) as port, aiohttp.ClientSession() as session:
        yield Asked(session, port, missing)


async def test_a_loop_that_turns_is_alive_whatever_is_missing(server):
    server.missing.append("jobflows.flow.volcano.sh: forbidden")
    assert (await server.get("/healthz"))[:2] == (200, "ok\n")


async def test_it_is_ready_once_nothing_is_missing(server):
    server.missing.append("jobflows.flow.volcano.sh: forbidden: no")
    assert (await server.get("/readyz"))[:2] == (503, "jobflows.flow.volcano.sh: forbidden: no\n")
    server.missing.clear()
    assert (await server.get("/readyz"))[:2] == (200, "ok\n")


async def test_metrics_are_in_prometheus_format(server):
    status, text, kind = await server.get("/metrics")
    assert status == 200
    assert kind.startswith("text/plain; version=")
    assert "# TYPE jobflow_queue_keys gauge" in text


async def test_there_is_nothing_else(server):
    assert (await server.get("/"))[0] == 404


async def test_an_address_that_is_taken_is_named(server):
    with pytest.raises(AddressTakenError, match=f"127.0.0.1:{server.port}"):
        async with serve(Address("127.0.0.1", server.port), list, Metrics()):
            pass


async def test_it_stops_listening_at_the_end():
    async with serve(ANYWHERE, list, Metrics()) as port:
        pass
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


@pytest.mark.looptime
async def test_the_lag_of_the_loop_is_looked_at_once_a_second():
    lags: list[float] = []

    class Told(Measures):
        def loop_lagged(self, seconds: float) -> None:
            lags.append(seconds)

    async with watched_loop(SystemClock(), Told()):
        await asyncio.sleep(10.5)
    assert len(lags) == 10
    assert max(lags) < 0.01
    await asyncio.sleep(10)
    assert len(lags) == 10


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        (":8080", Address("", 8080)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:9", Address("::1", 9)),
    ],
)
def test_addresses(text, expect):
    assert Address.parse(text) == expect
    assert str(expect) == text


@pytest.mark.parametrize("text", ["", "8080", "host", "host:", "host:x", "host:70000", "host:-1", "::1:8080", "a:1:2"])
def test_what_is_no_address(text):
    with pytest.raises(ValueError, match=r"host:port|brackets"):
        Address.parse(text)
