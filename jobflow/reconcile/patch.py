"""Patch: what is different in a step's Job from its template.

In: a template's spec, the step's patch. Out: the merged spec, checked by Volcano's rules for Jobs, or PatchProblem
with the place and the side that brought what is wrong. The template is not touched. How parts merge is in
`api/merge.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobflow.api.jobflow import Patch
from jobflow.api.merge import MergeProblem, merge_spec
from jobflow.api.problems import Problem
from jobflow.api.validate_template import template_problems

NAMED_PROBLEMS = 3


class PatchProblem(Exception):
    """The patch cannot be merged, or what comes of it is no Job; the message says where, and whose doing it is."""


def patched(spec: Mapping[str, Any], patch: Patch) -> dict[str, Any]:
    """The template's `spec` with the patch merged in. Raises PatchProblem."""
    field, partial = patch.partial
    try:
        merged = merge_spec(spec, partial)
    except MergeProblem as problem:
        raise PatchProblem(f"patch.{field}.{problem.path}: {problem.message}") from problem
    problems = template_problems(merged)
    if problems:
        already = {problem.message for problem in template_problems(spec)}
        raise PatchProblem("; ".join(_told(problem, already) for problem in problems[:NAMED_PROBLEMS]))
    return merged


def _told(problem: Problem, already: set[str]) -> str:
    side = "the template" if problem.message in already else "the patch"
    return f"{problem.path}: {problem.message} ({side} says so)"
