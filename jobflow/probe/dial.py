"""Dial: one try of a network probe.

In: a Probe. Out: a Tried: whether the answer was good, and what to tell of it in a few words. Nothing here waits
longer than the probe's timeout, follows a redirect, uses a proxy, keeps a connection or reads a body: whatever the
other side sends, at most its headers are read.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from dataclasses import dataclass
from functools import cached_property

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict
from yarl import URL

from jobflow.api.probes import HttpCheck, OfHost, Probe, TcpCheck
from jobflow.probe.addresses import AddressRules
from jobflow.probe.resolve import Names, Unresolved, resolve

HEADER_BYTES = 16 * 1024  # of one header line; a server that needs more is not answering a health check
READ_BYTES = 4 * 1024
AGENT = "jobflow-probe"
HUNG_UP = "the connection was closed before an answer"
SHOWN_CHARACTERS = 120  # of what an error says


@dataclass(frozen=True, slots=True)
class Tried:
    """How one try went: `503`, `connection refused`, `no answer within 1 s`."""

    passed: bool
    said: str


class Dialer:
    """Tries probes. One for the whole controller; it is closed at the end."""

    def __init__(self, names: Names, rules: AddressRules) -> None:
        self._names = names
        self._rules = rules
        self._session: aiohttp.ClientSession | None = None

    @cached_property
    def _verifying(self) -> ssl.SSLContext:
        """Made with the first probe that needs it: it reads all certificates of the machine, which takes a while."""
        return ssl.create_default_context()

    @cached_property
    def _trusting(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    async def dial(self, probe: Probe) -> Tried:
        """Ask once. Never raises, save when cancelled."""
        try:
            async with asyncio.timeout(probe.timing.timeout):
                address = await resolve(probe.namespace, probe.address, self._names, self._rules)
                match probe.check:
                    case HttpCheck():
                        return await self._http(probe, probe.check, address)
                    case TcpCheck(port):
                        return await _tcp(address, port)
        except TimeoutError:
            return Tried(False, f"no answer within {probe.timing.timeout} s")
        except Unresolved as error:
            return Tried(False, str(error))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Tried(False, _words(error))

    async def close(self) -> None:
        """Let go of sockets."""
        if self._session is not None:
            await self._session.close()
        await self._names.close()

    async def _http(self, probe: Probe, check: HttpCheck, address: str) -> Tried:
        url = URL.build(scheme=check.scheme, host=address, port=check.port).join(URL(check.path, encoded=True))
        host = _host_header(probe, check)
        headers = CIMultiDict({"User-Agent": AGENT, "Accept": "*/*"} | ({"Host": host} if host else {}))
        headers.update(check.headers)
        async with self._open().request(
            check.method,
            url,
            headers=headers,
            allow_redirects=False,
            ssl=self._verifying if check.verify else self._trusting,
            server_hostname=_server_name(headers.get("Host", "")) if check.scheme == "https" else None,
        ) as response:
            low, high = check.accepted
            passed = low <= response.status <= high
            response.close()  # with the connection: the body is nobody's business
            return Tried(passed, str(response.status))

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, force_close=True, resolver=_NoNames(), use_dns_cache=False)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=None),
                read_bufsize=READ_BYTES,
                max_line_size=HEADER_BYTES,
                max_field_size=HEADER_BYTES,
            )
        return self._session


class _NoNames(AbstractResolver):
    """What is dialled was resolved and judged before: a name that gets this far is a mistake of ours."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        raise OSError(f"{host} was not resolved")

    async def close(self) -> None:
        """Nothing is open."""


class _Silent(asyncio.Protocol):
    """Says nothing, hears nothing."""


async def _tcp(address: str, port: int) -> Tried:
    transport, _ = await asyncio.get_running_loop().create_connection(_Silent, address, port)
    transport.abort()
    return Tried(True, "connected")


def _host_header(probe: Probe, check: HttpCheck) -> str:
    """The host that the user wrote, for servers that have several; a pod is asked by its address."""
    if not isinstance(probe.address, OfHost):
        return ""
    usual = {"http": 80, "https": 443}[check.scheme]
    return probe.address.host if check.port == usual else f"{probe.address.host}:{check.port}"


def _server_name(host_header: str) -> str | None:
    """The name that a certificate is checked against; None stands for the address itself."""
    name, _, port = host_header.rpartition(":")
    return (name if port.isdigit() else host_header).strip("[]") or None


def _words(error: Exception) -> str:
    """An error in a few words, without what the other side sent."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"certificate: {_cut(getattr(error.certificate_error, 'verify_message', '') or 'not valid')}"
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return "TLS could not be agreed on"
        case aiohttp.ServerDisconnectedError():
            return HUNG_UP
        case OSError(errno=errno.ECONNRESET | errno.EPIPE | errno.ECONNABORTED):
            return HUNG_UP
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return "the answer is not HTTP"
        case ConnectionRefusedError():
            return "connection refused"
        case aiohttp.ClientConnectorError():
            return _words(error.os_error)
        case OSError():
            return _cut((error.strerror or str(error) or type(error).__name__).lower())
        case _:
            return _cut(str(error) or type(error).__name__)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
