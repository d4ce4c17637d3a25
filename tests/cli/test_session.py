"""A session on a real control plane with simulated pods: what is shown, and how it ends."""

from __future__ import annotations

import asyncio
import io

import pytest

from jobflow.cli.documents import load_documents
from jobflow.cli.progress import LineLog
from jobflow.cli.session import ControlPlaneDied, Ending, Session
from jobflow.clock import SystemClock
from jobflow.local.controlplane import ControlPlane, LocalSettings

pytestmark = pytest.mark.blocking  # files are written and read by the test itself

TEMPLATE = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobTemplate
metadata: {name: %s}
spec: {tasks: [{name: main, replicas: 1, template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}]}
"""
FLOW = """\
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata: {name: ml}
spec: {flows: [{name: prep}, {name: train, dependsOn: {targets: [prep]}}]}
"""
JOB = """\
apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {name: lone}
spec:
  minAvailable: 1
  tasks: [{name: main, replicas: 1, template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}]
"""


class World:
    def __init__(self, tmp_path, timeout=None, controller=True, plane=ControlPlane) -> None:
        self.folder = tmp_path
        self.out = io.StringIO()
        clock = SystemClock()
        settings = LocalSettings(scratch=tmp_path / "scratch", runtime="simulate", controller=controller)
        self.plane = plane(settings, clock)
        self.session = Session(self.plane, clock, LineLog(self.out, clock), timeout)

    async def run(self, *texts: str):
        path = self.folder / "f.yaml"
        path.write_text("---\n".join(texts))
        return await self.session.run(load_documents([str(path)]))

    @property
    def lines(self) -> list[str]:
        return [line.split(" ", 1)[1] for line in self.out.getvalue().splitlines()]


async def test_a_flow_and_a_bare_job_run_to_their_end(tmp_path):
    world = World(tmp_path)

    result = await world.run(JOB, TEMPLATE % "prep", TEMPLATE % "train", FLOW)

    assert result.ending is Ending.ENDED
    assert sorted((picture.name, picture.succeeded) for picture in result.following.pictures) == [
        ("lone", True),
        ("ml", True),
    ]
    assert [flow["status"]["state"]["phase"] for flow in result.objects["flows"]] == ["Succeed"]
    assert [job["status"]["state"]["phase"] for job in result.objects["jobs"]] == ["Completed"]
    assert any(line.startswith("ml/train Succeeded") for line in world.lines)
    assert any(line.startswith("lone Completed") for line in world.lines)


async def test_a_timeout_ends_what_would_go_on(tmp_path):
    world = World(tmp_path, timeout=0.3, controller=False)

    result = await world.run(TEMPLATE % "prep", TEMPLATE % "train", FLOW)

    assert result.ending is Ending.TIMED_OUT
    assert [picture.finished for picture in result.following.pictures] == [False]


async def test_a_job_that_is_refused_again_and_again_ends_it_when_nothing_else_can_move(tmp_path):
    world = World(tmp_path)
    world.session.patience = 1.0
    refused = (TEMPLATE % "prep").replace("spec: {tasks", "spec: {minAvailable: 9, tasks")

    result = await world.run(JOB, refused, TEMPLATE % "train", FLOW)

    assert result.ending is Ending.STOOD_STILL
    lone, ml = result.following.pictures
    assert (lone.succeeded, ml.finished) == (True, False)
    assert [step.reason for step in ml.steps] == ["ChildRejected", "WaitingForDependencies"]
    assert "'minAvailable' should not be greater than total replicas" in ml.steps[0].message


class Doomed(ControlPlane):
    """A control plane of which a part dies."""

    async def failed(self) -> BaseException:
        return ZeroDivisionError("of all things")


async def test_a_part_that_dies_ends_the_session_instead_of_hanging(tmp_path):
    world = World(tmp_path, controller=False, plane=Doomed)

    with pytest.raises(ControlPlaneDied, match="of all things"):
        await world.run(TEMPLATE % "prep", TEMPLATE % "train", FLOW)


async def test_it_can_be_cancelled_at_any_moment(tmp_path):
    world = World(tmp_path, controller=False)
    running = asyncio.create_task(world.run(TEMPLATE % "prep", TEMPLATE % "train", FLOW))
    await asyncio.sleep(0.2)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
