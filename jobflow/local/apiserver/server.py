"""ApiServer: the embedded Kubernetes API server, one request in, one answer out; it knows no sockets.

In: Requests, from the HTTP adaptor or from the in-process transport. Out: Responses (`handle`) and streams (`open`).
Without a directory it lives in memory and never waits for anything but the event loop and its Clock, so it runs in
virtual time. With one, replies and events wait for the commit to disk.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any

from jobflow.clock import Clock
from jobflow.kube.transport import Request, Response
from jobflow.local.apiserver.access import reviews
from jobflow.local.apiserver.access.accounts import Accounts
from jobflow.local.apiserver.access.attributes import attributes_of
from jobflow.local.apiserver.access.authorizer import Authorizer, refused
from jobflow.local.apiserver.access.bootstrap import bootstrap_objects
from jobflow.local.apiserver.access.callers import ITSELF, Caller
from jobflow.local.apiserver.access.impersonation import impersonated
from jobflow.local.apiserver.access.secrets import TOKEN_SECRET_BYTES, token_secret
from jobflow.local.apiserver.builtin.kinds import BUILTIN_TYPES
from jobflow.local.apiserver.builtin.strategies import strategy_of
from jobflow.local.apiserver.calls import Call, understand
from jobflow.local.apiserver.documents.answers import Documents
from jobflow.local.apiserver.reads import interactive, reading
from jobflow.local.apiserver.reads.logs import LogOptions, LogSource, follow_log, read_log
from jobflow.local.apiserver.reads.watch import watch
from jobflow.local.apiserver.registry import CRDS, Registry, collection_of
from jobflow.local.apiserver.routes import Route, is_watch, parse_path
from jobflow.local.apiserver.statuses import (
    StatusError,
    bad_request,
    method_not_allowed,
    not_found,
    path_not_found,
    unauthorized,
)
from jobflow.local.apiserver.storage.sqlite import SqliteJournal
from jobflow.local.apiserver.storage.store import Collection, Event, Store
from jobflow.local.apiserver.webhooks.calling import HttpsCaller
from jobflow.local.apiserver.webhooks.gate import WebhookGate
from jobflow.local.apiserver.wire.inprocess import InProcessTransport
from jobflow.local.apiserver.wire.streams import Answer
from jobflow.local.apiserver.writes import deletes, scale, verbs
from jobflow.local.apiserver.writes.garbage import GarbageCollector
from jobflow.local.apiserver.writes.hooks import Admission
from jobflow.local.apiserver.writes.metadata import begin, timestamp
from jobflow.local.apiserver.writes.objects import Objects
from jobflow.local.apiserver.writes.terminating import Terminator

__all__ = ["ApiServer", "LogOptions", "LogSource"]

NAMESPACES_FROM_THE_START = ("default", "kube-system", "kube-public", "kube-node-lease")

_log = logging.getLogger(__name__)


class ApiServer:
    """An API server for one process tree: `async with ApiServer(clock) as server: server.transport()`."""

    def __init__(
        self,
        clock: Clock,
        *,
        data: Path | None = None,
        random: Random | None = None,
        admission: Admission | None = None,
    ) -> None:
        """`data` is the directory that keeps the objects; `random` gives UIDs and names, seeded in simulations;
        `admission` is what an installed product asks of objects before they are stored.
        """
        self.logs: LogSource | None = None
        self.writes = 0  # requests that changed something, committed
        self.after_commit: Callable[[Request, int], None] | None = None
        self._clock = clock
        self._data = data
        self._random = random or Random()
        self._token_secret = secrets.token_bytes(TOKEN_SECRET_BYTES)
        self._admission = admission
        self._journal: SqliteJournal | None = None
        self._store = Store()
        self.services: dict[tuple[str, str], str] = {}  # (namespace, name) of a Service -> URL, for webhooks behind it
        self._hooks = HttpsCaller(self.services)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> ApiServer:
        if self._data is not None:
            self._journal = await SqliteJournal.open(self._data)
            self._token_secret = await asyncio.to_thread(token_secret, self._data)
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
        self._objects = Objects(self._store, self._clock, self._random, self._admission)
        self._registry = Registry(BUILTIN_TYPES)
        self._documents = Documents(self._registry)
        for crd in self._store.shelf(CRDS).objects.values():
            self._registry.serve_crd(crd.data)
        self._garbage = GarbageCollector(self._objects, self._registry)
        self._terminator = Terminator(self._objects, self._registry)
        self._authorizer = Authorizer(self._store)
        self._gate = WebhookGate(self._store, self._registry, self._hooks, self._random)
        self._accounts = Accounts(self._objects, self._token_secret, self._ensure)
        self._garbage.load()
        self._terminator.load()
        self._store.listeners += [self._serve_crds, self._garbage.saw, self._terminator.saw, self._accounts.saw]
        for name in NAMESPACES_FROM_THE_START:
            self._ensure({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        for obj in bootstrap_objects():
            self._ensure(obj)
        self._accounts.load()
        workers = (self._garbage, "garbage"), (self._terminator, "terminating"), (self._accounts, "accounts")
        for work, told in ((worker.run(), told) for worker, told in workers):
            task = asyncio.create_task(work, name=f"api server: {told}")
            task.add_done_callback(_tell_failure)
            self._tasks.append(task)

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._hooks.close()
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

    async def handle(self, request: Request, caller: Caller = ITSELF) -> Response:
        """Answer a request whole. Never raises for what a client did wrong: that is a Status.

        After a write is committed and before it is answered `after_commit` is called with the request and the number
        of the write; what it raises, the caller gets.
        """
        before = self._store.revision
        try:
            response = await self._answer(request, caller)
            await self._store.settled()
        except StatusError as error:
            response = error.response()
        if request.method != "GET" and self._store.revision != before and response.status < 300:
            self.writes += 1
            if self.after_commit is not None:
                self.after_commit(request, self.writes)
        return response

    def open(self, request: Request, caller: Caller = ITSELF) -> AbstractAsyncContextManager[Answer]:
        """Open a watch or a followed log; any other request is answered as a stream of one chunk."""
        return self._open(request, caller)

    @asynccontextmanager
    async def _open(self, request: Request, caller: Caller) -> AsyncIterator[Answer]:
        async with AsyncExitStack() as stack:
            if not is_watch(request):
                answer = Answer.whole(await self.handle(request, caller))
            else:
                try:
                    answer = await stack.enter_async_context(self._stream(request, caller))
                except StatusError as error:
                    answer = Answer.whole(error.response())
            yield answer

    def _stream(self, request: Request, caller: Caller) -> AbstractAsyncContextManager[Answer]:
        self._permit(request, caller)
        call = self._understand(request, caller)
        match call.route.subresource:
            case None:
                return watch(call, self._objects)
            case "log" if call.served.resource.kind == "Pod":
                return follow_log(call, self._objects, self.logs)
        raise path_not_found()

    def _permit(self, request: Request, caller: Caller) -> None:
        """Raise 403 where the caller may not."""
        if not caller.is_admin:
            wanted = attributes_of(request, parse_path(request.path))
            decision = self._authorizer.ask(caller, wanted)
            if not decision.allowed:
                raise refused(caller, wanted, decision)

    def caller(self, token: str, agent: str) -> Caller:
        """Whom a ServiceAccount's bearer token stands for. Raises 401."""
        caller = self._accounts.caller(token)
        if caller is None:
            raise unauthorized()
        return replace(caller, agent=agent)

    def impersonated(self, caller: Caller, user: str, groups: Sequence[str]) -> Caller:
        """Whom the caller wants to be. Raises 403."""
        return impersonated(caller, user, groups, self._authorizer)

    def _understand(self, request: Request, caller: Caller) -> Call:
        route = parse_path(request.path)
        if route is None:
            raise path_not_found()
        call = understand(request, route, self._registry, self._clock.now, caller)
        if request.method in _OPTIONS:
            call.query.check_write(_OPTIONS[request.method])
        return call

    async def _answer(self, request: Request, caller: Caller) -> Response:
        self._permit(request, caller)
        document = self._documents.answer(request)
        if document is not None:
            return document
        route = parse_path(request.path)
        if route is not None and reviews.is_review(route):
            return reviews.review(request, route, caller, self._authorizer, self._clock.now())
        if is_watch(request):
            raise bad_request("a watch or a followed log is answered as a stream only")
        call = self._understand(request, caller)
        if call.route.subresource is not None:
            return await self._answer_subresource(call)
        verb = _verb(request.method, call.route)
        if verb not in call.served.verbs:
            raise method_not_allowed()
        match verb:
            case "get":
                return reading.get(call, self._objects)
            case "list":
                return reading.list_objects(call, self._store)
            case "create":
                return await verbs.create(call, self._objects, self._gate)
            case "update":
                return await verbs.update(call, self._objects, self._gate)
            case "patch":
                return await verbs.patch(call, self._objects, self._gate)
            case "delete":
                return await deletes.delete(call, self._objects, self._gate)
        return await deletes.delete_collection(call, self._objects, self._gate)

    async def _answer_subresource(self, call: Call) -> Response:
        kind, method = call.served.resource.kind, call.request.method
        match call.route.subresource:
            case "status" if call.served.has_status:
                if method == "GET":
                    return reading.get(call, self._objects)
                if method == "PUT":
                    return await verbs.update(call, self._objects, self._gate)
                if method == "PATCH":
                    return await verbs.patch(call, self._objects, self._gate)
                raise method_not_allowed()
            case "scale" if call.served.scale is not None:
                return scale.answer(call, self._objects, call.served.scale)
            case "finalize" if kind == "Namespace":
                if method != "PUT":
                    raise method_not_allowed()
                return await verbs.update(call, self._objects, self._gate)
            case "token" if kind == "ServiceAccount":
                return self._accounts.token(call)
            case "log" if kind == "Pod":
                if method != "GET":
                    raise method_not_allowed()
                return await read_log(call, self._objects, self.logs)
            case "exec" | "attach" | "portforward" if kind == "Pod":
                raise interactive.refusal(call, self._objects)
        raise _no_subresource(call)

    def _serve_crds(self, collection: Collection, event: Event) -> None:
        if collection != CRDS:
            return
        if event.type != "DELETED":
            self._registry.serve_crd(event.object.data)
            return
        self._registry.drop_crd(event.object.name)
        plural, _, group = event.object.name.partition(".")
        self._store.close(Collection(group, plural))

    def _ensure(self, obj: dict[str, Any]) -> None:
        """Create what the server itself has from the start, unless it is there."""
        served = self._registry.of_kind(obj["apiVersion"], obj["kind"])
        metadata = obj["metadata"]
        if self._store.get(collection_of(served), metadata.get("namespace", ""), metadata["name"]) is not None:
            return
        obj = {**obj, "metadata": dict(metadata)}
        begin(served, obj, self._clock.now(), self._random)
        strategy_of(served).default(obj)
        strategy_of(served).created(served, obj, timestamp(self._clock.now()))
        self._objects.create(served, obj)


def _no_subresource(call: Call) -> StatusError:
    """404 for a subresource that is not served; of a custom kind it is told as if the object was not there."""
    return not_found(call.served.resource, call.name) if call.served.custom else path_not_found()


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
