"""Patch: what is different in a step's Job from its template.

In: a template's spec, the step's patch. Out: the merged spec, checked by Volcano's rules for Jobs, or PatchProblem
with the place and the side that brought what is wrong. The template is not touched. How parts merge is in
`api/merge.py`. Where values were put into either side, a problem names its place and the rule (`unquoted`) and repeats
nothing of what stands there: it may be secret, and messages go into the status and into Events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobflow.api.jobflow import Patch
from jobflow.api.merge import MergeProblem, merge_spec
from jobflow.api.policies import POLICY_ACTIONS, POLICY_EVENTS
from jobflow.api.problems import Problem, suggestion
from jobflow.api.validate_template import PLUGINS, template_problems

NAMED_PROBLEMS = 3
SHOWN_CHARACTERS = 200  # of a path: keys of a mapping that was put in are part of it, and may be of any length
PLUGINS_PATH = "spec.plugins"

# Words by which a message is known, which may quote what it found; and the rule itself, which quotes nothing. What is
# in no row is told by `ANY_RULE`: a message that is new is no leak.
RULES: tuple[tuple[str, str], ...] = (
    ("a Job needs at least one task", "a Job needs at least one task"),
    ("it must be 0 or more", "must be 0 or more"),
    ("must be a whole number of seconds", "must be a whole number of seconds, 0 or more, that fits into 32 bits"),
    ("must be a mapping of fields", "must be a mapping of fields to values"),
    ("is already defined at", "another task has this name already; give each task a name of its own"),
    ("is greater than the task's replicas", "is greater than the task's replicas, so it could never be reached"),
    ("is not totalPartitions", "is not totalPartitions x partitionSize"),
    ("is not minPartitions", "is not minPartitions x partitionSize"),
    ("highestTierAllowed or highestTierName", "give highestTierAllowed or highestTierName, not both"),
    ("replicas of all tasks", "is greater than the replicas of all tasks, so the Job could never start"),
    ("Volcano has no plugin", f"Volcano has no such plugin; its plugins are {', '.join(PLUGINS)}"),
    ('"mpi" needs a task', 'plugin "mpi" needs its master task; name one so, or give --master=<task>'),
    ("a volume needs the path", "a volume needs the path to mount it at in each container"),
    ("is already the mount path of", "another volume has this mount path already"),
    (
        "volumeClaimName (a claim",
        "give volumeClaimName (a claim that exists) or volumeClaim (one to make), one of the two",
    ),
    ("is not a task of this Job", "is not a task of this Job"),
    ("is named twice", "a task is named twice"),
    ("these tasks wait for each other", "this task and others wait for each other, so none would ever start"),
    ("exitCode, not both", "give event (or events) or exitCode, not both"),
    ("events or an exitCode", "give an event, events or an exitCode for the policy to act on"),
    ("stands for every event", 'event "*" already stands for every event; no other event can be given beside it'),
    ("is not an event", f"is not an event that a policy can act on; the events are {', '.join(POLICY_EVENTS)}"),
    ("exit code 0 is success", "exit code 0 is success; a policy acts on another code"),
    ("already has a policy", "another policy is for the same already"),
    ("is not an action", f"is not an action; the actions are {', '.join(POLICY_ACTIONS)}"),
    ("a policy needs an action", f"a policy needs an action; the actions are {', '.join(POLICY_ACTIONS)}"),
    ("is not one of replace, delete, merge", "is not one of replace, delete, merge"),
    ("is there twice", "the same item is there twice"),
)
OF_TYPES = ("must be a", "must say which item is meant")  # a merge's messages that name types and keys, and no value
ANY_RULE = "what was put in here makes it no Job that Volcano takes"


class Filled(dict[str, Any]):
    """A spec, or a part of one, that values were put into: what is said of it repeats none of them."""


class PatchProblem(Exception):
    """The patch cannot be merged, or what comes of it is no Job; the message says where, and whose doing it is."""


def patched(spec: Mapping[str, Any], patch: Patch) -> dict[str, Any]:
    """The template's `spec` with the patch merged in. Raises PatchProblem."""
    field, partial = patch.partial
    private = isinstance(spec, Filled) or isinstance(partial, Filled)
    try:
        merged = merge_spec(spec, partial)
    except MergeProblem as problem:
        found = Problem(f"patch.{field}.{problem.path}", problem.message)
        raise PatchProblem(str(unquoted(found) if private else found)) from problem
    problems = template_problems(merged)
    if problems:
        already = {problem.message for problem in template_problems(spec)}
        raise PatchProblem("; ".join(_told(problem, already, private) for problem in problems[:NAMED_PROBLEMS]))
    if strangers := [task for task in _added(spec, merged) if not _has_containers(task)]:
        named = "this task" if private else f'"{strangers[0].get("name")}"'
        hint = "" if private else suggestion(str(strangers[0].get("name")), map(str, _task_names(spec)))
        raise PatchProblem(f"patch.{field}.tasks: {named} is no task of the template, and has no containers{hint}")
    return merged


def _task_names(spec: Mapping[str, Any]) -> list[Any]:
    return [task.get("name") for task in spec.get("tasks") or ()]


def _added(spec: Mapping[str, Any], merged: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tasks that only the patch has; what names none is the template's only one."""
    known = _task_names(spec)
    return [task for task in merged.get("tasks") or () if task.get("name") and task.get("name") not in known]


def _has_containers(task: Mapping[str, Any]) -> bool:
    template = task.get("template") or {}
    return bool((template.get("spec") or {}).get("containers"))


def unquoted(problem: Problem) -> Problem:
    """The problem with its place and its rule, and without what was found there."""
    path, message = problem.path, problem.message
    if path.startswith(f"{PLUGINS_PATH}."):
        path = PLUGINS_PATH  # what follows is what was found
    path = path if len(path) <= SHOWN_CHARACTERS else f"{path[:SHOWN_CHARACTERS]}..."
    if path.startswith("patch.") and (message.startswith(OF_TYPES[0]) or message.endswith(OF_TYPES[1])):
        return Problem(path, message)
    return Problem(path, next((rule for words, rule in RULES if words in message), ANY_RULE))


def _told(problem: Problem, already: set[str], private: bool) -> str:
    side = "the template" if problem.message in already else "the patch"
    return f"{unquoted(problem) if private else problem} ({side} says so)"
