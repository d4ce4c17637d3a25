"""watch: what happens to the objects that are selected, from a revision on, without gaps or duplicates.

In: a Call. Out: chunks of JSON lines. A watcher has no queue: it holds its place in the collection's bounded history
and reads on when it is woken, so a slow one costs nothing until the history has passed it by; then its stream ends and
it starts again from its last version (and learns from a 410 if that is too old).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec

from jobflow.clock import Clock
from jobflow.local.apiserver.calls import Call, Selection
from jobflow.local.apiserver.reads.reading import revision_of
from jobflow.local.apiserver.reads.representations import Form
from jobflow.local.apiserver.statuses import bad_request, too_old
from jobflow.local.apiserver.storage.store import Event, Shelf, Store
from jobflow.local.apiserver.wire.streams import Answer
from jobflow.local.apiserver.writes.metadata import encode
from jobflow.local.apiserver.writes.objects import Objects

BOOKMARK_SECONDS = 60  # clients take a longer silence for a dead peer
MIN_WATCH_SECONDS = 1800  # as kube-apiserver: where the client names no end, between this and twice as long
CHUNK_BYTES = 256 * 1024  # of lines that are ready together; more goes out in several writes
_INITIAL_EVENTS_END = "k8s.io/initial-events-end"


@asynccontextmanager
async def watch(call: Call, objects: Objects) -> AsyncIterator[Answer]:
    """Open a watch. Raises the StatusError that refuses it."""
    watcher = Watcher(call, objects)
    alarms = watcher.alarms(objects.clock)
    try:
        await objects.store.settled()
        yield Answer(watcher.read)
    finally:
        watcher.close()
        for alarm in alarms:
            alarm.cancel()
        await asyncio.gather(*alarms, return_exceptions=True)


class Watcher:
    """One client's place in the history of one collection."""

    def __init__(self, call: Call, objects: Objects) -> None:
        self._store: Store = objects.store
        self._shelf: Shelf = objects.store.shelf(call.collection)
        self._selection = Selection(call)
        self._view = call.view
        self._bookmarks = call.query.flag("allowWatchBookmarks")
        self._seconds = call.query.number("timeoutSeconds") or objects.random.randint(
            MIN_WATCH_SECONDS, 2 * MIN_WATCH_SECONDS
        )
        self._wake = asyncio.Event()
        self._bookmark_due = False
        self._over = False  # the watch shall end
        self._ended = False  # it has: what is ready is the last of it
        self._seen = self._store.revision
        self._ready: deque[bytes] = deque(_joined(self._start(call)))
        self._shelf.watched_by(self._wake)

    def _start(self, call: Call) -> list[bytes]:
        """The lines that come before what happens: the state, where the client has none yet."""
        revision = revision_of(call)
        streaming_list = call.query.flag("sendInitialEvents") if "sendInitialEvents" in call.query else None
        if streaming_list and call.query.text("resourceVersionMatch") != "NotOlderThan":
            raise bad_request(
                "sendInitialEvents: Forbidden: resourceVersionMatch=NotOlderThan is required with sendInitialEvents"
            )
        if streaming_list or (streaming_list is None and not revision):
            objects = self._store.list(call.collection, self._selection.namespace, None, self._seen)
            lines = [self._line("ADDED", self._view.stored(obj)) for obj in objects if self._selection.holds(obj)]
            if streaming_list and self._bookmarks:
                lines.append(self._bookmark({_INITIAL_EVENTS_END: "true"}))
            return lines
        if revision:
            if revision < self._shelf.floor:
                raise too_old(revision, self._shelf.floor)
            if revision > self._store.revision:  # of another store, or of one that was reset: it must list again
                raise too_old(revision, self._store.revision)
            self._seen = revision
        return []

    def alarms(self, clock: Clock) -> list[asyncio.Task[None]]:
        """What wakes the watcher besides events: its end, and the next bookmark."""
        alarms = [asyncio.create_task(self._end_after(clock), name="watch: timeout")]
        if self._bookmarks:
            alarms.append(asyncio.create_task(self._bookmark_each(clock), name="watch: bookmarks"))
        return alarms

    async def _end_after(self, clock: Clock) -> None:
        await clock.sleep(self._seconds)
        self.stop()

    async def _bookmark_each(self, clock: Clock) -> None:
        while True:
            await clock.sleep(BOOKMARK_SECONDS)
            self._bookmark_due = True
            self._wake.set()

    def stop(self) -> None:
        """End the stream after what is ready."""
        self._over = True
        self._wake.set()

    def close(self) -> None:
        """Watch no more."""
        self.stop()
        self._shelf.unwatched_by(self._wake)

    async def read(self) -> bytes | None:
        """The next chunk of lines; None once the watch, the kind, or the history behind a slow reader has ended."""
        while not self._ready:
            if self._ended:
                return None
            self._wake.clear()
            self._gather()
            if not self._ready and not self._ended:
                await self._wake.wait()
        return self._ready.popleft()

    def _gather(self) -> None:
        """Make ready what is published since the last time."""
        if self._seen < self._shelf.floor:
            self._ended = True  # slower than the history is long
            return
        until = self._store.published
        events = self._shelf.events_after(self._seen, until)
        lines = [line for event in events if (line := self._told(event))]
        self._seen = max(self._seen, until)
        self._ended = (
            self._over or self._store.closing or (self._shelf.closed and self._seen >= self._shelf.last_revision)
        )
        if self._bookmarks and (self._bookmark_due or self._ended):
            self._bookmark_due = False
            lines.append(self._bookmark({}))
        self._ready.extend(_joined(lines))

    def _told(self, event: Event) -> bytes | None:
        """The line for an event; a selective watcher sees objects arrive and leave as they begin and cease to match."""
        obj, before = event.object, event.before
        if self._selection.namespace not in (None, obj.namespace):
            return None
        if self._selection.everything:
            return self._line(event.type, self._view.stored(obj))
        now = event.type != "DELETED" and self._selection.holds(obj)
        was = before is not None and self._selection.holds(before)
        if now:
            return self._line("MODIFIED" if was else "ADDED", self._view.stored(obj))
        if was and before is not None:
            if event.type == "DELETED":
                return self._line("DELETED", self._view.stored(obj))
            last = encode(msgspec.json.decode(self._view.stored(before)), event.revision)
            return self._line("DELETED", last)
        return None

    def _line(self, type: str, data: bytes) -> bytes:
        return event_line(type, self._view.one(data))

    def _bookmark(self, annotations: dict[str, str]) -> bytes:
        resource = self._view.served.resource
        meta: dict[str, object] = {"resourceVersion": str(self._seen), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        kind, version = resource.kind, resource.api_version
        match self._view.form:
            case Form.TABLE:
                kind, version = "Table", "meta.k8s.io/v1"
            case Form.PARTIAL:
                kind, version = "PartialObjectMetadata", "meta.k8s.io/v1"
        bookmark: dict[str, object] = {"kind": kind, "apiVersion": version, "metadata": meta}
        if self._view.form is Form.TABLE:
            bookmark |= {"columnDefinitions": None, "rows": []}
        return event_line("BOOKMARK", msgspec.json.encode(bookmark))


def event_line(type: str, data: bytes) -> bytes:
    """One line of a watch."""
    return b'{"type":"%s","object":%s}\n' % (type.encode(), data)


def _joined(lines: list[bytes]) -> Iterator[bytes]:
    """Lines in chunks of a bounded size."""
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += len(line)
        if size >= CHUNK_BYTES:
            yield b"".join(chunk)
            chunk, size = [], 0
    if chunk:
        yield b"".join(chunk)
