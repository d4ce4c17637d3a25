"""FencedTransport: lets a write start only while the lease outlasts it.

In: requests of a controller that leads, or led until its process was frozen. Out: the same requests; or NotLeader,
before anything is sent. Reads pass: a standby fills its cache.

The rule: a write that starts now must have ended, by its own timeout, while the lease is still ours. A request's
timeout is 30 s, longer than a lease, so a write gets what the lease has left instead, where that is less; and none
starts in the last third of the lease, where the work is being stopped anyway (`lease.py`). A process that was frozen
and thaws with writes queued therefore sends none of them: its clock went on. One that was past this question is asked
again before its bytes leave (`timely.py`).

What no fence on this side can stop is a process that freezes between that and the system call. Such a write does no
harm to what another leader has decided: a status carries the version it was computed from, a create the one name its
step can have, a delete the UID it means. Only where the flow has ended and its Jobs were deleted is that name free.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from jobflow.kube.errors import Unavailable
from jobflow.kube.transport import Request, Response, Stream, Transport

READS = frozenset({"GET", "HEAD"})


class NotLeader(Unavailable):
    """The write was not sent: another replica may lead by the time it would end."""


class FencedTransport(Transport):
    """`may_write` says how many seconds a write that starts now may take; zero or less: none may start."""

    def __init__(self, inner: Transport, may_write: Callable[[], float]) -> None:
        self._inner = inner
        self._may_write = may_write

    async def request(self, request: Request, timeout: float) -> Response:
        """Send it, a write with no more time than the lease gives. Raises NotLeader."""
        if request.method not in READS:
            seconds = self._may_write()
            if seconds <= 0:
                raise NotLeader(f"{request.method} {request.path} was not sent: this replica does not hold the lease")
            timeout = min(timeout, seconds)
        return await self._inner.request(request, timeout)

    def stream(self, request: Request, silence: float) -> AbstractAsyncContextManager[Stream]:
        """Open it: a stream is a read."""
        return self._inner.stream(request, silence)

    async def close(self) -> None:
        """Close what is under it."""
        await self._inner.close()
