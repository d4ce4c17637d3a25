"""Client: the verbs of the Kubernetes API over a Transport.

In: a Resource, names, a body that msgspec can encode. Out: the answer's bytes, or an error of `errors.py`.
It repeats only what is safe to repeat and soon over: reads after a refused or lost connection, a 5xx or a
429; writes after a 429 (the server did nothing) and where nothing was sent. All else goes to the caller, whose
key is tried again with back-off on what is then known.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from random import Random

import msgspec
from tenacity import AsyncRetrying, RetryCallState, stop_after_attempt

from jobflow.api.names import FIELD_MANAGER
from jobflow.api.resources import Resource
from jobflow.clock import Clock
from jobflow.kube.errors import ApiError, NotSent, Throttled, Unavailable, error_for
from jobflow.kube.limiter import AdaptiveLimiter
from jobflow.kube.transport import APPLY_PATCH, MERGE_PATCH, Request, Response, Stream, Transport

REQUEST_SECONDS = 30.0  # what admission webhooks may take at most; kube-apiserver itself gives up after 60
WATCH_SILENCE_SECONDS = 90.0  # bookmarks come about once a minute; longer silence is a dead peer
PAGE_LIMIT = 500  # client-go's page: about 3 MB of Jobs, some milliseconds to decode
MAX_ATTEMPTS = 4
MAX_RETRY_SECONDS = 5.0  # since the first attempt: a worker is held meanwhile, and its key has a back-off of its own
FIRST_WAIT_SECONDS = 0.1
MAX_WAIT_SECONDS = 2.0

Query = tuple[tuple[str, str], ...]

_FIELD_MANAGER: Query = (("fieldManager", FIELD_MANAGER),)
_encoder = msgspec.json.Encoder()


class _ListMeta(msgspec.Struct):
    """metav1.ListMeta, as far as paging needs it."""

    continue_token: str = msgspec.field(name="continue", default="")


class _ListBody(msgspec.Struct):
    """Any list, its items not looked at."""

    metadata: _ListMeta


_list_body = msgspec.json.Decoder(_ListBody)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server that says nothing, in seconds."""

    request: float = REQUEST_SECONDS
    silence: float = WATCH_SILENCE_SECONDS  # of a watch


