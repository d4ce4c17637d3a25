"""Election: the record it writes, and what it makes of answers that are no success.

Several replicas and their work are in tests/test_leader_election.py.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import msgspec
import pytest

from jobflow.api.resources import LEASE
from jobflow.kube.client import Client
from jobflow.kube.errors import Forbidden, Gone, NotSent, Unavailable
from jobflow.kube.leadership import Leadership, Sent, Timing
from jobflow.kube.lease import Election
from jobflow.kube.lease_records import LeaseRecords
from jobflow.kube.transport import Request, Response
from jobflow.local.apiserver.server import ApiServer
from jobflow.testing.clock import FixedClock, VirtualClock

pytestmark = pytest.mark.looptime

MICRO_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
TIMING = Timing()


class Api:
    """An API server that can be told to answer otherwise."""

    def __init__(self, server: ApiServer) -> None:
        self._inner = server.transport()
        self.asked: list[Request] = []
        self.watched: list[Request] = []
        self.no_watch: Exception | None = None
        self.instead: Callable[[Request], Any] | None = None

    async def request(self, request: Request, timeout: float) -> Response:
        self.asked.append(request)
        if self.instead is not None and (answer := self.instead(request)) is not None:
            if isinstance(answer, Exception):
                raise answer
            return await answer if asyncio.iscoroutine(answer) else answer
        return await self._inner.request(request, timeout)

    def stream(self, request: Request, silence: float):
        self.watched.append(request)
        if self.no_watch is not None:
            raise self.no_watch
        return self._inner.stream(request, silence)


class Work:
    """What a leader does: it counts its terms, and takes a while to stop where it is told to."""

    def __init__(self) -> None:
        self.terms: list[Leadership] = []
        self.running = 0
        self.stop_seconds = 0.0
        self.done = asyncio.Event()

    async def __call__(self, leadership: Leadership) -> None:
        self.terms.append(leadership)
        self.running += 1
        try:
            await self.done.wait()
        finally:
            await asyncio.sleep(self.stop_seconds)
            self.running -= 1


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer(VirtualClock()) as server:
        yield server


@pytest.fixture
def api(server) -> Api:
    return Api(server)


@pytest.fixture
async def start(api):
    """Starts an election; whatever is left of it ends with the test."""
    tasks = []

    def start(name: str, work: Work, timing: Timing = TIMING) -> tuple[Election, asyncio.Task[None]]:
        records = LeaseRecords(api, "default", "jobflow-controller")
        election = Election(records, VirtualClock(), name, timing, Random(name))
        tasks.append(asyncio.create_task(election.run(work)))
        return election, tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
async def lease(server):
    """The Lease's spec as stored."""
    client = Client(server.transport(), VirtualClock())

    async def read() -> dict[str, Any]:
        return msgspec.json.decode(await client.get(LEASE, "default", "jobflow-controller"))["spec"]

    return read


def refusal(status: int, reason: str = "", name: str = "x") -> Response:
    body = {"kind": "Status", "code": status, "reason": reason, "message": "no", "details": {"name": name}}
    return Response(status, msgspec.json.encode(body), {})


async def test_the_record_says_who_leads_since_when_and_for_how_long(start, lease):
    work = Work()
    start("pod-1_abc", work)
    await asyncio.sleep(1)
    spec = await lease()
    assert spec["holderIdentity"] == "pod-1_abc"
    assert spec["leaseDurationSeconds"] == 15
    assert spec["leaseTransitions"] == 0
    assert MICRO_TIME.match(spec["acquireTime"])
    assert spec["renewTime"] == spec["acquireTime"]


async def test_it_is_renewed_every_third_of_its_duration(start, lease, api):
    start("a", Work())
    await asyncio.sleep(1)
    first, asked = await lease(), len(api.asked)
    await asyncio.sleep(30)
    last = await lease()
    assert last["acquireTime"] == first["acquireTime"]
    assert last["renewTime"] > first["renewTime"]
    assert len(api.asked) - asked == 6, "one request a renewal"


async def test_a_lease_given_back_names_nobody_and_keeps_its_count(start, lease):
    work = Work()
    _, task = start("a", work)
    await asyncio.sleep(1)
    work.done.set()
    await task
    spec = await lease()
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("", 0)
    start("b", Work())
    await asyncio.sleep(1)
    spec = await lease()
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("b", 1)


