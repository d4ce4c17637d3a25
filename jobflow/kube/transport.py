"""Transport: the seam between what we say to an API server and how the bytes travel.

In: a Request. Out: a Response, or a Stream of lines for a watch. Below it stands kubernetes_asyncio's HTTP pipe
(`http.py`), the embedded API server in the same process (`jobflow.local.apiserver.wire.inprocess`), or a fault plan.
A transport does not judge statuses: `client.py` turns them into the errors of `errors.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to an API server: path from `Resource.path`, query as pairs, body as bytes."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    content_type: str = JSON
    accept: str = JSON


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, whole. Header names are lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Stream(Protocol):
    """An answer that goes on: a watch (or a followed log). `status` is known before the first line."""

    @property
    def status(self) -> int:
        """The HTTP status; where it is not 200, `body` has the Status object and there are no lines."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers, names in lower case."""

    async def body(self) -> bytes:
        """The whole body of an answer that is an error (at most 64 KiB of it)."""

    def lines(self) -> AsyncIterator[bytes]:
        """Complete lines without their newline.

        Raises TruncatedStream where the peer closed in the middle of a line, Unavailable on a reset, and
        SilentStream where nothing came for the silence that `stream` was given.
        """


class Transport(Protocol):
    """A way to an API server."""

    async def request(self, request: Request, timeout: float) -> Response:
        """Send and read the whole answer. Raises Unavailable where there was none within `timeout` seconds."""

    def stream(self, request: Request, silence: float) -> AbstractAsyncContextManager[Stream]:
        """Send and read line by line; more than `silence` seconds without a byte is a dead peer."""

    async def close(self) -> None:
        """Close connections; what is in flight fails with Unavailable."""
