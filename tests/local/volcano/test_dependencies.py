"""dependsOn of a task: up is enough, and how many must be up is the dependency's own minAvailable."""

from datetime import UTC, datetime

import pytest

from jobflow.local.volcano.dependencies import may_start
from jobflow.local.volcano.objects import Dependency, TaskSpec
from jobflow.local.volcano.pod_objects import PodPhase, PodView


def pod(task, phase, ready=True, deleting=False):
    return PodView(
        namespace="ns",
        name=f"j-{task}-{phase}",
        uid="u",
        resource_version="1",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        deleting=deleting,
        job="j",
        job_uid="j",
        task=task,
        index=0,
        version=0,
        phase=PodPhase(phase),
        ready=ready,
    )


UP, UNREADY = pod("ps", "Running"), pod("ps", "Running", ready=False)
DONE, FAILED, WAITS = pod("ps", "Succeeded", ready=False), pod("ps", "Failed"), pod("ps", "Pending")
GOING, OTHER = pod("ps", "Running", deleting=True), pod("db", "Running")


@pytest.mark.parametrize(
    ("told", "needed", "pods", "starts"),
    [
        ("nothing is there yet", 1, [], False),
        ("it is pending", 1, [WAITS], False),
        ("it runs and is not ready", 1, [UNREADY], False),
        ("it runs and is ready", 1, [UP], True),
        ("it has succeeded, ready or not", 1, [DONE], True),
        ("it has failed", 1, [FAILED], False),
        ("it is being deleted", 1, [GOING], False),
        ("one of two that are needed is up", 2, [UP, WAITS], False),
        ("two are needed, one runs and one has succeeded", 2, [UP, DONE], True),
        ("one of two is enough for its own minAvailable", 1, [UP, FAILED], True),
        ("none is needed", 0, [], True),
        ("another task is up", 1, [OTHER], False),
    ],
)
def test_one_dependency(told, needed, pods, starts):
    tasks = {"ps": TaskSpec(name="ps", replicas=2, min_available=needed)}
    assert may_start(TaskSpec(name="w", depends_on=Dependency(("ps",))), tasks, pods) is starts, told


@pytest.mark.parametrize(
    ("iteration", "pods", "starts"),
    [
        ("", [UP], False),
        ("", [UP, OTHER], True),
        ("all", [UP], False),
        ("all", [UP, OTHER], True),
        ("any", [], False),
        ("any", [OTHER], True),
        ("any", [UP, OTHER], True),
    ],
)
def test_several_dependencies(iteration, pods, starts):
    tasks = {name: TaskSpec(name=name, replicas=1) for name in ("ps", "db")}
    task = TaskSpec(name="w", depends_on=Dependency(("ps", "db"), iteration))
    assert may_start(task, tasks, pods) is starts


@pytest.mark.parametrize("depends", [None, Dependency(), Dependency((), "any")])
def test_who_depends_on_nothing_starts(depends):
    assert may_start(TaskSpec(name="w", depends_on=depends), {}, [])


class TestInAJob:
    pytestmark = pytest.mark.looptime

    async def test_a_task_gets_its_pods_once_the_other_is_up(self, world, build_task):
        tasks = build_task("ps", runs="20s"), build_task("work", runs="10s", dependsOn={"name": ["ps"]})
        await world.create("train", *tasks)
        await world.until("train", "Completed")
        happened = list(dict.fromkeys(world.pod_history))
        assert happened.index(("train-ps-0", "Running")) < happened.index(("train-work-0", "Pending"))
        assert happened.index(("train-work-0", "Running")) < happened.index(("train-ps-0", "Succeeded"))

    async def test_a_dependency_that_fails_is_never_up(self, world, build_task):
        tasks = build_task("ps", runs="not a duration"), build_task("work", dependsOn={"name": ["ps"]})
        await world.create("train", *tasks)
        await world.until_status("train", lambda status: status.get("failed") == 1)
        await world.clock.sleep(600)
        assert set(await world.pods()) == {"train-ps-0"}
        assert (await world.status("train"))["state"]["phase"] == "Pending"

    async def test_any_waits_for_the_first(self, world, build_task):
        tasks = (
            build_task("slow", runs="100h", minAvailable=1),
            build_task("quick", runs="100h"),
            build_task("work", runs="5s", dependsOn={"name": ["slow", "quick"], "iteration": "any"}),
        )
        await world.create("train", *tasks)
        await world.until_status("train", lambda status: status.get("succeeded") == 1)
