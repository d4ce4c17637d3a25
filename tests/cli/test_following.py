"""Following: what is kept of flows, Jobs and pods, and when it counts as finished."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from jobflow.api.children import ChildPhase, ChildView, StatusList
from jobflow.api.objects import FlowView
from jobflow.api.status import FlowPhase, FlowState, FlowStatus, JobFlowStatus, Outcome, StepPhase
from jobflow.cli.following import Following, Target
from jobflow.cli.pods import PodView

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SPEC = b'{"flows":[{"name":"a"},{"name":"b","dependsOn":{"targets":["a"]}}]}'
FLOW = Target("JobFlow", "default", "ml", "flow-uid")
JOB = Target("Job", "default", "lone", "job-uid")

versions = iter(range(10**6))


def flow(status: JobFlowStatus | None = None, spec: bytes = SPEC, uid: str = FLOW.uid) -> FlowView:
    return FlowView(
        namespace="default",
        name="ml",
        uid=uid,
        resource_version=str(next(versions)),
        generation=1,
        created=NOON,
        deleting=False,
        spec=spec,
        status=status or JobFlowStatus(),
    )


def job(uid: str, phase: ChildPhase, state: str, *, of: str = "", **more) -> ChildView:
    return ChildView(
        namespace="default",
        name=more.pop("name", "lone"),
        uid=uid,
        resource_version=str(next(versions)),
        flow="ml" if of else "",
        flow_uid=of,
        node=None,
        template="",
        phase=phase,
        state=state,
        listed=StatusList.RUNNING,
        created=NOON,
        changed=NOON,
        **more,
    )


def pod(name: str, phase: str, problem: str = "", *, of: str) -> PodView:
    return PodView(
        namespace="default",
        name=name,
        uid=f"uid-{name}",
        resource_version=str(next(versions)),
        job_uid=of,
        phase=phase,
        problem=problem,
    )


def running(step: str, job_uid: str) -> JobFlowStatus:
    return JobFlowStatus(
        state=FlowState(FlowPhase.RUNNING),
        progress="0/2",
        startTime=NOON,
        flowStatuses=(
            FlowStatus(step, StepPhase.RUNNING, jobUID=job_uid, jobName=f"ml-{step}", startTime=NOON),
            FlowStatus("b", StepPhase.WAITING),
        ),
    )


ENDED = JobFlowStatus(
    state=FlowState(FlowPhase.SUCCEED), outcome=Outcome.SUCCEEDED, progress="2/2", completionTime=NOON
)


@pytest.fixture
def following() -> Following:
    return Following([FLOW, JOB])


def test_before_anything_is_seen_all_targets_are_pending_in_the_order_given(following):
    following.take()

    assert [(picture.name, picture.word, picture.finished) for picture in following.pictures] == [
        ("ml", "Pending", False),
        ("lone", "Pending", False),
    ]


def test_a_flow_without_a_status_shows_the_steps_of_its_spec(following):
    following.flows.put(flow())
    ((_, picture),) = following.take()

    assert [(step.name, step.phase, step.level) for step in picture.steps] == [("a", "Waiting", 0), ("b", "Waiting", 1)]
    assert picture.progress == "0/2"


def test_a_spec_that_cannot_be_read_is_a_flow_without_steps(following):
    following.flows.put(flow(spec=b'{"flows":[{"name":7}]}'))
    ((_, picture),) = following.take()

    assert picture.steps == ()


def test_a_change_is_taken_once(following):
    following.take()
    following.flows.put(flow(running("a", "child")))

    assert [(old.word, new.word) for old, new in following.take()] == [("Pending", "Running")]
    assert following.take() == []


def test_what_changes_nothing_that_is_shown_is_no_change(following):
    following.flows.put(flow(running("a", "child")))
    following.take()
    following.flows.put(flow(running("a", "child")))

    assert following.take() == []


def test_pods_tell_what_a_running_step_does(following):
    following.flows.put(flow(running("a", "child")))
    following.jobs.put(job("child", ChildPhase.RUNNING, "Running", of=FLOW.uid, pods=3))
    following.take()
    following.pods.put(pod("p0", "Running", of="child"))
    following.pods.put(pod("p1", "Pending", "ErrImagePull: no such image", of="child"))
    ((_, picture),) = following.take()

    assert picture.steps[0].detail == "1 of 3 pods running; p1: ErrImagePull: no such image"


def test_a_job_that_restarts_says_so(following):
    following.flows.put(flow(running("a", "child")))
    following.jobs.put(job("child", ChildPhase.RUNNING, "Restarting", of=FLOW.uid, restarts=2))

    ((_, picture),) = [taken for taken in following.take() if taken[1].name == "ml"]
    assert picture.steps[0].detail == "restarting; restarted 2 times"


def test_pods_of_other_jobs_and_flows_are_nobodys_business(following):
    following.take()
    following.flows.put(flow(uid="another"))
    following.jobs.put(job("stranger", ChildPhase.RUNNING, "Running"))
    following.pods.put(pod("p", "Failed", of="stranger"))

    assert following.take() == []


def test_it_is_finished_when_each_flow_has_its_completion_time_and_each_job_has_ended(following):
    following.flows.put(flow(msgspec.structs.replace(ENDED, completionTime=None)))
    following.jobs.put(job(JOB.uid, ChildPhase.SUCCEEDED, "Completed"))
    following.take()
    assert not following.finished

    following.flows.put(flow(ENDED))
    following.take()
    assert following.finished
    assert all(picture.succeeded for picture in following.pictures)


@pytest.mark.parametrize(
    ("last", "word", "succeeded"),
    [
        (JobFlowStatus(state=FlowState(FlowPhase.RUNNING)), "Deleted", False),
        (ENDED, "Succeed", True),
    ],
    ids=["unfinished: it ended, and not well", "finished: it stays as it was"],
)
def test_a_flow_that_somebody_deletes(following, last, word, succeeded):
    seen = flow(last)
    following.flows.put(seen)
    following.flows.remove(seen)
    following.take()

    picture = following.pictures[0]
    assert (picture.word, picture.finished, picture.succeeded) == (word, True, succeeded)


def test_a_job_that_ended_and_was_removed_before_anybody_looked_has_ended_well(following):
    done = job(JOB.uid, ChildPhase.SUCCEEDED, "Completed")
    following.jobs.put(done)
    following.jobs.remove(done)
    following.take()

    assert following.pictures[1].succeeded


def test_pods_are_remembered_after_they_are_gone_failed_ones_first(following):
    good, bad = pod("p0", "Succeeded", of="child"), pod("p1", "Failed", "exit code 3", of="child")
    for one in (good, bad):
        following.pods.put(one)
        following.pods.remove(one)

    assert [one.name for one in following.pods_of("child")] == ["p1", "p0"]


async def test_wait_returns_when_there_is_something_to_take(following):
    following.take()
    waiting = asyncio.create_task(following.wait())
    await asyncio.sleep(0)
    assert not waiting.done()

    following.flows.put(flow(ENDED))
    await waiting
