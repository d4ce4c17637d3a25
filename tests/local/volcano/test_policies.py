"""Lifecycle policies: which action an event calls for, a row a rule of Volcano's."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from jobflow.local.volcano.objects import JobObject, job_view
from jobflow.local.volcano.occurrences import Occurrence, PodEvent, occurrences
from jobflow.local.volcano.phases import Action
from jobflow.local.volcano.pod_objects import PodPhase, PodView
from jobflow.local.volcano.policies import choose, targets
from jobflow.local.volcano.scheduling_objects import GroupObject, group_view

THEN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = THEN + timedelta(minutes=4)


def job(*policies, task_policies=(), version=0, **task):
    body = {
        "metadata": {"name": "j", "namespace": "ns", "uid": "u"},
        "spec": {
            "tasks": [{"name": "t", "replicas": 2, "maxRetry": 3, "policies": list(task_policies), **task}],
            "policies": list(policies),
        },
        "status": {"version": version},
    }
    return job_view(msgspec.json.decode(msgspec.json.encode(body), type=JobObject))


def pod(name="j-t-0", phase="Running", task="t", **fields):
    return PodView(
        **{
            "namespace": "ns",
            "name": name,
            "uid": f"uid-{name}",
            "resource_version": "1",
            "created": THEN,
            "deleting": False,
            "job": "j",
            "job_uid": "u",
            "task": task,
            "index": 0,
            "version": 0,
            "phase": PodPhase(phase),
            **fields,
        }
    )


def on(event, action, **more):
    return {"event": event, "action": action, **more}


FAILED = pod(phase="Failed", exit_code=3)
PENDING = pod(phase="Pending")
SUCCEEDED = [pod("j-t-0", "Succeeded"), pod("j-t-1", "Succeeded")]
RESTARTING = [pod("j-t-0", restarts=2), pod("j-t-1", restarts=1)]
EVICTED = Occurrence(PodEvent.POD_EVICTED, pod(), THEN)


def chosen(of, pods=(), evicted=(), group=None, now=NOW):
    tasks = {task.name: task for task in of.spec.tasks}
    return choose(of, occurrences(tasks, pods, evicted, group), now)


@pytest.mark.parametrize(
    ("told", "of", "pods", "action"),
    [
        ("no policy", job(), [FAILED], "SyncJob"),
        ("nothing happened", job(on("*", "AbortJob")), [pod()], "SyncJob"),
        ("the event", job(on("PodFailed", "AbortJob")), [FAILED], "AbortJob"),
        ("another event", job(on("PodEvicted", "AbortJob")), [FAILED], "SyncJob"),
        ("any event", job(on("*", "AbortJob")), [FAILED], "AbortJob"),
        (
            "one of several",
            job({"events": ["PodEvicted", "PodFailed"], "action": "RestartJob"}),
            [FAILED],
            "RestartJob",
        ),
        ("the first that matches", job(on("PodFailed", "AbortJob"), on("*", "RestartJob")), [FAILED], "AbortJob"),
        (
            "the task goes before the Job",
            job(on("PodFailed", "AbortJob"), task_policies=[on("PodFailed", "RestartTask")]),
            [FAILED],
            "RestartTask",
        ),
        (
            "a task without a match leaves it to the Job",
            job(on("PodFailed", "AbortJob"), task_policies=[on("PodEvicted", "RestartTask")]),
            [FAILED],
            "AbortJob",
        ),
        ("the exit code", job({"exitCode": 3, "action": "CompleteJob"}), [FAILED], "CompleteJob"),
        ("another exit code", job({"exitCode": 4, "action": "CompleteJob"}), [FAILED], "SyncJob"),
        ("a pod of an earlier run", job(on("PodFailed", "AbortJob"), version=1), [FAILED], "SyncJob"),
        ("a pod on its way out", job(on("*", "AbortJob")), [pod(phase="Failed", deleting=True)], "SyncJob"),
        ("a pod of no task", job(on("*", "AbortJob")), [pod(phase="Failed", task="x")], "SyncJob"),
        ("a pending pod without a timeout", job(on("PodPending", "AbortJob")), [PENDING], "SyncJob"),
        ("all of a task succeeded", job(on("TaskCompleted", "CompleteJob")), SUCCEEDED, "CompleteJob"),
        ("some of a task succeeded", job(on("TaskCompleted", "CompleteJob")), SUCCEEDED[:1], "SyncJob"),
        ("restarts of a task add up", job(on("TaskFailed", "TerminateJob")), RESTARTING, "TerminateJob"),
        ("fewer than its maxRetry", job(on("TaskFailed", "TerminateJob"), maxRetry=4), RESTARTING, "SyncJob"),
        ("restarts without end", job(on("TaskFailed", "TerminateJob"), maxRetry=-1), RESTARTING, "SyncJob"),
        ("a Job that is up needs no resuming", job(on("PodFailed", "ResumeJob")), [FAILED], "SyncJob"),
    ],
)
def test_which_action(told, of, pods, action):
    assert chosen(of, pods).action == Action(action), told


def test_an_eviction_is_made_good_by_a_pod_of_the_same_name():
    of = job(on("PodEvicted", "AbortJob"))
    assert chosen(of, [], [EVICTED]).action is Action.ABORT_JOB
    assert chosen(of, [pod(phase="Pending", uid="new")], [EVICTED]).action is Action.ABORT_JOB
    assert chosen(of, [pod(uid="new")], [EVICTED]).action is Action.SYNC_JOB


class TestTimeouts:
    @pytest.mark.parametrize(
        ("event", "pods"), [("PodFailed", [pod(phase="Failed", finished_at=THEN)]), ("PodPending", [PENDING])]
    )
    def test_the_action_waits_from_when_it_happened(self, event, pods):
        of = job(on(event, "AbortJob", timeout="5m0s"))
        waits = chosen(of, pods)
        assert (waits.action, waits.wake_at) == (Action.SYNC_JOB, THEN + timedelta(minutes=5))
        assert chosen(of, pods, now=THEN + timedelta(minutes=5)).action is Action.ABORT_JOB

    def test_what_is_due_now_does_not_wait_for_what_is_delayed(self):
        of = job(on("PodPending", "AbortJob", timeout="5m"), on("PodFailed", "RestartJob"))
        assert chosen(of, [PENDING, FAILED]).action is Action.RESTART_JOB

    def test_a_pod_that_is_no_longer_pending_cancels_it(self):
        of = job(on("PodPending", "AbortJob", timeout="5m"))
        assert chosen(of, [pod()]).wake_at is None


class TestTheGang:
    def group(self, phase):
        body = {
            "metadata": {"name": "j-u", "namespace": "ns", "uid": "g", "creationTimestamp": THEN},
            "status": {"phase": phase},
        }
        return group_view(msgspec.json.decode(msgspec.json.encode(body), type=GroupObject))

    @pytest.mark.parametrize("word", ["Unknown", "JobUnknown", "*"])
    def test_a_gang_that_fell_apart_is_the_jobs_business(self, word):
        choice = chosen(job(on(word, "RestartJob")), [pod()], group=self.group("Unknown"))
        assert choice.action is Action.RESTART_JOB
        assert str(choice.cause) == "Unknown of the Job's PodGroup"

    def test_and_no_tasks(self):
        of = job(task_policies=[on("Unknown", "RestartTask")])
        assert chosen(of, [pod()], group=self.group("Unknown")).action is Action.SYNC_JOB

    def test_a_gang_that_runs_is_no_event(self):
        assert chosen(job(on("*", "AbortJob")), [pod()], group=self.group("Running")).action is Action.SYNC_JOB


class TestTargets:
    PODS = (
        pod("j-t-0", phase="Failed", partition="0"),
        pod("j-t-1", partition="0"),
        pod("j-t-2", partition="1"),
        pod("j-u-0", task="u", partition="0"),
    )

    @pytest.mark.parametrize(
        ("action", "about"),
        [
            ("RestartPod", ["j-t-0"]),
            ("RestartPartition", ["j-t-0", "j-t-1"]),
            ("RestartTask", ["j-t-0", "j-t-1", "j-t-2"]),
        ],
    )
    def test_what_is_restarted(self, action, about):
        choice = chosen(job(on("PodFailed", action)), self.PODS)
        assert [one.name for one in targets(choice, self.PODS)] == about

    def test_without_partitions_a_partition_is_the_task(self):
        pods = [pod("j-t-0", phase="Failed"), pod("j-t-1")]
        choice = chosen(job(on("PodFailed", "RestartPartition")), pods)
        assert [one.name for one in targets(choice, pods)] == ["j-t-0", "j-t-1"]

    @pytest.mark.looptime
    async def test_a_partition_restarts_by_itself(self, world, build_task, policy):
        task = build_task(
            replicas=4,
            runs="100h",
            partitionPolicy={"totalPartitions": 2, "partitionSize": 2},
            policies=[policy("PodEvicted", "RestartPartition")],
        )
        await world.create("train", task)
        await world.until_status("train", lambda status: status.get("running") == 4)
        before = {name: one["metadata"]["uid"] for name, one in (await world.pods()).items()}
        labels = [(await world.pods())[f"train-work-{index}"]["metadata"]["labels"] for index in range(4)]
        assert [label["volcano.sh/partition-id"] for label in labels] == ["0", "0", "1", "1"]
        await world.client.delete(*(await self.first(world)))
        await world.until_status("train", lambda status: status.get("retryCount") == 1 and status.get("running") == 4)
        after = {name: one["metadata"]["uid"] for name, one in (await world.pods()).items()}
        assert [before[name] == after[name] for name in sorted(before)] == [False, False, True, True]

    async def first(self, world):
        from jobflow.api.resources import POD

        return POD, "default", "train-work-0"
