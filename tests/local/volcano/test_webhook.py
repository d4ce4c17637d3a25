"""What the embedded API server asks Volcano's admission before it stores a Job or a CronJob."""

import json

import pytest

from jobflow.api.resources import CRON_JOB, QUEUE, VOLCANO_JOB
from jobflow.kube.errors import Invalid
from jobflow.kube.transport import Request

pytestmark = pytest.mark.looptime


async def test_what_is_stored_says_what_will_happen(world, build_task):
    task = build_task(replicas=2)
    del task["name"]
    task["template"]["spec"]["hostNetwork"] = True
    policies = [{"event": "JobUnknown", "action": "RestartJob"}]
    job = await world.create("train", task, plugins={"pytorch": []}, policies=policies)
    spec = job["spec"]
    assert {name: spec[name] for name in ("queue", "schedulerName", "maxRetry", "minAvailable", "plugins")} == {
        "queue": "default",
        "schedulerName": "volcano",
        "maxRetry": 3,
        "minAvailable": 2,
        "plugins": {"svc": [], "pytorch": []},
    }
    [stored] = spec["tasks"]
    assert (stored["name"], stored["minAvailable"], stored["maxRetry"]) == ("default0", 2, 3)
    assert stored["template"]["spec"]["dnsPolicy"] == "ClusterFirstWithHostNet"
    assert spec["policies"] == [{"event": "Unknown", "action": "RestartJob"}]


async def test_a_refusal_tells_all_that_is_wrong_in_volcanos_words(world, build_task):
    policies = [{"event": "PodFailed", "exitCode": 1, "action": "AbortJob"}]
    with pytest.raises(Invalid) as refused:
        await world.create("train", build_task("a"), build_task("a"), plugins={"nvlink": []}, policies=policies)
    told = refused.value.message
    assert refused.value.status == 400
    assert told.startswith('admission webhook "validatejob.volcano.sh" denied the request: duplicated task name a;')
    assert "spec.policies[0]: must not specify event and exitCode simultaneously;" in told
    assert "unable to find job plugin: nvlink;" in told


async def test_a_whole_number_with_a_point_is_refused_as_go_cannot_read_it(world, build_task):
    with pytest.raises(Invalid, match=r"Expected `int`, got `float` - at `\$\.spec\.tasks\[0\]\.replicas`") as refused:
        await world.create("train", build_task() | {"replicas": 4.0})
    assert refused.value.status == 400


async def test_a_dry_run_is_asked_too_and_nothing_is_stored(world, build_task):
    body = {
        "apiVersion": VOLCANO_JOB.api_version,
        "kind": "Job",
        "metadata": {"name": "train"},
        "spec": {"tasks": [build_task()], "queue": "root"},
    }
    path = VOLCANO_JOB.path("default")
    request = Request("POST", path, (("dryRun", "All"),), json.dumps(body).encode())
    answer = await world.transport.request(request, 5)
    assert answer.status == 400
    assert "can not submit job to root queue;" in json.loads(answer.body)["message"]


async def posted(world, spec):
    body = {"apiVersion": VOLCANO_JOB.api_version, "kind": "Job", "metadata": {"name": "train"}, "spec": spec}
    return await world.transport.request(Request("POST", VOLCANO_JOB.path("default"), (), json.dumps(body).encode()), 5)


async def test_a_queue_that_is_missing_is_a_warning_and_is_made(world, build_task):
    answer = await posted(world, {"tasks": [build_task()], "queue": "gold"})
    assert answer.status == 201
    assert "queue gold does not exist and is created; in a cluster Volcano refuses the Job" in answer.headers["warning"]
    await world.until("train", "Completed")
    assert "gold" in await world.queues()


async def test_strict_refuses_it_as_volcano_does(strict_world, build_task):
    with pytest.raises(Invalid, match=r'unable to find job queue: queues.scheduling.volcano.sh "gold" not found;'):
        await strict_world.create("train", build_task(), queue="gold")
    await strict_world.make(QUEUE, "gold", spec={"weight": 1})
    await strict_world.create("train", build_task(), queue="gold")


async def test_flags_that_a_plugin_does_not_have_are_a_warning(world, build_task):
    answer = await posted(world, {"tasks": [build_task()], "plugins": {"ssh": ["--port=2222"]}})
    assert "--port=2222" in answer.headers["warning"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda spec: spec["tasks"][0].update(minAvailable=3), "'minAvailable' must be <= 'replicas' in task: work"),
        (lambda spec: spec.update(minAvailable=3), "job 'minAvailable' must not be greater than total replicas"),
        (
            lambda spec: spec["tasks"].append({**spec["tasks"][0], "name": "x"}),
            "job updates may not add or remove tasks",
        ),
        (lambda spec: spec.update(maxRetry=9, plugins={"env": []}), "changed: spec.maxRetry, spec.plugins"),
        (
            lambda spec: spec["tasks"][0].update(policies=[{"event": "*", "action": "AbortJob"}]),
            "spec.tasks[0].policies",
        ),
    ],
)
async def test_what_may_not_change(world, build_task, change, told):
    job = await world.create("train", build_task(replicas=2, runs="100h"))
    change(job["spec"])
    job = {**(await world.job("train")), "spec": job["spec"]}
    with pytest.raises(Invalid) as refused:
        await world.client.replace(VOLCANO_JOB, "default", "train", job)
    assert told in refused.value.message


async def test_a_file_that_leaves_out_what_was_filled_in_changes_nothing(world, build_task):
    task = build_task(runs="100h")
    stored = await world.create("train", task)
    await world.until("train", "Running")
    again = {**(await world.job("train")), "spec": {"tasks": [task]}}
    await world.client.replace(VOLCANO_JOB, "default", "train", again)
    job = await world.job("train")
    assert (job["spec"], job["metadata"]["generation"]) == (stored["spec"], 1)


async def test_labels_may_change(world, build_task):
    await world.create("train", build_task(runs="100h"))
    patch = {"metadata": {"labels": {"team": "a"}}, "spec": {"priorityClassName": "high"}}
    await world.client.patch(VOLCANO_JOB, "default", "train", patch)
    assert (await world.job("train"))["metadata"]["labels"] == {"team": "a"}


@pytest.mark.parametrize(
    ("name", "spec", "told"),
    [
        ("c", {"schedule": ""}, "schedule is required, but got empty;"),
        ("c", {"schedule": "TZ=UTC * * * * *"}, "schedule should not contain TZ or CRON_TZ"),
        ("c", {"schedule": "61 * * * *"}, 'schedule is not a valid cron expression: minute: "61" is not 0 to 59;'),
        ("c", {"schedule": "* * * * *", "timeZone": ""}, "timeZone must be nil or non-empty string, got empty string;"),
        ("c", {"schedule": "* * * * *", "timeZone": "Local"}, "timeZone can't be Local"),
        ("c", {"schedule": "* * * * *", "timeZone": "Mars/Base"}, 'unknown timeZone "Mars/Base"'),
        ("c" * 53, {"schedule": "* * * * *"}, "cronJob name must be no more than 52 characters"),
    ],
)
async def test_cron_jobs_that_are_refused(world, build_task, name, spec, told):
    with pytest.raises(Invalid) as refused:
        await world.make(CRON_JOB, name, spec={"jobTemplate": {"spec": {"tasks": [build_task()]}}, **spec})
    assert refused.value.message.startswith('admission webhook "validatecronjob.volcano.sh" denied the request: ')
    assert told in refused.value.message
