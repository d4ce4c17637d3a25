"""EventRecorder: what happened, as core/v1 Events that `kubectl describe` shows under the object.

In: `emit`, from anywhere, which never waits. Out: an Event object per (object, reason, message), whose count grows
when it happens again within ten minutes. Events are told for people and may be lost: when more happens than can
be sent they are dropped and counted, so that telling never delays doing.
"""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from jobflow.api.access import Rule
from jobflow.api.metadata import ObjectReference
from jobflow.api.names import MAX_NAME_CHARACTERS
from jobflow.api.resources import EVENT
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.errors import AlreadyExists, ApiError, NotFound, Throttled, Unavailable

ACCESS = (Rule(EVENT, ("create", "patch")),)

GIVE_WAY_SECONDS = 0.2  # how soon a lane looks again whether the client is still busy
LANES = 4  # requests for Events in flight: a sixteenth of the client's, and about 400 Events a second
MAX_QUEUED = 8192  # in all lanes: a burst of two thousand flows; some 8 MB
MAX_REMEMBERED = 8192  # Events that may be counted up instead of created anew
REPEAT_SECONDS = 600.0
FLUSH_SECONDS = 2.0
MAX_ATTEMPTS = 4
FIRST_RETRY_SECONDS = 1.0
MAX_RETRY_SECONDS = 30.0  # whatever Retry-After says
MAX_MESSAGE_CHARACTERS = 1024  # the API's own limit for `note`
HEX_CHARACTERS = 16

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One thing that happened to one object."""

    about: ObjectReference
    type: str
    reason: str
    message: str
    at: datetime
    number: int

    @property
    def same(self) -> tuple[str, str, str]:
        """Occurrences with an equal value are one Event with a count."""
        return (self.about.uid, self.reason, self.message)

    @property
    def namespace(self) -> str:
        """Where the Event lives; that of the object, or `default` where the object has none."""
        return self.about.namespace or "default"

    @property
    def event_name(self) -> str:
        """`<object>.<hex>`: the same for each attempt to send it, another for every other occurrence."""
        told = f"{self.about.uid} {self.reason} {self.message} {self.at.isoformat()} {self.number}"
        digits = hashlib.sha256(told.encode()).hexdigest()[:HEX_CHARACTERS]
        kept = self.about.name[: MAX_NAME_CHARACTERS - HEX_CHARACTERS - 1].rstrip("-.")
        return f"{kept}.{digits}"


@dataclass(slots=True)
class _Written:
    name: str
    count: int
    last: float  # monotonic


class EventRecorder:
    """Queues, counts up and sends Events; `run` sends until it is cancelled."""

    def __init__(self, client: Client, clock: Clock, component: str = "jobflow-controller") -> None:
        self._client = client
        self._clock = clock
        self._component = component
        self._lanes: list[deque[Occurrence]] = [deque() for _ in range(LANES)]
        self._more = [asyncio.Event() for _ in range(LANES)]
        self._written: OrderedDict[tuple[str, str, str], _Written] = OrderedDict()
        self._emitted = 0
        self._told = ""  # why the last one was dropped: thousands of flows meet the same refusal
        self.dropped = 0

    def emit(self, about: ObjectReference, type: str, reason: str, message: str) -> None:
        """Say that something happened; `type` is Normal or Warning, `reason` one CamelCase word."""
        lane = zlib.crc32(about.uid.encode()) % LANES  # one object, one lane: counts follow their create
        if len(self._lanes[lane]) >= MAX_QUEUED // LANES:
            self.dropped += 1
            return
        self._emitted += 1
        message = message[:MAX_MESSAGE_CHARACTERS]
        at = self._clock.now()
        self._lanes[lane].append(Occurrence(about, type, reason, message, at, self._emitted))
        self._more[lane].set()

    async def run(self) -> None:
        """Send what is emitted. When cancelled, what is queued still gets 2 s."""
        try:
            async with asyncio.TaskGroup() as lanes:
                for lane in range(LANES):
                    lanes.create_task(self._send_for_ever(lane))
        except asyncio.CancelledError:
            await self._flush()
            raise

    async def _send_for_ever(self, lane: int) -> None:
        while True:
            await self._drain(lane)
            self._more[lane].clear()
            await self._more[lane].wait()

    async def _drain(self, lane: int) -> None:
        queue = self._lanes[lane]
        while queue:
            await self._give_way(lane)
            await self._send(queue[0])  # stays first until it is sent, so that a cancelled send is repeated
            queue.popleft()

    async def _give_way(self, lane: int) -> None:
        """While the client has much to do, one lane is left to Events: telling must not delay doing."""
        while lane and self._client.limiter.busy:
            await self._clock.sleep(GIVE_WAY_SECONDS)

    async def _flush(self) -> None:
        flushing = asyncio.create_task(self._drain_all())
        limit = asyncio.create_task(self._clock.sleep(FLUSH_SECONDS))
        try:
            await asyncio.wait({flushing, limit}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            flushing.cancel()
            limit.cancel()
            await asyncio.wait({flushing, limit})
            self.dropped += sum(len(queue) for queue in self._lanes)

    async def _drain_all(self) -> None:
        await asyncio.gather(*(self._drain(lane) for lane in range(LANES)))

    async def _send(self, what: Occurrence) -> None:
        """Write it, or give up: an Event is not worth holding up those behind it for long."""
        for attempt in range(MAX_ATTEMPTS):
            try:
                await self._write(what)
                self._told = ""
                return
            except (Unavailable, Throttled) as error:
                problem: ApiError = error
            except ApiError as error:  # the namespace is going, rights are missing: it will not get better
                problem = error
                break
            if attempt + 1 < MAX_ATTEMPTS:
                told = min(problem.retry_after or 0.0, MAX_RETRY_SECONDS)
                await self._clock.sleep(max(told, FIRST_RETRY_SECONDS * 2**attempt))
        self.dropped += 1
        if problem.message != self._told:
            self._told = problem.message
            log.warning("event dropped", object=what.about.name, reason=what.reason, error=problem.message)

    async def _write(self, what: Occurrence) -> None:
        written = self._written.get(what.same)
        now = self._clock.monotonic()
        if written is not None and now - written.last <= REPEAT_SECONDS and await self._count_up(written, what):
            written.count, written.last = written.count + 1, now
        else:
            await self._create(what)
            self._written[what.same] = _Written(what.event_name, 1, now)
        self._written.move_to_end(what.same)
        if len(self._written) > MAX_REMEMBERED:
            self._written.popitem(last=False)

    async def _count_up(self, written: _Written, what: Occurrence) -> bool:
        change = {"count": written.count + 1, "lastTimestamp": _rfc3339(what.at)}
        try:
            await self._client.patch(EVENT, what.namespace, written.name, change)
        except NotFound:
            return False  # API servers delete Events after an hour, and people may
        return True

    async def _create(self, what: Occurrence) -> None:
        about = what.about
        body = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"name": what.event_name, "namespace": what.namespace},
            "involvedObject": {
                "apiVersion": about.resource.api_version,
                "kind": about.resource.kind,
                "namespace": about.namespace,
                "name": about.name,
                "uid": about.uid,
            },
            "type": what.type,
            "reason": what.reason,
            "message": what.message,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": "",
            "firstTimestamp": _rfc3339(what.at),
            "lastTimestamp": _rfc3339(what.at),
            "count": 1,
        }
        try:
            await self._client.create(EVENT, what.namespace, body)
        except AlreadyExists:
            return  # an earlier attempt whose answer was lost


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
