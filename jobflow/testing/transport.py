"""Transports of a simulated world: one that disturbs the controller's requests as the plan says, one that only notes.

In: Requests. Out: the API server's answers, or what a fault makes of them. Faults are put in where a network or a real
API server would put them: a request that is not sent, an answer that is lost, a status instead of an answer. What
happens to the lines of watches is in `streams.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import msgspec

from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB
from jobflow.clock import Clock
from jobflow.kube.errors import Unavailable
from jobflow.kube.transport import JSON, Request, Response, Stream, Transport
from jobflow.local.apiserver.statuses import StatusError, expired
from jobflow.local.apiserver.wire.streams import Answer
from jobflow.testing.faults import Answer as AnswerFault
from jobflow.testing.faults import AnswerRead, CrashAfter, CrashBefore, Fault, LostAnswer, SlowList
from jobflow.testing.injection import Injection
from jobflow.testing.recorder import ASKED, Asked, asked_of
from jobflow.testing.streams import DisturbedStream

KINDS = {resource.plural: resource.kind for resource in (VOLCANO_JOB, JOB_FLOW, JOB_TEMPLATE)}

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class NotedTransport(Transport):
    """Notes what is asked for, so that a commit can say which request it is of."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner

    async def request(self, request: Request, timeout: float) -> Response:
        """Note it and hand it on."""
        token = ASKED.set(asked_of(request))
        try:
            return await self._inner.request(request, timeout)
        finally:
            ASKED.reset(token)

    def stream(self, request: Request, silence: float) -> AbstractAsyncContextManager[Stream]:
        """Hand it on: who watches is not noted."""
        return self._inner.stream(request, silence)

    async def close(self) -> None:
        """Close what is under it."""
        await self._inner.close()


