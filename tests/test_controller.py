"""The loop: what becomes of a key."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import msgspec
import pytest
from msgspec.structs import replace

from jobflow.act.flow import FlowActor
from jobflow.api.objects import FlowObject, flow_view
from jobflow.api.resources import JOB_TEMPLATE, Key
from jobflow.api.status import JobFlowStatus
from jobflow.cache.cache import Cache
from jobflow.cache.expectations import GIVE_UP_SECONDS
from jobflow.controller import Controller
from jobflow.kube.errors import NotSent
from jobflow.snapshots import Snapshots
from jobflow.testing.builders import child, flow, template
from jobflow.testing.clock import VirtualClock
from jobflow.work.interests import Interests
from jobflow.work.queue import WorkQueue
from jobflow.work.route import TEMPLATE_SECONDS, Route

pytestmark = pytest.mark.looptime

F = flow("f").step("a").step("b", after="a")
KEY = Key("JobFlow", "default", "f")
A = child("a", of="f")


class World(SimpleNamespace):
    """The loop with a cache that the test fills; what is written comes back only when the test says so."""

    def statuses(self):
        return [body["status"] for body in self.api.sent("PUT", "jobflows")]

    def created(self):
        return [body["metadata"]["name"] for body in self.api.sent("POST", "jobs")]


@pytest.fixture
async def world(api, client):
    clock, interests = VirtualClock(), Interests()
    queue = WorkQueue(clock, namespace=lambda key: key.namespace)
    cache = Cache(Route(queue, interests))
    told = []
    recorder = SimpleNamespace(emit=lambda about, kind, reason, message: told.append(reason))
    actor = FlowActor(client, clock, recorder, cache.expectations)
    controller = Controller(client, cache, queue, interests, Snapshots(cache, clock), actor)
    workers = [asyncio.create_task(controller.work()) for _ in range(3)]
    for name in "ab":
        cache.templates.put(template(name).task("main").view())
    yield World(api=api, cache=cache, queue=queue, told=told, interests=interests)
    queue.close()
    await asyncio.gather(*workers)


async def test_a_flow_that_came_gets_its_first_child(world):
    world.cache.flows.put(F.view())
    await asyncio.sleep(1)
    assert (world.created(), world.told, world.statuses()) == (["f-a"], ["Created"], [])


async def test_its_status_is_written_once_its_child_was_seen(world):
    world.cache.flows.put(F.view())
    await asyncio.sleep(1)
    world.cache.children.put(A.view())
    await asyncio.sleep(1)
    (status,) = world.statuses()
    assert status["flowStatuses"][0]["jobName"] == "f-a"


async def test_nothing_is_done_on_a_view_that_lacks_our_last_write(world):
    world.cache.flows.put(F.view())
    await asyncio.sleep(1)
    for version in ("101", "102"):
        world.cache.flows.put(F.at(version).view())
        await asyncio.sleep(1)
    assert world.created() == ["f-a"]


async def test_a_child_that_the_watch_never_brings_is_looked_for_again(world):
    world.cache.flows.put(F.view())
    await asyncio.sleep(GIVE_UP_SECONDS + 1)
    assert world.created() == ["f-a", "f-a"]


async def test_the_next_child_follows_the_end_of_the_last(world):
    world.cache.flows.put(F.view())
    await asyncio.sleep(1)
    world.cache.children.put(A.completed().view())
    await asyncio.sleep(1)
    assert world.created() == ["f-a", "f-b"]


async def test_a_flow_waits_for_its_template_and_starts_when_it_comes(world):
    world.cache.templates.remove(template("a").task("main").view())
    world.cache.flows.put(F.view())
    await asyncio.sleep(1)
    assert (world.created(), world.told) == ([], ["TemplateNotFound"])
    world.cache.flows.put(F.at("1001").status(_status(world)).view())
    await asyncio.sleep(3600)
    world.cache.templates.put(template("a").task("main").view())
    await asyncio.sleep(1)
    assert world.created() == ["f-a"]


@pytest.mark.parametrize(
    ("said", "code"), [("a conflict", 409), ("too many requests", 429), ("no leader", 503), ("no right", 401)]
)
async def test_a_call_that_failed_is_tried_again(world, said, code):
    world.api.on("POST jobs", world.api.refusal(code))
    world.cache.flows.put(F.view())
    await asyncio.sleep(30)
    del world.api.answers["POST jobs"]
    world.api.asked.clear()
    await asyncio.sleep(120)
    assert world.created()[0] == "f-a"


async def test_a_refused_child_is_told_and_tried_again(world):
    world.api.on("POST jobs", world.api.refusal(403, message="exceeded quota"))
    world.cache.flows.put(F.view())
    await asyncio.sleep(0.5)
    assert world.statuses()[0]["state"]["reason"] == "ChildRejected"
    assert "exceeded quota" in world.statuses()[0]["state"]["message"]
    world.cache.flows.put(F.at("1001").status(_status(world)).view())
    del world.api.answers["POST jobs"]
    await asyncio.sleep(5)
    assert world.created()[-1] == "f-a"


async def test_a_server_that_is_away_costs_no_key(world):
    world.api.on("POST jobs", NotSent("connection refused"))
    world.cache.flows.put(F.view())
    await asyncio.sleep(600)
    del world.api.answers["POST jobs"]
    await asyncio.sleep(120)
    assert "Created" in world.told


@pytest.mark.blocking  # structlog reads source files to show a traceback
async def test_a_bug_costs_neither_the_key_nor_the_worker_nor_another_flow(world):
    good = template("a").task("main").at("12").view()
    world.cache.templates.put(replace(good, resource_version="11", spec=b"no codec lets this through"))
    world.cache.flows.put(F.view())
    world.cache.flows.put(flow("g").step("b").view())
    await asyncio.sleep(10)
    assert world.created() == ["g-b"]
    assert "InternalError" in world.told
    world.cache.templates.put(good)
    await asyncio.sleep(61)
    assert world.created() == ["g-b", "f-a"]


async def test_a_flow_that_is_gone_leaves_nothing_behind(world):
    world.cache.templates.remove(template("a").task("main").view())
    world.cache.flows.put(F.view())
    await asyncio.sleep(1)
    assert len(world.interests) == 1
    world.cache.flows.remove(F.view())
    await asyncio.sleep(1)
    assert (len(world.interests), len(world.queue), world.queue.held) == (0, 0, 0)


async def test_a_status_that_cannot_be_read_is_left_alone(world):
    body = F.body() | {"status": {"flowStatuses": "nonsense"}}
    world.cache.flows.put(flow_view(msgspec.json.decode(msgspec.json.encode(body), type=FlowObject)))
    await asyncio.sleep(3600)
    assert world.api.asked == []


async def test_a_templates_list_is_written_once_for_a_burst(world):
    for number in range(5):
        world.cache.children.put(child("a", of=f"f{number}").created_after(number).view())
    await asyncio.sleep(TEMPLATE_SECONDS + 1)
    (body,) = world.api.sent("PUT", "jobtemplates")
    assert body["status"] == {"jobDependsOnList": [f"f{n}-a" for n in range(5)], "jobDependsOnTotal": 5}


@pytest.mark.parametrize("gone", [True, False], ids=["read without it", "about to lose it"])
async def test_a_template_whose_fields_a_write_would_drop_is_not_written_to(world, gone):
    note = ("spec", "note")
    world.cache.installed.declare(JOB_TEMPLATE, frozenset({note}))
    world.cache.installed.saw_schema(JOB_TEMPLATE, {})
    noted = template("a").task("main").having(note="x").at("11").view()
    world.cache.templates.put(replace(noted, lost=("spec.note",)) if gone else noted)
    world.cache.children.put(A.view())
    await asyncio.sleep(TEMPLATE_SECONDS + 1)
    assert world.api.sent("PUT", "jobtemplates") == []


async def test_at_rest_nothing_is_asked(world):
    world.cache.flows.put(F.view())
    await asyncio.sleep(1)
    world.cache.children.put(A.running().view())
    await asyncio.sleep(1)
    world.cache.flows.put(F.at("1001").status(_status(world)).view())
    await asyncio.sleep(5)
    world.cache.flows.put(F.at("1002").status(_status(world)).view())
    world.api.asked.clear()
    await asyncio.sleep(3600)
    assert [request for request in world.api.asked if "jobtemplates" not in request.path] == []


def _status(world):
    return msgspec.convert(world.statuses()[-1], JobFlowStatus)
