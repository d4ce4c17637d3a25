"""Events as they are written, counted up, retried and dropped; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import msgspec
import pytest

from jobflow.api.metadata import ObjectReference
from jobflow.api.resources import JOB_FLOW, QUEUE
from jobflow.clock import SystemClock
from jobflow.kube.errors import Unavailable
from jobflow.kube.events import EventRecorder
from jobflow.kube.transport import Response

pytestmark = pytest.mark.looptime

FLOW = ObjectReference(JOB_FLOW, "ns", "flow", "uid-1")
DONE = Response(201, b"{}")
START = datetime.fromisoformat("2026-01-01T00:00:00.700+00:00")


class VirtualClock(SystemClock):
    """Wall time that goes with the event loop's."""

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())


@pytest.fixture
def recorder(api, client) -> EventRecorder:
    api.others = [DONE]
    return EventRecorder(client, VirtualClock())


@pytest.fixture
async def running(recorder) -> AsyncIterator[asyncio.Task]:
    task = asyncio.create_task(recorder.run())
    yield task
    task.cancel()
    await asyncio.wait({task})


def written(api) -> list[tuple[str, str, dict]]:
    return [(request.method, request.path, msgspec.json.decode(request.body)) for _, request in api.log]


async def test_an_event_is_what_kubectl_describe_looks_for(api, recorder, running):
    recorder.emit(FLOW, "Normal", "Created", "created flow-a, flow-b")
    await asyncio.sleep(1)
    ((method, path, body),) = written(api)
    assert (method, path) == ("POST", "/api/v1/namespaces/ns/events")
    name = body["metadata"].pop("name")
    assert name.startswith("flow.")
    assert int(name.removeprefix("flow."), 16)
    assert body == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": "ns"},
        "involvedObject": {
            "apiVersion": "flow.volcano.sh/v1alpha1",
            "kind": "JobFlow",
            "namespace": "ns",
            "name": "flow",
            "uid": "uid-1",
        },
        "type": "Normal",
        "reason": "Created",
        "message": "created flow-a, flow-b",
        "source": {"component": "jobflow-controller"},
        "reportingComponent": "jobflow-controller",
        "reportingInstance": "",
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 1,
    }


async def test_an_object_without_a_namespace_has_its_events_in_default(api, recorder, running):
    recorder.emit(ObjectReference(QUEUE, "", "q", "uid-2"), "Normal", "R", "m")
    await asyncio.sleep(1)
    ((_, path, body),) = written(api)
    assert path == "/api/v1/namespaces/default/events"
    assert body["involvedObject"]["namespace"] == ""


async def test_names_are_told_apart_and_stay_names(api, recorder, running):
    long = ObjectReference(JOB_FLOW, "ns", "a" * 235 + "." + "b" * 17, "uid-3")
    for reason in ("One", "Two"):
        recorder.emit(long, "Normal", reason, "m")
    await asyncio.sleep(1)
    names = {body["metadata"]["name"] for _, _, body in written(api)}
    assert len(names) == 2
    assert all(len(name) <= 253 and ".." not in name for name in names)


async def test_the_same_again_within_ten_minutes_counts_up(api, recorder, running):
    for _ in range(3):
        recorder.emit(FLOW, "Warning", "Waiting", "quota")
        await asyncio.sleep(500)
    (_, _, first), (method, path, second), (_, _, third) = written(api)
    assert (method, path) == ("PATCH", f"/api/v1/namespaces/ns/events/{first['metadata']['name']}")
    assert second == {"count": 2, "lastTimestamp": "2026-01-01T00:08:20Z"}
    assert third == {"count": 3, "lastTimestamp": "2026-01-01T00:16:40Z"}


@pytest.mark.parametrize(
    ("what", "pause", "about", "message"),
    [
        ("after ten minutes", 601, FLOW, "quota"),
        ("another message", 1, FLOW, "other"),
        ("another object of that name", 1, ObjectReference(JOB_FLOW, "ns", "flow", "uid-9"), "quota"),
    ],
)
async def test_what_is_not_the_same_is_another_event(what, pause, about, message, api, recorder, running):
    recorder.emit(FLOW, "Warning", "Waiting", "quota")
    await asyncio.sleep(pause)
    recorder.emit(about, "Warning", "Waiting", message)
    await asyncio.sleep(1)
    (_, _, first), (method, _, second) = written(api)
    assert method == "POST"
    assert first["metadata"]["name"] != second["metadata"]["name"]


