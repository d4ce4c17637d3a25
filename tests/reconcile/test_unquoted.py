"""What is said of a Job that values were put into: the place and the rule, and nothing of the values.

Every place in the code that makes such a problem is in one of the tables: one that is new, and has no row, is named by
`test_no_place_that_makes_a_problem_is_without_a_row`.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobflow.api import merge, policies, validate_template
from jobflow.api.jobflow import Patch
from jobflow.api.merge import MergeProblem
from jobflow.api.policies import POLICY_ACTIONS, POLICY_EVENTS
from jobflow.api.problems import Problem
from jobflow.api.validate_template import PLUGINS, template_problems
from jobflow.reconcile.patch import ANY_RULE, PatchProblem, patched, unquoted

SECRET, NUMBER = "hunter2", 9077
TASK = {"name": SECRET, "replicas": 2}
PODS = "spec.tasks[0]"
POLICY = "spec.policies[0]"
EVENTS, ACTIONS = ", ".join(POLICY_EVENTS), ", ".join(POLICY_ACTIONS)


def job(*tasks, **fields):
    return {"tasks": list(tasks) or [TASK], **fields}


def acting(*wanted, **more):
    return job(policies=[{"action": "AbortJob", **one} for one in wanted], **more)


NO_JOB = {
    "no task": ({"tasks": [], "queue": SECRET}, "spec.tasks: a Job needs at least one task"),
    "less than none": (job(maxRetry=-NUMBER), "spec.maxRetry: must be 0 or more"),
    "a time that is none": (
        job(ttlSecondsAfterFinished=SECRET),
        "spec.ttlSecondsAfterFinished: must be a whole number of seconds, 0 or more, that fits into 32 bits",
    ),
    "a text for a mapping": (
        job(TASK | {"template": SECRET}),
        f"{PODS}.template: must be a mapping of fields to values",
    ),
    "a name twice": (
        job(TASK, TASK),
        "spec.tasks[1].name: another task has this name already; give each task a name of its own",
    ),
    "more than the task's replicas": (
        job(TASK | {"minAvailable": NUMBER}),
        f"{PODS}.minAvailable: is greater than the task's replicas, so it could never be reached",
    ),
    "replicas that are not those of the partitions": (
        job(TASK | {"partitionPolicy": {"totalPartitions": NUMBER, "partitionSize": NUMBER}}),
        f"{PODS}.replicas: is not totalPartitions x partitionSize",
    ),
    "least pods that are not those of the partitions": (
        job(TASK | {"minAvailable": 2, "partitionPolicy": {"minPartitions": NUMBER, "partitionSize": NUMBER}}),
        f"{PODS}.minAvailable: is not minPartitions x partitionSize",
    ),
    "two tiers": (
        job(networkTopology={"highestTierAllowed": NUMBER, "highestTierName": SECRET}),
        "spec.networkTopology: give highestTierAllowed or highestTierName, not both",
    ),
    "more than all replicas": (
        job(minAvailable=NUMBER),
        "spec.minAvailable: is greater than the replicas of all tasks, so the Job could never start",
    ),
    "a plugin that there is not, whose name is no part of the path either": (
        job(plugins={SECRET: []}),
        f"spec.plugins: Volcano has no such plugin; its plugins are {', '.join(PLUGINS)}",
    ),
    "a master that there is not": (
        job(plugins={"mpi": [f"--master=x{SECRET}"]}),
        'spec.plugins: plugin "mpi" needs its master task; name one so, or give --master=<task>',
    ),
    "a volume without a path": (
        job(volumes=[{"volumeClaimName": SECRET}]),
        "spec.volumes[0].mountPath: a volume needs the path to mount it at in each container",
    ),
    "a path twice": (
        job(volumes=[{"mountPath": SECRET, "volumeClaim": {}}, {"mountPath": SECRET, "volumeClaim": {}}]),
        "spec.volumes[1].mountPath: another volume has this mount path already",
    ),
    "two claims": (
        job(volumes=[{"mountPath": SECRET, "volumeClaim": {}, "volumeClaimName": SECRET}]),
        "spec.volumes[0]: give volumeClaimName (a claim that exists) or volumeClaim (one to make), one of the two",
    ),
    "a task that there is not": (
        job(TASK | {"dependsOn": {"name": [f"x{SECRET}"]}}),
        f"{PODS}.dependsOn.name[0]: is not a task of this Job",
    ),
    "a task named twice": (
        job({"name": "a"}, TASK | {"dependsOn": {"name": ["a", "a"]}}),
        "spec.tasks[1].dependsOn.name[1]: a task is named twice",
    ),
    "a circle": (
        job(TASK | {"dependsOn": {"name": [SECRET]}}),
        f"{PODS}.dependsOn.name: this task and others wait for each other, so none would ever start",
    ),
    "event and exit code": (
        acting({"event": SECRET, "exitCode": NUMBER}),
        f"{POLICY}: give event (or events) or exitCode, not both",
    ),
    "neither": (
        acting({"timeout": SECRET}),
        f"{POLICY}: give an event, events or an exitCode for the policy to act on",
    ),
    "any event and another": (
        acting({"event": "*"}, {"event": "PodFailed"}),
        f'{POLICY}.event: event "*" already stands for every event; no other event can be given beside it',
    ),
    "an event that there is not": (
        acting({"event": SECRET}),
        f"{POLICY}.event: is not an event that a policy can act on; the events are {EVENTS}",
    ),
    "an event twice": (
        acting({"event": "PodFailed"}, {"event": "PodFailed"}),
        "spec.policies[1].event: another policy is for the same already",
    ),
    "success": (acting({"exitCode": 0}), f"{POLICY}.exitCode: exit code 0 is success; a policy acts on another code"),
    "an exit code twice": (
        acting({"exitCode": NUMBER}, {"exitCode": NUMBER}),
        "spec.policies[1].exitCode: another policy is for the same already",
    ),
    "no action": (
        acting({"event": "PodFailed", "action": ""}),
        f"{POLICY}.action: a policy needs an action; the actions are {ACTIONS}",
    ),
    "an action that there is not": (
        acting({"event": "PodFailed", "action": SECRET}),
        f"{POLICY}.action: is not an action; the actions are {ACTIONS}",
    ),
}
NO_PATCH = {
    "a directive that there is not": (
        {"tasks": [{"name": SECRET, "$patch": SECRET}]},
        "patch.spec.tasks[0].$patch: is not one of replace, delete, merge",
    ),
    "a text for a number": (
        {"tasks": [{"name": SECRET, "replicas": SECRET}]},
        "patch.spec.tasks[0].replicas: must be a number, as in the template, and is a text",
    ),
    "a text for an item": ({"tasks": [SECRET]}, "patch.spec.tasks[0]: must be a mapping, and is a text"),
    "an item that does not say which it is": (
        {"volumes": [{"volumeClaimName": SECRET}]},
        "patch.spec.volumes[0]: mountPath must say which item is meant",
    ),
    "an item twice": ({"tasks": [TASK, TASK]}, "patch.spec.tasks[1]: the same item is there twice"),
    "a task that the template has not": (
        {"tasks": [{"name": f"x{SECRET}"}]},
        "patch.spec.tasks: this task is no task of the template, and has no containers",
    ),
}


def why_no_job(spec):
    return [str(unquoted(problem)) for problem in template_problems(spec)]


def why_no_patch(partial, *, private):
    with pytest.raises(PatchProblem) as raised:
        patched(job(), Patch.model_construct(spec=partial), private=private)
    return str(raised.value)


@pytest.mark.parametrize(("spec", "told"), NO_JOB.values(), ids=NO_JOB)
def test_what_is_no_job(spec, told):
    assert why_no_job(spec) == [told]
    assert SECRET not in told
    assert str(NUMBER) not in told


@pytest.mark.parametrize(("partial", "told"), NO_PATCH.values(), ids=NO_PATCH)
def test_what_cannot_be_merged(partial, told):
    assert why_no_patch(partial, private=True) == told
    assert SECRET not in told


@pytest.mark.parametrize(
    ("partial", "open_words", "private_words"),
    [
        (
            {"minAvailable": NUMBER},
            f"minAvailable {NUMBER} is greater than the 2 replicas of all tasks",
            "spec.minAvailable: is greater than the replicas of all tasks",
        ),
        ({"tasks": [{"name": "x"}]}, '"x" is no task of the template', "this task is no task of the template"),
        ({"tasks": [TASK, TASK]}, f"name {SECRET} is there twice", "the same item is there twice"),
    ],
)
def test_only_what_is_private_is_kept_back(partial, open_words, private_words):
    assert open_words in why_no_patch(partial, private=False)
    assert private_words in why_no_patch(partial, private=True)


def test_a_problem_without_a_rule_tells_its_place_alone():
    assert str(unquoted(Problem("spec.queue", f"{SECRET} is no queue"))) == f"spec.queue: {ANY_RULE}"


def test_a_key_that_was_put_in_makes_no_message_of_its_length():
    key = "k" * 9000
    with pytest.raises(PatchProblem) as raised:
        patched({"x": {key: 1}}, Patch.model_construct(spec={"x": {key: []}}), private=True)
    assert len(str(raised.value)) < 300


Place = tuple[str, int]  # of a call: the file's name and the line


def test_no_place_that_makes_a_problem_is_without_a_row():
    with problems_made() as seen:
        for spec, _ in NO_JOB.values():
            why_no_job(spec)
        for partial, _ in NO_PATCH.values():
            why_no_patch(partial, private=True)
    written = {place for module in (merge, policies, validate_template) for place in places(Path(module.__file__))}
    assert len(written) > 30
    assert sorted(written - seen) == []


def places(source: Path) -> Iterator[Place]:
    """Where a module makes Problems and MergeProblems."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).removesuffix(".plain") in ("Problem", "MergeProblem"):
            yield source.name, node.lineno


@contextmanager
def problems_made() -> Iterator[set[Place]]:
    """Where Problems and MergeProblems are made while this is open."""
    makers = {inspect.unwrap(made).__code__ for made in (Problem.__init__, MergeProblem.__init__)}
    makers |= {made.plain.__func__.__code__ for made in (Problem, MergeProblem)}
    seen: set[Place] = set()

    def look(frame, event, _):
        if event == "call" and frame.f_code in makers:
            seen.add((Path(frame.f_back.f_code.co_filename).name, frame.f_back.f_lineno))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield seen
    finally:
        sys.setprofile(before)
