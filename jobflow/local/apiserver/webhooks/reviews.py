"""AdmissionReview: the question that a hook is asked, and what its answer comes to. Pure.

In: a request with its objects; then the bytes of an answer. Out: the question as bytes; then whether the request is
allowed, what the hook changes, and what it warns of.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from msgspec import Struct

from jobflow.local.apiserver.access.callers import Caller
from jobflow.local.apiserver.statuses import StatusError
from jobflow.local.apiserver.webhooks.configurations import Object, Target

API_VERSION = "admission.k8s.io/v1"


class Question(Struct, frozen=True):
    """What a hook is asked. `options` are those of the write, as CreateOptions and its like."""

    uid: str
    target: Target
    version: str  # in which the hook sees the objects
    namespace: str
    name: str
    caller: Caller
    obj: Object | None
    old: Object | None
    dry_run: bool
    options: Object

    def review(self) -> Object:
        """The AdmissionReview."""
        resource, target = self.target.resource, self.target
        seen_kind = {"group": resource.group, "version": self.version, "kind": resource.kind}
        seen = {"group": resource.group, "version": self.version, "resource": resource.plural}
        request: Object = {
            "uid": self.uid,
            "kind": seen_kind,
            "resource": seen,
            "requestKind": {**seen_kind, "version": resource.version},
            "requestResource": {**seen, "version": resource.version},
        }
        if target.subresource:
            request |= {"subResource": target.subresource, "requestSubResource": target.subresource}
        if self.name:
            request["name"] = self.name
        if self.namespace:
            request["namespace"] = self.namespace
        request |= {
            "operation": target.operation,
            "userInfo": self.caller.user_info(),
            "object": _in_version(self.obj, resource.group, self.version),
            "oldObject": _in_version(self.old, resource.group, self.version),
            "dryRun": self.dry_run,
            "options": self.options,
        }
        return {"kind": "AdmissionReview", "apiVersion": API_VERSION, "request": request}


def _in_version(obj: Object | None, group: str, version: str) -> Object | None:
    return {**obj, "apiVersion": f"{group}/{version}" if group else version} if obj is not None else None


class Answer(Struct, frozen=True):
    """What a hook said. `patch` is a list of JSON patch operations."""

    allowed: bool
    patch: list[Any] = []
    warnings: list[str] = []
    status: dict[str, Any] = {}


class Unusable(ValueError):
    """An answer that is none; the message is kube-apiserver's."""


def read_answer(body: bytes, uid: str, *, may_change: bool) -> Answer:
    """The answer in an AdmissionReview. Raises Unusable."""
    try:
        review = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Unusable(f"failed to call webhook: couldn't read JSON: {error}") from error
    response = review.get("response") if isinstance(review, dict) else None
    if not isinstance(response, dict):
        raise Unusable("received invalid webhook response: webhook response was absent")
    if review.get("apiVersion") != API_VERSION or review.get("kind") != "AdmissionReview":
        found = f"{review.get('apiVersion', '')}, Kind={review.get('kind', '')}"
        raise Unusable(
            "received invalid webhook response: expected webhook response of "
            f"{API_VERSION}, Kind=AdmissionReview, got {found}"
        )
    if response.get("uid") != uid:
        found = response.get("uid") or ""
        raise Unusable(f'received invalid webhook response: expected response.uid="{uid}", got "{found}"')
    if not may_change and (response.get("patch") or response.get("patchType")):
        field = "patch" if response.get("patch") else "patchType"
        raise Unusable(f"received invalid webhook response: validating webhook may not return response.{field}")
    warnings = [one for one in response.get("warnings") or () if isinstance(one, str)]
    return Answer(bool(response.get("allowed")), _patch(response), warnings, response.get("status") or {})


def _patch(response: Object) -> list[Any]:
    written = response.get("patch")
    if not written:
        return []
    if response.get("patchType") != "JSONPatch":
        kind = response.get("patchType")
        told = (
            "response.patch given but response.patchType was not set to JSONPatch" if kind is None
            else f'unsupported patch type "{kind}"'
        )  # fmt: skip
        raise Unusable(f"received invalid webhook response: {told}")
    try:
        operations = msgspec.json.decode(base64.b64decode(written, validate=True))
    except (binascii.Error, TypeError, ValueError) as error:
        raise Unusable(f"received undecodable patch in webhook response: {error}") from error
    if not isinstance(operations, list):
        raise Unusable("received undecodable patch in webhook response: it is not a list of operations")
    return operations


def denial(hook: str, status: dict[str, Any]) -> StatusError:
    """The refusal that a hook's status comes to."""
    by = f'admission webhook "{hook}" denied the request'
    message, reason = status.get("message"), status.get("reason")
    told = f"{by}: {message or reason}" if message or reason else f"{by} without explanation"
    code = status.get("code")
    code = code if isinstance(code, int) and code >= 400 else 400
    return StatusError(code, reason or "", told, status.get("details"))


def unsupported_dry_run(hook: str) -> StatusError:
    """A hook that does more than answer cannot be asked about what is only tried."""
    return StatusError(400, "BadRequest", f'admission webhook "{hook}" does not support dry run')


def no_answer(hook: str, why: str) -> StatusError:
    """A hook that must answer did not."""
    told = f'failed calling webhook "{hook}": {why}'
    details = {"causes": [{"message": told}]}
    return StatusError(500, "InternalError", f"Internal error occurred: {told}", details)
