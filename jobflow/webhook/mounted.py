"""Mounted: a certificate that somebody else keeps, such as cert-manager, in a directory.

In: `tls.crt` and `tls.key`, as a Secret of type kubernetes.io/tls is mounted. Out: the newest that fit together, shown.
Who brings them also tells the API servers of their CA (cert-manager's injector, by an annotation of the configuration).
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from jobflow.clock import Clock
from jobflow.webhook.shown import NotUsable, Shown

LOOK_SECONDS = 10.0  # a kubelet brings a new Secret within about a minute

log = structlog.get_logger(__name__)


class Mounted:
    """Certificates from a directory."""

    def __init__(self, directory: Path, clock: Clock, shown: Shown) -> None:
        self._directory = directory
        self._clock = clock
        self._shown = shown
        self._seen: tuple[bytes, bytes] | None = None
        self.problem = f"certificate: {directory} has not been read yet"

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            try:
                await self.round()
            except (OSError, NotUsable) as error:
                told = f"certificate: {self._directory}: {error}"
                if told != self.problem:
                    log.warning("the certificate cannot be read", because=told)
                self.problem = told
            await self._clock.sleep(LOOK_SECONDS)

    @property
    def unready(self) -> list[str]:
        """Why nothing is shown yet."""
        return [] if self._shown.ready.is_set() else [self.problem]

    async def round(self) -> None:
        """One look. Raises OSError, NotUsable."""
        found = await asyncio.to_thread(self._read)
        if found != self._seen:
            await self._shown.show(*found)
            self._seen = found
        self.problem = ""

    def _read(self) -> tuple[bytes, bytes]:
        return (self._directory / "tls.crt").read_bytes(), (self._directory / "tls.key").read_bytes()
