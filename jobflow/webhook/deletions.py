"""Deletions: what may be deleted now.

In: the object as it is stored, who asks, and what is known of the cluster. Out: a verdict. A template stays while an
unfinished flow needs it; an unfinished flow stays where the cluster wants that (`--protect-running`), unless insisted.
A namespace that is going, and the garbage collector, are never held up: whatever they ask for has been decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobflow.api.problems import Problem, listed
from jobflow.api.status import FlowPhase
from jobflow.webhook.verdict import FORBIDDEN, Allowed, Denied, Verdict
from jobflow.webhook.wire import Object, Question, metadata_of

FORCE_DELETE = "flow.volcano.sh/force-delete"  # an annotation of a JobFlow
COLLECTORS = frozenset(
    f"system:serviceaccount:kube-system:{name}" for name in ("namespace-controller", "generic-garbage-collector")
)
ENDED = frozenset({FlowPhase.SUCCEED, FlowPhase.FAILED})


def decided_already(question: Question) -> bool:
    """It is being deleted as part of something else, or is on its way out."""
    return question.userInfo.username in COLLECTORS or is_deleting(question.oldObject)


def is_deleting(obj: Object | None) -> bool:
    """It has been deleted, and waits for its finalizers."""
    return bool(metadata_of(obj).get("deletionTimestamp"))


def is_unfinished(flow: Object | None) -> bool:
    """A JobFlow that has not reached its end."""
    status = (flow or {}).get("status")
    state = status.get("state") if isinstance(status, Mapping) else None
    phase: Any = state.get("phase") if isinstance(state, Mapping) else None
    return phase not in ENDED


def is_forced(flow: Object | None) -> bool:
    """Somebody insists."""
    annotations = metadata_of(flow).get("annotations")
    return isinstance(annotations, Mapping) and annotations.get(FORCE_DELETE) == "true"


def of_flow(question: Question) -> Verdict:
    """An unfinished flow, where those are protected."""
    flow = question.oldObject
    if decided_already(question) or flow is None or not is_unfinished(flow) or is_forced(flow):
        return Allowed()
    name = question.object_name
    said = (
        f"JobFlow {name} has not ended, and this cluster protects flows that run; wait for its end, or insist: "
        f"kubectl annotate jobflow {name} -n {question.namespace} {FORCE_DELETE}=true"
    )
    path = f"metadata.annotations[{FORCE_DELETE}]"
    return Denied(said, "protected", FORBIDDEN, (Problem(path, 'must be "true" for a flow that has not ended'),))


def of_template(question: Question, users: Sequence[str]) -> Verdict:
    """A template, by the unfinished flows that still need it."""
    if decided_already(question) or not users:
        return Allowed()
    flows = "JobFlow" if len(users) == 1 else "JobFlows"
    said = (
        f"{flows} {listed(list(users))} still need this template for steps that have not ended; wait for their end, "
        "or delete them first"
    )
    return Denied(said, "in use", FORBIDDEN)
