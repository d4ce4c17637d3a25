"""Credentials: what requests are sent with, kept fresh while tokens and certificates are rotated.

In: an Access, and how to read it again. Out: the Access to use now. It is read again before a plugin's token expires,
once a minute where it comes from files (a kubelet renews a pod's token long before its end), and at once when the
server says 401 or shows a certificate that the CA we know did not sign: after a rotation that is what one meets first.
What cannot be read is logged, and the old is used until that works. All who need it wait for one reading, which goes on
where they give up: a plugin may take longer than any request has, and what it brings is for the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from jobflow.clock import Clock
from jobflow.kube.kubeconfig import Access, KubeconfigError

FILES_SECONDS = 60.0  # as client-go: files are read again each minute
FILES_RETRY_SECONDS = 5.0  # reading files after a refusal costs little
PLUGIN_LEAD = timedelta(minutes=5)  # before a credential plugin's token expires: a third of what EKS gives
PLUGIN_RETRY_SECONDS = 30.0  # a plugin may ask a server, or a person

log = structlog.get_logger(__name__)


class Credentials:
    """The Access to one API server. `load` blocks and is called in a thread."""

    def __init__(self, access: Access, load: Callable[[], Access], clock: Clock) -> None:
        self._load = load
        self._clock = clock
        self._read_at = clock.monotonic()
        self._tried_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._closed = False
        self.access = access

    async def current(self) -> Access:
        """What to send the next request with."""
        if self._due():
            await self._read_again()
        return self.access

    async def refused(self, used: Access) -> bool:
        """The server did not accept `used`, or we did not accept the server: whether there is something else by now."""
        if self.access.digest == used.digest:
            await self._read_again()
        return self.access.digest != used.digest

    async def close(self) -> None:
        """Read no more; who waits for a reading goes on with the old. A thread cannot be stopped: it ends unheard."""
        self._closed = True
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait((self._reading,))

    def _due(self) -> bool:
        if self.access.plugin:
            return self.access.expires is not None and self._clock.now() >= self.access.expires - PLUGIN_LEAD
        return self._clock.monotonic() - self._read_at >= FILES_SECONDS

    async def _read_again(self) -> None:
        if self._reading is None or self._reading.done():
            pause = PLUGIN_RETRY_SECONDS if self.access.plugin else FILES_RETRY_SECONDS
            if self._closed or self._clock.monotonic() - self._tried_at < pause:
                return  # another request has just done it, or it is of no use any more
            self._tried_at = self._clock.monotonic()
            self._reading = asyncio.create_task(self._read(), name="read credentials")
        # not `shield`: there `close`, which cancels the reading, would look as if our caller had been cancelled
        await asyncio.wait((self._reading,))

    async def _read(self) -> None:
        """Nobody may be waiting any more: it tells itself what went wrong."""
        try:
            fresh = await asyncio.to_thread(self._load)
        except Exception as error:  # whatever it is: the old may still do, and the reason must not be lost
            told = str(error) if isinstance(error, KubeconfigError) else repr(error)
            log.warning("credentials cannot be read again", error=told)
            return
        self._read_at = self._clock.monotonic()
        if fresh.digest != self.access.digest:
            log.info("credentials renewed", origin=fresh.origin)
            self.access = fresh
