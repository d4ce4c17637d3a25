"""Reviews: who am I, and may I? There is one user here, and it may do everything.

In: a SelfSubjectReview, SelfSubjectAccessReview, SelfSubjectRulesReview or SubjectAccessReview. Out: the same with its
status filled in. Nothing is stored.
"""

from __future__ import annotations

from typing import Any

import msgspec

from jobflow.kube.transport import JSON, Request, Response
from jobflow.local.apiserver.bodies import read_object
from jobflow.local.apiserver.routes import Route
from jobflow.local.apiserver.statuses import bad_request, method_not_allowed

USER = "admin"
GROUPS = ("system:masters", "system:authenticated")

_ALLOWED: dict[str, Any] = {"allowed": True, "reason": f"{USER} may do everything on this development server"}
_RULES: dict[str, Any] = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}
_REVIEWS: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("authorization.k8s.io", "selfsubjectaccessreviews"): ("SelfSubjectAccessReview", _ALLOWED),
    ("authorization.k8s.io", "subjectaccessreviews"): ("SubjectAccessReview", _ALLOWED),
    ("authorization.k8s.io", "localsubjectaccessreviews"): ("LocalSubjectAccessReview", _ALLOWED),
    ("authorization.k8s.io", "selfsubjectrulesreviews"): ("SelfSubjectRulesReview", _RULES),
    ("authentication.k8s.io", "selfsubjectreviews"): (
        "SelfSubjectReview",
        {"userInfo": {"username": USER, "groups": list(GROUPS)}},
    ),
}


def is_review(route: Route) -> bool:
    """Whether the path is that of a review."""
    return route.version == "v1" and (route.group, route.plural) in _REVIEWS and route.name is None


def review(request: Request, route: Route) -> Response:
    """Answer a review."""
    if request.method != "POST":
        raise method_not_allowed()
    kind, status = _REVIEWS[(route.group, route.plural)]
    body = read_object(request)
    if body.get("kind", kind) != kind:
        raise bad_request(f"{body['kind']} cannot be handled as a {kind}")
    answer = {**body, "kind": kind, "apiVersion": f"{route.group}/{route.version}", "status": status}
    answer.setdefault("metadata", {})
    return Response(201, msgspec.json.encode(answer), {"content-type": JSON})