async def test_what_others_wrote_on_the_lease_stays(start, server):
    client = Client(server.transport(), VirtualClock())
    mine = {
        "metadata": {"name": "jobflow-controller", "labels": {"team": "x"}, "finalizers": ["x.io/keep"]},
        "spec": {},
    }
    await client.create(LEASE, "default", {"apiVersion": LEASE.api_version, "kind": LEASE.kind, **mine})
    start("a", Work())
    await asyncio.sleep(1)
    stored = msgspec.json.decode(await client.get(LEASE, "default", "jobflow-controller"))
    assert stored["spec"]["holderIdentity"] == "a"
    assert (stored["metadata"]["labels"], stored["metadata"]["finalizers"]) == ({"team": "x"}, ["x.io/keep"])


async def test_cancelled_it_stops_the_work_then_gives_the_lease_back(start, lease):
    work = Work()
    work.stop_seconds = 3
    _, task = start("a", work)
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.sleep(1)
    assert (await lease())["holderIdentity"] == "a", "held while the work is still stopping"
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.running == 0
    assert (await lease())["holderIdentity"] == ""


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ("connection refused", lambda request: NotSent("refused")),
        ("no answer", lambda request: Unavailable("timeout")),
        ("500", lambda request: refusal(500)),
        ("rights are missing", lambda request: refusal(403, "Forbidden")),
        ("throttled", lambda request: refusal(429, "TooManyRequests")),
        ("leases are not served", lambda request: refusal(404, "NotFound", name="")),
        ("an answer that is no Lease", lambda request: Response(200, b"<html>", {})),
    ],
)
async def test_an_error_is_a_round_that_was_not_won(start, api, told, answer):
    work = Work()
    api.instead = answer
    _, task = start("a", work)
    await asyncio.sleep(60)
    assert not work.terms, told
    api.instead = None
    await asyncio.sleep(3)
    assert work.running == 1, told
    api.instead = answer
    await asyncio.sleep(TIMING.renew_deadline - 3.5)
    assert work.running == 1, f"{told}: it may still come back"
    await asyncio.sleep(TIMING.duration)
    assert work.running == 0, told
    api.instead = None
    await asyncio.sleep(3)
    assert (work.running, len(work.terms)) == (1, 2), told
    assert not task.done()


async def test_one_failed_renewal_does_not_cost_the_leadership(start, api):
    work = Work()
    start("a", work)
    await asyncio.sleep(4.5)
    api.instead = lambda request: refusal(500)
    await asyncio.sleep(2)
    api.instead = None
    await asyncio.sleep(60)
    assert (work.running, len(work.terms)) == (1, 1)


async def test_a_renewal_whose_answer_was_lost_is_no_rival(start, api, server):
    work = Work()
    start("a", work)
    await asyncio.sleep(4)

    async def lost(request: Request) -> Response:
        await server.transport().request(request, 1)
        raise Unavailable("the answer was lost")

    api.instead = lambda request: lost(request) if request.method == "PATCH" else None
    await asyncio.sleep(2)
    api.instead = None
    await asyncio.sleep(60)
    assert (work.running, len(work.terms)) == (1, 1)


async def test_renewals_that_are_done_and_answered_too_late_are_found_done(start, api, server):
    """A server that is slow to write: each answer comes after our patience has ended."""
    work = Work()
    start("a", work)
    await asyncio.sleep(1)

    async def late(request: Request) -> Response:
        answered = await server.transport().request(request, 1)
        await asyncio.sleep(TIMING.renew_deadline)
        return answered

    api.instead = lambda request: late(request) if request.method == "PATCH" else None
    asked = len(api.asked)
    await asyncio.sleep(60)
    assert (work.running, len(work.terms)) == (1, 1)
    writes = [request for request in api.asked[asked:] if request.method == "PATCH"]
    assert len(writes) <= 60 / TIMING.renew_every, "it is not written again only to hear that it was"


