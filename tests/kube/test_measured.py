"""MeasuredTransport: each request under its verb, kind and status."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from jobflow.kube.errors import NotSent
from jobflow.kube.measured import MeasuredTransport, verb_and_resource
from jobflow.kube.transport import APPLY_PATCH, MERGE_PATCH, Request, Response
from jobflow.obs.measures import Measures
from jobflow.testing.clock import FixedClock

JOBS = "/apis/batch.volcano.sh/v1alpha1/namespaces/default/jobs"
FLOWS = "/apis/flow.volcano.sh/v1alpha1"


@pytest.mark.parametrize(
    ("request_", "expect"),
    [
        (Request("GET", f"{FLOWS}/jobflows"), ("list", "jobflows.flow.volcano.sh")),
        (Request("GET", f"{FLOWS}/namespaces/a/jobflows"), ("list", "jobflows.flow.volcano.sh")),
        (Request("GET", f"{FLOWS}/namespaces/a/jobflows/x"), ("get", "jobflows.flow.volcano.sh")),
        (Request("PUT", f"{FLOWS}/namespaces/a/jobflows/x/status"), ("update", "jobflows.flow.volcano.sh/status")),
        (Request("POST", JOBS), ("create", "jobs.batch.volcano.sh")),
        (Request("DELETE", f"{JOBS}/x"), ("delete", "jobs.batch.volcano.sh")),
        (Request("POST", "/api/v1/namespaces/default/events"), ("create", "events")),
        (Request("PATCH", "/api/v1/namespaces/default/events/x", content_type=MERGE_PATCH), ("patch", "events")),
        (Request("PATCH", "/api/v1/namespaces/x", content_type=APPLY_PATCH), ("apply", "namespaces")),
        (Request("GET", "/api/v1/namespaces"), ("list", "namespaces")),
        (Request("GET", "/readyz"), ("get", "")),
    ],
)
def test_verb_and_kind(request_, expect):
    assert verb_and_resource(request_) == expect


class Told(Measures):
    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def called(self, verb: str, resource: str, code: str, seconds: float) -> None:
        self.calls.append((verb, code, seconds))

    def watch_began(self, resource: str, code: str) -> None:
        self.calls.append(("watch", code))


class Below:
    def __init__(self, clock: FixedClock, answer) -> None:
        self._clock = clock
        self._answer = answer

    async def request(self, request: Request, timeout: float) -> Response:
        self._clock.advance(0.5)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    @asynccontextmanager
    async def stream(self, request: Request, silence: float):
        if isinstance(self._answer, Exception):
            raise self._answer
        yield self._answer


@pytest.mark.parametrize(("answer", "code"), [(Response(200, b""), "200"), (Response(409, b""), "409")])
async def test_an_answer_is_counted_by_its_status(answer, code):
    clock, told = FixedClock(), Told()
    transport = MeasuredTransport(Below(clock, answer), clock, told)
    await transport.request(Request("POST", JOBS), 30)
    async with transport.stream(Request("GET", JOBS), 90):
        pass
    assert told.calls == [("create", code, 0.5), ("watch", code)]


async def test_no_answer_is_counted_too():
    clock, told = FixedClock(), Told()
    transport = MeasuredTransport(Below(clock, NotSent("refused")), clock, told)
    with pytest.raises(NotSent):
        await transport.request(Request("GET", JOBS), 30)
    with pytest.raises(NotSent):
        async with transport.stream(Request("GET", JOBS), 90):
            pass
    assert told.calls == [("list", "none", 0.5), ("watch", "none")]
