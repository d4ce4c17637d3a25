"""ApiServer: the embedded Kubernetes API server, one request in, one answer out; it knows no sockets.

In: Requests, from the HTTP adaptor or from the in-process transport. Out: Responses (`handle`) and streams (`open`).
Without a directory it lives in memory and never waits for anything but the event loop and its Clock, so it runs in
virtual time. With one, replies and events wait for the commit to disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from types import TracebackType

from jobflow.clock import Clock
from jobflow.kube.transport import Request, Response
from jobflow.local.apiserver import deletes, reads, reviews, scale, verbs
from jobflow.local.apiserver.builtin import BUILTIN_TYPES
from jobflow.local.apiserver.calls import Call, understand
from jobflow.local.apiserver.documents import Documents
from jobflow.local.apiserver.garbage import GarbageCollector
from jobflow.local.apiserver.inprocess import InProcessTransport
from jobflow.local.apiserver.logs import LogOptions, LogSource, follow_log, read_log
from jobflow.local.apiserver.metadata import begin, timestamp
from jobflow.local.apiserver.objects import Objects
from jobflow.local.apiserver.registry import CRDS, NAMESPACES, Registry
from jobflow.local.apiserver.routes import Route, is_watch, parse_path
from jobflow.local.apiserver.sqlite import SqliteJournal
from jobflow.local.apiserver.statuses import StatusError, bad_request, method_not_allowed, path_not_found
from jobflow.local.apiserver.store import Collection, Event, Store
from jobflow.local.apiserver.strategies import strategy_of
from jobflow.local.apiserver.streams import Answer
from jobflow.local.apiserver.terminating import Terminator
from jobflow.local.apiserver.watch import watch

__all__ = ["ApiServer", "LogOptions", "LogSource"]

NAMESPACES_FROM_THE_START = ("default", "kube-system", "kube-public", "kube-node-lease")

_log = logging.getLogger(__name__)


class ApiServer:
    """An API server for one process tree: `async with ApiServer(clock) as server: server.transport()`."""

    def __init__(self, clock: Clock, *, data: Path | None = None, random: Random | None = None) -> None:
        """`data` is the directory that keeps the objects; `random` gives UIDs and names, seeded in simulations."""
        self.logs: LogSource | None = None
        self.writes = 0  # requests that changed something, committed
        self.after_commit: Callable[[Request, int], None] | None = None
        self._clock = clock
        self._data = data
        self._random = random or Random()
        self._journal: SqliteJournal | None = None
        self._store = Store()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> ApiServer:
        if self._data is not None:
            self._journal = await SqliteJournal.open(self._data)
        try:
            self._start()
            await self._store.settled()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def _start(self) -> None:
        if self._journal is not None:
            self._store = self._journal.load()
        self._objects = Objects(self._store, self._clock, self._random)
        self._registry = Registry(BUILTIN_TYPES)
        self._documents = Documents(self._registry)
        for crd in self._store.shelf(CRDS).objects.values():
            self._registry.serve_crd(crd.data)
        self._garbage = GarbageCollector(self._objects, self._registry)
        self._terminator = Terminator(self._objects, self._registry)
        self._garbage.load()
        self._terminator.load()
        self._store.listeners += [self._serve_crds, self._garbage.saw, self._terminator.saw]
        for name in NAMESPACES_FROM_THE_START:
            self._ensure_namespace(name)
        for work, told in ((self._garbage.run(), "garbage"), (self._terminator.run(), "terminating")):
            task = asyncio.create_task(work, name=f"api server: {told}")
            task.add_done_callback(_tell_failure)
            self._tasks.append(task)

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._store.close_all()
        if self._journal is not None:
            await self._journal.close()
            self._journal = None

    def tell(self, listener: Callable[[Collection, Event], None]) -> None:
        """Call `listener` with every change, in the writer's own step. For a server that has started."""
        self._store.listeners.append(listener)

    @property
    def revision(self) -> int:
        """The newest revision: grows with every change, the server's own (garbage) included."""
        return self._store.revision

    def transport(self) -> InProcessTransport:
        """A Transport into this server, without a socket."""
        return InProcessTransport(self, self._clock)

    async def handle(self, request: Request) -> Response:
        """Answer a request whole. Never raises for what a client did wrong: that is a Status.

        After a write is committed and before it is answered `after_commit` is called with the request and the number
        of the write; what it raises, the caller gets.
        """
        before = self._store.revision
        try:
            response = await self._answer(request)
            await self._store.settled()
        except StatusError as error:
            response = error.response()
        if request.method != "GET" and self._store.revision != before and response.status < 300:
            self.writes += 1
            if self.after_commit is not None:
                self.after_commit(request, self.writes)
        return response

    def open(self, request: Request) -> AbstractAsyncContextManager[Answer]:
        """Open a watch or a followed log; any other request is answered as a stream of one chunk."""
        return self._open(request)

    @asynccontextmanager
    async def _open(self, request: Request) -> AsyncIterator[Answer]:
        async with AsyncExitStack() as stack:
            if not is_watch(request):
                answer = Answer.whole(await self.handle(request))
            else:
                try:
                    answer = await stack.enter_async_context(self._stream(request))
                except StatusError as error:
                    answer = Answer.whole(error.response())
            yield answer

    def _stream(self, request: Request) -> AbstractAsyncContextManager[Answer]:
        call = self._understand(request)
        match call.route.subresource:
            case None:
                return watch(call, self._objects)
            case "log" if call.served.resource.kind == "Pod":
                return follow_log(call, self._objects, self.logs)
        raise path_not_found()

    def _understand(self, request: Request) -> Call:
        route = parse_path(request.path)
        if route is None:
            raise path_not_found()
        call = understand(request, route, self._registry, self._clock.now)
        if request.method in _OPTIONS:
            call.query.check_write(_OPTIONS[request.method])
        return call

    async def _answer(self, request: Request) -> Response:
        document = self._documents.answer(request)
        if document is not None:
            return document
        route = parse_path(request.path)
        if route is not None and reviews.is_review(route):
            return reviews.review(request, route)
        if is_watch(request):
            raise bad_request("a watch or a followed log is answered as a stream only")
        call = self._understand(request)
        if call.route.subresource is not None:
            return await self._answer_subresource(call)
        verb = _verb(request.method, call.route)
        if verb not in call.served.verbs:
            raise method_not_allowed()
        match verb:
            case "get":
                return reads.get(call, self._objects)
            case "list":
                return reads.list_objects(call, self._store)
            case "create":
                return verbs.create(call, self._objects)
            case "update":
                return verbs.update(call, self._objects)
            case "patch":
                return verbs.patch(call, self._objects)
            case "delete":
                return deletes.delete(call, self._objects)
        return await deletes.delete_collection(call, self._objects)

    async def _answer_subresource(self, call: Call) -> Response:
        kind, method = call.served.resource.kind, call.request.method
        match call.route.subresource:
            case "status" if call.served.has_status:
                if method == "GET":
                    return reads.get(call, self._objects)
                if method == "PUT":
                    return verbs.update(call, self._objects)
                if method == "PATCH":
                    return verbs.patch(call, self._objects)
                raise method_not_allowed()
            case "scale" if call.served.scale is not None:
                return scale.answer(call, self._objects, call.served.scale)
            case "finalize" if kind == "Namespace":
                if method != "PUT":
                    raise method_not_allowed()
                return verbs.update(call, self._objects)
            case "log" if kind == "Pod":
                if method != "GET":
                    raise method_not_allowed()
                return await read_log(call, self._objects, self.logs)
        raise path_not_found()

    def _serve_crds(self, collection: Collection, event: Event) -> None:
        if collection != CRDS:
            return
        if event.type != "DELETED":
            self._registry.serve_crd(event.object.data)
            return
        self._registry.drop_crd(event.object.name)
        plural, _, group = event.object.name.partition(".")
        self._store.close(Collection(group, plural))

    def _ensure_namespace(self, name: str) -> None:
        served = self._registry.storage(NAMESPACES)
        if served is None or self._store.get(NAMESPACES, "", name) is not None:
            return
        obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        begin(served, obj, self._clock.now(), self._random)
        strategy_of(served).created(served, obj, timestamp(self._clock.now()))
        self._objects.create(served, obj)


_OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions"}
_VERBS = {
    ("GET", True): "get",
    ("GET", False): "list",
    ("POST", False): "create",
    ("PUT", True): "update",
    ("PATCH", True): "patch",
    ("DELETE", True): "delete",
    ("DELETE", False): "deletecollection",
}


def _verb(method: str, route: Route) -> str:
    verb = _VERBS.get((method, route.name is not None))
    if verb is None:
        raise method_not_allowed()
    return verb


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("%s stopped working", task.get_name(), exc_info=error)
