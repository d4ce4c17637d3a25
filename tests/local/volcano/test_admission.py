"""What Volcano fills in, and what it refuses in which words."""

import msgspec
import pytest

from jobflow.local.volcano.admission import defaulted, problems, warnings
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


POD = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
TASK = {"name": "t", "replicas": 1, "template": POD}
WORKER = {**TASK, "name": "w", "replicas": 4}
CLAIM = {"accessModes": ["ReadWriteOnce"]}
NO_DAG = "job has dependencies between tasks, but doesn't form a directed acyclic graph(DAG);"


def after(name, *targets):
    return {**TASK, "name": name, "dependsOn": {"name": list(targets)}}


def limited(cpu):
    container = {"name": "c", "image": "i", "resources": {"limits": {"cpu": cpu, "memory": "1Gi"}}}
    return {**TASK, "topologyPolicy": "restricted", "template": {"spec": {"containers": [container]}}}


def parts(total, size, least=0, **fields):
    policy = {"totalPartitions": total, "partitionSize": size, "minPartitions": least}
    return {**WORKER, "partitionPolicy": policy, **fields}


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
            'spec.policies[0]: Invalid value: "PodLost": invalid policy event; valid events are [* PodFailed',
        ),
        (
            {"tasks": [TASK], "policies": [{"action": "Panic", "event": "*"}]},
            'spec.policies[0]: Invalid value: "Panic": invalid policy action; valid events are [*',
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
        ({"tasks": [TASK], "policies": [{"action": "Panic", "exitCode": 3}]}, "invalid policy action"),
        ({"tasks": [TASK], "policies": [{"action": "AbortJob", "event": "OutOfSync"}]}, "invalid policy event"),
        (
            {"tasks": [TASK], "policies": [{"action": "AbortJob", "events": ["Unknown", "JobUnknown"]}] * 2},
            "duplicate event Unknown  across different policy",
        ),
        (
            {"tasks": [{**TASK, "policies": [{"action": "AbortJob"}]}]},
            "spec.tasks[0].policies[0]: either event and exitCode should be specified",
        ),
        ({"tasks": [TASK], "volumes": [{}]}, "mountPath is required;"),
        (
            {"tasks": [TASK], "volumes": [{"mountPath": "/d", "volumeClaimName": "c"}] * 2},
            "duplicated mountPath: /d;",
        ),
        (
            {"tasks": [TASK], "volumes": [{"mountPath": "/data"}]},
            "either VolumeClaim or VolumeClaimName must be specified;",
        ),
        ({"tasks": [TASK], "volumes": [{"mountPath": "/d", "volumeClaimName": "C"}]}, "invalid VolumeClaimName C"),
        ({"tasks": [after("a", "b"), after("b", "a")]}, f"{NO_DAG} a -> b -> a"),
        ({"tasks": [after("a", "a")]}, NO_DAG),
        ({"tasks": [after("a", "x")]}, f"{NO_DAG} task a depends on x, which is not a task of this job;"),
        ({"tasks": [TASK, after("a", "t", "t")]}, NO_DAG),
        ({"tasks": [TASK], "plugins": {"mpi": []}}, "The specified mpi master task was not found"),
        (
            {"tasks": [{**TASK, "name": "master"}], "plugins": {"mpi": []}},
            "The specified mpi worker task was not found",
        ),
        (
            {"tasks": [TASK], "networkTopology": {"highestTierAllowed": 1, "highestTierName": "rack"}},
            "must not specify 'highestTierAllowed' and 'highestTierName' in networkTopology simultaneously",
        ),
        ({"tasks": [limited("1500m")]}, "the cpu request isn't  an integer in spec.task[0] container[0]."),
        ({"tasks": [{**TASK, "topologyPolicy": "restricted"}]}, "spec.task[0] isn't Guaranteed pod"),
        ({"tasks": [parts(0, 2)]}, "'TotalPartitions' must be greater than 0"),
        ({"tasks": [parts(2, 0)]}, "'PartitionSize' must be greater than 0"),
        ({"tasks": [parts(3, 2)]}, "'Replicas' are not equal to TotalPartitions*PartitionSize"),
        ({"tasks": [parts(2, 2, 1, minAvailable=3)]}, "'MinAvailable' is not equal to MinPartitions*PartitionSize"),
    ],
)
def test_refusals_are_in_volcanos_words(spec, words):
    assert words in " ".join(problems(job(**spec)))


def test_a_name_that_is_too_long_is_refused():
    assert any(
        problem.startswith(f"create job with name {'j' * 64}") for problem in problems(job("j" * 64, tasks=[TASK]))
    )


def test_the_words_that_are_valid_follow_the_complaints():
    told = problems(job(tasks=[TASK], policies=[{"action": "Panic", "event": "PodFailed"}]))[-1]
    assert told == (
        "valid events are [* PodFailed PodEvicted PodPending Unknown TaskCompleted TaskFailed JobUpdated], "
        "valid actions are [AbortJob RestartJob RestartTask RestartPod RestartPartition TerminateJob CompleteJob "
        "ResumeJob];"
    )


@pytest.mark.parametrize(
    "spec",
    [
        {"tasks": [after("b", "t"), TASK, after("c", "b", "t")]},
        {"tasks": [limited(2)]},
        {"tasks": [parts(2, 2, 1)]},
        {
            "tasks": [TASK],
            "volumes": [{"mountPath": "/a", "volumeClaim": CLAIM}, {"mountPath": "/b", "volumeClaimName": "x"}],
        },
        {"tasks": [{**TASK, "name": "head"}, WORKER], "plugins": {"mpi": ["--master=head", "--worker", "w"]}},
        {"tasks": [TASK], "policies": [{"action": "RestartJob", "event": "JobUnknown"}]},
        {
            "tasks": [TASK],
            "plugins": {name: [] for name in ("env", "svc", "ssh", "pytorch", "tensorflow", "ray", "hcclrank")},
        },
    ],
)
def test_what_volcano_takes_is_taken(spec):
    assert problems(job(**spec)) == []


def test_plugins_bring_those_that_they_need():
    assert job(tasks=[TASK], plugins={"pytorch": []}).spec.plugins == {"svc": [], "pytorch": []}
    assert job(tasks=[TASK], plugins={"mpi": [], "svc": ["--x"]}).spec.plugins == {"svc": ["--x"], "ssh": [], "mpi": []}


def test_partitions_say_how_many_pods_a_task_needs():
    assert job(tasks=[parts(2, 2, 1), parts(2, 2, name="v")]).spec.min_available == 2 + 4


def test_warnings_tell_of_what_works_only_here():
    image = {"spec": {"containers": [{"name": "c"}]}}
    told = warnings(
        job(tasks=[{**TASK, "template": image}], plugins={"svc": ["--publish", "--disable-network-policy"]})
    )
    assert told == [
        'spec.plugins.svc: "--publish" is not a flag of this plugin and is left out; its flags: '
        "--publish-not-ready-addresses, --disable-network-policy, --inject-hosts-env",
        "spec.tasks[0].template.spec.containers[0].image: there is none; in a cluster the Job would be refused",
    ]


def test_a_plain_job_is_not_refused():
    policies = [
        {"action": "RestartJob", "event": "PodFailed", "timeout": "5m0s"},
        {"action": "AbortJob", "exitCode": 3},
    ]
    assert problems(job(tasks=[TASK], policies=policies, plugins={"env": []})) == []
