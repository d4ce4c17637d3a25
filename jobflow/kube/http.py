"""HttpTransport: the wire to a real API server, and `connect`, which finds one.

In: a kubeconfig, or the service account of the pod we run in (`kubeconfig.py`). Out: a Transport. Requests carry what
the credentials are at that moment (`credentials.py`); one that was refused with 401, or that met a certificate of
another CA, is sent once more where reading them again has brought new ones: the server has done nothing yet. Nothing is
taken from the environment, neither proxies nor ~/.netrc; a proxy is used where the kubeconfig says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from urllib.parse import quote, urlencode

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from jobflow import __version__
from jobflow.clock import SystemClock
from jobflow.kube.credentials import Credentials
from jobflow.kube.errors import ApiError, NotSent, SilentStream, TruncatedStream, Unavailable
from jobflow.kube.kubeconfig import Access, KubeconfigError, load
from jobflow.kube.timely import TimelyBody
from jobflow.kube.transport import Request, Response, Transport

CONNECT_SECONDS = 5.0  # a node that is gone answers nothing, and TCP alone would try for two minutes
REQUEST_CONNECTIONS = 128  # more than the limiter lets through: requests queue there, in order, not here
STREAM_CONNECTIONS = 0  # without limit: each watch holds one for its whole life
READ_BUFFER_BYTES = 2**21  # a line may be twice as long; etcd stores objects of up to 1.5 MiB
MAX_ERROR_BYTES = 65536
UNAUTHORIZED = 401
PATH_CHARACTERS = "/:@!$&'()*+,;=~"  # RFC 3986: what a path may have beside letters, digits and -._

CONNECTING = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS)

# RuntimeError: aiohttp's word for reading from a connection or a session that was closed meanwhile
TROUBLE = (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError)

__all__ = ["HttpTransport", "KubeconfigError", "NotTrusted", "connect"]


class NotTrusted(NotSent):
    """The server's certificate was not signed by a CA that we know, or is of another name, or has expired."""


async def connect(kubeconfig: str | None, context: str | None = None) -> HttpTransport:
    """The API server of `kubeconfig`, $KUBECONFIG, ~/.kube/config or the pod's service account, in this order.

    Nothing is sent yet. Raises KubeconfigError where none of them leads to a server.
    """
    read = partial(load, kubeconfig, context)
    return HttpTransport(Credentials(await asyncio.to_thread(read), read, SystemClock()))


