"""Verdict: what comes of a review.

In: problems. Out: Allowed, with warnings; or Denied, with a message that says where and what to do, the same as causes
by field, and the name of the rule for metrics. Both are kept to what a person reads: a thousand problems are not told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jobflow.api.problems import Problem

MOST_TOLD = 12  # problems in one message; who mends these sees the next
MOST_CHARACTERS = 1000  # of one problem: values of users may be of any length
MOST_WARNINGS = 8  # kube-apiserver cuts all warnings together at 4096 characters
MOST_WARNING_CHARACTERS = 240  # and each at 256

INVALID, FORBIDDEN, BAD_REQUEST, UNAVAILABLE = 422, 403, 400, 503
REASONS = {INVALID: "Invalid", FORBIDDEN: "Forbidden", BAD_REQUEST: "BadRequest", UNAVAILABLE: "ServiceUnavailable"}

_FIELD = re.compile(r"^spec\.(flows|onExit|tasks|policies|volumes|plugins|parameters|switch)\b(?:\[\d+\])?(?:\.(\w+))?")
_PARTS = frozenset(
    {
        *("name", "dependsOn", "templateRef", "patch", "arguments", "outputs", "when", "retry", "retryPolicy"),
        *("continueOnFail", "activeDeadlineSeconds", "pendingDeadlineSeconds"),
        *("minAvailable", "replicas", "maxRetry", "policies", "partitionPolicy", "template"),
    }
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """It may be stored, or deleted."""

    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Denied:
    """It may not; `code` is the HTTP status that the client sees, `rule` what metrics count it by."""

    message: str
    rule: str
    code: int = INVALID
    causes: tuple[Problem, ...] = ()

    @property
    def reason(self) -> str:
        """The word of metav1.Status for the code."""
        return REASONS[self.code]


Verdict = Allowed | Denied


def denied_for(problems: Sequence[Problem], told_first: str = "") -> Denied:
    """Refused for these problems; `told_first` are words that other tools look for."""
    shown = [Problem(one.path, _cut(one.message, MOST_CHARACTERS)) for one in problems[:MOST_TOLD]]
    more = len(problems) - len(shown)
    said = [*([told_first] if told_first else []), *map(str, shown), *([f"and {more} more"] if more > 0 else [])]
    causes = [*([Problem("spec.flows", told_first)] if told_first else []), *shown]
    return Denied("; ".join(said), rule_of(problems[0]), causes=tuple(causes))


def rule_of(problem: Problem) -> str:
    """The part of the object that the problem is in: one of few, whatever users write."""
    found = _FIELD.match(problem.path)
    if found is None:
        return "name" if problem.path.startswith("metadata.") else "spec"
    return f"{found[1]}.{found[2]}" if found[2] in _PARTS else found[1]


def allowed_with(warnings: Sequence[str]) -> Allowed:
    """Allowed, with as many warnings as a client is shown."""
    told = [_cut(one, MOST_WARNING_CHARACTERS) for one in dict.fromkeys(warnings)]
    if len(told) > MOST_WARNINGS:
        told = [*told[: MOST_WARNINGS - 1], f"and {len(told) - MOST_WARNINGS + 1} more warnings: see `jobflow lint`"]
    return Allowed(tuple(told))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
