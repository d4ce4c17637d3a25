"""LeaseWatch: wakes a replica that stands by when the Lease is given back.

In: the Lease as the last round read it, and how long to wait for the next. Out: a pause that is shorter where a watch
shows the Lease without a holder. It has no say in whose the Lease is: the election reads the record itself before it
writes. So a watch that lags, breaks or is not allowed costs time and nothing else: the rounds go on as if there were
none.
"""

from __future__ import annotations

import asyncio

import structlog

from jobflow.clock import Clock
from jobflow.kube.errors import ApiError, Forbidden
from jobflow.kube.lease_records import Lease, LeaseRecords

log = structlog.get_logger(__name__)


class LeaseWatch:
    """One watch, from the first pause until `close`; opened anew in a pause after it ended."""

    def __init__(self, records: LeaseRecords, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._watching: asyncio.Task[bool] | None = None
        self._told = False  # that it is not allowed

    async def pause(self, seconds: float, lease: Lease | None) -> None:
        """Wait so long, or until the Lease is given back. `lease` is what the last round read, None where it failed."""
        if self._watching is None and lease is not None:
            self._watching = asyncio.create_task(self._released(lease), name="lease watch")
        if self._watching is None:
            await self._clock.sleep(seconds)
            return
        watching = self._watching
        waited = asyncio.create_task(self._clock.sleep(seconds), name="until the next round")
        try:
            await asyncio.wait({watching, waited}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                self._watching = None
                if not watching.result():
                    await waited
        finally:
            waited.cancel()

    async def close(self) -> None:
        """End the watch."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
            self._watching = None

    async def _released(self, lease: Lease) -> bool:
        """Whether the watch ended because the Lease was given back."""
        try:
            return await self._records.released(lease)
        except Forbidden as error:
            if not self._told:
                self._told = True
                log.warning("lease is not watched, only looked at", lease=str(self._records), because=error.message)
        except ApiError as error:  # the rounds ask the same server, and tell what is wrong with it
            log.debug("lease watch ended", lease=str(self._records), error=error.message)
        return False
