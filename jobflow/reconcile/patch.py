"""Patch: what is different in a step's Job from its template.

In: a template's spec, the step's patch. Out: the merged spec, checked by Volcano's rules for Jobs, or PatchProblem
with the place and the side that brought what is wrong. The template is not touched. How parts merge is in
`api/merge.py`. Where values were put into either side (`private`), a problem names its place and the rule (`unquoted`)
and repeats nothing of what stands there: it may be secret, and messages go into the status and into Events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobflow.api.jobflow import Patch
from jobflow.api.merge import MergeProblem, merge_spec
from jobflow.api.problems import Problem, suggestion
from jobflow.api.validate_template import template_problems

NAMED_PROBLEMS = 3
SHOWN_CHARACTERS = 200  # of a path: keys of a mapping that was put in are part of it, and may be of any length
PLUGINS_PATH = "spec.plugins"
# Of a problem that has no rule of its own: what is not said is no leak.
ANY_RULE = "what was put in here makes it no Job that Volcano takes"


class PatchProblem(Exception):
    """The patch cannot be merged, or what comes of it is no Job; the message says where, and whose doing it is."""


def patched(spec: Mapping[str, Any], patch: Patch, *, private: bool) -> dict[str, Any]:
    """The template's `spec` with the patch merged in. Raises PatchProblem.

    `private` says that values were put into one of the two, which no message may repeat.
    """
    field, partial = patch.partial
    try:
        merged = merge_spec(spec, partial)
    except MergeProblem as problem:
        found = Problem(f"patch.{field}.{problem.path}", problem.message, problem.rule)
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
    path = problem.path
    if path.startswith(f"{PLUGINS_PATH}."):
        path = PLUGINS_PATH  # what follows is what was found
    path = path if len(path) <= SHOWN_CHARACTERS else f"{path[:SHOWN_CHARACTERS]}..."
    return Problem(path, problem.rule or ANY_RULE)


def _told(problem: Problem, already: set[str], private: bool) -> str:
    side = "the template" if problem.message in already else "the patch"
    return f"{unquoted(problem) if private else problem} ({side} says so)"
