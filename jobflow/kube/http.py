"""HttpTransport: the wire to a real API server, and `connect`, which finds one.

In: a kubeconfig, or the service account of the pod we run in. Out: a Transport. kubernetes_asyncio reads the
configuration, sets up TLS and keeps tokens fresh. Our own bytes go through its connectors, not its request call:
that encodes bodies anew, looks at few statuses, and asks the environment for proxies and ~/.netrc for passwords
in a thread before each request. Proxies are used where the kubeconfig says so. The package is imported on
`connect` only: it costs half a second and 70 MB.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from aiohttp.http_exceptions import HttpProcessingError

from jobflow import __version__
from jobflow.clock import SystemClock
from jobflow.kube.errors import ApiError, NotSent, SilentStream, TruncatedStream, Unavailable
from jobflow.kube.transport import Request, Response, Transport

CONNECT_SECONDS = 5.0  # a node that is gone answers nothing, and TCP alone would try for two minutes
REQUEST_CONNECTIONS = 128  # more than the limiter lets through: requests queue there, in order, not here
STREAM_CONNECTIONS = 0  # without limit: each watch holds one for its whole life
READ_BUFFER_BYTES = 2**21  # a line may be twice as long; etcd stores objects of up to 1.5 MiB
MAX_ERROR_BYTES = 65536
RENEWAL_LEAD = timedelta(minutes=5)  # before a credential plugin's token expires: a third of what EKS gives
RENEWAL_RETRY_SECONDS = 30.0  # a plugin may ask a server, or a person
AUTHORIZATION = ["BearerToken"]  # kubernetes_asyncio's name for whatever goes into that header
IN_CLUSTER_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

log = structlog.get_logger(__name__)


class KubeconfigError(Exception):
    """No configuration was found, or it does not lead to an API server."""


async def connect(kubeconfig: str | None, context: str | None = None) -> HttpTransport:
    """The API server of `kubeconfig`, $KUBECONFIG, ~/.kube/config or the pod's service account, in this order.

    Nothing is sent yet. Raises KubeconfigError where none of them leads to a server.
    """
    found = await asyncio.to_thread(_load, kubeconfig, context)
    if found.expires is not None:
        found.configuration.refresh_api_key_hook = _renewal(found, partial(_load, kubeconfig, context))
    return HttpTransport(found.configuration, namespace=found.namespace)


class HttpTransport(Transport):
    """HTTP/1.1 through aiohttp: one pool for requests and one for streams, so that neither starves the other.

    `configuration` is a kubernetes_asyncio Configuration. To be made in a running event loop.
    """

    def __init__(self, configuration: Any, *, namespace: str = "default") -> None:
        self.namespace = namespace
        self.server: str = configuration.host.rstrip("/")
        self._configuration = configuration
        self._requests = _Pool(configuration, REQUEST_CONNECTIONS)
        self._streams = _Pool(configuration, STREAM_CONNECTIONS)
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

    async def _send(self, pool: _Pool, request: Request, limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        headers = {"Accept": request.accept}
        if request.body:
            headers["Content-Type"] = request.content_type
        await pool.authorize(headers)
        return await pool.session.request(
            request.method,
            self.server + request.path,
            params=request.query,
            data=request.body or None,
            headers=headers,
            timeout=limits,
            proxy=self._configuration.proxy,
            proxy_headers=self._configuration.proxy_headers,
            server_hostname=self._configuration.tls_server_name,
            allow_redirects=False,  # an API server does not redirect; a token must not follow one
        )


class _Pool:
    """An ApiClient for its TLS, its connector and its tokens, and our own session over that connector."""

    def __init__(self, configuration: Any, connections: int) -> None:
        client = importlib.import_module("kubernetes_asyncio.client")
        configuration.connection_pool_maxsize = connections
        self._api = client.ApiClient(configuration)
        self.session = aiohttp.ClientSession(
            connector=self._api.rest_client.pool_manager.connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"jobflow/{__version__}"},
            read_bufsize=READ_BUFFER_BYTES,
        )

    async def authorize(self, headers: dict[str, str]) -> None:
        try:
            await self._api.update_params_for_auth(headers, [], AUTHORIZATION)
        except Exception as error:  # token file, credential plugin, OIDC: each has errors of its own
            raise NotSent(f"no credentials for the API server: {error}") from error

    async def close(self) -> None:
        await self.session.close()
        await self._api.close()


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
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise NotSent(f"no connection to {server}: {error}") from error
    except TimeoutError as error:
        raise late from error
    except (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError) as error:
        # RuntimeError: aiohttp's word for reading from a connection or a session that was closed meanwhile
        raise Unavailable(f"connection to {server} lost: {error or type(error).__name__}") from error


def _lower(answer: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items()}


def _kubeconfig_path(kubeconfig: str | None) -> str | None:
    """The file, or the list of files that $KUBECONFIG may be; None where there is none."""
    named, origin = (kubeconfig, "--kubeconfig") if kubeconfig else (os.environ.get("KUBECONFIG"), "$KUBECONFIG")
    if not named:
        default = Path.home() / ".kube" / "config"
        return str(default) if default.is_file() else None
    files = [Path(part).expanduser() for part in named.split(os.pathsep) if part]
    if not any(file.is_file() for file in files):
        raise KubeconfigError(f"kubeconfig {named} (from {origin}) does not exist: correct the path or unset it")
    return named


@dataclass
class _Found:
    """What a kubeconfig or a pod says; `expires` where a credential plugin gave a token that does."""

    configuration: Any
    namespace: str
    expires: datetime | None = None


def _load(kubeconfig: str | None, context: str | None) -> _Found:
    """In a thread, with a loop of its own: the loader reads files and runs plugins, some of it blocking."""
    path = _kubeconfig_path(kubeconfig)
    if path is None and "KUBERNETES_SERVICE_HOST" not in os.environ:
        raise KubeconfigError(
            "no cluster to talk to: there is no --kubeconfig, no $KUBECONFIG and no ~/.kube/config, and this is "
            "not a pod; name a kubeconfig, or run without a cluster (jobflow run)"
        )
    importlib.import_module("kubernetes_asyncio.config")
    if path is None:
        return _from_pod()
    with asyncio.Runner() as runner:
        return runner.run(_from_file(path, context))


async def _from_file(path: str, context: str | None) -> _Found:
    config = importlib.import_module("kubernetes_asyncio.config")
    configuration = importlib.import_module("kubernetes_asyncio.client").Configuration()
    configuration.host = ""
    where = f"kubeconfig {path}, " + (f"context {context!r}" if context else "its current context")
    try:
        loader = await config.load_kube_config(path, context, configuration, persist_config=False)
    except Exception as error:  # YAML, missing keys, certificates, plugins: each has errors of its own
        raise KubeconfigError(
            f"{where}: {error or type(error).__name__}; `kubectl config get-contexts` lists what there is"
        ) from error
    if not configuration.host:
        raise KubeconfigError(f"{where}: its cluster names no server; set clusters[].cluster.server")
    namespace = loader.current_context["context"].get("namespace") or "default"
    return _Found(configuration, namespace, getattr(loader, "exec_plugin_expiry", None))


def _renewal(found: _Found, load: Callable[[], _Found]) -> Callable[[Any], Awaitable[None]]:
    """What kubernetes_asyncio calls before each request: runs the credential plugin again when it is time.

    A plugin that fails is logged and tried again; until its token expires requests go on with it.
    """
    clock = SystemClock()
    renewing = asyncio.Lock()
    tried = float("-inf")

    async def hook(configuration: Any) -> None:
        nonlocal tried
        if found.expires is None or clock.now() < found.expires - RENEWAL_LEAD:
            return
        async with renewing:
            if clock.monotonic() - tried < RENEWAL_RETRY_SECONDS:
                return  # another request has done it
            tried = clock.monotonic()
            try:
                fresh = await asyncio.to_thread(load)
            except KubeconfigError as error:
                log.warning("credentials cannot be renewed", error=str(error))
                return
            found.expires = fresh.expires
            configuration.api_key.update(fresh.configuration.api_key)

    return hook


def _from_pod() -> _Found:
    config = importlib.import_module("kubernetes_asyncio.config")
    configuration = importlib.import_module("kubernetes_asyncio.client").Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
        namespace = IN_CLUSTER_NAMESPACE.read_text().strip()
    except (config.ConfigException, OSError) as error:
        raise KubeconfigError(
            f"the pod's service account does not lead to the API server: {error}; set "
            "automountServiceAccountToken, or name a kubeconfig"
        ) from error
    return _Found(configuration, namespace or "default")
