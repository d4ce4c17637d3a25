"""Jobs from create to end, on the embedded API server with simulated pods, in virtual time."""

import json

import pytest

from jobflow.api.resources import POD, VOLCANO_JOB
from jobflow.kube.errors import NotFound
from jobflow.kube.transport import Request

pytestmark = pytest.mark.looptime


def phases(status):
    return [condition["status"] for condition in status["conditions"]]


class TestPlainJobs:
    async def test_a_job_runs_and_completes_with_its_counts_and_its_time(self, world, build_task):
        await world.create("train", build_task("work", replicas=2, runs="30s"))
        running = await world.until_status("train", lambda status: status.get("running") == 2)
        assert running["state"]["phase"] == "Running"
        assert running["minAvailable"] == 2
        assert "runningDuration" not in running
        status = await world.until("train", "Completed")
        assert status["succeeded"] == 2
        assert status["taskStatusCount"] == {"work": {"phase": {"Succeeded": 2}}}
        assert status["runningDuration"] == "30s"
        assert "running" not in status
        assert phases(status) == ["Pending", "Running", "Completed"]

    async def test_pods_have_volcanos_names_labels_and_owner(self, world, build_task):
        job = await world.create("train", build_task("ps"), build_task("work", replicas=2), queue="gold")
        await world.until("train", "Completed")
        pods = await world.pods()
        assert set(pods) == {"train-ps-0", "train-work-0", "train-work-1"}
        meta = pods["train-work-1"]["metadata"]
        assert meta["labels"] == {
            "volcano.sh/job-name": "train",
            "volcano.sh/job-namespace": "default",
            "volcano.sh/task-spec": "work",
            "volcano.sh/task-index": "1",
            "volcano.sh/queue-name": "gold",
        }
        assert meta["annotations"]["volcano.sh/job-version"] == "0"
        assert meta["annotations"]["scheduling.k8s.io/group-name"] == f"train-{job['metadata']['uid']}"
        [owner] = meta["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("Job", job["metadata"]["uid"], True)

    async def test_a_failed_pod_without_a_policy_fails_the_job_at_once_whatever_max_retry_says(self, world, build_task):
        await world.create("train", build_task(exits=1), maxRetry=5)
        status = await world.until("train", "Failed")
        assert (status["failed"], status.get("retryCount", 0)) == (1, 0)
        assert status["runningDuration"]

    async def test_as_many_as_min_available_are_enough(self, world, build_task):
        await world.create(
            "train",
            build_task("good", replicas=2, minAvailable=2),
            build_task("bad", exits=1, minAvailable=0),
            minAvailable=2,
        )
        assert (await world.until("train", "Completed"))["failed"] == 1

    async def test_min_success_ends_a_job_early_and_its_other_pods(self, world, build_task):
        await world.create(
            "train",
            build_task("short", replicas=3, runs="1s"),
            build_task("endless", replicas=2, runs="100h"),
            minSuccess=2,
        )
        await world.until("train", "Completed")
        status = await world.until_status("train", lambda status: not status.get("terminating"))
        assert status["succeeded"] >= 2
        assert set(await world.pods()) == {"train-short-0", "train-short-1", "train-short-2"}

    async def test_what_is_deleted_after_the_end_stays_counted(self, world, build_task):
        await world.create("train", build_task())
        before = await world.until("train", "Completed")
        await world.client.delete(POD, "default", "train-work-0")
        await world.clock.sleep(60)
        assert await world.status("train") == before
        assert await world.pods() == {}

    async def test_a_finished_job_is_left_in_peace(self, world, build_task):
        await world.create("train", build_task())
        await world.until("train", "Completed")
        await world.clock.sleep(1)
        version = (await world.job("train"))["metadata"]["resourceVersion"]
        await world.clock.sleep(3600)
        assert (await world.job("train"))["metadata"]["resourceVersion"] == version

    async def test_a_job_without_replicas_waits_for_some(self, world, build_task):
        await world.create("train", build_task(replicas=0))
        await world.until("train", "Running")
        patch = {"spec": {"tasks": [build_task(replicas=1)]}}
        await world.client.patch(VOLCANO_JOB, "default", "train", patch)
        assert (await world.until("train", "Completed"))["succeeded"] == 1

    async def test_scaling_down_takes_the_highest_indexes(self, world, build_task):
        await world.create("train", build_task(replicas=3, runs="100h"), minAvailable=1)
        await world.until_status("train", lambda status: status.get("running") == 3)
        patch = {"spec": {"tasks": [build_task(replicas=1, runs="100h")]}}
        await world.client.patch(VOLCANO_JOB, "default", "train", patch)
        await world.until_status("train", lambda status: status.get("running") == 1)
        await world.clock.sleep(1)
        assert set(await world.pods()) == {"train-work-0"}

    async def test_pods_go_with_the_job(self, world, build_task):
        await world.create("train", build_task(runs="100h"))
        await world.until("train", "Running")
        await world.client.delete(VOLCANO_JOB, "default", "train")
        await world.clock.sleep(60)
        assert await world.pods() == {}

    async def test_a_job_made_anew_under_its_name_runs_anew(self, world, build_task):
        for _ in range(2):
            await world.create("train", build_task(runs="5s"))
            await world.until("train", "Completed")
            await world.client.delete(VOLCANO_JOB, "default", "train")
            await world.until_gone("train")

    async def test_ttl_deletes_it_after_its_end(self, world, build_task):
        await world.create("train", build_task(), ttlSecondsAfterFinished=100)
        await world.until("train", "Completed")
        await world.clock.sleep(90)
        await world.job("train")
        await world.clock.sleep(20)
        with pytest.raises(NotFound):
            await world.job("train")

    async def test_the_env_plugin_tells_each_pod_its_index(self, world, build_task):
        await world.create("train", build_task(replicas=2), plugins={"env": []})
        await world.until("train", "Completed")
        pod = (await world.pods())["train-work-1"]
        assert pod["spec"]["containers"][0]["env"] == [
            {"name": "VK_TASK_INDEX", "value": "1"},
            {"name": "VC_TASK_INDEX", "value": "1"},
        ]


class TestPolicies:
    @pytest.mark.parametrize(
        ("action", "through", "end"),
        [
            ("AbortJob", "Aborting", "Aborted"),
            ("TerminateJob", "Terminating", "Terminated"),
            ("CompleteJob", "Completing", "Completed"),
        ],
    )
    @pytest.mark.parametrize("event", ["PodFailed", "*"])
    async def test_a_failed_pod_ends_the_job_as_its_policy_says(
        self, world, build_task, policy, event, action, through, end
    ):
        tasks = build_task("bad", exits=1, runs="2s"), build_task("good", runs="100h")
        await world.create("train", *tasks, policies=[policy(event, action)])
        status = await world.until("train", end)
        assert phases(status) == ["Pending", "Running", through, end]
        status = await world.until_status("train", lambda status: not status.get("terminating"))
        assert set(await world.pods()) == {"train-bad-0"}  # kept for its log
        assert status["version"] == 2  # a kill on the way to each of the two phases

    async def test_restart_job_runs_it_anew_and_max_retry_counts_runs(self, world, build_task, policy):
        tasks = build_task("bad", exits=1, runs="2s"), build_task("good", runs="100h")
        await world.create("train", *tasks, maxRetry=2, policies=[policy("PodFailed", "RestartJob")])
        again = await world.until_status("train", lambda status: status.get("retryCount") == 1)
        assert again["version"] == 1
        status = await world.until("train", "Failed")
        assert status["retryCount"] == 2
        await world.until_status("train", lambda status: not status.get("terminating"))
        pods = await world.pods()
        assert set(pods) == {"train-bad-0"}  # of the last run, kept for its log
        assert pods["train-bad-0"]["metadata"]["annotations"]["volcano.sh/job-retry-count"] == "1"

    async def test_restart_pod_leaves_the_others_alone(self, world, build_task, policy):
        tasks = build_task("bad", exits=1, runs="5s"), build_task("good", runs="100h")
        await world.create("train", *tasks, maxRetry=3, policies=[policy("PodFailed", "RestartPod")])
        await world.until("train", "Running")
        good = (await world.pods())["train-good-0"]["metadata"]["uid"]
        await world.until_status("train", lambda status: status.get("retryCount") == 2)
        assert (await world.pods())["train-good-0"]["metadata"]["uid"] == good

    async def test_the_tasks_policy_goes_before_the_jobs(self, world, build_task, policy):
        task = build_task(exits=1, policies=[policy("PodFailed", "TerminateJob")])
        await world.create("train", task, policies=[policy("PodFailed", "AbortJob")])
        await world.until("train", "Terminated")

    async def test_an_exit_code_has_a_policy_of_its_own(self, world, build_task):
        await world.create("train", build_task(exits=3), policies=[{"exitCode": 3, "action": "AbortJob"}])
        await world.until("train", "Aborted")

    async def test_task_completed_completes_the_job(self, world, build_task, policy):
        master = build_task("master", runs="3s", policies=[policy("TaskCompleted", "CompleteJob")])
        await world.create("train", master, build_task("work", runs="100h"))
        status = await world.until("train", "Completed")
        assert status["succeeded"] == 1
        assert status.get("retryCount", 0) == 0

    async def test_too_many_container_restarts_fail_the_task(self, world, build_task, policy):
        task = build_task(exits=1, restart="OnFailure", maxRetry=3, policies=[policy("TaskFailed", "TerminateJob")])
        await world.create("train", task)
        await world.until("train", "Terminated")

    async def test_a_timeout_delays_the_action(self, world, build_task, policy):
        tasks = build_task("bad", exits=1, runs="1s"), build_task("good", runs="100h")
        await world.create("train", *tasks, policies=[policy("PodFailed", "AbortJob", timeout="5m0s")])
        await world.until_status("train", lambda status: status.get("failed") == 1)
        await world.clock.sleep(290)
        assert (await world.status("train"))["state"]["phase"] == "Running"
        await world.clock.sleep(15)
        await world.until("train", "Aborted")

    async def test_a_pod_deleted_by_a_stranger_is_an_eviction(self, world, build_task, policy):
        await world.create("train", build_task(runs="100h"), policies=[policy("PodEvicted", "TerminateJob")])
        await world.until("train", "Running")
        await world.client.delete(POD, "default", "train-work-0")
        await world.until("train", "Terminated")

    async def test_without_a_policy_it_is_made_again(self, world, build_task):
        await world.create("train", build_task(runs="60s"))
        await world.until("train", "Running")
        first = (await world.pods())["train-work-0"]["metadata"]["uid"]
        await world.client.delete(POD, "default", "train-work-0")
        await world.until("train", "Completed")
        assert (await world.pods())["train-work-0"]["metadata"]["uid"] != first

    async def test_our_own_deletes_are_no_evictions(self, world, build_task, policy):
        task = build_task(exits=1, policies=[policy("PodFailed", "RestartPod"), policy("PodEvicted", "TerminateJob")])
        await world.create("train", task, maxRetry=2)
        assert (await world.until("train", "Failed"))["retryCount"] == 2


class TestWhatIsTold:
    async def test_a_job_that_admission_would_have_refused_fails_with_its_words(self, open_world, build_task):
        world = open_world
        await world.create("train", build_task("a"), build_task("a"))
        status = await world.until("train", "Failed")
        assert status["state"]["message"] == "duplicated task name a;"
        assert ("Warning", "InvalidJob", "duplicated task name a;") in await world.events()
        assert await world.pods() == {}

    async def test_a_missing_queue_is_made_and_warned_of(self, world, build_task):
        await world.create("train", build_task(), queue="gold")
        await world.until("train", "Completed")
        assert "gold" in await world.queues()
        told = "queue gold did not exist and was created; in a cluster Volcano refuses the Job"
        assert ("Warning", "QueueMissing", told) in await world.events()

    async def test_the_default_queue_is_volcanos_own_and_needs_no_warning(self, world, build_task):
        await world.create("train", build_task())
        await world.until("train", "Completed")
        assert await world.events() == []

    async def test_an_action_is_told(self, world, build_task, policy):
        await world.create("train", build_task(exits=1), policies=[policy("PodFailed", "AbortJob")])
        await world.until("train", "Aborted")
        told = "Start to execute action AbortJob on PodFailed of pod train-work-0"
        assert ("Normal", "ExecuteAction", told) in await world.events()

    async def test_a_pod_that_the_api_server_refuses_ends_the_job_and_says_why(self, world, build_task):
        bad = build_task()
        bad["template"]["spec"]["nodeSelector"] = 7  # what only the pod's own schema knows
        await world.create("train", bad)
        await world.until("train", "Terminated")
        assert "FailedCreate" in {reason for _, reason, _ in await world.events()}

    async def test_a_pod_name_that_is_taken_by_a_stranger_is_waited_for(self, world, build_task):
        stranger = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "train-work-0"},
            "spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"},
        }
        await world.client.create(POD, "default", stranger)
        await world.create("train", build_task())
        await world.clock.sleep(30)
        assert (await world.status("train")).get("state", {}).get("phase") in (None, "Pending")
        await world.client.delete(POD, "default", "train-work-0")
        await world.until("train", "Completed")


async def test_kubectl_logs_of_a_simulated_pod_say_what_was_played(world, build_task):
    await world.create("train", build_task(runs="2s"))
    await world.until("train", "Completed")
    path = POD.path("default", "train-work-0", "log")
    answer = await world.transport.request(Request("GET", path), 5)
    assert answer.body.decode() == "main of default/train-work-0 is simulated: runs 2s, exit code 0\n"
    assert json.loads(await world.client.get(POD, "default", "train-work-0"))["spec"]["nodeName"] == "local"