class FaultyTransport(Transport):
    """The controller's way to the API server, of one incarnation of it."""

    def __init__(self, inner: Transport, injection: Injection, clock: Clock) -> None:
        self._inner = inner
        self._injection = injection
        self._clock = clock
        self.dead = False  # its controller has crashed: nothing passes any more
        self.streams = 0  # open now

    async def request(self, request: Request, timeout: float) -> Response:
        """Send it, or let the plan answer."""
        self._check_alive()
        asked = asked_of(request)
        token = ASKED.set(asked)
        status = 0
        try:
            disturbed = self._read if request.method == "GET" else self._write
            response = await disturbed(request, timeout, asked)
            status = response.status
            return response
        finally:
            self._injection.recorder.called(asked, status)
            ASKED.reset(token)

    @asynccontextmanager
    async def stream(self, request: Request, silence: float) -> AsyncIterator[Stream]:
        """Open a watch whose lines the plan may disturb."""
        self._check_alive()
        asked = asked_of(request)
        kind = kind_of(request.path)
        refusal = await self._refused_read(request, asked) or self._refused_watch(kind, asked)
        if refusal is not None:
            self._injection.recorder.called(asked, refusal.status)
            yield Answer.whole(refusal)
            return
        async with self._inner.stream(request, silence) as inner:
            self._injection.recorder.called(asked, inner.status)
            self.streams += 1
            try:
                yield DisturbedStream(inner, kind, self._injection, self._clock, silence)
            finally:
                self.streams -= 1

    async def close(self) -> None:
        """Close what is under it."""
        await self._inner.close()

    def _check_alive(self) -> None:
        if self.dead:
            raise Unavailable("the controller has crashed: nothing is sent any more")

    async def _write(self, request: Request, timeout: float, asked: Asked) -> Response:
        injection = self._injection
        injection.before_write()
        injection.writes += 1
        number = asked.write = injection.writes
        if early := injection.take(CrashBefore, lambda crash: crash.write == number, mark=False):
            await self._die(early, asked)
        asked.fault = injection.forbids(request.path, write=True)
        if asked.fault:
            return await self._refuse(403)
        if answer := injection.take(AnswerFault, lambda answer: answer.write == number):
            asked.fault = str(answer)
            return await self._refuse(answer.status, answer.retry_after)
        response = await self._inner.request(request, timeout)
        if late := injection.take(CrashAfter, lambda crash: crash.write == number, mark=False):
            await self._die(late, asked)
        if lost := injection.take(LostAnswer, lambda lost: lost.write == number):
            asked.fault = str(lost)
            await self._lose(timeout)
        return response

    async def _read(self, request: Request, timeout: float, asked: Asked) -> Response:
        if (refusal := await self._refused_read(request, asked)) is not None:
            return refusal
        if asked.verb != "list":
            return await self._inner.request(request, timeout)
        return await self._list(request, timeout, asked)

    async def _list(self, request: Request, timeout: float, asked: Asked) -> Response:
        injection, kind, query = self._injection, kind_of(request.path), dict(request.query)
        continues = "continue" in query
        if kind in injection.compacting:
            if continues:
                injection.compacting.discard(kind)
                asked.fault = f"compact-list:{kind}"
                return await self._refused(expired("The provided continue parameter is too old"))
            request = replace(request, query=tuple({**query, "limit": "1"}.items()))
        lag = injection.lags.get(kind)
        if lag is not None and query.get("resourceVersion") == "0" and self._clock.monotonic() < lag.until:
            at = injection.recorder.event_revision(kind, lag.first - 1)
            exact = {**query, "resourceVersion": str(at), "resourceVersionMatch": "Exact"}
            request = replace(request, query=tuple(exact.items()))
            asked.fault = f"stale:{kind}"
        response = await self._inner.request(request, timeout)
        if not continues:
            injection.lists[kind] += 1
        number = injection.lists[kind]
        if slow := injection.take(SlowList, lambda slow: (slow.kind, slow.number) == (kind, number)):
            asked.fault = str(slow)
            if slow.seconds >= timeout:
                await self._lose(timeout)
            await self._clock.sleep(slow.seconds)
        return response

    async def _refused_read(self, request: Request, asked: Asked) -> Response | None:
        injection = self._injection
        injection.reads += 1
        number = injection.reads
        asked.fault = injection.forbids(request.path, write=False)
        if asked.fault:
            return await self._refuse(403)
        if fault := injection.take(AnswerRead, lambda answer: answer.read == number):
            asked.fault = str(fault)
            return await self._refuse(fault.status)
        return None

    def _refused_watch(self, kind: str, asked: Asked) -> Response | None:
        """While events are being dropped nobody connects; then the version asked for is too old."""
        if kind not in self._injection.dropping:
            return None
        asked.fault = f"drop:{kind}"
        if self._injection.is_dropping(kind):
            return refusal(503)
        del self._injection.dropping[kind]
        return expired("too old resource version").response()

    async def _refuse(self, status: int, retry_after: float | None = None) -> Response:
        await self._clock.sleep(0)  # as long as the server itself takes
        headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
        return refusal(status, headers)

    async def _refused(self, error: StatusError) -> Response:
        await self._clock.sleep(0)
        return error.response()

    async def _lose(self, timeout: float) -> None:
        await self._clock.sleep(timeout)
        raise Unavailable(f"no answer within {timeout:g} s")

    async def _die(self, fault: Fault, asked: Asked) -> None:
        asked.fault = str(fault)
        self._injection.crash(fault)
        await asyncio.get_running_loop().create_future()  # the dead do not go on


def refusal(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """An answer that is a metav1.Status, as an API server words it."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"refused by the plan with {status}",
        "reason": REASONS[status],
        "code": status,
    }
    return Response(status, msgspec.json.encode(body), {"content-type": JSON, **(headers or {})})


def kind_of(path: str) -> str:
    """The kind of a collection's path, where it is one that faults know; "" else."""
    return KINDS.get(path.rpartition("/")[2], "")
