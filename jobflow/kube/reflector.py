"""Reflector: keeps a Sink (a cache) equal to what an API server stores of one kind, for ever.

In: a kind, its Codec, a Sink. Out: the Sink's calls, `synced`, and `problem` for logs and readiness. It
lists, watches from the list's version, resumes from the last version seen when a stream ends, and lists anew
when that version is too old. What to do next (`next_state`) and how long to wait before (`Pace`) are decided
apart from the requests themselves. kube-apiserver ends every watch sooner or later; that is no error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Generic, Protocol, TypeVar

import structlog

from jobflow.api.resources import Resource
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec, Event, EventType
from jobflow.kube.errors import ApiError, Forbidden, Gone, Invalid, NotFound, Unauthorized, error_for

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

WATCH_SECONDS = (300, 600)  # a random time in between, so that watches opened together do not end together
FIRST_WAIT_SECONDS = 0.2
MAX_WAIT_SECONDS = 30.0
MIN_TURN_SECONDS = 0.3  # a server that ends every stream at once sees about three requests a second
HEALTHY_SECONDS = 5.0  # a stream open for so long was no failure, even when nothing happened
ABSENT_SECONDS = 30.0  # how often a kind that is not served is looked for, where nobody calls retry_now
ARRIVING_SECONDS = 10.0  # after retry_now: a CRD may be Established a little before it is served
ARRIVING_WAIT_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Sink(Protocol[T_contra]):
    """What a cache gives the reflector; all calls are synchronous and cheap."""

    def replace(self, objects: Sequence[T_contra], resource_version: str) -> None:
        """These are all objects there are: diff against what is held."""

    def put(self, obj: T_contra) -> None:
        """One object was added or modified."""

    def remove(self, obj: T_contra) -> None:
        """One object was deleted; `obj` is its last state."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of the kind: one namespace or all (None), those that match the labels."""

    namespace: str | None = None
    label_selector: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the sink holds is unknown or too old: list."""


@dataclass(frozen=True, slots=True)
class Watching:
    """The sink holds everything up to `version`: watch from there."""

    version: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The kind is not served, the sink is empty: look again now and then."""


State = Listing | Watching | Absent


@dataclass(frozen=True, slots=True)
class Turn:
    """How one list or one stream ended: the last version seen, and the error where it ended with one."""

    version: str
    error: ApiError | None = None
    healthy: bool = False  # a stream that brought an event or stood for some seconds
    listed: bool = False


def next_state(state: State, turn: Turn) -> State:
    """What to do after `turn`."""
    match turn.error:
        case None:
            return Watching(turn.version)
        case NotFound():
            return Absent()
        case Gone() | Invalid():
            return Listing()
        case error if _version_of_the_future(error):
            return Listing()
        case error if _is_refusal(error) and isinstance(state, Watching):
            return Listing()  # rights may be missing for days: whoever gets them back first sees what is there now
    return Watching(turn.version) if isinstance(state, Watching) else state


def _is_refusal(error: ApiError | None) -> bool:
    """Missing rights, which only a person can mend; credentials may yet be refreshed by themselves."""
    return isinstance(error, Forbidden) and not isinstance(error, Unauthorized)


def _version_of_the_future(error: ApiError) -> bool:
    """The server has not reached our version: its storage was restored from a backup, or it is another."""
    causes = error.details.get("causes")
    return isinstance(causes, list) and any(
        isinstance(cause, dict) and cause.get("reason") == "ResourceVersionTooLarge" for cause in causes
    )


