"""Carry out a flow's plan: children first, then the status, then the events."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from jobflow.act.flow import FlowActor
from jobflow.act.memory import FlowMemory
from jobflow.act.outcome import Again, Done
from jobflow.api.children import Node
from jobflow.api.status import FlowPhase, FlowState, JobFlowStatus, Reason
from jobflow.cache.children import Children
from jobflow.cache.expectations import GIVE_UP_SECONDS, Expectations
from jobflow.kube.errors import Conflict, Forbidden, Unavailable
from jobflow.reconcile.child import Draft, child_body, child_spec
from jobflow.reconcile.plan import CreateChild, DeleteChild, EmitEvent, Plan
from jobflow.testing.builders import child, flow, template
from jobflow.testing.clock import EPOCH, VirtualClock

pytestmark = pytest.mark.looptime

F = flow("f").step("a").step("b")
FLOW = F.frozen()
STATUS = JobFlowStatus(state=FlowState(FlowPhase.RUNNING))
TOLD = EmitEvent("Normal", "Succeeded", "all 2 steps succeeded")


def create(step):
    node, of = FLOW.compiled.graph.by_name[step], template(step).task("main").view()
    draft = Draft(Node(step), f"f-{step}", child_spec(FLOW, node, Node(step), of))
    body = child_body(FLOW, node, draft, of)
    return CreateChild(Node(step), f"f-{step}", body, f"basis-{step}", "it waits for nothing")


@dataclass
class Recorder:
    told: list[str] = field(default_factory=list)

    def emit(self, about, type, reason, message):
        self.told.append(f"{about.name}: {reason}: {message}")


@dataclass
class Desk:
    """An actor with what it acts upon."""

    actor: FlowActor
    children: Children
    memory: FlowMemory
    told: list[str]

    def execute(self, plan):
        return self.actor.execute(FLOW, plan, self.memory)

    def waits(self, version="100"):
        return self.actor.expectations.waiting(FLOW.uid, version, self.actor.clock.monotonic()) is not None


@pytest.fixture
def desk(client):
    children, recorder = Children(lambda old, new: None), Recorder()
    actor = FlowActor(client, VirtualClock(), recorder, Expectations(children))
    return Desk(actor, children, FlowMemory(FLOW.uid, FLOW.compiled, 1), recorder.told)


async def test_children_are_created_and_expected_and_the_status_waits_for_them(api, desk):
    outcome = await desk.execute(Plan(creates=(create("a"), create("b")), status=STATUS))
    assert outcome == Done(GIVE_UP_SECONDS)
    assert len(api.sent("POST", "jobs")) == 2
    assert api.sent("PUT", "jobflows") == []
    assert desk.waits()
    assert desk.told == ["f: Created: created Job f-a, f-b"]


async def test_a_status_is_written_at_the_version_that_was_seen_then_told_and_expected(api, desk):
    outcome = await desk.execute(Plan(status=STATUS, events=(TOLD,)))
    assert outcome == Done(None)
    (body,) = api.sent("PUT", "jobflows")
    assert body["metadata"]["resourceVersion"] == "100"
    assert body["metadata"]["uid"] == FLOW.uid
    assert body["status"] == {"state": {"phase": "Running"}}
    assert api.asked[-1].path.endswith("/jobflows/f/status")
    assert desk.told == ["f: Succeeded: all 2 steps succeeded"]
    assert (desk.waits("1000"), desk.waits("1001")) == (True, False)


async def test_nothing_is_told_of_a_status_that_somebody_outran(api, desk):
    api.on("PUT jobflows", api.refusal(409))
    with pytest.raises(Conflict):
        await desk.execute(Plan(status=STATUS, events=(TOLD,)))
    assert desk.told == []
    assert not desk.waits()


async def test_nothing_to_do_is_done_until_the_plan_wakes(desk):
    assert await desk.execute(Plan()) == Done(None)
    assert await desk.execute(Plan(wake_at=EPOCH + timedelta(seconds=30))) == Done(30)


async def test_a_status_that_may_wait_is_written_when_its_time_has_come(api, desk, looptime):
    patient = Plan(status=STATUS, status_within=10)
    assert await desk.execute(patient) == Done(tell_in=10)
    await desk.actor.clock.sleep(4)
    assert await desk.execute(patient) == Done(tell_in=6)
    assert api.asked == []
    await desk.actor.clock.sleep(6)
    assert await desk.execute(patient) == Done(None)
    assert len(api.sent("PUT", "jobflows")) == 1
    assert await desk.execute(patient) == Done(tell_in=10)


async def test_what_is_due_does_not_wait_as_a_status_does(api, desk):
    both = Plan(status=STATUS, status_within=10, wake_at=EPOCH + timedelta(seconds=30))
    assert await desk.execute(both) == Done(30, tell_in=10)


async def test_a_status_that_has_become_urgent_does_not_wait(api, desk):
    await desk.execute(Plan(status=STATUS, status_within=10))
    await desk.execute(Plan(status=STATUS))
    assert len(api.sent("PUT", "jobflows")) == 1


async def test_all_refused_makes_another_plan_with_what_was_learned(api, desk):
    api.on("POST jobs", api.refusal(403, message="quota"))
    assert await desk.execute(Plan(creates=(create("a"),), status=STATUS)) == Again()
    refusal = desk.memory.refusals["f-a"]
    assert (refusal.reason, refusal.basis, refusal.final) == (Reason.CHILD_REJECTED, "basis-a", False)
    assert api.sent("PUT", "jobflows") == []


async def test_the_log_does_not_repeat_the_fields_that_are_invalid(api, desk):
    api.on("POST jobs", api.refusal(422, "Invalid", message='spec.queue: Invalid value: "secret"'))
    with capture_logs() as logs:
        await desk.execute(Plan(creates=(create("a"),)))
    assert "secret" in desk.memory.refusals["f-a"].message
    assert [entry["reason"] for entry in logs] == [Reason.CHILD_INVALID]
    assert "secret" not in str(logs)


@pytest.mark.parametrize(
    ("said", "private", "told"),
    [
        ("no values were put in", False, "Job f-a: env name: secret"),
        ("values were put in", True, "as the step tells"),
    ],
)
async def test_the_log_repeats_a_webhooks_words_only_of_a_child_where(api, desk, said, private, told):
    api.on("POST jobs", api.refusal(400, "BadRequest", message="env name: secret"))
    with capture_logs() as logs:
        await desk.execute(Plan(creates=(replace(create("a"), private=private),)))
    assert "secret" in desk.memory.refusals["f-a"].message
    assert [entry["message"] for entry in logs] == [told]


async def test_the_log_says_our_own_words_of_any_child(api, desk):
    api.on("POST jobs", api.refusal(409, "AlreadyExists"))
    api.on("GET jobs", api.answer(child("a", of="f").owned_by("earlier").body()))
    with capture_logs() as logs:
        await desk.execute(Plan(creates=(replace(create("a"), private=True),)))
    assert [entry["reason"] for entry in logs] == [Reason.PREVIOUS_CHILD_TERMINATING]
    assert logs[0]["message"].startswith("Job f-a of an earlier JobFlow f is still there")


async def test_one_refusal_does_not_keep_back_the_others(api, desk):
    api.on("POST jobs", lambda request: api.refusal(403) if b'"f-a"' in request.body else api.store(request))
    await desk.execute(Plan(creates=(create("a"), create("b"))))
    assert "f-a" in desk.memory.refusals
    assert desk.told == ["f: Created: created Job f-b"]


async def test_a_child_that_was_there_already_is_expected_and_not_told_as_created(api, desk):
    api.on("POST jobs", api.refusal(409, "AlreadyExists"))
    api.on("GET jobs", api.answer(child("a", of="f").body()))
    await desk.execute(Plan(creates=(create("a"),)))
    assert desk.waits()
    assert desk.told == []


async def test_one_call_without_answer_keeps_back_neither_the_others_nor_what_was_learned(api, desk):
    def reply(request):
        if b'"f-a"' in request.body:
            raise Unavailable("no answer")
        return api.store(request)

    api.on("POST jobs", reply)
    with pytest.raises(Unavailable):
        await desk.execute(Plan(creates=(create("a"), create("b"))))
    assert desk.waits()
    assert desk.told == ["f: Created: created Job f-b"]


async def test_a_deletion_that_is_forbidden_does_not_keep_back_the_status(api, desk):
    api.on("DELETE jobs", api.refusal(403))
    with pytest.raises(Forbidden):
        await desk.execute(Plan(deletes=(DeleteChild("f-a", "job-f-a", "done"),), status=STATUS))
    assert len(api.sent("PUT", "jobflows")) == 1


async def test_a_deletion_is_expected(desk):
    desk.children.put(child("a", of="f").view())
    await desk.execute(Plan(deletes=(DeleteChild("f-a", "job-f-a", "done"),)))
    assert desk.waits()
    desk.children.remove(child("a", of="f").view())
    assert not desk.waits()


async def test_a_deletion_of_what_is_gone_is_believed_when_the_watch_says_so_too(api, desk):
    desk.children.put(child("a", of="f").view())
    api.on("DELETE jobs", api.refusal(404))
    outcome = await desk.execute(Plan(deletes=(DeleteChild("f-a", "job-f-a", "done"),)))
    assert desk.waits()
    assert outcome == Done(GIVE_UP_SECONDS), "if the watch never says so, it is looked at again"
    desk.children.remove(child("a", of="f").view())
    assert not desk.waits()
