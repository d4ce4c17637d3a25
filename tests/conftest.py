"""What every test has: a loop that nobody blocks, the same examples in every run of CI, and a scripted API server."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from random import Random

import msgspec
import pytest
import structlog
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

from jobflow.kube.client import Client
from jobflow.kube.errors import Unavailable
from jobflow.kube.transport import Request, Response
from jobflow.testing.clock import VirtualClock

pytest_plugins = ["envtest.plugin"]  # the real control plane, for who asks for it

# Small files, read once, before anything else runs on the loop.
READS_THE_KUBECONFIG = {"load", "_from_file", "_from_pod", "_access", "_digest", "_tls"}

# No deadline: a shared machine stalls, and timings belong to bench/. CI repeats its examples; a laptop looks further.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(autouse=True)
def _nobody_blocks_the_loop(request: pytest.FixtureRequest) -> Iterator[BlockBuster | None]:
    """A blocking call inside a running event loop fails the test, unless it is marked `blocking`."""
    if request.node.get_closest_marker("blocking"):
        yield None
        return
    with blockbuster_ctx(scanned_modules=["jobflow"]) as detector:
        for function in detector.functions.values():
            function.can_block_in("jobflow/kube/kubeconfig.py", READS_THE_KUBECONFIG)
        yield detector


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """The command line sets up logging for its process; in tests that process is everybody's."""
    level = logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().setLevel(level)


@pytest.fixture(scope="session", autouse=True)
def _loop_of_last_resort() -> Iterator[None]:
    """A current loop for the session: pytest-asyncio makes one for sync tests otherwise, and never closes it."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()


def answer(body: object, status: int = 200) -> Response:
    return Response(status, msgspec.json.encode(body))


def refusal(code: int, reason: str = "", message: str = "no", name: str = "f-a") -> Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return answer(body | {"details": {"name": name}} if name else body, code)


COLLECTIONS = ("jobflows", "commands", "jobs", "events", "clusterjobtemplates", "jobtemplates")


class ScriptedApi:
    """Below the Transport seam: keeps what was asked, and answers by `METHOD plural`; else it stores what it gets."""

    refusal = staticmethod(refusal)
    answer = staticmethod(answer)

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.answers: dict[str, object] = {}
        self.version = 1000

    def on(self, what: str, reply: Response | Exception | Callable[[Request], Response]) -> None:
        self.answers[what] = reply

    def times_out(self, what: str) -> None:
        self.on(what, Unavailable("no answer within 30 s"))

    async def request(self, request: Request, timeout: float) -> Response:
        self.asked.append(request)
        collection = next(part for part in COLLECTIONS if part in request.path)
        reply = self.answers.get(f"{request.method} {collection}", self.store)
        if isinstance(reply, Exception):
            raise reply
        return reply(request) if callable(reply) else reply

    def store(self, request: Request) -> Response:
        body = msgspec.json.decode(request.body) if request.body else {}
        if request.method == "DELETE":
            return answer({"kind": "Status", "status": "Success"})
        self.version += 1
        meta = body.setdefault("metadata", {"name": "?"})
        meta["resourceVersion"] = str(self.version)
        meta.setdefault("uid", f"job-{meta['name']}")
        return answer(body, 201)

    def sent(self, method: str, collection: str) -> list[dict]:
        return [
            msgspec.json.decode(request.body) if request.body else {}
            for request in self.asked
            if request.method == method and f"/{collection}" in request.path
        ]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def api() -> ScriptedApi:
    return ScriptedApi()


@pytest.fixture
def client(api: ScriptedApi) -> Client:
    return Client(api, VirtualClock(), random=Random(1))
