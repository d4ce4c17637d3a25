"""Rules of a Job spec inside a JobTemplate: for each kind of mistake, where it is told and in which words."""

import copy

import pytest

from jobflow.api.policies import canonical_job_spec
from jobflow.api.trees import Unknown
from jobflow.api.validate import template_problems


def job(*tasks, **fields):
    return {"tasks": list(tasks) or [task("main")], **fields}


def task(name="main", replicas=1, **fields):
    return {"name": name, "replicas": replicas, **fields}


def told(spec):
    return [str(problem) for problem in template_problems(spec)]


RESTART = {"event": "PodFailed", "action": "RestartJob"}
EVENTS = "PodFailed, PodEvicted, PodPending, Unknown, TaskCompleted, TaskFailed, JobUpdated"
ACTIONS = "AbortJob, RestartJob, RestartTask, RestartPod, RestartPartition, TerminateJob, CompleteJob, ResumeJob"

GOOD = {
    "one task": job(),
    "no replicas, none needed": {"tasks": [{"name": "a"}]},
    "unnamed tasks become default0 and default1": job({"replicas": 1}, {"replicas": 1}),
    "minAvailable as many as there are": job(task(replicas=3, minAvailable=3), task("b", 1), minAvailable=4),
    "zeros": job(task(replicas=0, minAvailable=0, maxRetry=0), minAvailable=0, maxRetry=0, ttlSecondsAfterFinished=0),
    "a policy by event": job(policies=[RESTART]),
    "a policy by events": job(policies=[{"events": ["PodEvicted", "PodFailed"], "action": "TerminateJob"}]),
    "the guide's word JobUnknown": job(policies=[{"event": "JobUnknown", "action": "RestartJob"}]),
    "exit codes": job(policies=[{"exitCode": 3, "action": "RestartJob"}, {"exitCode": 4, "action": "AbortJob"}]),
    "any event, alone": job(policies=[{"event": "*", "action": "RestartJob"}]),
    "any event beside an exit code": job(policies=[{"event": "*", "action": "AbortJob"}, {"exitCode": 3}]),
    "the same event for a task and the Job": job(task(policies=[RESTART]), policies=[RESTART]),
    "every plugin": job(
        task("master"),
        plugins={name: [] for name in ("env", "svc", "ssh", "pytorch", "tensorflow", "mpi", "ray", "hcclrank")},
    ),
    "mpi with a master of another name": job(task("launcher"), plugins={"mpi": ["--master=launcher"]}),
    "mpi with its flag in two words": job(task("launcher"), plugins={"mpi": ["--master", "launcher"]}),
    "volumes": job(volumes=[{"mountPath": "/a", "volumeClaimName": "data"}, {"mountPath": "/b", "volumeClaim": {}}]),
    "tasks in order": job(task("prep"), task("train", dependsOn={"name": ["prep"], "iteration": "any"})),
    "partitions": job(
        task(replicas=6, minAvailable=3, partitionPolicy={"totalPartitions": 2, "partitionSize": 3, "minPartitions": 1})
    ),
    "the longest time to live": job(ttlSecondsAfterFinished=2**31 - 1),
    "a time to live that only the run can tell": job(ttlSecondsAfterFinished=Unknown("$(steps.a.outputs.n)")),
    "a topology": job(networkTopology={"mode": "hard", "highestTierAllowed": 1}),
}


@pytest.mark.parametrize("spec", GOOD.values(), ids=GOOD)
def test_what_volcano_accepts_is_no_problem(spec):
    assert told(spec) == []


