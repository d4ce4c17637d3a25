"""AdmissionReview as it travels: bytes to a question, a verdict to bytes.

In: the body of a request that anybody may have sent. Out: a Question, or BadQuestion, which says in one line what is
wrong with the body. Only admission.k8s.io/v1 is understood: what every API server since 1.16 sends.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from jobflow.webhook.verdict import Allowed, Verdict

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
SHOWN_CHARACTERS = 80  # of what was found

Object = dict[str, Any]


class BadQuestion(ValueError):
    """The body is no review that can be answered."""


class GroupResource(Struct, frozen=True):
    """Which resource is asked about."""

    group: str = ""
    version: str = ""
    resource: str = ""


class UserInfo(Struct, frozen=True):
    """Who sent the request that is under review."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] | None = ()
    extra: dict[str, tuple[str, ...]] | None = None


class Question(Struct, frozen=True):
    """The request under review. `object` is None where something is deleted, `oldObject` where it is created."""

    uid: str
    resource: GroupResource
    operation: str = ""
    subResource: str = ""
    name: str = ""
    namespace: str = ""
    userInfo: UserInfo = UserInfo()
    object: Object | None = None
    oldObject: Object | None = None
    dryRun: bool | None = False

    @property
    def object_name(self) -> str:
        """Of the object; a request to delete a whole collection names it only there."""
        for obj in (self.object, self.oldObject):
            name = metadata_of(obj).get("name")
            if isinstance(name, str) and name:
                return name
        return self.name


NOTHING = Raw(b"null")


class _Envelope(Struct, frozen=True):
    apiVersion: str = ""
    kind: str = ""
    request: Raw = NOTHING


_envelope = msgspec.json.Decoder(_Envelope)
_question = msgspec.json.Decoder(Question)
_encode = msgspec.json.Encoder().encode


def read(body: bytes) -> Question:
    """The question in a body. Raises BadQuestion."""
    try:
        envelope = _envelope.decode(body)
        if envelope.kind != KIND:
            raise BadQuestion(f"this is no {KIND}: kind is {_shown(envelope.kind)}")
        if envelope.apiVersion != API_VERSION:
            raise BadQuestion(f"{KIND} is understood in {API_VERSION}, and not in {_shown(envelope.apiVersion)}")
        if envelope.request == NOTHING:
            raise BadQuestion(f"the {KIND} has no request")
        question = _question.decode(envelope.request)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadQuestion(f"this is no {KIND}: {_cut(str(error))}") from error
    except RecursionError as error:
        raise BadQuestion("the object is nested too deeply to be read") from error
    if not question.uid:
        raise BadQuestion("request.uid is empty: no answer could be matched to it")
    return question


def answer(question: Question, verdict: Verdict) -> bytes:
    """The AdmissionReview that is sent back."""
    response: Object = {"uid": question.uid, "allowed": isinstance(verdict, Allowed)}
    if isinstance(verdict, Allowed):
        if verdict.warnings:
            response["warnings"] = verdict.warnings
    else:
        causes = [{"reason": "FieldValueInvalid", "field": one.path, "message": one.message} for one in verdict.causes]
        details = {"name": question.object_name, "group": question.resource.group, "kind": kind_of(question)}
        response["status"] = {
            "status": "Failure",
            "code": verdict.code,
            "reason": verdict.reason,
            "message": verdict.message,
            "details": {**details, "causes": causes} if causes else details,
        }
    return _encode({"apiVersion": API_VERSION, "kind": KIND, "response": response})


def metadata_of(obj: Object | None) -> Object:
    """The metadata of an object; empty where there is none."""
    metadata = (obj or {}).get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def kind_of(question: Question) -> str:
    """The kind as the object says it."""
    kind = (question.object or question.oldObject or {}).get("kind")
    return kind if isinstance(kind, str) else ""


def _shown(found: str) -> str:
    return f'"{_cut(found)}"' if found else "not given"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
