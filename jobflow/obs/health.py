"""Health: `/healthz`, `/readyz` and `/metrics` on one small HTTP server.

In: an address, what is still missing, the metrics. Out: answers for a kubelet and for Prometheus. `/healthz` says that
the event loop turns, by answering at all; how much there is to do is never a reason to be restarted. `/readyz` says
that the cache is filled: a replica that stands by is ready, since it could lead now. Later trouble of a watch is told
by metrics and logs, and does not take readiness away: the other replica has the same API server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web

from jobflow.clock import Clock
from jobflow.obs.address import Address
from jobflow.obs.measures import Measures
from jobflow.obs.metrics import CONTENT_TYPE

LAG_SECONDS = 1.0  # between two looks at how late the loop is


class Scraped(Protocol):
    """What has metrics to tell."""

    def text(self) -> bytes:
        """All series, in Prometheus' text format."""


class AddressTakenError(Exception):
    """Nobody can listen on the address that was given; says why."""


@asynccontextmanager
async def serve(address: Address, unready: Callable[[], list[str]], metrics: Scraped) -> AsyncIterator[int]:
    """Listen while the block runs; gives the port. Raises AddressTakenError."""

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        missing = unready()
        return web.Response(text="\n".join(missing or ["ok"]) + "\n", status=503 if missing else 200)

    async def metrics_text(request: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    application = web.Application()
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/metrics", metrics_text)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address.host or None, address.port)
        try:
            await site.start()
        except OSError as error:
            raise AddressTakenError(f"cannot listen on {address}: {error.strerror or error}") from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def watched_loop(clock: Clock, measures: Measures) -> AsyncIterator[None]:
    """While the block runs, measure once a second how late the event loop's timers ring."""

    async def look() -> None:
        while True:
            due = clock.monotonic() + LAG_SECONDS
            await clock.sleep(LAG_SECONDS)
            measures.loop_lagged(max(clock.monotonic() - due, 0.0))

    task = asyncio.create_task(look(), name="event loop lag")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