async def test_an_event_that_the_server_has_forgotten_is_created_anew(api, recorder, running):
    api.others = [DONE, api.refusal(404, "NotFound", details={"name": "x"}), DONE]
    for _ in range(2):
        recorder.emit(FLOW, "Warning", "Waiting", "quota")
    await asyncio.sleep(1)
    assert [method for method, _, _ in written(api)] == ["POST", "PATCH", "POST"]


async def test_a_lost_answer_is_asked_again_under_the_same_name(api, recorder, running):
    api.others = [Unavailable("connection reset"), api.refusal(409, "AlreadyExists"), DONE]
    recorder.emit(FLOW, "Normal", "Created", "m")
    recorder.emit(FLOW, "Normal", "Created", "m")
    await asyncio.sleep(60)
    (_, _, first), (_, _, again), (method, _, _) = written(api)
    assert first == again
    assert method == "PATCH"
    assert recorder.dropped == 0


async def test_what_is_refused_is_dropped_and_does_not_hold_up_the_next(api, recorder, running):
    api.others = [api.refusal(403, "Forbidden"), DONE]
    recorder.emit(FLOW, "Normal", "Created", "one")
    recorder.emit(FLOW, "Normal", "Created", "two")
    await asyncio.sleep(1)
    assert [body["message"] for _, _, body in written(api)] == ["one", "two"]
    assert recorder.dropped == 1


async def test_an_absent_server_is_asked_a_few_times_only(api, recorder, running):
    api.others = [Unavailable("no")]
    recorder.emit(FLOW, "Normal", "Created", "m")
    await asyncio.sleep(600)
    assert len(api.log) == 4
    assert recorder.dropped == 1


async def test_emit_never_waits_and_drops_what_is_too_much(api, recorder):
    for number in range(5000):
        recorder.emit(FLOW, "Normal", "Created", str(number))
    assert recorder.dropped == 5000 - 2048  # one object has one lane


async def test_a_burst_of_many_objects_is_kept(api, recorder, running):
    for number in range(3000):
        recorder.emit(ObjectReference(JOB_FLOW, "ns", f"f{number}", f"uid-{number}"), "Normal", "Created", "m")
    await asyncio.sleep(60)
    assert recorder.dropped == 0
    assert len(api.log) == 3000
    assert api.most_running <= 4


async def test_when_it_is_cancelled_what_is_queued_is_still_sent(api, recorder, running):
    await asyncio.sleep(1)
    api.latency = 0.1
    for number in range(10):
        recorder.emit(FLOW, "Normal", "Created", str(number))
    await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    assert {body["message"] for _, _, body in written(api)} == {str(number) for number in range(10)}


async def test_when_it_is_cancelled_it_ends_within_two_seconds(api, recorder, running):
    api.latency = 10.0
    recorder.emit(FLOW, "Normal", "Created", "m")
    await asyncio.sleep(0.05)
    stopped = asyncio.get_running_loop().time()
    running.cancel()
    await asyncio.wait({running})
    assert asyncio.get_running_loop().time() - stopped == pytest.approx(2.0)
    assert recorder.dropped == 1


async def test_while_the_client_is_busy_one_lane_goes_on(api, client, recorder, running):
    for _ in range(client.limiter.limit // 2):
        await client.limiter.acquire()
    for number in range(40):
        about = ObjectReference(JOB_FLOW, "ns", f"flow-{number}", f"uid-{number}")
        recorder.emit(about, "Normal", "Created", "created")
    await asyncio.sleep(10)
    assert 0 < len(written(api)) < 40
    for _ in range(client.limiter.in_flight):
        client.limiter.release()
    await asyncio.sleep(1)
    assert len(written(api)) == 40
