"""Two servers side by side: the embedded one behind its HTTP adaptor, and the real control plane."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Generator
from contextlib import AsyncExitStack

import msgspec
import pytest
import pytest_asyncio
from conformance import allowance
from conformance.sides import Both, Side
from conformance.world import World
from envtest.control_plane import ControlPlane
from envtest.plugin import EMBEDDED, REAL

from jobflow.api.crd import product_crds, volcano_crds
from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION
from jobflow.clock import SystemClock
from jobflow.kube.client import Client
from jobflow.kube.http import connect
from jobflow.kube.transport import Request
from jobflow.local.apiserver.server import ApiServer
from jobflow.local.apiserver.wire.certificates import Certificate
from jobflow.local.apiserver.wire.http import serve
from jobflow.local.apiserver.wire.kubeconfig import new_token, write_kubeconfig

INSTALL_SECONDS = 30.0

INSTALL_SECONDS = 30.0
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def embedded_side(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Side]:
    """The embedded server, on a socket."""
    home = tmp_path_factory.mktemp("embedded")
    certificate = await asyncio.to_thread(Certificate.create)
    token = new_token()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ApiServer(SystemClock()))
        port = await stack.enter_async_context(serve(server, token=token, certificate=certificate))
        url = f"https://127.0.0.1:{port}"
        await asyncio.to_thread(write_kubeconfig, home / "kubeconfig", url, certificate.ca_pem, token)
        transport = await connect(str(home / "kubeconfig"))
        stack.push_async_callback(transport.close)
        side = Side("embedded", transport, home / "kubeconfig")
        await _install(side)
        yield side


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def real_side(collected_control_plane: ControlPlane) -> AsyncIterator[Side]:
    """The real control plane, with garbage collection."""
    transport = await collected_control_plane.transport()
    try:
        side = Side("real", transport, collected_control_plane.kubeconfig)
        await _install(side)
        yield side
    finally:
        await transport.close()


async def _install(side: Side) -> None:
    """The CRDs, served."""
    client = Client(side.transport, SystemClock())
    for crd in (*product_crds(), *volcano_crds()):
        name = crd["metadata"]["name"]
        await client.apply(CUSTOM_RESOURCE_DEFINITION, None, name, crd)
        async with asyncio.timeout(INSTALL_SECONDS):
            while not _established(msgspec.json.decode(await client.get(CUSTOM_RESOURCE_DEFINITION, None, name))):
                await asyncio.sleep(0.05)
        version = crd["spec"]["versions"][0]["name"]
        collection = Request("GET", f"/apis/{crd['spec']['group']}/{version}/{crd['spec']['names']['plural']}")
        async with asyncio.timeout(INSTALL_SECONDS):  # Established is told a moment before the handler is there
            while (await side.ask(collection))[0] != 200:
                await asyncio.sleep(0.05)


def _established(crd: dict) -> bool:
    conditions = crd.get("status", {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


@pytest_asyncio.fixture(loop_scope="session")
async def both(embedded_side: Side, real_side: Side) -> Both:
    """Both servers, with a namespace of the test's own."""
    namespace = f"conformance-{next(_numbers)}"
    for side in (embedded_side, real_side):
        await _space(side, namespace)
        side.seen.clear()
    return Both(embedded_side, real_side, namespace)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test of two servers fails where they differed in anything."""
    try:
        result = yield
    finally:
        found = item.funcargs["both"].differ if "both" in item.funcargs else []  # type: ignore[attr-defined]
        if found:
            pytest.fail("\n".join(["embedded | real", *found]), pytrace=False)
    return result


async def _space(side: Side, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    status, told, _ = await side.ask(Request("POST", "/api/v1/namespaces", (), json.dumps(body).encode()))
    assert status == 201, told


@pytest.fixture(
    params=[
        pytest.param("embedded_side", marks=[pytest.mark.conformance, pytest.mark.plane(EMBEDDED)], id="embedded"),
        pytest.param("real_side", marks=[pytest.mark.real, pytest.mark.plane(REAL)], id="real"),
    ]
)
def side(request: pytest.FixtureRequest) -> Side:
    """One server, and in another test of the same name the other."""
    return request.getfixturevalue(request.param)


@pytest_asyncio.fixture(loop_scope="session")
async def world(side: Side) -> World:
    """One server, with a namespace of the test's own."""
    namespace = f"engine-{next(_numbers)}"
    await _space(side, namespace)
    return World(side.name, Client(side.transport, SystemClock()), namespace)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Entries of the allowance that nothing needed, where all of the suite ran."""
    if not allowance.used or config.getoption("keyword") or any("::" in word for word in config.args):
        return
    for entry in allowance.ALLOWANCE:
        if entry not in allowance.used:
            terminalreporter.write_line(f"allowance not needed: {entry.where} {entry.asked} ({entry.why})")