class HttpTransport(Transport):
    """HTTP/1.1 through aiohttp: one pool for requests and one for streams, so that neither starves the other.

    To be made in a running event loop.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._clock = SystemClock()
        self.namespace = credentials.access.namespace
        self.server = credentials.access.server
        self.origin = credentials.access.origin
        self.in_pod = credentials.access.in_pod
        self._requests = _session(REQUEST_CONNECTIONS)
        self._streams = _session(STREAM_CONNECTIONS)
        self._waiting: set[asyncio.Timeout] = set()
        self._open: set[aiohttp.ClientResponse] = set()
        self._closed = False

    async def request(self, request: Request, timeout: float) -> Response:
        """Send and read the whole answer."""
        limit = self._limit(timeout)
        try:
            async with limit:
                answer = await self._send(self._requests, request, _Wait(timeout))
                body = await answer.read()
        except TROUBLE as error:
            late = Unavailable(f"no answer from {self.server} within {timeout:g} s")
            raise self._told(error, late) from error
        finally:
            self._waiting.discard(limit)
        return Response(answer.status, body, _lower(answer))

    @asynccontextmanager
    async def stream(self, request: Request, silence: float) -> AsyncIterator[_HttpStream]:
        """Send and read line by line; the connection is closed at the end, whatever is still in it."""
        silent = SilentStream(f"nothing from {self.server} for {silence:g} s")
        limit = self._limit(None)
        try:
            async with limit:
                answer = await self._send(self._streams, request, _Wait.for_lines(silence))
        except TROUBLE as error:
            raise self._told(error, silent) from error
        finally:
            self._waiting.discard(limit)
        self._open.add(answer)
        try:
            yield _HttpStream(answer, self.server, silent)
        finally:
            self._open.discard(answer)
            answer.close()

    async def close(self) -> None:
        """Close all connections; what is in flight fails with Unavailable."""
        self._closed = True
        async with AsyncExitStack() as closing:  # each is closed, whatever becomes of the others
            closing.push_async_callback(self._streams.close)
            closing.push_async_callback(self._requests.close)
            closing.push_async_callback(self._credentials.close)
            for waiting in self._waiting:  # aiohttp leaves readers of a connection that it closes itself waiting
                if not waiting.expired():  # its time is over in this very turn: it ends by itself, and bears no change
                    waiting.reschedule(0.0)
            for answer in self._open:
                answer.content.set_exception(aiohttp.ClientConnectionError("closed by us"))

    def _limit(self, seconds: float | None) -> asyncio.Timeout:
        """For one exchange; `close` ends it as well. Aiohttp's own limit of the whole would be a second timer."""
        if self._closed:
            raise self._closed_by_us()
        limit = asyncio.timeout(seconds)
        self._waiting.add(limit)
        return limit

    def _told(self, error: Exception, late: ApiError) -> ApiError:
        if self._closed and isinstance(error, TimeoutError):
            return self._closed_by_us()
        return _told(self.server, error, late)

    def _closed_by_us(self) -> Unavailable:
        return Unavailable(f"the connection to {self.server} was closed by us")

    async def _send(self, session: aiohttp.ClientSession, request: Request, wait: _Wait) -> aiohttp.ClientResponse:
        """Send; once more where the credentials were refused and there are new ones."""
        body = None
        if request.body:
            body = TimelyBody(request.body, request.content_type, wait.seconds, self._clock)
        used = await self._credentials.current()
        try:
            answer = await self._try(session, request, wait, used, body)
        except aiohttp.ClientConnectorCertificateError:
            if not await self._credentials.refused(used):
                raise
        else:
            if answer.status != UNAUTHORIZED or not await self._credentials.refused(used):
                return answer
            answer.close()
        return await self._try(session, request, wait, self._credentials.access, body)

    async def _try(
        self,
        session: aiohttp.ClientSession,
        request: Request,
        wait: _Wait,
        access: Access,
        body: TimelyBody | None,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": request.accept}
        if request.body:
            headers["Content-Type"] = request.content_type
        if access.authorization:
            headers["Authorization"] = access.authorization
        return await session.request(
            request.method,
            _url(self.server, request),
            data=body,
            headers=headers,
            timeout=wait.limits,
            ssl=access.tls,
            proxy=access.proxy,
            proxy_headers=access.proxy_headers,
            server_hostname=access.server_name,
            allow_redirects=False,  # an API server does not redirect; a token must not follow one
        )


def _url(server: str, request: Request) -> URL:
    path = quote(request.path, PATH_CHARACTERS)
    query = f"?{_query(request.query)}" if request.query else ""
    return URL(f"{server}{path}{query}", encoded=True)


@lru_cache(maxsize=64)
def _query(pairs: tuple[tuple[str, str], ...]) -> str:
    return urlencode(pairs, quote_via=quote)


@dataclass(frozen=True, slots=True)
class _Wait:
    """How long a request may be on its way, and what aiohttp itself limits."""

    seconds: float
    limits: aiohttp.ClientTimeout = CONNECTING

    @classmethod
    def for_lines(cls, silence: float) -> _Wait:
        """Of a stream: for ever, but for its silence."""
        return cls(float("inf"), aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=silence))


def _session(connections: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"jobflow/{__version__}"},
        read_bufsize=READ_BUFFER_BYTES,
    )


class _HttpStream:
    """A Stream over an answer that is still being sent."""

    def __init__(self, answer: aiohttp.ClientResponse, server: str, silent: SilentStream) -> None:
        self._answer = answer
        self._server = server
        self._silent = silent
        self.status = answer.status
        self.headers = _lower(answer)

    async def body(self) -> bytes:
        """The beginning of an answer that is an error."""
        body = b""
        try:
            while len(body) < MAX_ERROR_BYTES and (part := await self._answer.content.read(MAX_ERROR_BYTES)):
                body += part
        except TROUBLE as error:
            raise _told(self._server, error, self._silent) from error
        return body[:MAX_ERROR_BYTES]

    async def lines(self) -> AsyncIterator[bytes]:
        """Complete lines; raises where the last one is not."""
        while True:
            try:
                line = await self._answer.content.readline()
            except TROUBLE as error:
                raise _told(self._server, error, self._silent) from error
            if not line:
                return
            if not line.endswith(b"\n"):
                raise TruncatedStream(f"{self._server} ended a stream after {len(line)} bytes of a line")
            yield line[:-1]


def _told(server: str, error: Exception, late: ApiError) -> ApiError:
    """aiohttp's errors as ours: by whether anything was sent, and `late` where time ran out."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return NotTrusted(f"{server} is not trusted: {error.certificate_error}")
        case aiohttp.ClientConnectorError():
            return NotSent(f"no connection to {server}: {error.os_error.strerror or error.os_error}")
        case aiohttp.ConnectionTimeoutError():
            return NotSent(f"no connection to {server}: {error}")
        case TimeoutError():
            return late
    return Unavailable(f"connection to {server} lost: {error or type(error).__name__}")


def _lower(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}