async def test_the_work_has_ended_before_it_campaigns_again(start, api):
    work = Work()
    start("a", work)
    await asyncio.sleep(1)
    work.stop_seconds = 100
    api.instead = lambda request: refusal(500)
    await asyncio.sleep(TIMING.renew_deadline + 1)
    api.instead = None
    assert work.running == 1, "still stopping"
    asked = len(api.asked)
    await asyncio.sleep(50)
    assert len(api.asked) == asked, "nothing else happens meanwhile"
    assert not work.terms[0].has_more_than(0)
    await asyncio.sleep(60)
    assert len(work.terms) == 2
    work.stop_seconds = 0  # fixtures end in real time


async def test_a_transport_that_hangs_beyond_its_timeout_does_not_hold_up_the_deadline(start, api):
    """Fetching credentials may take long, and comes before the request's own timeout begins."""
    work = Work()
    start("a", work)
    await asyncio.sleep(1)
    api.instead = lambda request: asyncio.sleep(3600)
    await asyncio.sleep(TIMING.renew_deadline)
    assert work.running == 0


async def test_a_lease_taken_by_force_ends_the_work_at_the_next_renewal(start, server, lease):
    work = Work()
    start("a", work)
    await asyncio.sleep(1)
    client = Client(server.transport(), VirtualClock())
    await client.patch(LEASE, "default", "jobflow-controller", {"spec": {"holderIdentity": "by-hand"}})
    await asyncio.sleep(TIMING.renew_every)
    assert work.running == 0
    assert (await lease())["holderIdentity"] == "by-hand"
    await asyncio.sleep(TIMING.duration + TIMING.retry)
    assert work.running == 1


async def test_a_holder_with_a_longer_lease_is_respected_for_as_long_as_it_says(start, server):
    client = Client(server.transport(), VirtualClock())
    spec = {"holderIdentity": "other", "leaseDurationSeconds": 60}
    body = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": {"name": "jobflow-controller"}}
    await client.create(LEASE, "default", {**body, "spec": spec})
    work = Work()
    start("a", work)
    await asyncio.sleep(59)
    assert not work.terms
    await asyncio.sleep(5)
    assert work.running == 1


async def test_many_replicas_at_once_and_one_leads(start):
    works = [Work() for _ in range(10)]
    for number, work in enumerate(works):
        start(f"replica-{number}", work)
    for _ in range(30):
        await asyncio.sleep(2)
        assert sum(work.running for work in works) == 1


async def test_a_bug_in_the_work_gives_the_lease_back_and_is_raised(start, lease):
    async def buggy(leadership: Leadership) -> None:
        raise ZeroDivisionError

    _, task = start("a", buggy)
    with pytest.raises(ZeroDivisionError):
        await task
    assert (await lease())["holderIdentity"] == ""


def test_the_times_keep_their_proportions():
    assert Timing.of(15) == Timing()
    assert Timing.of(60) == Timing(60, 40.0, 8.0)
    assert Timing().renew_every == Timing().reserve == 5.0


class TwoClocks(FixedClock):
    """A machine whose monotonic clock can fall behind."""

    behind = 0.0

    def monotonic(self) -> float:
        return super().monotonic() - self.behind


@pytest.mark.parametrize(
    ("told", "passed", "monotonic_behind", "expect"),
    [
        ("just renewed", 0, 0, 15.0),
        ("some seconds ago", 4, 0, 11.0),
        ("over", 20, 0, -5.0),
        ("the machine was paused, its monotonic clock with it", 20, 20, -5.0),
        ("the wall clock was set back: the monotonic one counts", 4, -3600, -3589.0),
    ],
)
def test_what_is_left_is_by_the_clock_that_went_further(told, passed, monotonic_behind, expect):
    clock = TwoClocks()
    leadership = Leadership(clock, TIMING, Sent.now(clock))
    clock.advance(passed)
    clock.behind = monotonic_behind
    assert leadership.remaining == expect, told
    assert leadership.has_more_than(expect - 1)
    assert not leadership.has_more_than(expect)


def test_a_term_that_ended_has_nothing_left():
    clock = FixedClock()
    leadership = Leadership(clock, TIMING, Sent.now(clock))
    leadership.end()
    leadership.renewed(Sent.now(clock))
    assert not leadership.has_more_than(0)


async def test_a_write_gets_what_the_lease_has_left_and_none_starts_in_its_last_third(start, api):
    election, _ = start("a", Work())
    assert election.may_write() == 0
    await asyncio.sleep(1)
    assert 12 < election.may_write() <= 14
    api.instead = lambda request: refusal(500)
    await asyncio.sleep(8)
    assert 4 < election.may_write() < 6
    await asyncio.sleep(1.5)
    assert election.may_write() == 0


