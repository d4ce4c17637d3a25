"""What is said of a flow that is left alone, and what is remembered where a status is stored in part only."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from jobflow.act.flow import FlowActor
from jobflow.act.memory import FlowMemory
from jobflow.act.outcome import Done
from jobflow.api.objects import StatusWrite
from jobflow.api.resources import JOB_FLOW
from jobflow.api.status import FlowPhase, FlowState, JobFlowStatus, Reason
from jobflow.cache.children import Children
from jobflow.cache.expectations import Expectations
from jobflow.cache.installed import Installed
from jobflow.reconcile.pause import Pause
from jobflow.reconcile.plan import EmitEvent, Plan
from jobflow.reconcile.stored import stored
from jobflow.testing.builders import flow
from jobflow.testing.clock import EPOCH, VirtualClock

pytestmark = pytest.mark.looptime

FLOW = flow("f").step("a").frozen()
STATUS = JobFlowStatus(state=FlowState(FlowPhase.RUNNING, Reason.CHILD_REJECTED, "quota"), specHash="x")
FOREIGN = Pause(Reason.FOREIGN_CONTROLLER, "somebody writes", EPOCH + timedelta(seconds=40))
OUTDATED = Pause(Reason.CRD_OUTDATED, "a field is gone")


class Desk:
    """An actor, what it remembers, and what it has told."""

    def __init__(self, client):
        self.told: list[str] = []
        self.installed = Installed()
        self.memory = FlowMemory(FLOW.uid, FLOW.compiled, 1)
        expectations = Expectations(Children(lambda old, new: None))
        self.actor = FlowActor(client, VirtualClock(), self, expectations, self.installed)

    def emit(self, about, type, reason, message):
        self.told.append(reason)

    async def execute(self, plan):
        return await self.actor.execute(FLOW, plan, self.memory)


@pytest.fixture
def desk(client):
    return Desk(client)


async def test_a_pause_is_told_once_and_its_end_too(desk, api):
    for again in range(3):
        later = replace(FOREIGN, until=EPOCH + timedelta(seconds=40 + again))
        assert await desk.execute(Plan(pause=later, wake_at=later.until)) == Done(40 + again)
    assert desk.told == ["ForeignController"]
    await desk.execute(Plan(pause=OUTDATED))
    assert desk.told == ["ForeignController", "CRDOutdated"]
    await desk.execute(Plan())
    await desk.execute(Plan())
    assert desk.told == ["ForeignController", "CRDOutdated", "Resumed"]
    assert api.asked == [], "nothing is written while a flow is left alone"


def pruning(api):
    """From now on the API server drops our fields, as upstream's CRD makes it."""

    def put(request):
        body = msgspec.json.decode(request.body)
        status = msgspec.convert(body["status"], JobFlowStatus)
        kept = msgspec.to_builtins(stored(status, Installed().added(JOB_FLOW)))
        return api.answer({**body, "status": kept, "metadata": {**body["metadata"], "resourceVersion": "1001"}})

    api.on("PUT jobflows", put)


async def test_a_status_that_comes_back_incomplete_is_remembered_and_told_once(desk, api):
    pruning(api)
    await desk.execute(Plan(status=STATUS))
    assert desk.memory.told == STATUS
    assert "status.specHash" in desk.installed.told(JOB_FLOW)
    await desk.execute(Plan(status=STATUS))
    assert desk.told == ["CRDOutdated"]


async def test_a_status_that_is_stored_whole_is_not_remembered(desk, api):
    pruning(api)
    await desk.execute(Plan(status=STATUS))
    del api.answers["PUT jobflows"]
    await desk.execute(Plan(status=STATUS))
    assert (desk.memory.told, desk.installed.told(JOB_FLOW)) == (None, [])


async def test_a_status_that_comes_back_unreadable_is_no_evidence(desk, api):
    def put(request):
        return api.answer({**msgspec.json.decode(request.body), "status": {"flowStatuses": "nonsense"}})

    api.on("PUT jobflows", put)
    await desk.execute(Plan(status=STATUS))
    assert (desk.memory.told, desk.installed.told(JOB_FLOW), desk.told) == (None, [], [])


async def test_what_cannot_be_stored_is_told_without_a_write(desk, api):
    plan = Plan(unstored=STATUS, events=(EmitEvent("Warning", "TemplateNotFound", "no template"),))
    await desk.execute(plan)
    assert (desk.memory.told, desk.told, api.asked) == (STATUS, ["TemplateNotFound"], [])


@pytest.mark.parametrize(
    ("said", "seen", "noticed"),
    [
        ("none", [None], None),
        ("none, then one", [None, StatusWrite("go", EPOCH)], 1),
        ("the one that was there at the first look", [StatusWrite("go", EPOCH), StatusWrite("go", EPOCH)], None),
        ("a newer one", [StatusWrite("go", EPOCH), StatusWrite("go", EPOCH + timedelta(seconds=5))], 1),
        (
            "an older one of another, once ours took its fields",
            [StatusWrite("go", EPOCH), StatusWrite("kubectl", EPOCH - timedelta(seconds=5))],
            None,
        ),
    ],
)
def test_which_foreign_write_counts_as_seen_to_come(said, seen, noticed):
    memory = FlowMemory(FLOW.uid, FLOW.compiled, 1, foreign=seen[0])
    for number, write in enumerate(seen):
        memory.saw_write(write, EPOCH + timedelta(seconds=100 + number))
    assert memory.noticed == (EPOCH + timedelta(seconds=100 + noticed) if noticed is not None else None)
