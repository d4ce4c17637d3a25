"""Election: one of several replicas leads, by a Lease that the others respect until it is stale.

In: the Lease, who we are, and what a leader does (`lead`). Out: `lead` runs while the lease is ours. Whether another's
lease is stale is judged by our own monotonic clock, since we last saw the record change; the times in the record are
for people. A leader that cannot renew stops before anybody may follow it: its work is cancelled and awaited, while no
write starts any more (`fenced.py`). Whatever the API server answers is a round that was not won, never an exception.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from random import Random
from typing import Any, TypeVar

import structlog

from jobflow.clock import Clock
from jobflow.kube.errors import ApiError, Conflict, Forbidden, NotFound, Unavailable
from jobflow.kube.leadership import Leadership, Sent, Timing
from jobflow.kube.lease_records import Lease, LeaseRecords, LeaseSpec, micro_time
from jobflow.kube.lease_watch import LeaseWatch
from jobflow.obs.measures import Measures

T = TypeVar("T")
Lead = Callable[[Leadership], Awaitable[None]]

WRITE_MARGIN_SECONDS = 1.0  # between the end of the last write and that of the lease: clocks do not run equally fast
TICK_SECONDS = 0.01  # a loop's clock is coarser than a float: a shorter sleep might not pass any time
RETRY_JITTER = 0.2  # replicas that were started together do not ask together

log = structlog.get_logger(__name__)


class Election:
    """Takes part in the election for one Lease. `identity` is unique to this process."""

    def __init__(
        self,
        records: LeaseRecords,
        clock: Clock,
        identity: str,
        timing: Timing | None = None,
        random: Random | None = None,
        measures: Measures | None = None,
    ) -> None:
        self._records = records
        self._clock = clock
        self.identity = identity
        self._timing = timing or Timing()
        self._random = random or Random()
        self._measures = measures or Measures()
        self._lease: Lease | None = None  # as stored, as far as we know; None: read it before it is written
        self._seen = LeaseSpec()  # the record when it last changed, and when we saw that
        self._seen_at = 0.0
        self._asked: LeaseSpec | None = None  # a record that we tried to store, and have not heard of
        self._asked_at = Sent(0.0, datetime.min)
        self._told = ""  # what was last logged of a lease that is not ours
        self.refusal = ""  # why this replica cannot lead until somebody gives it the right to the Lease
        self.leadership: Leadership | None = None

    def may_write(self) -> float:
        """Seconds that a write which starts now may take; 0 where none may start."""
        leadership = self.leadership
        if leadership is None or not leadership.has_more_than(self._timing.reserve):
            return 0.0
        return max(leadership.remaining - WRITE_MARGIN_SECONDS, 0.0)

    async def run(self, lead: Lead) -> None:
        """Lead whenever the lease is ours, until `lead` returns by itself or we are cancelled; then give it back."""
        while True:
            leadership = await self._acquire()
            if await self._serve(leadership, lead):
                return

    async def _acquire(self) -> Leadership:
        watch = LeaseWatch(self._records, self._clock)
        try:
            while True:
                started = self._clock.monotonic()
                try:
                    leadership = await self._within(self._timing.renew_deadline / 2, self._campaign)
                except ApiError as error:
                    self._failed(error)
                else:
                    self.refusal = ""
                    if leadership is not None:
                        return leadership
                    self._measures.lease_round("waiting")
                await watch.pause(max(self._until_next_round(started), TICK_SECONDS), self._lease)
        finally:
            await watch.close()

    def _until_next_round(self, started: float) -> float:
        """A retry after the last round began; sooner where the lease runs out before that."""
        pause = self._timing.retry * (1 - self._random.uniform(0.0, RETRY_JITTER))
        pause -= self._clock.monotonic() - started
        held = self._held_for()
        return min(pause, held) if held > 0 else pause

    async def _campaign(self, timeout: float) -> Leadership | None:
        """One round: None while the lease is somebody else's."""
        lease = self._lease = await self._records.read(timeout)
        self._observe(lease)
        if (held := self._held_for()) > 0:
            self._tell(f"{self._seen.holderIdentity} leads", stale_in=round(held, 1))
            return None
        sent = await self._store(lease, timeout)
        log.info("leading", lease=str(self._records), identity=self.identity, transitions=self._seen.leaseTransitions)
        self._told = ""
        return Leadership(self._clock, self._timing, sent)

    async def _serve(self, leadership: Leadership, lead: Lead) -> bool:
        """Lead until the lease is lost (False) or there is nothing more to do (True)."""
        self.leadership = leadership
        work = asyncio.ensure_future(lead(leadership))
        renewing = asyncio.create_task(self._renew(leadership), name="lease renewal")
        lost = False
        try:
            await asyncio.wait({work, renewing}, return_when=asyncio.FIRST_COMPLETED)
            lost = not work.done()
            if lost:
                leadership.end()
                self._measures.lease_round("lost")
                log.warning("leadership lost: the work is being stopped", because=renewing.result())
        finally:
            try:
                await _ended(work)
            finally:
                await _ended(renewing)
                leadership.end()
                self.leadership = None
            if not lost:
                await self._release()
        if not work.cancelled():
            work.result()
        return not lost

    async def _renew(self, leadership: Leadership) -> str:
        """Keep the lease; says why when it cannot be kept."""
        pause = self._timing.renew_every
        problem = "no try was made in time"
        while True:
            await self._clock.sleep(max(min(pause, leadership.until_deadline), TICK_SECONDS))
            left = leadership.until_deadline
            if left <= TICK_SECONDS:
                return f"not renewed for {self._timing.renew_deadline:g} s: {problem}"
            started = self._clock.monotonic()
            try:
                await self._within(min(left, max(left / 2, self._timing.retry)), self._renewal, leadership)
                pause = self._timing.renew_every
            except _TakenError as error:
                return str(error)
            except ApiError as error:
                self._failed(error)
                problem = error.message
                pause = self._timing.retry - (self._clock.monotonic() - started)

    async def _renewal(self, timeout: float, leadership: Leadership) -> None:
        for last in (False, True):
            if self._lease is None:
                self._lease = await self._records.read(timeout)
                self._observe(self._lease)
                if self._lease is not None and self._seen.holderIdentity not in (None, "", self.identity):
                    raise _TakenError(f"{self._seen.holderIdentity} holds the lease")
            try:
                sent = await self._stored(timeout)
            except (Conflict, NotFound):
                self._lease = None
                if last:
                    raise
            else:
                self.refusal = ""
                leadership.renewed(sent)
                return

    async def _stored(self, timeout: float) -> Sent:
        """When the renewal was sent that is stored now: an earlier one, where only its answer was late or lost."""
        if self._lease is not None and self._lease.spec == self._asked:
            self._asked = None
            self._measures.lease_round("held")
            return self._asked_at
        return await self._store(self._lease, timeout)

    async def _release(self) -> None:
        """Give the lease back, so that nobody has to wait for its end; a try, for whoever stops."""
        try:
            await self._within(self._timing.retry, self._give_back)
            log.info("lease released", lease=str(self._records))
        except ApiError as error:
            log.info("lease not released: others wait for its end", error=error.message)

    async def _give_back(self, timeout: float) -> None:
        lease = await self._records.read(timeout)
        if lease is None or lease.spec.holderIdentity != self.identity:
            return
        now = micro_time(self._clock.now())
        given = LeaseSpec("", 1, lease.spec.acquireTime, now, lease.spec.leaseTransitions)
        await self._records.write(lease, given, timeout)

    async def _store(self, lease: Lease | None, timeout: float) -> Sent:
        """Write that we hold it, from what is stored; when that was sent."""
        sent = Sent.now(self._clock)
        now = micro_time(sent.wall)
        before = lease.spec if lease is not None else self._seen
        ours = before.holderIdentity == self.identity
        transitions = before.leaseTransitions or 0
        if not ours and before.holderIdentity is not None:
            transitions += 1
        acquired = before.acquireTime if ours else now
        spec = LeaseSpec(self.identity, self._timing.duration, acquired or now, now, transitions)
        self._asked, self._asked_at = spec, sent
        stored = self._records.create(spec, timeout) if lease is None else self._records.write(lease, spec, timeout)
        self._lease = await stored
        self._observe(self._lease)
        self._asked = None
        self._measures.lease_round("held")
        return sent

    def _observe(self, lease: Lease | None) -> None:
        """Take note of a record. One that is gone was not given back: whoever held it may still be at work."""
        if lease is not None and lease.spec != self._seen:
            self._seen, self._seen_at = lease.spec, self._clock.monotonic()

    def _held_for(self) -> float:
        """For how many seconds the lease is somebody else's, unless it is renewed."""
        if self._seen.holderIdentity in (None, "", self.identity):
            return 0.0
        duration = self._seen.leaseDurationSeconds or self._timing.duration  # the holder's, which may not be ours
        return self._seen_at + duration - self._clock.monotonic()

    def _failed(self, error: ApiError) -> None:
        self._lease = None  # it may have been written all the same: read it first
        self.refusal = f"lease {self._records}: {error.message}" if isinstance(error, Forbidden) else ""
        self._measures.lease_round("error")
        self._tell(f"lease {self._records}: {error.message}")

    def _tell(self, said: str, **more: Any) -> None:
        if said != self._told:
            self._told = said
            log.info("standing by" if self.leadership is None else "lease not renewed", because=said, **more)

    async def _within(self, seconds: float, ask: Callable[..., Coroutine[Any, Any, T]], *more: Any) -> T:
        """Ask with a timeout, and wait no longer: credentials may be fetched before the transport's own begins."""
        asking = asyncio.create_task(ask(seconds, *more), name="lease round")
        limit = asyncio.create_task(self._clock.sleep(seconds), name="lease round: time")
        try:
            await asyncio.wait({asking, limit}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise Unavailable(f"no answer within {seconds:g} s")
            return asking.result()
        finally:
            asking.cancel()
            limit.cancel()
            await asyncio.gather(asking, limit, return_exceptions=True)


class _TakenError(Exception):
    """The lease is another's."""


async def _ended(task: asyncio.Future[Any]) -> None:
    """Cancel a task and wait until it has ended, also where we are cancelled meanwhile."""
    task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
