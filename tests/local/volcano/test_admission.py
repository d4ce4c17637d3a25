"""What Volcano fills in, and what it refuses in which words."""

import msgspec
import pytest

from jobflow.local.volcano.admission import defaulted, problems
from jobflow.local.volcano.objects import JobObject, job_view


def job(name="j", **spec):
    text = msgspec.json.encode({"metadata": {"name": name, "namespace": "ns", "uid": "u"}, "spec": spec})
    view = job_view(msgspec.json.decode(text, type=JobObject))
    return msgspec.structs.replace(view, spec=defaulted(view.spec))


def test_defaults_are_those_of_the_mutating_admission():
    spec = job(tasks=[{"replicas": 2}, {"replicas": 3, "minAvailable": 1}]).spec
    assert [(task.name, task.min_available, task.max_retry) for task in spec.tasks] == [
        ("default0", 2, 3),
        ("default1", 1, 3),
    ]
    assert (spec.queue, spec.scheduler_name, spec.max_retry, spec.min_available) == ("default", "volcano", 3, 3)


def test_what_is_given_stands():
    spec = job(tasks=[{"name": "a", "replicas": 2, "maxRetry": -1}], queue="q", maxRetry=7, minAvailable=1).spec
    assert (spec.tasks[0].name, spec.tasks[0].max_retry) == ("a", -1)
    assert (spec.queue, spec.max_retry, spec.min_available) == ("q", 7, 1)


TASK = {"name": "t", "replicas": 1}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"tasks": []}, "No task specified in job spec"),
        ({"tasks": [TASK, TASK]}, "duplicated task name t;"),
        (
            {"tasks": [{**TASK, "minAvailable": 2}]},
            "'minAvailable' is greater than 'replicas' in task: t, job: j;",
        ),
        (
            {"tasks": [TASK], "minAvailable": 2},
            "job 'minAvailable' should not be greater than total replicas in tasks;",
        ),
        ({"tasks": [TASK], "queue": "root"}, "can not submit job to root queue;"),
        ({"tasks": [TASK], "plugins": {"nvlink": []}}, "unable to find job plugin: nvlink;"),
        ({"tasks": [{**TASK, "name": "t" * 63}]}, f"create pod with name j-{'t' * 63}-0 validate failed"),
        ({"tasks": [TASK], "policies": [{"action": "AbortJob"}]}, "either event and exitCode should be specified"),
        (
            {"tasks": [TASK], "policies": [{"action": "AbortJob", "event": "PodFailed", "exitCode": 1}]},
            "must not specify event and exitCode simultaneously",
        ),
        ({"tasks": [TASK], "policies": [{"action": "AbortJob", "exitCode": 0}]}, "0 is not a valid error code"),
        (
            {"tasks": [TASK], "policies": [{"action": "AbortJob", "event": "PodLost"}]},
            "invalid policy event PodLost, valid events are * PodFailed",
        ),
        (
            {"tasks": [TASK], "policies": [{"action": "Panic", "event": "*"}]},
            "invalid policy action Panic, valid actions are AbortJob",
        ),
        (
            {"tasks": [TASK], "policies": [{"action": "AbortJob", "event": "*", "timeout": "soon"}]},
            'invalid policy timeout: invalid duration "soon"',
        ),
        (
            {"tasks": [TASK], "policies": [{"action": "AbortJob", "event": "PodFailed"}] * 2},
            "duplicate event PodFailed  across different policy",
        ),
        (
            {"tasks": [TASK], "policies": [{"action": "AbortJob", "exitCode": 3}] * 2},
            "duplicate exitCode 3;",
        ),
        (
            {"tasks": [TASK], "policies": [{"action": "AbortJob", "events": ["*", "PodFailed"]}]},
            "if there's * here, no other policy should be here",
        ),
        ({"tasks": [TASK], "volumes": [{"mountPath": "/data"}]}, "spec.volumes: the local Job runtime"),
        ({"tasks": [{**TASK, "dependsOn": {"name": ["x"]}}]}, "spec.tasks[0].dependsOn: the local Job runtime"),
    ],
)
def test_refusals_are_in_volcanos_words(spec, words):
    assert any(words in problem for problem in problems(job(**spec)))


def test_a_name_that_is_too_long_is_refused():
    assert problems(job(name="j" * 64, tasks=[TASK]))[0].startswith(f"create job with name {'j' * 64}")


def test_a_plain_job_is_not_refused():
    policies = [
        {"action": "RestartJob", "event": "PodFailed", "timeout": "5m0s"},
        {"action": "AbortJob", "exitCode": 3},
    ]
    assert problems(job(tasks=[TASK], policies=policies, plugins={"env": []})) == []
