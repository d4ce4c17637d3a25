"""LeaseRecords: one coordination.k8s.io/v1 Lease, read and written by an election.

In: the Lease's namespace and name, and what it should say. Out: the Lease as stored, or an error of `errors.py`. It
goes past `client.py` on purpose: no request of an election may queue behind the work's, nor be repeated out of sight
of the election, which has its own deadline. A write carries the resourceVersion that was read: a Conflict is a round
that somebody else won.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from jobflow.api.access import Rule, Scope
from jobflow.api.metadata import ObjectMeta
from jobflow.api.names import FIELD_MANAGER
from jobflow.api.resources import LEASE
from jobflow.kube.codec import Codec, EventType
from jobflow.kube.errors import KindNotFound, NotFound, Unavailable, error_for
from jobflow.kube.transport import MERGE_PATCH, Request, Transport

ACCESS = (Rule(LEASE, ("create", "get", "patch", "watch"), scope=Scope.OWN),)

WATCH_SILENCE_SECONDS = 90.0  # bookmarks come about once a minute; longer silence is a dead peer

_WATCH = (("watch", "true"), ("allowWatchBookmarks", "true"))
_QUERY = (("fieldManager", FIELD_MANAGER),)


class LeaseSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who holds the lease. Times are RFC 3339 with microseconds, UTC: for people, never compared."""

    holderIdentity: str | None = None
    leaseDurationSeconds: int | None = None
    acquireTime: str | None = None
    renewTime: str | None = None
    leaseTransitions: int | None = None


class Lease(msgspec.Struct, frozen=True):
    """A Lease on the wire."""

    metadata: ObjectMeta
    spec: LeaseSpec = LeaseSpec()


class LeaseRecords:
    """The Lease `namespace/name`, over a transport of its own."""

    def __init__(self, transport: Transport, namespace: str, name: str) -> None:
        self._transport = transport
        self.namespace = namespace
        self.name = name
        self._codec = Codec(Lease, lambda lease: lease)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    async def read(self, timeout: float) -> Lease | None:
        """The Lease as stored now (a quorum read), or None."""
        try:
            return await self._ask(Request("GET", LEASE.path(self.namespace, self.name)), timeout)
        except KindNotFound:
            raise
        except NotFound:
            return None

    async def create(self, spec: LeaseSpec, timeout: float) -> Lease:
        """Create it. AlreadyExists (a Conflict) where somebody was faster."""
        body = self._body(spec, {"name": self.name, "namespace": self.namespace})
        return await self._ask(Request("POST", LEASE.path(self.namespace), _QUERY, body), timeout)

    async def write(self, read: Lease, spec: LeaseSpec, timeout: float) -> Lease:
        """Change it, unless it has changed since `read`; labels and fields of others stay."""
        meta = read.metadata
        body = self._body(spec, {"uid": meta.uid, "resourceVersion": meta.resourceVersion})
        path = LEASE.path(self.namespace, self.name)
        return await self._ask(Request("PATCH", path, _QUERY, body, MERGE_PATCH), timeout)

    async def released(self, read: Lease) -> bool:
        """Watch it: True once it names no holder, False where the watch ends before. Raises ApiError.

        The watch begins after `read`: one that begins with what there is, is refused where etcd is older than 3.5.8.
        A Lease that is deleted was not given back.
        """
        since = (("fieldSelector", f"metadata.name={self.name}"), ("resourceVersion", read.metadata.resourceVersion))
        request = Request("GET", LEASE.path(self.namespace), (*since, *_WATCH))
        async with self._transport.stream(request, WATCH_SILENCE_SECONDS) as stream:
            if stream.status != 200:
                raise error_for(stream.status, await stream.body(), stream.headers)
            async for line in stream.lines():
                event = self._codec.event(line)
                lease = event.object if event.type is not EventType.DELETED else None
                if lease is not None and not lease.spec.holderIdentity:
                    return True
        return False

    def _body(self, spec: LeaseSpec, metadata: dict[str, Any]) -> bytes:
        kind = {"apiVersion": LEASE.api_version, "kind": LEASE.kind}
        return msgspec.json.encode({**kind, "metadata": metadata, "spec": spec})

    async def _ask(self, request: Request, timeout: float) -> Lease:
        response = await self._transport.request(request, timeout)
        if not 200 <= response.status < 300:
            raise error_for(response.status, response.body, response.headers)
        try:
            return msgspec.json.decode(response.body, type=Lease)
        except msgspec.MsgspecError as error:
            raise Unavailable(f"Lease {self} cannot be read: {error}") from error


def micro_time(at: datetime) -> str:
    """metav1.MicroTime: RFC 3339, always six digits of microseconds, UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
