"""HTTP adaptor: the embedded API server on a loopback port, over TLS, for kubectl and for other processes.

In: HTTP requests with a bearer token. Out: what `ApiServer.handle` and `ApiServer.open` answer, streams in chunks as
they come. Nothing is decided here but who may enter.
"""

from __future__ import annotations

import asyncio
import errno
import hmac
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from aiohttp import ClientConnectionResetError, web

from jobflow.kube.transport import JSON, Request, Response
from jobflow.local.apiserver.access.callers import ADMIN, Caller
from jobflow.local.apiserver.documents.answers import is_health
from jobflow.local.apiserver.routes import is_watch
from jobflow.local.apiserver.server import ApiServer
from jobflow.local.apiserver.statuses import MAX_BODY_BYTES, StatusError, internal, too_large, unauthorized
from jobflow.local.apiserver.wire.certificates import Certificate

SHUTDOWN_SECONDS = 2  # for answers that are being sent when the server ends; watches are ended at once

_NEXT_WARNING = re.compile(r', (?=299 - ")')  # inside a warning's text a quote is escaped

_log = logging.getLogger(__name__)


class PortTaken(Exception):
    """Somebody listens there already."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        super().__init__(
            f"port {port} of {host} is taken by another program: stop it, or choose another port (0 finds a free one)"
        )


@asynccontextmanager
async def serve(
    server: ApiServer, *, host: str = "127.0.0.1", port: int = 0, token: str, certificate: Certificate
) -> AsyncIterator[int]:
    """Listen until the block ends; gives the port. Raises PortTaken."""
    adaptor = _Adaptor(server, token)
    application = web.Application(client_max_size=MAX_BODY_BYTES + 1)
    application.router.add_route("*", "/{path:.*}", adaptor.answer)
    application.on_shutdown.append(adaptor.end_streams)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_SECONDS)
    context = await asyncio.to_thread(certificate.server_context)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(host, port) from error
            raise
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


class _Adaptor:
    """One aiohttp handler for every path."""

    def __init__(self, server: ApiServer, token: str) -> None:
        self._server = server
        self._credentials = f"Bearer {token}".encode()
        self._streaming: set[asyncio.Task[object]] = set()

    async def answer(self, incoming: web.Request) -> web.StreamResponse:
        """Answer one HTTP request."""
        try:
            headers = incoming.headers
            caller = self._server.impersonated(
                self._caller(incoming), headers.get("Impersonate-User", ""), headers.getall("Impersonate-Group", [])
            )
            request = await _request(incoming)
            if is_watch(request):
                return await self._stream(incoming, request, caller)
            response = await self._server.handle(request, caller)
        except StatusError as error:
            response = error.response()
        except Exception as error:  # a fault of ours ends one request, not the connection
            _log.exception("%s %s", incoming.method, incoming.path)
            response = internal(f"{type(error).__name__}: {error}").response()
        return _whole(response)

    def _caller(self, incoming: web.Request) -> Caller:
        """Who sends the request. Raises 401."""
        agent = incoming.headers.get("User-Agent", "")
        given = incoming.headers.get("Authorization", "").encode(errors="replace")
        if is_health(incoming.path) or hmac.compare_digest(given, self._credentials):
            return replace(ADMIN, agent=agent)
        scheme, _, token = given.decode(errors="replace").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized()
        return self._server.caller(token.strip(), agent)

    async def _stream(self, incoming: web.Request, request: Request, caller: Caller) -> web.StreamResponse:
        task = asyncio.current_task()
        if task is not None:
            self._streaming.add(task)
        try:
            async with self._server.open(request, caller) as answer:
                outgoing = web.StreamResponse(status=answer.status, headers=dict(answer.headers))
                outgoing.enable_chunked_encoding()
                await outgoing.prepare(incoming)
                while (chunk := await answer.next_chunk()) is not None:
                    await outgoing.write(chunk)
                await outgoing.write_eof()
        except (ClientConnectionResetError, ConnectionResetError):
            pass  # the client has gone: that is how most watches end
        finally:
            if task is not None:
                self._streaming.discard(task)
        return outgoing

    async def end_streams(self, application: web.Application) -> None:
        """Cancel what would never end by itself."""
        for task in tuple(self._streaming):
            task.cancel()


async def _request(incoming: web.Request) -> Request:
    try:
        body = await incoming.read() if incoming.can_read_body else b""
    except web.HTTPRequestEntityTooLarge as error:
        raise too_large(incoming.content_length or MAX_BODY_BYTES + 1, MAX_BODY_BYTES) from error
    return Request(
        method=incoming.method,
        path=incoming.rel_url.raw_path,
        query=tuple(incoming.query.items()),
        body=body,
        content_type=incoming.headers.get("Content-Type", ""),
        accept=", ".join(incoming.headers.getall("Accept", ())) or JSON,
    )


def _whole(response: Response) -> web.Response:
    """Several warnings are several header lines, as in kube-apiserver; one line with commas is not read by all."""
    headers = dict(response.headers)
    warnings = headers.pop("warning", "")
    answer = web.Response(status=response.status, body=response.body, headers=headers)
    for warning in _NEXT_WARNING.split(warnings) if warnings else ():
        answer.headers.add("warning", warning)
    return answer
