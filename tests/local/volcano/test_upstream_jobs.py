"""What Volcano's own end-to-end tests of Jobs say, said of the local runtime."""

import pytest

from jobflow.api.resources import POD, VOLCANO_JOB
from jobflow.kube.errors import ApiError, Invalid

pytestmark = pytest.mark.looptime

AFTER = {
    "RestartJob": ["Pending", "Running", "Restarting", "Pending", "Running"],
    "TerminateJob": ["Pending", "Running", "Terminating", "Terminated"],
    "AbortJob": ["Pending", "Running", "Aborting", "Aborted"],
}


async def through(world, name, phases):
    """The Job goes through these phases, in this order, from its creation."""

    async def gone_through():
        return world.history.get(name, [])[: len(phases)] == phases

    await world.until_true(gone_through)


class TestPolicies:
    @pytest.mark.parametrize("action", AFTER)
    @pytest.mark.parametrize("event", ["PodFailed", "PodEvicted", "*"])
    @pytest.mark.parametrize("level", ["job", "task"])
    async def test_event_and_action(self, world, build_task, policy, level, event, action):
        policies = {"policies": [policy(event, action)]}
        fails = {"exits": 1, "runs": "5s"} if event == "PodFailed" else {"runs": "100h"}
        first = build_task("fail", **fails, **(policies if level == "task" else {}))
        second = build_task("success", runs="100h", **(policies if level == "task" else {}))
        await world.create("job", first, second, **(policies if level == "job" else {}))
        if event != "PodFailed":
            await through(world, "job", ["Pending", "Running"])
            await world.client.delete(POD, "default", "job-fail-0")
        await through(world, "job", AFTER[action])

    async def test_a_restarted_pod_was_not_evicted(self, world, build_task, policy):
        policies = [policy("PodFailed", "RestartPod"), policy("PodEvicted", "TerminateJob", timeout="5m0s")]
        tasks = build_task("success", runs="100h"), build_task("fail", exits=1, runs="400s")
        await world.create("job", *tasks, policies=policies)
        await through(world, "job", ["Pending", "Running", "Restarting", "Pending", "Running"])
        await world.clock.sleep(350)
        assert (await world.status("job"))["state"]["phase"] == "Running"

    async def test_a_completed_task_completes_the_job(self, world, build_task, policy):
        done = build_task("completed", runs="3s", policies=[policy("TaskCompleted", "CompleteJob")])
        await world.create("job", done, build_task("terminating", runs="100h"))
        await through(world, "job", ["Pending", "Running", "Completing", "Completed"])

    async def test_a_task_whose_containers_restart_too_often_terminates_the_job(self, world, build_task, policy):
        failing = build_task(
            "fail", exits=1, restart="OnFailure", maxRetry=3, policies=[policy("TaskFailed", "TerminateJob")]
        )
        await world.create("job", failing, build_task("success", runs="100h"))
        await through(world, "job", ["Pending", "Running", "Terminating", "Terminated"])

    async def test_an_exit_code_restarts_the_job(self, world, build_task):
        policies = [{"action": "RestartJob", "exitCode": 3}]
        await world.create("job", build_task("success", runs="100h"), build_task("fail", exits=3), policies=policies)
        await through(world, "job", AFTER["RestartJob"])

    async def test_another_exit_code_does_not(self, world, build_task):
        policies = [{"action": "RestartJob", "exitCode": 4}]
        await world.create("job", build_task("fail", exits=3), policies=policies)
        await through(world, "job", ["Pending", "Running", "Failed"])

    @pytest.mark.parametrize("evict", [True, False])
    async def test_one_policy_for_several_events(self, world, build_task, evict):
        policies = [{"action": "TerminateJob", "events": ["PodEvicted", "PodFailed"]}]
        fails = {"runs": "100h"} if evict else {"exits": 1, "runs": "5s"}
        await world.create("job", build_task("success", runs="100h"), build_task("fail", **fails), policies=policies)
        if evict:
            await through(world, "job", ["Pending", "Running"])
            await world.client.delete(POD, "default", "job-fail-0")
        await through(world, "job", AFTER["TerminateJob"])

    async def test_a_policy_of_the_task_goes_before_the_jobs(self, world, build_task, policy):
        failing = build_task("fail", exits=1, policies=[policy("PodFailed", "RestartJob")])
        await world.create(
            "job", build_task("success", runs="100h"), failing, policies=[policy("PodFailed", "AbortJob")]
        )
        await through(world, "job", AFTER["RestartJob"])


