"""Calling: one AdmissionReview over HTTPS.

In: where a hook is, the CAs that vouch for it, the question and a time limit. Out: the answer's bytes, or Unreachable
with why, in words that begin as kube-apiserver's do. The CA is checked, and the name of the certificate.
"""

from __future__ import annotations

import base64
import binascii
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from jobflow.local.apiserver.webhooks.configurations import Client

if TYPE_CHECKING:
    import aiohttp

MAX_ANSWER_BYTES = 3 * 1024 * 1024

Services = Mapping[tuple[str, str], str]  # (namespace, name) -> https://host:port


class Unreachable(Exception):
    """A hook that could not be asked."""


class Caller(Protocol):
    """A way to ask hooks."""

    async def ask(self, client: Client, question: bytes, seconds: float) -> bytes:
        """The answer. Raises Unreachable."""

    async def close(self) -> None:
        """Let go of connections."""


_STATUSES = {
    503: "the server is currently unable to handle the request",
    429: "the server has received too many requests and has asked us to try again later",
}


class HttpsCaller:
    """Asks over HTTPS. `services` says where those Services are that no network here leads to."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def ask(self, client: Client, question: bytes, seconds: float) -> bytes:
        """The answer. Raises Unreachable."""
        import aiohttp  # here, for a server without hooks does without

        url, name = self._place(client)
        context = self._context(client.caBundle or "")
        if self._session is None:
            self._session = aiohttp.ClientSession(headers={"content-type": "application/json"})
        asked = f'failed to call webhook: Post "{url}?timeout={seconds:g}s"'
        limit = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._session.post(
                url,
                params={"timeout": f"{seconds:g}s"},
                data=question,
                ssl=context,
                server_hostname=name,
                timeout=limit,
                allow_redirects=False,
            ) as answer:
                body = await answer.content.read(MAX_ANSWER_BYTES)
        except TimeoutError as error:
            raise Unreachable(f"{asked}: context deadline exceeded") from error
        except aiohttp.ClientConnectorCertificateError as error:
            told = f"tls: failed to verify certificate: {error.certificate_error}"
            raise Unreachable(f"{asked}: {told}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"{asked}: {error}") from error
        if answer.status != 200:
            told = (
                f'an error on the server ("{body.decode(errors="replace")}") has prevented the request from succeeding'
            )
            told = _STATUSES.get(answer.status, told)
            raise Unreachable(f"failed to call webhook: {told}")
        return body

    def _place(self, client: Client) -> tuple[str, str | None]:
        """The URL, and the name that the certificate must bear where it is not that of the URL."""
        if client.url:
            if urlsplit(client.url).scheme != "https":
                raise Unreachable(f"failed to call webhook: {client.url} is not an https URL")
            return client.url, None
        service = client.service
        if service is None:
            raise Unreachable("failed to call webhook: neither url nor service is given")
        base = self._services.get((service.namespace, service.name))
        if base is None:
            raise Unreachable(f'failed to call webhook: service "{service.name}" not found')
        path = service.path if service.path.startswith("/") or not service.path else f"/{service.path}"
        return base.rstrip("/") + (path or "/"), f"{service.name}.{service.namespace}.svc"

    def _context(self, bundle: str) -> ssl.SSLContext:
        context = self._contexts.get(bundle)
        if context is None:
            try:
                context = ssl.create_default_context(
                    cadata=base64.b64decode(bundle).decode("ascii") if bundle else None
                )
            except (ssl.SSLError, binascii.Error, ValueError) as error:
                raise Unreachable(f"failed to call webhook: caBundle holds no certificate: {error}") from error
            self._contexts[bundle] = context
        return context

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