ODD = [None, True, -1, 1.5, 2**80, 1e300, "", "a", [], ["a"], [["a"]], [None], [{}], [{"a": [1]}], {}, {"a": ["b"]}]
PLACES = [
    *[(name,) for name in ("tasks", "policies", "plugins", "volumes", "minAvailable", "maxRetry")],
    *[(name,) for name in ("ttlSecondsAfterFinished", "networkTopology")],
    *[("tasks", 0, name) for name in ("name", "replicas", "template", "policies", "dependsOn", "partitionPolicy")],
    *[("policies", 0, name) for name in ("event", "events", "action", "exitCode", "timeout")],
    *[("volumes", 0, name) for name in ("mountPath", "volumeClaim", "volumeClaimName")],
    ("tasks", 0, "dependsOn", "name"),
    ("tasks", 0, "partitionPolicy", "totalPartitions"),
    ("plugins", "mpi"),
]


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_no_type_of_a_value_keeps_the_others_from_being_told(place):
    for odd in ODD:
        whole = job(
            task("a", dependsOn={}, partitionPolicy={"partitionSize": 1}), policies=[{}], volumes=[{}], plugins={}
        )
        at = whole
        for part in place[:-1]:
            at = at[part]
        at[place[-1]] = odd
        assert isinstance(told(whole), list)


