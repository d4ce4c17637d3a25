"""HttpTransport: the wire to a real API server, and `connect`, which finds one.

In: a kubeconfig, or the service account of the pod we run in (`kubeconfig.py`). Out: a Transport. Requests carry what
the credentials are at that moment (`credentials.py`); one that was refused with 401, or that met a certificate of
another CA, is sent once more where reading them again has brought new ones: the server has done nothing yet. Nothing is
taken from the environment, neither proxies nor ~/.netrc; a proxy is used where the kubeconfig says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

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
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_SECONDS)
        async with (
            self._while_open(Unavailable(f"no answer from {self.server} within {timeout:g} s")),
            await self._send(self._requests, request, limits) as answer,
        ):
            return Response(answer.status, await answer.read(), _lower(answer))

    @asynccontextmanager
    async def stream(self, request: Request, silence: float) -> AsyncIterator[_HttpStream]:
        """Send and read line by line; the connection is closed at the end, whatever is still in it."""
        limits = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=silence)
        silent = SilentStream(f"nothing from {self.server} for {silence:g} s")
        async with self._while_open(silent):
            answer = await self._send(self._streams, request, limits)
        self._open.add(answer)
        try:
            yield _HttpStream(answer, self.server, silent)
        finally:
            self._open.discard(answer)
            answer.close()

    async def close(self) -> None:
        """Close all connections; what is in flight fails with Unavailable."""
        self._closed = True
        for waiting in self._waiting:  # aiohttp leaves readers of a connection that it closes itself waiting
            waiting.reschedule(0.0)
        for answer in self._open:
            answer.content.set_exception(aiohttp.ClientConnectionError("closed by us"))
        await self._requests.close()
        await self._streams.close()

    @asynccontextmanager
    async def _while_open(self, late: Unavailable) -> AsyncIterator[None]:
        """aiohttp's errors as ours, `late` where time ran out; `close` ends the block."""
        closed = Unavailable(f"the connection to {self.server} was closed by us")
        if self._closed:
            raise closed
        with _told(self.server, late):
            try:
                async with asyncio.timeout(None) as waiting:
                    self._waiting.add(waiting)
                    yield
            except TimeoutError:
                if self._closed:
                    raise closed from None
                raise
            finally:
                self._waiting.discard(waiting)

    async def _send(
        self, session: aiohttp.ClientSession, request: Request, limits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """Send; once more where the credentials were refused and there are new ones."""
        body = self._body(request, limits)
        used = await self._credentials.current()
        try:
            answer = await self._try(session, request, limits, used, body)
        except aiohttp.ClientConnectorCertificateError:
            if not await self._credentials.refused(used):
                raise
        else:
            if answer.status != UNAUTHORIZED or not await self._credentials.refused(used):
                return answer
            answer.close()
        return await self._try(session, request, limits, self._credentials.access, body)

    def _body(self, request: Request, limits: aiohttp.ClientTimeout) -> TimelyBody | None:
        if not request.body:
            return None
        return TimelyBody(request.body, request.content_type, limits.total or float("inf"), self._clock)

    async def _try(
        self,
        session: aiohttp.ClientSession,
        request: Request,
        limits: aiohttp.ClientTimeout,
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
            self.server + request.path,
            params=request.query,
            data=body,
            headers=headers,
            timeout=limits,
            ssl=access.tls,
            proxy=access.proxy,
            proxy_headers=access.proxy_headers,
            server_hostname=access.server_name,
            allow_redirects=False,  # an API server does not redirect; a token must not follow one
        )


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
        with _told(self._server, self._silent):
            while len(body) < MAX_ERROR_BYTES and (part := await self._answer.content.read(MAX_ERROR_BYTES)):
                body += part
        return body[:MAX_ERROR_BYTES]

    async def lines(self) -> AsyncIterator[bytes]:
        """Complete lines; raises where the last one is not."""
        while True:
            with _told(self._server, self._silent):
                line = await self._answer.content.readline()
            if not line:
                return
            if not line.endswith(b"\n"):
                raise TruncatedStream(f"{self._server} ended a stream after {len(line)} bytes of a line")
            yield line[:-1]


@contextmanager
def _told(server: str, late: ApiError) -> Iterator[None]:
    """aiohttp's errors as ours: by whether anything was sent, and `late` where time ran out."""
    try:
        yield
    except aiohttp.ClientConnectorCertificateError as error:
        raise NotTrusted(f"{server} is not trusted: {error.certificate_error}") from error
    except aiohttp.ClientConnectorError as error:
        raise NotSent(f"no connection to {server}: {error.os_error.strerror or error.os_error}") from error
    except aiohttp.ConnectionTimeoutError as error:
        raise NotSent(f"no connection to {server}: {error}") from error
    except TimeoutError as error:
        raise late from error
    except (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError) as error:
        # RuntimeError: aiohttp's word for reading from a connection or a session that was closed meanwhile
        raise Unavailable(f"connection to {server} lost: {error or type(error).__name__}") from error


def _lower(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}