class TestEnds:
    async def test_max_retry_counts_runs_and_keeps_the_failed_pod(self, world, build_task, policy):
        tasks = build_task("running", runs="100h"), build_task("fail", exits=1, runs="3s")
        await world.create("job", *tasks, maxRetry=2, policies=[policy("PodFailed", "RestartJob")])
        status = await world.until("job", "Failed")
        assert status["retryCount"] == 2
        await world.until_status("job", lambda status: not status.get("terminating"))
        assert {name: pod["status"]["phase"] for name, pod in (await world.pods()).items()} == {"job-fail-0": "Failed"}

    async def test_complete_job_keeps_the_pod_that_succeeded(self, world, build_task, policy):
        done = build_task("completed", runs="3s", policies=[policy("TaskCompleted", "CompleteJob")])
        await world.create("job", done, build_task("running", runs="100h"))
        status = await world.until("job", "Completed")
        assert (status.get("retryCount", 0), status["succeeded"]) == (0, 1)
        pods = {name: pod["status"]["phase"] for name, pod in (await world.pods()).items()}
        assert pods == {"job-completed-0": "Succeeded"}

    async def test_min_success_completes_the_job(self, world, build_task):
        tasks = build_task("short", replicas=3, runs="3s"), build_task("endless", replicas=2, runs="100h")
        await world.create("job", *tasks, minSuccess=2)
        assert (await world.until("job", "Completed"))["succeeded"] >= 2

    @pytest.mark.parametrize("phase", ["Pending", "Running", "Completed", "Failed", "Terminated"])
    async def test_pods_go_with_the_job_in_each_phase(self, world, build_task, policy, phase):
        task = {
            "Pending": build_task(runs="100h", minAvailable=1),
            "Running": build_task(runs="100h"),
            "Completed": build_task(runs="2s"),
            "Failed": build_task(runs="2s", exits=1),
            "Terminated": build_task(runs="2s", exits=1, policies=[policy("PodFailed", "TerminateJob")]),
        }[phase]
        if phase == "Pending":
            await world.node(cpu="3")
            task["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "2"}}
            await world.create("other", task)
            await world.until("other", "Running")
        await world.create("job", task)
        await world.until("job", phase)
        await world.client.delete(VOLCANO_JOB, "default", "job")
        await world.clock.sleep(60)
        assert [name for name in await world.pods() if name.startswith("job-")] == []
        assert await world.group("job") is None


class TestCommands:
    async def test_suspend_and_resume(self, world, build_task):
        await world.create("job", build_task(runs="100h"))
        await through(world, "job", ["Pending", "Running"])
        await world.command("AbortJob", "job")
        await world.until("job", "Aborted")
        assert await world.pods() == {}
        await world.command("ResumeJob", "job")
        await through(world, "job", ["Pending", "Running", "Aborting", "Aborted", "Restarting", "Pending", "Running"])
        status = await world.until_status("job", lambda status: status.get("running") == 1)
        assert status["retryCount"] == 1


class TestScaling:
    async def test_to_nothing_and_back_keeps_the_job(self, world, build_task):
        await world.create("job", build_task(replicas=2, runs="100h"))
        await world.until_status("job", lambda status: status.get("running") == 2)
        await world.scale("job", replicas=0, minAvailable=0, total=0)
        await world.until_true(lambda: none_left(world))
        assert (await world.status("job"))["state"]["phase"] == "Running"
        await world.scale("job", replicas=2, minAvailable=2, total=2)
        await world.until_status("job", lambda status: status.get("running") == 2)


async def none_left(world):
    return await world.pods() == {}


class TestAdmission:
    @pytest.mark.parametrize(
        ("field", "change"),
        [
            ("spec.minAvailable", lambda spec: spec.update(minAvailable=-1)),
            ("spec.maxRetry", lambda spec: spec.update(maxRetry=-1)),
            ("spec.ttlSecondsAfterFinished", lambda spec: spec.update(ttlSecondsAfterFinished=-1)),
            ("spec.tasks[0].replicas", lambda spec: spec["tasks"][0].update(replicas=-1)),
            ("spec.tasks[0].minAvailable", lambda spec: spec["tasks"][0].update(minAvailable=-1)),
        ],
    )
    async def test_negative_numbers_are_refused_by_the_schema(self, world, build_task, field, change):
        spec = {"tasks": [build_task()]}
        change(spec)
        with pytest.raises(Invalid) as refused:
            await world.create("job", *spec.pop("tasks"), **spec)
        assert f"{field} in body should be greater than or equal to 0" in refused.value.message

    async def test_a_name_of_a_task_must_be_a_label(self, world, build_task):
        with pytest.raises(Invalid, match="should match"):
            await world.create("job", build_task("Bad_Name"))

    async def test_a_mount_path_must_not_be_empty(self, world, build_task):
        with pytest.raises(Invalid, match="should be at least 1 chars long"):
            await world.create("job", build_task(), volumes=[{"mountPath": "", "volumeClaimName": "x"}])

    async def test_tasks_without_a_name_get_one(self, world, build_task):
        tasks = build_task(), build_task()
        for task in tasks:
            del task["name"]
        job = await world.create("job", *tasks)
        assert [task["name"] for task in job["spec"]["tasks"]] == ["default0", "default1"]

    async def test_tasks_that_depend_on_each_other_in_order_are_taken(self, world, build_task):
        tasks = (
            build_task("a"),
            build_task("b", dependsOn={"name": ["a"]}),
            build_task("c", dependsOn={"name": ["a", "b"]}),
        )
        await world.create("job", *tasks)
        await world.until("job", "Completed")

    async def test_replicas_and_min_available_may_change(self, world, build_task):
        await world.create("job", build_task(replicas=2, runs="100h"))
        await world.scale("job", replicas=3, minAvailable=1, total=1)
        await world.until_status("job", lambda status: status.get("running") == 3)

    async def test_the_queue_may_not(self, world, build_task):
        await world.create("job", build_task(runs="100h"))
        with pytest.raises(ApiError, match=r"job updates may not change fields other than .*; changed: spec.queue"):
            await world.client.patch(VOLCANO_JOB, "default", "job", {"spec": {"queue": "other"}})
