"""Server: AdmissionReviews over HTTPS, and a clear 4xx for whatever is none.

In: requests of API servers, and of anybody who reaches the port. Out: answers. What one request may take is bounded:
the bytes of a body, the seconds in which it has to come, the bodies that are held at once, the connections. Who sends a
header and then nothing is let go with the connection's idle time. Compressed bodies are refused: no API server sends
them, and a small one may be a large one.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from jobflow.clock import Clock
from jobflow.obs.address import Address
from jobflow.obs.health import AddressTakenError
from jobflow.webhook.metrics import WebhookMetrics
from jobflow.webhook.reviews import KINDS
from jobflow.webhook.verdict import Verdict
from jobflow.webhook.wire import BadQuestion, Question, answer, read

JSON = "application/json"

log = structlog.get_logger(__name__)


class Judge(Protocol):
    """Who knows the verdicts."""

    async def review(self, path: str, question: Question, size: int) -> Verdict:
        """The verdict on a question."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What requests may take."""

    body_bytes: int = 8 * 2**20  # an update carries the object twice, and etcd takes 1.5 MiB of one
    body_seconds: float = 10.0  # the timeout of the hook: then nobody waits for the answer any more
    bodies: int = 32  # held at once: a quarter of a gigabyte at the very most
    wait_seconds: float = 5.0  # for one of these places
    handshake_seconds: float = 10.0
    idle_seconds: float = 100.0  # longer than kube-apiserver keeps a connection (90), which so closes it first
    connections: int = 2048


class _Refused(Exception):
    """A request that is no question; the HTTP status and what to tell."""

    def __init__(self, code: int, told: str) -> None:
        super().__init__(told)
        self.code = code
        self.told = told


class _Handler:
    """Answers one request after another."""

    def __init__(self, judge: Judge, clock: Clock, metrics: WebhookMetrics, limits: Limits) -> None:
        self._judge = judge
        self._clock = clock
        self._metrics = metrics
        self._limits = limits
        self._places = asyncio.Semaphore(limits.bodies)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """An answer, whatever comes in."""
        try:
            return await self._answered(request)
        except _Refused as refused:
            self._metrics.refused_request(refused.code)
            response = web.Response(text=f"{refused.told}\n", status=refused.code)
            if refused.code == 429:
                response.headers["Retry-After"] = "1"
            response.force_close()  # what is left of the body is not read
            return response

    async def _answered(self, request: web.BaseRequest) -> web.Response:
        path = request.path
        if path not in KINDS:
            raise _Refused(404, f"there is nothing here; reviews are answered at {' and '.join(KINDS)}")
        if request.method != "POST":
            raise _Refused(405, "an AdmissionReview is sent with POST")
        if request.content_type != JSON:
            raise _Refused(415, f"content type is {request.content_type}; an AdmissionReview is sent as {JSON}")
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise _Refused(415, "compressed bodies are not read; send it as it is")
        try:
            async with asyncio.timeout(self._limits.wait_seconds):
                await self._places.acquire()
        except TimeoutError as error:
            raise _Refused(429, "too many reviews at once; try again") from error
        try:
            return await self._reviewed(path, await self._body(request))
        finally:
            self._places.release()

    async def _body(self, request: web.BaseRequest) -> bytes:
        most = self._limits.body_bytes
        too_large = _Refused(413, f"the body is larger than {most} bytes; no AdmissionReview is")
        if (request.content_length or 0) > most:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > most:
                        raise too_large
        except TimeoutError as error:
            raise _Refused(408, f"the body has not come within {self._limits.body_seconds:g} s") from error
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError) as error:
            raise _Refused(400, "the body ended before it was whole") from error
        return bytes(body)

    async def _reviewed(self, path: str, body: bytes) -> web.Response:
        began = self._clock.monotonic()
        try:
            question = read(body)
        except BadQuestion as bad:
            raise _Refused(400, str(bad)) from bad
        try:
            verdict = await self._judge.review(path, question, len(body))
        except Exception as error:
            log.error("a review could not be done: a bug", operation=question.operation, exc_info=error)
            self._metrics.refused_request(500)
            return web.Response(text="the review could not be done; the webhook's log says more\n", status=500)
        self._metrics.reviewed(path, question, verdict, self._clock.monotonic() - began)
        return web.Response(body=answer(question, verdict), content_type=JSON)


@asynccontextmanager
async def serve(
    address: Address,
    context: ssl.SSLContext,
    judge: Judge,
    *,
    clock: Clock,
    metrics: WebhookMetrics,
    limits: Limits | None = None,
) -> AsyncIterator[int]:
    """Answer reviews while the block runs; gives the port. Raises AddressTakenError."""
    limits = limits or Limits()
    handler = _Handler(judge, clock, metrics, limits)
    server = web.Server(handler.handle, keepalive_timeout=limits.idle_seconds, auto_decompress=False, access_log=None)

    def connection() -> asyncio.Protocol:
        return server() if len(server.connections) < limits.connections else _Full()

    loop = asyncio.get_running_loop()
    try:
        listening = await loop.create_server(
            connection,
            address.host or None,
            address.port,
            ssl=context,
            ssl_handshake_timeout=limits.handshake_seconds,
            ssl_shutdown_timeout=1.0,
        )
    except OSError as error:
        raise AddressTakenError(f"cannot listen on {address}: {error.strerror or error}") from error
    try:
        yield int(listening.sockets[0].getsockname()[1])
    finally:
        listening.close()
        server.pre_shutdown()
        await server.shutdown(limits.body_seconds)
        await listening.wait_closed()


class _Full(asyncio.Protocol):
    """A connection too many: closed at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        transport.close()
