"""Reviews: who am I, and may I?

In: a SelfSubjectReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview or its local form. Out:
the same with its status filled in, from the roles that are stored now. Nothing is stored.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from jobflow.kube.transport import JSON, Request, Response
from jobflow.local.apiserver.access.authorizer import Authorizer
from jobflow.local.apiserver.access.callers import Caller
from jobflow.local.apiserver.access.rights import Attributes
from jobflow.local.apiserver.ownership.unstored import owned
from jobflow.local.apiserver.routes import Query, Route
from jobflow.local.apiserver.statuses import Cause, StatusError, bad_request, method_not_allowed
from jobflow.local.apiserver.wire.bodies import read_object
from jobflow.local.apiserver.writes.metadata import timestamp

_ACCESS, _IDENTITY = "authorization.k8s.io", "authentication.k8s.io"
_KINDS = {
    (_ACCESS, "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
    (_ACCESS, "subjectaccessreviews"): "SubjectAccessReview",
    (_ACCESS, "localsubjectaccessreviews"): "LocalSubjectAccessReview",
    (_ACCESS, "selfsubjectrulesreviews"): "SelfSubjectRulesReview",
    (_IDENTITY, "selfsubjectreviews"): "SelfSubjectReview",
}
_FIELDS = ("verb", "group", "resource", "subresource", "namespace", "name")

Object = dict[str, Any]


def is_review(route: Route) -> bool:
    """Whether the path is that of a review."""
    return route.version == "v1" and (route.group, route.plural) in _KINDS and route.name is None


def review(request: Request, route: Route, caller: Caller, authorizer: Authorizer, now: datetime) -> Response:
    """Answer a review."""
    if request.method != "POST":
        raise method_not_allowed()
    kind = _KINDS[(route.group, route.plural)]
    body = read_object(request)
    if body.get("kind", kind) != kind:
        raise bad_request(f"{body['kind']} cannot be handled as a {kind}")
    spec = body.get("spec") or {}
    if not isinstance(spec, dict):
        raise bad_request(f"spec of a {kind} must be an object")
    answer = {**body, "kind": kind, "apiVersion": f"{route.group}/{route.version}"}
    answer["status"] = _status(kind, spec, caller, authorizer)
    manager = Query(request.query).text("fieldManager") or caller.program
    entries = owned(manager, answer["apiVersion"], timestamp(now), spec)
    answer["metadata"] = {**(answer.get("metadata") or {}), **entries}
    if kind == "SelfSubjectReview":
        answer["metadata"]["creationTimestamp"] = timestamp(now)
    return Response(201, msgspec.json.encode(answer), {"content-type": JSON})


def _status(kind: str, spec: Object, caller: Caller, authorizer: Authorizer) -> Object:
    match kind:
        case "SelfSubjectReview":
            return {"userInfo": caller.user_info()}
        case "SelfSubjectRulesReview":
            return _rules(spec, caller, authorizer)
        case "SelfSubjectAccessReview":
            return _access(kind, spec, caller, authorizer)
    return _access(kind, spec, Caller(spec.get("user") or "", tuple(spec.get("groups") or ())), authorizer)


def _access(kind: str, spec: Object, caller: Caller, authorizer: Authorizer) -> Object:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    causes = []
    if bool(resource is None) == bool(path is None):
        told = "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified"
        causes.append(Cause("spec.resourceAttributes", told))
    if not kind.startswith("Self") and not caller.name and not caller.groups:
        causes.append(Cause("spec.user", 'Invalid value: "": at least one of user or group must be specified'))
    if causes:
        raise _invalid(causes)
    if isinstance(resource, dict):
        wanted = Attributes(**{field: str(resource.get(field) or "") for field in _FIELDS})
    elif isinstance(path, dict):
        wanted = Attributes(verb=str(path.get("verb") or ""), path=str(path.get("path") or "/"))
    else:
        raise bad_request("the attributes of an access review must be an object")
    decision = authorizer.ask(caller, wanted)
    return {"allowed": decision.allowed, **({"reason": decision.reason} if decision.reason else {})}


def _invalid(causes: list[Cause]) -> StatusError:
    rows = [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]
    told = [f"{cause.field}: {cause.message}" for cause in causes]
    whole = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    return StatusError(422, "Invalid", f'.{_ACCESS} "" is invalid: {whole}', {"group": _ACCESS, "causes": rows})


def _rules(spec: Object, caller: Caller, authorizer: Authorizer) -> Object:
    namespace = spec.get("namespace")
    if not namespace:
        raise bad_request("no namespace on request")
    resources, paths = [], []
    if caller.is_admin:
        resources.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
        paths.append({"verbs": ["*"], "nonResourceURLs": ["*"]})
    missing: list[str] = []
    for given in authorizer.given(caller, namespace, missing):
        for rule in given.rules:
            if rule.nonResourceURLs:
                paths.append({"verbs": list(rule.verbs), "nonResourceURLs": list(rule.nonResourceURLs)})
            else:
                told = {"verbs": rule.verbs, "apiGroups": rule.apiGroups, "resources": rule.resources}
                names = {"resourceNames": rule.resourceNames} if rule.resourceNames else {}
                resources.append({key: list(value) for key, value in {**told, **names}.items()})
    status: Object = {"resourceRules": resources, "nonResourceRules": paths, "incomplete": bool(missing)}
    if missing:
        status["evaluationError"] = ", ".join(missing)
    return status
