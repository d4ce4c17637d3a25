"""Preflight against real sockets: what is told of a server that never will answer, and which one is waited for."""

from __future__ import annotations

import socket

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from jobflow.clock import SystemClock
from jobflow.kube.http import connect
from jobflow.kube.kubeconfig import KubeconfigError
from jobflow.kube.preflight import REACHED_SECONDS, check
from jobflow.kube.server_time import ServerClock


class Quick(SystemClock):
    """Time passes when somebody sleeps."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        self.passed += seconds


@pytest.mark.parametrize("status", [200, 403, 404, 500])
async def test_any_answer_to_somebody_known_will_do(status, server, kubeconfig):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status)

    server.handler = handler
    transport = await connect(kubeconfig(server.port))
    await check(transport, ServerClock(Quick()))
    assert [request.path for request in server.requests] == ["/version"]
    await transport.close()


async def test_credentials_that_are_not_accepted(server, kubeconfig):
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=401)

    server.handler = handler
    path = kubeconfig(server.port)
    transport = await connect(path)
    with pytest.raises(
        KubeconfigError, match=r"does not accept its credentials \(401\).*make a new kubeconfig"
    ) as told:
        await check(transport, ServerClock(Quick()))
    assert path in str(told.value)
    await transport.close()


@pytest.fixture
def nobody() -> int:
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


async def test_a_server_that_is_away_is_tried_for_a_while(nobody, kubeconfig):
    transport, clock = await connect(kubeconfig(nobody)), Quick()
    with (
        capture_logs() as logs,
        pytest.raises(KubeconfigError, match=r"no connection to http://127.*is the cluster up"),
    ):
        await check(transport, ServerClock(clock))
    assert REACHED_SECONDS - 3 < clock.passed <= REACHED_SECONDS
    assert [entry["event"] for entry in logs] == ["the API server cannot be reached"]
    await transport.close()


async def test_a_pod_goes_on_without(nobody, kubeconfig):
    transport, clock = await connect(kubeconfig(nobody)), Quick()
    transport.in_pod = True
    await check(transport, ServerClock(clock))
    assert clock.passed == 0
    await transport.close()