async def test_the_lease_counts_from_when_a_renewal_was_sent_not_from_its_answer(start, api, server):
    async def slow(request: Request) -> Response:
        answer = await server.transport().request(request, 1)
        await asyncio.sleep(1.5)
        return answer

    work = Work()
    api.instead = lambda request: slow(request) if request.method != "GET" else None
    start("a", work)
    await asyncio.sleep(1.6)
    assert work.terms[0].remaining == pytest.approx(TIMING.duration - 1.6, abs=0.2)
    await asyncio.sleep(6.6)  # the renewal was sent at 6.5 and answered at 8
    assert work.terms[0].remaining == pytest.approx(TIMING.duration - 1.7, abs=0.2)


class TestWatchingTheLease:
    """A replica that stands by is woken when the lease is given back; rounds go on whatever becomes of the watch."""

    async def stand_by(self, start) -> tuple[Work, Work]:
        first, second = Work(), Work()
        start("first", first)
        await asyncio.sleep(1)
        start("second", second)
        await asyncio.sleep(20)
        assert (first.running, second.running) == (1, 0)
        return first, second

    async def test_it_leads_at_once_when_the_lease_is_given_back(self, start):
        first, second = await self.stand_by(start)
        first.done.set()
        await asyncio.sleep(0.05)
        assert (first.running, second.running) == (0, 1)

    async def test_one_watch_stays_open_while_it_stands_by_and_none_while_it_leads(self, start, api, server):
        _, second = await self.stand_by(start)
        assert len(api.watched) == 1
        assert dict(api.watched[0].query)["fieldSelector"] == "metadata.name=jobflow-controller"
        client = Client(server.transport(), VirtualClock())
        await client.patch(LEASE, "default", "jobflow-controller", {"spec": {"holderIdentity": ""}})
        await asyncio.sleep(1)
        assert second.running == 1
        await asyncio.sleep(TIMING.duration)
        assert len(api.watched) == 2, "the other one stands by now"

    @pytest.mark.parametrize(
        ("told", "answer"),
        [
            ("it breaks", Unavailable("reset")),
            ("it is not allowed", Forbidden("leases is forbidden: cannot watch")),
            ("it is told that the version is gone", Gone("too old")),
        ],
    )
    async def test_without_a_watch_the_next_round_finds_it(self, start, api, told, answer):
        api.no_watch = answer
        first, second = await self.stand_by(start)
        first.done.set()
        await asyncio.sleep(TIMING.retry + 0.1)
        assert second.running == 1, told

    async def test_a_missing_right_is_told_once(self, start, api, capsys):
        api.no_watch = Forbidden("leases is forbidden: cannot watch")
        await self.stand_by(start)
        assert capsys.readouterr().out.count("lease is not watched, only looked at") == 1

    async def test_a_lease_that_cannot_be_taken_is_not_asked_for_in_a_hurry(self, start, api):
        first, second = await self.stand_by(start)
        api.instead = lambda request: refusal(403, "Forbidden") if request.method == "PATCH" else None
        first.done.set()
        asked = len(api.asked)
        await asyncio.sleep(60)
        assert second.running == 0
        assert len(api.asked) - asked < 2 * 60 / TIMING.retry / 0.8 + 5, "a read and a write in each round"

    async def test_deleting_the_lease_wakes_nobody(self, start, server, api):
        await self.stand_by(start)
        client = Client(server.transport(), VirtualClock())
        asked = len(api.asked)
        await client.delete(LEASE, "default", "jobflow-controller")
        await asyncio.sleep(0.05)
        assert len(api.asked) == asked

    async def test_the_end_of_a_lease_is_not_waited_out_by_another_round(self, start, server):
        client = Client(server.transport(), VirtualClock())
        spec = {"holderIdentity": "dead", "leaseDurationSeconds": 15}
        body = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": {"name": "jobflow-controller"}}
        await client.create(LEASE, "default", {**body, "spec": spec})
        work = Work()
        start("a", work)
        await asyncio.sleep(14.9)
        assert not work.terms
        await asyncio.sleep(0.2)
        assert work.running == 1
