"""Reviews: a question and what is known about it -> a verdict. Pure.

In: a Question, and Facts that were gathered for it. Out: Allowed or Denied. Metadata may always change, and so may an
object that is on its way out, whatever is wrong with it. A change of a spec is refused for what it breaks, not for what
was wrong before. What a spec says about templates is judged when the flow is created: afterwards its steps are frozen,
and templates may change without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobflow.api.problems import Problem
from jobflow.api.resources import CLUSTER_JOB_TEMPLATE, JOB_FLOW, JOB_TEMPLATE, Resource
from jobflow.webhook import cautions, deletions
from jobflow.webhook.flows import in_words_of_volcano, judged
from jobflow.webhook.frozen import frozen_change
from jobflow.webhook.templates import Templates, against_templates, judged_template
from jobflow.webhook.verdict import (
    BAD_REQUEST,
    FORBIDDEN,
    UNAVAILABLE,
    Allowed,
    Denied,
    Verdict,
    allowed_with,
    denied_for,
)
from jobflow.webhook.wire import Question

CREATE, UPDATE, DELETE = "CREATE", "UPDATE", "DELETE"
FLOWS, TEMPLATES = "/jobflows/validate", "/jobtemplates/validate"
KINDS: Mapping[str, tuple[Resource, ...]] = {FLOWS: (JOB_FLOW,), TEMPLATES: (JOB_TEMPLATE, CLUSTER_JOB_TEMPLATE)}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the cluster for one question."""

    templates: Templates = field(default_factory=dict)
    forbidden: str = ""  # why the requester may not do what the flow would do
    unknown: str = ""  # why that could not be found out
    users: Sequence[str] = ()  # unfinished flows that need the template
    protect_running: bool = False
    namespace_ends: bool = False


def review(path: str, question: Question, facts: Facts) -> Verdict:
    """The verdict on a question that came in at `path`."""
    asked = question.resource
    if (asked.group, asked.resource) not in [(kind.group, kind.plural) for kind in KINDS[path]]:
        expected = " or ".join(str(kind) for kind in KINDS[path])
        found = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
        return _misdirected(f"expect resource to be {expected}, got {found or 'none'}")
    if question.subResource:
        return Allowed()  # of a status only its controller has to say anything
    if question.operation == DELETE:
        return _deletion(path, question, facts)
    if question.operation not in (CREATE, UPDATE):
        expected = "expect operation to be 'CREATE' or 'UPDATE' or 'DELETE'"
        return _misdirected(f"{expected}, got '{question.operation}'")
    if question.object is None:
        return _misdirected("the request has no object")
    if question.operation == UPDATE and (not _spec_changes(question) or deletions.is_deleting(question.object)):
        return Allowed()
    return _flow(question, facts) if path == FLOWS else _template(question)


def needs_facts(path: str, question: Question) -> bool:
    """Whether anything of the cluster bears on the verdict."""
    if question.subResource or (question.resource.group, question.resource.resource) not in [
        (kind.group, kind.plural) for kind in KINDS[path]
    ]:
        return False
    if question.operation == DELETE:
        return not deletions.decided_already(question)
    return path == FLOWS and question.operation == CREATE and question.object is not None


def _misdirected(said: str) -> Denied:
    return Denied(said, "request", BAD_REQUEST)


def _deletion(path: str, question: Question, facts: Facts) -> Verdict:
    if facts.namespace_ends:
        return Allowed()
    if path == TEMPLATES:
        return deletions.of_template(question, facts.users)
    return deletions.of_flow(question) if facts.protect_running else Allowed()


def _flow(question: Question, facts: Facts) -> Verdict:
    new, old, name = _spec(question.object), _spec(question.oldObject), question.object_name
    creates = question.operation == CREATE
    if not creates and (changed := frozen_change(old, new)):
        return Denied(str(changed), "frozen", causes=(changed,))
    spec, problems = judged(new, name)
    if not creates:
        problems = _new_ones(problems, lambda: judged(old, name).problems)
    if problems:
        return denied_for(problems, in_words_of_volcano(spec) if creates else "")
    if not creates or spec is None:
        return Allowed() if spec is None else allowed_with(cautions.of_flow(spec, {}))
    if facts.forbidden:
        return Denied(facts.forbidden, "access", FORBIDDEN)
    if facts.unknown:
        return Denied(facts.unknown, "access unknown", UNAVAILABLE)
    if problems := against_templates(spec, name, facts.templates):  # quotes them: only to who may run them
        return denied_for(problems)
    return allowed_with(cautions.of_flow(spec, facts.templates))


def _template(question: Question) -> Verdict:
    new = _spec(question.object)
    problems = judged_template(new)
    if question.operation == UPDATE:
        problems = _new_ones(problems, lambda: judged_template(_spec(question.oldObject)))
    return denied_for(problems) if problems else allowed_with(cautions.of_template(new))


def _new_ones(problems: list[Problem], before: Callable[[], list[Problem]]) -> list[Problem]:
    """Those that the object did not have before."""
    if not problems:
        return []
    known = set(before())
    return [problem for problem in problems if problem not in known]


def _spec_changes(question: Question) -> bool:
    return bool(_spec(question.object) != _spec(question.oldObject))


def _spec(obj: Mapping[str, Any] | None) -> Any:
    return (obj or {}).get("spec", {})