BAD = {
    "no tasks": ({"tasks": []}, "spec.tasks: a Job needs at least one task"),
    "tasks absent": ({}, "spec.tasks: a Job needs at least one task"),
    "a task name given twice": (
        job(task("a"), task("b"), task("a")),
        'spec.tasks[2].name: task "a" is already defined at spec.tasks[0]; give each task a name of its own',
    ),
    "a name that an unnamed task will get": (
        job(task("default1"), {"replicas": 1}),
        'spec.tasks[1].name: task "default1" is already defined at spec.tasks[0]; give each task a name of its own',
    ),
    "negative replicas": (
        job(task(replicas=-1)),
        "spec.tasks[0].replicas: replicas is -1; it must be 0 or more",
    ),
    "a task's negative minAvailable": (
        job(task(minAvailable=-1)),
        "spec.tasks[0].minAvailable: minAvailable is -1; it must be 0 or more",
    ),
    "negative minAvailable": (job(minAvailable=-2), "spec.minAvailable: minAvailable is -2; it must be 0 or more"),
    "negative maxRetry": (job(maxRetry=-1), "spec.maxRetry: maxRetry is -1; it must be 0 or more"),
    "a task's negative maxRetry": (
        job(task(maxRetry=-1)),
        "spec.tasks[0].maxRetry: maxRetry is -1; it must be 0 or more",
    ),
    "negative ttl": (
        job(ttlSecondsAfterFinished=-1),
        "spec.ttlSecondsAfterFinished: ttlSecondsAfterFinished is -1; it must be 0 or more",
    ),
    "ttl that is no whole number": (
        job(ttlSecondsAfterFinished=1.5),
        "spec.ttlSecondsAfterFinished: ttlSecondsAfterFinished must be a whole number of seconds from 0 to 2147483647",
    ),
    "ttl that is no number": (
        job(ttlSecondsAfterFinished=True),
        "spec.ttlSecondsAfterFinished: ttlSecondsAfterFinished must be a whole number of seconds from 0 to 2147483647",
    ),
    "ttl beyond Volcano's integers": (
        job(ttlSecondsAfterFinished=2**31),
        "spec.ttlSecondsAfterFinished: ttlSecondsAfterFinished must be a whole number of seconds from 0 to 2147483647",
    ),
    "a task that is a list": (
        {"tasks": [["a"]]},
        "spec.tasks[0]: must be a mapping of fields to values",
    ),
    "a task's template that is a list": (
        job(task(template=["a"])),
        "spec.tasks[0].template: must be a mapping of fields to values",
    ),
    "labels that are a list": (
        job(task(template={"metadata": {"labels": ["a"]}})),
        "spec.tasks[0].template.metadata.labels: must be a mapping of fields to values",
    ),
    "minAvailable above the task's replicas": (
        job(task(replicas=2, minAvailable=3)),
        "spec.tasks[0].minAvailable: minAvailable 3 is greater than the task's replicas 2, "
        "so it could never be reached",
    ),
    "minAvailable above all replicas": (
        job(task("a", 2), task("b", 1), minAvailable=4),
        "spec.minAvailable: minAvailable 4 is greater than the 3 replicas of all tasks, so the Job could never start",
    ),
    "a policy with event and exit code": (
        job(policies=[RESTART | {"exitCode": 3}]),
        "spec.policies[0]: give event (or events) or exitCode, not both",
    ),
    "a policy with neither": (
        job(policies=[{"action": "RestartJob"}]),
        "spec.policies[0]: give an event, events or an exitCode for the policy to act on",
    ),
    "a misspelt event": (
        job(task(policies=[RESTART | {"event": "PodFaild"}])),
        'spec.tasks[0].policies[0].event: "PodFaild" is not an event that a policy can act on; '
        'did you mean "PodFailed"?',
    ),
    "an event that only Volcano itself uses": (
        job(policies=[{"events": ["OutOfSync"], "action": "RestartJob"}]),
        f'spec.policies[0].events[0]: "OutOfSync" is not an event that a policy can act on; the events are *, {EVENTS}',
    ),
    "a misspelt action": (
        job(policies=[RESTART | {"action": "CompletedJob"}]),
        'spec.policies[0].action: "CompletedJob" is not an action; did you mean "CompleteJob"?',
    ),
    "no action": (
        job(policies=[{"event": "PodFailed"}]),
        f"spec.policies[0].action: a policy needs an action; the actions are {ACTIONS}",
    ),
    "two policies for one event": (
        job(policies=[RESTART, {"events": ["PodFailed"], "action": "AbortJob"}]),
        'spec.policies[1].events[0]: event "PodFailed" already has a policy, at spec.policies[0].event',
    ),
    "two words for one event": (
        job(policies=[RESTART | {"event": "Unknown"}, RESTART | {"event": "JobUnknown"}]),
        'spec.policies[1].event: event "Unknown" already has a policy, at spec.policies[0].event',
    ),
    "any event beside another": (
        job(policies=[RESTART | {"event": "*"}, RESTART]),
        'spec.policies[0].event: event "*" already stands for every event; no other event can be given beside it',
    ),
    "exit code 0": (
        job(policies=[{"exitCode": 0, "action": "RestartJob"}]),
        "spec.policies[0].exitCode: exit code 0 is success; a policy acts on another code",
    ),
    "two policies for one exit code": (
        job(policies=[{"exitCode": 3}, {"exitCode": 3}]),
        "spec.policies[1].exitCode: exit code 3 already has a policy, at spec.policies[0].exitCode",
    ),
    "a misspelt plugin": (
        job(plugins={"shh": []}),
        'spec.plugins.shh: Volcano has no plugin "shh"; did you mean "ssh"?',
    ),
    "an unknown plugin": (
        job(plugins={"horovodrun": []}),
        'spec.plugins.horovodrun: Volcano has no plugin "horovodrun"; '
        "its plugins are env, svc, ssh, pytorch, tensorflow, mpi, ray, hcclrank",
    ),
    "mpi without its master": (
        job(task("worker"), plugins={"mpi": []}),
        'spec.plugins.mpi: plugin "mpi" needs a task named "master"; name one so, or give --master=<task>',
    ),
    "a volume without a path": (
        job(volumes=[{"volumeClaimName": "x"}]),
        "spec.volumes[0].mountPath: a volume needs the path to mount it at in each container",
    ),
    "two volumes at one path": (
        job(volumes=[{"mountPath": "/a", "volumeClaimName": "x"}, {"mountPath": "/a", "volumeClaimName": "y"}]),
        'spec.volumes[1].mountPath: "/a" is already the mount path of spec.volumes[0]',
    ),
    "a volume of no claim": (
        job(volumes=[{"mountPath": "/a"}]),
        "spec.volumes[0]: give volumeClaimName (a claim that exists) or volumeClaim (one to make); neither is given",
    ),
    "a volume of two claims": (
        job(volumes=[{"mountPath": "/a", "volumeClaimName": "x", "volumeClaim": {}}]),
        "spec.volumes[0]: give volumeClaimName (a claim that exists) or volumeClaim (one to make); both are given",
    ),
    "tasks in a circle": (
        job(task("a", dependsOn={"name": ["b"]}), task("b", dependsOn={"name": ["a"]})),
        "spec.tasks[0].dependsOn.name: these tasks wait for each other, so none would ever start: "
        "a -> b -> a (each waits for the next)",
    ),
    "a task that waits for itself": (
        job(task("a", dependsOn={"name": ["a"]})),
        "spec.tasks[0].dependsOn.name: these tasks wait for each other, so none would ever start: "
        "a -> a (each waits for the next)",
    ),
    "a task that waits for no task": (
        job(task("prep"), task("train", dependsOn={"name": ["prepp"]})),
        'spec.tasks[1].dependsOn.name[0]: "prepp" is not a task of this Job; did you mean "prep"?',
    ),
    "a task named twice": (
        job(task("a"), task("b", dependsOn={"name": ["a", "a"]})),
        'spec.tasks[1].dependsOn.name[1]: task "a" is named twice',
    ),
    "partitions that do not add up": (
        job(task(replicas=5, partitionPolicy={"totalPartitions": 2, "partitionSize": 3})),
        "spec.tasks[0].replicas: replicas 5 is not totalPartitions 2 x partitionSize 3 = 6",
    ),
    "minAvailable against partitions": (
        job(
            task(
                replicas=6,
                minAvailable=4,
                partitionPolicy={"totalPartitions": 2, "partitionSize": 3, "minPartitions": 1},
            )
        ),
        "spec.tasks[0].minAvailable: minAvailable 4 is not minPartitions 1 x partitionSize 3 = 3",
    ),
    "a tier twice": (
        job(networkTopology={"highestTierAllowed": 1, "highestTierName": "rack"}),
        "spec.networkTopology: give highestTierAllowed or highestTierName, not both",
    ),
}


