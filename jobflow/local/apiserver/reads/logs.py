"""Logs: what a pod's container wrote, from whoever runs it.

In: GET pods/NAME/log. Out: text, whole or followed. The server has no logs itself: a kubelet registers as LogSource.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from jobflow.kube.transport import Response
from jobflow.local.apiserver.calls import Call
from jobflow.local.apiserver.statuses import StatusError, bad_request
from jobflow.local.apiserver.wire.streams import Answer
from jobflow.local.apiserver.writes.objects import Objects

TEXT = "text/plain"


@dataclass(frozen=True)
class LogOptions:
    """What part of a log is wanted, as in the query of pods/log."""

    container: str
    follow: bool = False
    previous: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    timestamps: bool = False
    limit_bytes: int | None = None


class LogSource(Protocol):
    """Who has the logs of pods. It may raise a StatusError, at once or before the first chunk."""

    def logs(self, namespace: str, pod: str, options: LogOptions) -> AsyncIterator[bytes]:
        """The log in chunks of any size; with `follow` it goes on until the container has ended."""


async def read_log(call: Call, objects: Objects, source: LogSource | None) -> Response:
    """The whole log."""
    chunks = _open(call, objects, source)
    return Response(200, b"".join([chunk async for chunk in chunks]), {"content-type": TEXT})


@asynccontextmanager
async def follow_log(call: Call, objects: Objects, source: LogSource | None) -> AsyncIterator[Answer]:
    """The log as it grows."""
    chunks = _open(call, objects, source)

    async def read() -> bytes | None:
        return await anext(chunks, None)

    try:
        yield Answer(read, 200, {"content-type": TEXT})
    finally:
        close = getattr(chunks, "aclose", None)  # generators have it, other iterators need none
        if close is not None:
            await close()


def _open(call: Call, objects: Objects, source: LogSource | None) -> AsyncIterator[bytes]:
    stored = objects.find(call.served, call.namespace, call.name)
    container = _container(objects.read(call.served, stored), call.query.text("container"))
    if source is None:
        told = f'pod "{call.name}": no kubelet is running here, so there are no logs'
        raise StatusError(503, "ServiceUnavailable", told)
    query = call.query
    options = LogOptions(
        container=container,
        follow=query.flag("follow"),
        previous=query.flag("previous"),
        tail_lines=query.number("tailLines"),
        since_seconds=query.number("sinceSeconds"),
        timestamps=query.flag("timestamps"),
        limit_bytes=query.number("limitBytes"),
    )
    return source.logs(call.namespace, call.name, options)


def _container(pod: dict[str, Any], wanted: str) -> str:
    """The container that is meant: the one named, or the only one."""
    name = pod["metadata"]["name"]
    spec = pod.get("spec") or {}
    main = [one["name"] for one in spec.get("containers") or ()]
    every = main + [one["name"] for one in spec.get("initContainers") or ()]
    if wanted:
        if wanted not in every:
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    preferred = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    if preferred in main:
        return str(preferred)
    if len(main) != 1:
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(main)}]")
    return str(main[0])
