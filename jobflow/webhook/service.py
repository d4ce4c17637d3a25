"""Service: the webhook's parts, in the order in which they start and stop.

In: a client, a clock, settings. Out: answered reviews, until `stop` is set; then what is in hand is answered and the
port is closed. Every replica answers: nobody leads. A replica is ready when it has the lists of templates and flows and
shows a certificate that API servers trust: until then the Service sends it nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import structlog

from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.obs.address import Address
from jobflow.obs.health import AddressTakenError
from jobflow.webhook.access import Access
from jobflow.webhook.authority import Lifetimes, expires
from jobflow.webhook.keeper import Keeper, Place
from jobflow.webhook.known import Known
from jobflow.webhook.metrics import WebhookMetrics
from jobflow.webhook.mounted import Mounted
from jobflow.webhook.reviewer import Reviewer
from jobflow.webhook.server import Limits, serve
from jobflow.webhook.settings import WebhookSettings
from jobflow.webhook.shown import Shown

ENDPOINT_SECONDS = 3.0  # until a Service has heard that this pod goes; meanwhile it is still sent reviews

log = structlog.get_logger(__name__)


class Webhook:
    """One replica, apart from its signals and its flags."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        settings: WebhookSettings,
        *,
        lifetimes: Lifetimes | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.metrics = WebhookMetrics()
        self.shown = Shown()
        self.port = 0  # where it listens, once it does
        self.listening = asyncio.Event()
        self._clock = clock
        self._settings = settings
        self._limits = limits
        self._known = Known(client, clock, cluster_templates=settings.enable_cluster_templates)
        self._reviewer = Reviewer(self._known, Access(client, clock), protect_running=settings.protect_running)
        self._certificates = self._source(client, lifetimes)
        self._stopping = False

    def _source(self, client: Client, lifetimes: Lifetimes | None) -> Keeper | Mounted:
        settings = self._settings
        if settings.certificate_directory is not None:
            return Mounted(settings.certificate_directory, self._clock, self.shown)
        place = Place(settings.namespace, settings.certificate_secret, settings.configuration, settings.names)
        return Keeper(client, self._clock, place, self.shown, lifetimes)

    def unready(self) -> list[str]:
        """Why reviews should not be sent here (yet)."""
        stopping = ["stopping"] if self._stopping else []
        listening = [] if self.listening.is_set() else ["not listening yet"]
        return [*stopping, *self._known.waiting, *self._certificates.unready, *listening]

    async def run(self, stop: asyncio.Event, *, linger: float = ENDPOINT_SECONDS) -> None:
        """Serve until `stop` is set, and `linger` seconds longer. Raises AddressTakenError."""
        try:
            await self._run(stop, linger)
        except* AddressTakenError as taken:
            raise taken.exceptions[0] from None

    async def _run(self, stop: asyncio.Event, linger: float) -> None:
        async with asyncio.TaskGroup() as background:
            tasks = [
                background.create_task(self._certificates.run(), name="certificates"),
                background.create_task(self._known.run(), name="known"),
            ]
            try:
                if await self._shown_or(stop):
                    await self._serve(stop, linger)
            finally:
                for task in tasks:
                    task.cancel()

    async def _shown_or(self, stop: asyncio.Event) -> bool:
        """Wait for the first certificate; whether there is one."""
        waits = [asyncio.create_task(event.wait()) for event in (self.shown.ready, stop)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return self.shown.ready.is_set()

    async def _serve(self, stop: asyncio.Event, linger: float) -> None:
        self.metrics.certificate_from(lambda: expires(self.shown.certificate).timestamp())
        address = Address.parse(self._settings.listen_address)
        async with AsyncExitStack() as stack:
            serving = serve(
                address,
                self.shown.listening,
                self._reviewer,
                clock=self._clock,
                metrics=self.metrics,
                limits=self._limits,
            )
            self.port = await stack.enter_async_context(serving)
            self.listening.set()
            log.info("answering reviews", address=str(Address(address.host, self.port)))
            await stop.wait()
            self._stopping = True
            log.info("stopping")
            await self._clock.sleep(linger)