class Pace:
    """How long to wait before the next turn: full jitter, growing until a stream was healthy."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._failures = 0

    def wait(self, turn: Turn, elapsed: float) -> float:
        """Seconds to wait after a turn that took `elapsed` seconds."""
        if turn.healthy:
            self._failures = 0
        if turn.listed:
            return 0.0  # does not reset failures: else list, 410, list, 410 would go round without a pause
        rest = MIN_TURN_SECONDS - elapsed
        if turn.healthy and turn.error is None:
            return max(rest, 0.0)
        longest = min(FIRST_WAIT_SECONDS * 2.0 ** min(self._failures, 16), MAX_WAIT_SECONDS)
        self._failures += 1
        told = (turn.error.retry_after if turn.error else None) or 0.0
        return max(rest, min(told, MAX_WAIT_SECONDS), self._random.uniform(0.0, longest))


class Reflector(Generic[T]):
    """Lists and watches one kind; `run` ends only when it is cancelled."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        resource: Resource,
        codec: Codec[T],
        sink: Sink[T],
        selection: Selection | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._resource = resource
        self._codec = codec
        self._sink = sink
        self._selection = selection or Selection()
        self._pace = Pace(client.random)
        self._synced = asyncio.Event()
        self._looked = asyncio.Event()
        self._problem: str | None = "not listed yet"
        self.refusal = ""  # the server's words, while it knows us and says no: the sink gets older and older
        self.on_sight: Callable[[], None] = lambda: None  # called when a watch that was refused stands again
        self._pause: asyncio.Task[None] | None = None
        self._arriving_until = float("-inf")

    @property
    def problem(self) -> str | None:
        """Why the sink may not hold what the server stores; None while a stream is open."""
        return self._problem

    async def synced(self) -> None:
        """Wait until the first list was delivered, or the kind was found to be absent."""
        await self._synced.wait()

    async def synced_or_refused(self) -> None:
        """Wait until the first list was delivered, or the server said that we may not have it."""
        await self._looked.wait()

    def retry_now(self) -> None:
        """Something changed (the kind's CRD arrived, rights were given): wait no longer."""
        self._arriving_until = self._clock.monotonic() + ARRIVING_SECONDS
        if self._pause is not None:
            self._pause.cancel()

    async def run(self) -> None:
        """List, watch, resume, list anew, for ever."""
        state: State = Listing()
        while True:
            started = self._clock.monotonic()
            turn = await (self._watch(state.version) if isinstance(state, Watching) else self._list())
            if turn.error is not None:
                self._note(turn.error)
            after = next_state(state, turn)
            if isinstance(after, Absent):
                if state != after:
                    self._deliver((), "")
                state, seconds = after, self._absent_wait()
            else:
                state, seconds = after, self._pace.wait(turn, self._clock.monotonic() - started)
            await self._wait(seconds)

    async def _list(self) -> Turn:
        """All there is, as a quorum read: the watch cache of one API server may lag behind another's."""
        objects: list[T] = []
        version = ""
        try:
            pages = self._client.list(
                self._resource, self._selection.namespace, label_selector=self._selection.label_selector
            )
            async for body in pages:
                page = self._codec.page(body)
                objects += page.items
                version = page.resource_version
        except ApiError as error:
            return Turn("", error)
        self._deliver(objects, version)
        return Turn(version, listed=True)

    async def _watch(self, version: str) -> Turn:
        opened = float("inf")
        heard = False
        ended: ApiError | None = None
        stream_context = self._client.watch(
            self._resource,
            self._selection.namespace,
            version,
            self._selection.label_selector,
            self._client.random.randint(*WATCH_SECONDS),
        )
        try:
            async with stream_context as stream:
                if stream.status != 200:
                    raise error_for(stream.status, await stream.body(), stream.headers)
                opened = self._clock.monotonic()
                self._note(None)
                async for line in stream.lines():
                    event = self._codec.event(line)
                    self._apply(event)
                    version = event.resource_version or version
                    heard = True
        except ApiError as error:
            ended = error
        return Turn(version, ended, healthy=heard or self._clock.monotonic() - opened >= HEALTHY_SECONDS)

    def _apply(self, event: Event[T]) -> None:
        match event:
            case Event(EventType.DELETED, None):
                raise Gone(f"a deleted object of {self._resource} could not be read: listing to find out which")
            case Event(EventType.DELETED, obj) if obj is not None:
                self._sink.remove(obj)
            case Event(EventType.ADDED | EventType.MODIFIED, obj) if obj is not None:
                self._sink.put(obj)

    def _deliver(self, objects: Sequence[T], version: str) -> None:
        self._sink.replace(objects, version)
        self._synced.set()
        self._looked.set()

    def _note(self, error: ApiError | None) -> None:
        """Keep why we are out of sync, and log it when it changes."""
        problem = None if error is None else _told(error)
        if problem is not None and _is_refusal(error):
            self.refusal = problem
            self._looked.set()
        elif self.refusal and isinstance(error, NotFound | None):
            self.refusal = ""
            self.on_sight()
        if problem == self._problem:
            return
        before, self._problem = self._problem, problem
        if problem is not None:
            log.warning("watch interrupted", kind=str(self._resource), problem=problem)
        elif before is not None:
            log.info("watch in sync", kind=str(self._resource), before=before)

    def _absent_wait(self) -> float:
        arriving = self._clock.monotonic() < self._arriving_until
        return ARRIVING_WAIT_SECONDS if arriving else ABSENT_SECONDS

    async def _wait(self, seconds: float) -> None:
        """Sleep, or until retry_now."""
        if seconds <= 0:
            return
        self._pause = asyncio.create_task(self._clock.sleep(seconds))
        try:
            await asyncio.wait({self._pause})
        finally:
            self._pause.cancel()
            self._pause = None


def _told(error: ApiError) -> str:
    match error:
        case NotFound():
            return "kind absent"
        case Unauthorized():
            return f"credentials not accepted: {error.message}"
        case Forbidden():
            return f"forbidden: {error.message}"
        case Gone():
            return f"version expired: {error.message}"
    return f"unavailable: {error.message}"
