"""FencedTransport: reads pass, writes only with time enough."""

from __future__ import annotations

import pytest

from jobflow.api.resources import JOB_FLOW, VOLCANO_JOB
from jobflow.kube.client import REQUEST_SECONDS, Client
from jobflow.kube.errors import Unavailable
from jobflow.kube.fenced import FencedTransport, NotLeader
from jobflow.kube.transport import Request, Response
from jobflow.testing.clock import VirtualClock

pytestmark = pytest.mark.looptime


class Below:
    """Notes what gets through, and with which timeout."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, float]] = []
        self.closed = False

    async def request(self, request: Request, timeout: float) -> Response:
        self.sent.append((request.method, timeout))
        return Response(200, b"{}")

    def stream(self, request: Request, silence: float):
        self.sent.append(("stream", silence))

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("told", "seconds", "sent"),
    [
        ("long leases leave the timeout alone", 100.0, [30.0]),
        ("a write may take what the lease has left", 9.0, [9.0]),
        ("none starts without a lease", 0.0, []),
        ("nor after its end", -50.0, []),
    ],
)
async def test_writes(method, told, seconds, sent):
    below = Below()
    fenced = FencedTransport(below, lambda: seconds)
    if sent:
        await fenced.request(Request(method, "/x"), 30.0)
    else:
        with pytest.raises(NotLeader, match=f"{method} /x was not sent"):
            await fenced.request(Request(method, "/x"), 30.0)
    assert below.sent == [(method, timeout) for timeout in sent], told


async def test_reads_and_watches_need_no_lease():
    below = Below()
    fenced = FencedTransport(below, lambda: 0.0)
    await fenced.request(Request("GET", "/x"), 30.0)
    fenced.stream(Request("GET", "/x"), 90.0)
    await fenced.close()
    assert (below.sent, below.closed) == ([("GET", 30.0), ("stream", 90.0)], True)


async def test_a_client_does_not_repeat_a_write_that_was_refused_and_reads_on():
    below = Below()
    client = Client(FencedTransport(below, lambda: 0.0), VirtualClock())
    with pytest.raises(Unavailable):
        await client.create(VOLCANO_JOB, "default", {})
    await client.get(JOB_FLOW, "default", "x")
    assert below.sent == [("GET", REQUEST_SECONDS)]