class Client:
    """One API server. Its verbs raise the errors of `errors.py`; one attempt takes 30 s at most.

    `random` is the jitter of all waiting on this server, the reflectors' included.
    """

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        *,
        max_in_flight: int = 64,
        random: Random | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self.random = random or Random()
        self._patience = patience or Patience()
        self.limiter = AdaptiveLimiter(clock, max_in_flight)

    async def get(self, resource: Resource, namespace: str | None, name: str) -> bytes:
        """The object as it is stored now."""
        return await self._send(Request("GET", resource.path(namespace, name)))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[bytes]:
        """The pages of a list, 500 objects each; Gone where the list changed under a slow reader: begin anew.

        No resourceVersion is sent, so that the first page is a quorum read: what another client was told is
        written is in it, which a list from the server's watch cache does not promise.
        """
        query: Query = (("limit", str(PAGE_LIMIT)), *_selectors(label_selector, field_selector))
        token = ""
        while True:
            page_query = (*query, ("continue", token)) if token else query
            body = await self._send(Request("GET", resource.path(namespace), page_query))
            yield body
            token = _continue_token(body)
            if not token:
                return

    def watch(
        self,
        resource: Resource,
        namespace: str | None,
        resource_version: str,
        label_selector: str,
        timeout_seconds: int,
    ) -> AbstractAsyncContextManager[Stream]:
        """What changes after `resource_version`; look at the stream's status before its lines.

        Its lines raise SilentStream after 90 s without a byte.
        """
        query: Query = (
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", resource_version),
            ("timeoutSeconds", str(timeout_seconds)),
            *_selectors(label_selector, ""),
        )
        return self._transport.stream(Request("GET", resource.path(namespace), query), self._patience.silence)

    async def openapi(self, resource: Resource) -> bytes:
        """The OpenAPI v3 document of the resource's group and version, which every client may read by default."""
        return await self._send(Request("GET", f"/openapi/v3/apis/{resource.api_version}"))

    async def create(self, resource: Resource, namespace: str | None, body: object) -> bytes:
        """Create; AlreadyExists where the name is taken."""
        path = resource.path(namespace)
        return await self._send(Request("POST", path, _FIELD_MANAGER, _encoder.encode(body)))

    async def replace(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: object,
        *,
        subresource: str | None = None,
    ) -> bytes:
        """Write the whole object (or subresource); Conflict where its resourceVersion is outdated."""
        path = resource.path(namespace, name, subresource)
        return await self._send(Request("PUT", path, _FIELD_MANAGER, _encoder.encode(body)))

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: object,
        *,
        subresource: str | None = None,
        content_type: str = MERGE_PATCH,
    ) -> bytes:
        """Change parts of an object; a resourceVersion in the body makes it conditional."""
        path = resource.path(namespace, name, subresource)
        return await self._send(Request("PATCH", path, _FIELD_MANAGER, _encoder.encode(body), content_type))

    async def apply(self, resource: Resource, namespace: str | None, name: str, body: object) -> bytes:
        """Server-side apply as field manager jobflow, taking over fields that others hold."""
        path = resource.path(namespace, name)
        query: Query = (*_FIELD_MANAGER, ("force", "true"))
        return await self._send(Request("PATCH", path, query, _encoder.encode(body), APPLY_PATCH))

    async def delete(  # noqa: PLR0913 -- the fields of DeleteOptions, by name
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: str = "Background",
        grace_seconds: int | None = None,
    ) -> None:
        """Delete this very incarnation where `uid` is given (Conflict where another has its name).

        `grace_seconds` is for Pods: 0 is a kubelet's word that nothing of the pod runs any more.
        """
        required = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {field: value for field, value in required.items() if value is not None}
        options: dict[str, object] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
        }
        if preconditions:
            options["preconditions"] = preconditions
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        await self._send(Request("DELETE", resource.path(namespace, name), (), _encoder.encode(options)))

    async def close(self) -> None:
        """Close the transport; what is in flight fails with Unavailable."""
        await self._transport.close()

    async def _send(self, request: Request) -> bytes:
        deadline = self._clock.monotonic() + MAX_RETRY_SECONDS
        try:
            return await self._attempt(request)  # tenacity costs half of what a request does: only where one failed
        except ApiError as error:
            if not _repeatable(request, error):
                raise
            return await self._repeat(request, error, deadline)

    async def _repeat(self, request: Request, failed: ApiError, deadline: float) -> bytes:
        """What is left of four attempts, the first of which has `failed`."""

        def again(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            ends = self._clock.monotonic() + ((error.retry_after or 0.0) if isinstance(error, ApiError) else 0.0)
            return _repeatable(request, error) and ends < deadline

        retrying = AsyncRetrying(  # one per call: tenacity keeps the state of a call in the object
            retry=again,
            wait=self._wait,
            stop=stop_after_attempt(MAX_ATTEMPTS),
            sleep=self._clock.sleep,
            reraise=True,
        )
        first: list[ApiError] = [failed]

        async def attempt() -> bytes:
            if first:
                raise first.pop()
            return await self._attempt(request)

        return await retrying(attempt)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        told = error.retry_after if isinstance(error, ApiError) else None
        longest = min(FIRST_WAIT_SECONDS * 2.0**state.attempt_number, MAX_WAIT_SECONDS)
        return (told or 0.0) + self.random.uniform(0.0, longest)  # jitter, so that not all come back at once

    async def _attempt(self, request: Request) -> bytes:
        await self.limiter.acquire()
        try:
            started = self._clock.monotonic()
            response = await self._transport.request(request, self._patience.request)
            self._learn(request, response, self._clock.monotonic() - started)
        finally:
            self.limiter.release()
        if not 200 <= response.status < 300:
            raise error_for(response.status, response.body, response.headers)
        return response.body

    def _learn(self, request: Request, response: Response, seconds: float) -> None:
        if response.status == 429:
            self.limiter.throttled()
        elif response.status < 500 and not _is_list(request):  # a page of 500 says nothing of one object's time
            self.limiter.answered(seconds)


def _repeatable(request: Request, error: BaseException | None) -> bool:
    """Whether sending it once more is safe, whatever became of the first."""
    if isinstance(error, Throttled | NotSent):
        return True
    return request.method == "GET" and isinstance(error, Unavailable)


def _is_list(request: Request) -> bool:
    return any(name == "limit" for name, _ in request.query)


def _continue_token(body: bytes) -> str:
    try:
        return _list_body.decode(body).metadata.continue_token
    except msgspec.MsgspecError as error:
        raise Unavailable(f"the API server sent {len(body)} bytes that are not a list: {error}") from error


def _selectors(label_selector: str, field_selector: str) -> Query:
    pairs = (("labelSelector", label_selector), ("fieldSelector", field_selector))
    return tuple(pair for pair in pairs if pair[1])
