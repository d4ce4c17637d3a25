"""Carry out the ends of a plan: one try at a time, with patience, and the flow's own end last."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from jobflow.act.endings import AGAIN_SECONDS, PATIENCE_SECONDS
from jobflow.act.flow import FlowActor
from jobflow.act.memory import FlowMemory
from jobflow.act.outcome import Done
from jobflow.cache.children import Children
from jobflow.cache.expectations import Expectations
from jobflow.kube.errors import Conflict, Unavailable
from jobflow.reconcile.plan import EndChild, Plan
from jobflow.testing.builders import child, flow
from jobflow.testing.clock import VirtualClock

pytestmark = pytest.mark.looptime

FLOW = flow("f").step("a").step("b").frozen()
A, B = (EndChild(f"f-{step}", f"job-f-{step}", "DeadlineExceeded", "too long") for step in "ab")


@dataclass
class Desk:
    actor: FlowActor
    children: Children
    memory: FlowMemory
    told: list[str] = field(default_factory=list)

    def emit(self, about, type, reason, message):
        self.told.append(f"{reason}: {message}")

    def execute(self, plan):
        return self.actor.execute(FLOW, plan, self.memory)

    def deletes(self, api):
        return [request.path.rpartition("/")[2] for request in api.asked if request.method == "DELETE"]


@pytest.fixture
def desk(client):
    children = Children(lambda old, new: None)
    desk = Desk(None, children, FlowMemory(FLOW.uid, FLOW.compiled, 1))
    desk.actor = FlowActor(client, VirtualClock(), desk, Expectations(children))
    return desk


async def test_each_job_is_asked_for_and_told_and_looked_at_again(api, desk):
    assert await desk.execute(Plan(ends=(A, B))) == Done(AGAIN_SECONDS)
    assert len(api.sent("POST", "commands")) == 2
    assert desk.told == [
        "Ended: asked Volcano to terminate Job f-a: too long",
        "Ended: asked Volcano to terminate Job f-b: too long",
    ]


async def test_a_plan_that_comes_again_soon_asks_for_nothing(api, desk):
    await desk.execute(Plan(ends=(A,)))
    await desk.actor.clock.sleep(AGAIN_SECONDS - 1)
    assert await desk.execute(Plan(ends=(A,))) == Done(AGAIN_SECONDS)
    assert len(api.sent("POST", "commands")) == 1
    await desk.actor.clock.sleep(1)
    await desk.execute(Plan(ends=(A,)))
    assert len(api.sent("POST", "commands")) == 2
    assert len(desk.told) == 1, "that it is asked again is no news"


async def test_what_failed_is_tried_with_the_next_plan_and_keeps_nothing_else_back(api, desk):
    api.on("POST commands", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        await desk.execute(Plan(ends=(A,)))
    del api.answers["POST commands"]
    await desk.execute(Plan(ends=(A,)))
    assert len(api.sent("POST", "commands")) == 2


async def test_a_command_that_nobody_takes_ends_in_a_deletion_that_is_waited_for(api, desk):
    desk.children.put(child("a", of="f").running().view())
    api.on("POST commands", api.refusal(409, "AlreadyExists"))
    begun = desk.actor.clock.monotonic()
    while not desk.deletes(api):
        await desk.execute(Plan(ends=(A,)))
        await desk.actor.clock.sleep(AGAIN_SECONDS)
    assert desk.actor.clock.monotonic() - begun == PATIENCE_SECONDS + AGAIN_SECONDS
    assert desk.deletes(api) == ["f-a"]
    assert desk.told == ["Ended: deleted, for want of Commands, Job f-a: too long"]
    assert desk.actor.expectations.waiting(FLOW.uid, "100", desk.actor.clock.monotonic()) is not None


async def test_the_next_deadline_wakes_it(desk):
    assert await desk.execute(Plan(due_in=7.5)) == Done(7.5)
    assert await desk.execute(Plan(due_in=90.0, ends=(A,))) == Done(AGAIN_SECONDS)


async def test_a_flow_is_deleted_at_the_end_of_its_plan_and_not_again_at_once(api, desk):
    over = Plan(delete_flow="60 s after it finished")
    assert await desk.execute(over) == Done(AGAIN_SECONDS)
    assert await desk.execute(over) == Done(AGAIN_SECONDS)
    assert desk.deletes(api) == ["f"]
    await desk.actor.clock.sleep(AGAIN_SECONDS)
    await desk.execute(over)
    assert desk.deletes(api) == ["f", "f"]


async def test_one_that_was_edited_meanwhile_is_planned_anew(api, desk):
    api.on("DELETE jobflows", api.refusal(409, "Conflict"))
    with pytest.raises(Conflict):
        await desk.execute(Plan(delete_flow="60 s after it finished"))