@pytest.mark.parametrize(("spec", "message"), BAD.values(), ids=BAD)
def test_what_volcano_refuses_is_told_with_its_path(spec, message):
    assert told(spec) == [message]


@pytest.mark.parametrize(
    "spec",
    [
        {"tasks": "none"},
        {"tasks": [1, None, "x"]},
        job(task(replicas="3", minAvailable=3), minAvailable=4),
        job(policies={"event": 1}, plugins=["svc"], volumes="x", networkTopology=3),
        job(policies=[{"event": 3, "events": [None], "exitCode": "x"}, {"exitCode": {}}]),
        job(task(dependsOn={"name": "a"}, partitionPolicy=[], policies=[7])),
        job(task(dependsOn=["a"]), minAvailable=True),
    ],
)
def test_wrong_json_types_are_left_to_the_schema_and_never_raise(spec):
    template_problems(spec)


def test_replicas_of_a_wrong_type_are_not_counted_as_none():
    assert told(job(task(replicas="3", minAvailable=3), minAvailable=4)) == []


def test_aliases_of_events_become_volcanos_words_in_a_copy():
    policy = {"event": "JobUnknown", "events": ["JobUnknown", "PodFailed"], "action": "RestartJob"}
    spec = job(task(policies=[policy], extra={"kept": True}), policies=[policy], queue="q")
    before = copy.deepcopy(spec)
    canonical = {"event": "Unknown", "events": ["Unknown", "PodFailed"], "action": "RestartJob"}
    assert canonical_job_spec(spec) == job(
        task(policies=[canonical], extra={"kept": True}), policies=[canonical], queue="q"
    )
    assert spec == before


@pytest.mark.parametrize("spec", [{}, {"policies": 1, "tasks": 2}, {"policies": [1], "tasks": [3, {"policies": "x"}]}])
def test_a_spec_of_wrong_types_is_left_as_it_is(spec):
    assert canonical_job_spec(spec) == spec
