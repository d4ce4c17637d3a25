"""Shown: the certificate that the server shows, exchanged while it serves.

In: certificates and keys, one after another. Out: one TLS context to listen with. Each handshake is given the newest
certificate (the callback for server names, which OpenSSL calls for every handshake, whether or not a name was sent);
connections that stand keep what they began with. So no request is refused or delayed by a rotation.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from pathlib import Path


class NotUsable(Exception):
    """A certificate and key that cannot be shown; says why."""


class Shown:
    """The TLS side of the server. `listening` is its context, once something is shown."""

    def __init__(self) -> None:
        self._current: ssl.SSLContext | None = None
        self._listening: ssl.SSLContext | None = None
        self.certificate = b""
        self.ready = asyncio.Event()

    @property
    def listening(self) -> ssl.SSLContext:
        """The context to listen with; only after `ready`."""
        assert self._listening is not None
        return self._listening

    async def show(self, certificate: bytes, key: bytes) -> None:
        """From now on, show this one. Raises NotUsable, and then goes on with the one before."""
        try:
            self._current = await asyncio.to_thread(_context, certificate, key)
            if self._listening is None:
                listening = await asyncio.to_thread(_context, certificate, key)
                listening.sni_callback = self._choose
                self._listening = listening
        except (ssl.SSLError, ValueError) as error:
            raise NotUsable(f"certificate and key cannot be used: {error}") from error
        self.certificate = certificate
        self.ready.set()

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, begun: ssl.SSLContext) -> None:
        if self._current is not None:
            connection.context = self._current


def _context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    """Blocks: the ssl module reads keys from files only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory(prefix="jobflow-") as directory:
        files = [Path(directory) / "chain", Path(directory) / "key"]
        for file, content in zip(files, (certificate, key), strict=True):
            file.touch(mode=0o600)
            file.write_bytes(content)
        context.load_cert_chain(*(os.fspath(file) for file in files))
    return context
