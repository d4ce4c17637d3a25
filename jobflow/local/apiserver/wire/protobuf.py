"""Protobuf bodies of a few kinds: `kubectl create namespace` and its like send nothing else.

In: a request body that begins with `k8s` and a zero byte: an envelope that names the kind, and the object.
Out: the object as JSON has it. The fields and their numbers are those of Kubernetes' `generated.proto` files;
they never change. Answers are JSON for everybody.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from jobflow.local.apiserver.wire.protobuf_wire import Wire, fields, signed

MAGIC = b"k8s\x00"

Object = dict[str, Any]
Read = Callable[[Wire], Any]


class NotReadable(ValueError):
    """The body is damaged, or is of a kind that is read as JSON only."""


class Field:
    """One field of a message: its name in JSON, how its value is read, and what to do with several and with zero."""

    def __init__(self, name: str, read: Read, *, many: bool = False, keeps_zero: bool = False) -> None:
        self.name = name
        self.read = read
        self.many = many
        self.keeps_zero = keeps_zero  # a pointer in Go: zero was said, and is not merely the absence of a value

    def put(self, obj: Object, value: Wire) -> None:
        """Set the field in the object, as JSON would have it."""
        read = self.read(value)
        if self.many:
            obj.setdefault(self.name, []).append(read)
        elif read or self.keeps_zero:
            obj[self.name] = read


class Entries(Field):
    """A map: each entry is a message of key and value."""

    def put(self, obj: Object, value: Wire) -> None:
        """Add one entry to the map."""
        entry = dict(fields(_bytes(value)))
        obj.setdefault(self.name, {})[_text(entry.get(1, b""))] = self.read(entry.get(2, b""))


def _bytes(value: Wire) -> bytes:
    if isinstance(value, int):
        raise NotReadable("a number where bytes should be")
    return value


def _text(value: Wire) -> str:
    return _bytes(value).decode()


def _base64(value: Wire) -> str:
    return b64encode(_bytes(value)).decode()


def _number(value: Wire) -> int:
    if not isinstance(value, int):
        raise NotReadable("bytes where a number should be")
    return signed(value)


def _flag(value: Wire) -> bool:
    return bool(_number(value))


def _time(value: Wire) -> str | None:
    parts = dict(fields(_bytes(value)))
    seconds = _number(parts.get(1, 0))
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None


def _int_or_string(value: Wire) -> int | str:
    parts = dict(fields(_bytes(value)))
    return _text(parts.get(3, b"")) if _number(parts.get(1, 0)) else _number(parts.get(2, 0))


Message = dict[int, Field]


def _message(message: Message) -> Read:
    def read(value: Wire) -> Object:
        obj: Object = {}
        for number, one in fields(_bytes(value)):
            if known := message.get(number):
                known.put(obj, one)
        return obj

    return read


def text(name: str) -> Field:
    """A string, left out where it is empty."""
    return Field(name, _text)


def texts(name: str) -> Field:
    """A list of strings; empty ones count, as in the API groups of a rule."""
    return Field(name, _text, many=True)


_OWNER: Message = {
    1: text("kind"),
    3: text("name"),
    4: text("uid"),
    5: text("apiVersion"),
    6: Field("controller", _flag, keeps_zero=True),
    7: Field("blockOwnerDeletion", _flag, keeps_zero=True),
}
_METADATA: Message = {
    1: text("name"),
    2: text("generateName"),
    3: text("namespace"),
    5: text("uid"),
    6: text("resourceVersion"),
    7: Field("generation", _number),
    8: Field("creationTimestamp", _time),
    9: Field("deletionTimestamp", _time),
    10: Field("deletionGracePeriodSeconds", _number, keeps_zero=True),
    11: Entries("labels", _text),
    12: Entries("annotations", _text),
    13: Field("ownerReferences", _message(_OWNER), many=True),
    14: texts("finalizers"),
}
_META = Field("metadata", _message(_METADATA), keeps_zero=True)

_REFERENCE: Message = {
    1: text("kind"),
    2: text("namespace"),
    3: text("name"),
    4: text("uid"),
    5: text("apiVersion"),
    6: text("resourceVersion"),
    7: text("fieldPath"),
}
_PORT: Message = {
    1: text("name"),
    2: text("protocol"),
    3: Field("port", _number),
    4: Field("targetPort", _int_or_string),
    5: Field("nodePort", _number),
    6: text("appProtocol"),
}
_SERVICE: Message = {
    1: Field("ports", _message(_PORT), many=True),
    2: Entries("selector", _text),
    3: text("clusterIP"),
    4: text("type"),
    5: texts("externalIPs"),
    7: text("sessionAffinity"),
    10: text("externalName"),
    13: Field("publishNotReadyAddresses", _flag),
    18: texts("clusterIPs"),
}
_RULE: Message = {
    1: texts("verbs"),
    2: texts("apiGroups"),
    3: texts("resources"),
    4: texts("resourceNames"),
    5: texts("nonResourceURLs"),
}
_SUBJECT: Message = {1: text("kind"), 2: text("apiGroup"), 3: text("name"), 4: text("namespace")}
_ROLE_REF: Message = {1: text("apiGroup"), 2: text("kind"), 3: text("name")}
_ROLE: Message = {1: _META, 2: Field("rules", _message(_RULE), many=True)}
_BINDING: Message = {
    1: _META,
    2: Field("subjects", _message(_SUBJECT), many=True),
    3: Field("roleRef", _message(_ROLE_REF)),
}
_RESOURCE_ATTRIBUTES: Message = {
    number: text(name)
    for number, name in enumerate(("namespace", "verb", "group", "version", "resource", "subresource", "name"), 1)
}
_ACCESS: Message = {
    1: Field("resourceAttributes", _message(_RESOURCE_ATTRIBUTES)),
    2: Field("nonResourceAttributes", _message({1: text("path"), 2: text("verb")})),
}
_TOKEN_REQUEST: Message = {
    1: texts("audiences"),
    3: Field("boundObjectRef", _message({1: text("kind"), 2: text("apiVersion"), 3: text("name"), 4: text("uid")})),
    4: Field("expirationSeconds", _number, keeps_zero=True),
}
_PRECONDITIONS: Message = {1: text("uid"), 2: text("resourceVersion")}

KINDS: dict[tuple[str, str], Message] = {
    ("v1", "Namespace"): {1: _META, 2: Field("spec", _message({1: texts("finalizers")}))},
    ("v1", "ConfigMap"): {
        1: _META,
        2: Entries("data", _text),
        3: Entries("binaryData", _base64),
        4: Field("immutable", _flag, keeps_zero=True),
    },
    ("v1", "Secret"): {
        1: _META,
        2: Entries("data", _base64),
        3: text("type"),
        4: Entries("stringData", _text),
        5: Field("immutable", _flag, keeps_zero=True),
    },
    ("v1", "ServiceAccount"): {
        1: _META,
        2: Field("secrets", _message(_REFERENCE), many=True),
        3: Field("imagePullSecrets", _message({1: text("name")}), many=True),
        4: Field("automountServiceAccountToken", _flag, keeps_zero=True),
    },
    ("v1", "Service"): {1: _META, 2: Field("spec", _message(_SERVICE))},
    ("rbac.authorization.k8s.io/v1", "Role"): _ROLE,
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): _ROLE,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): _BINDING,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): _BINDING,
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): {1: _META, 2: Field("spec", _message(_ACCESS))},
    ("authorization.k8s.io/v1", "SelfSubjectRulesReview"): {
        1: _META,
        2: Field("spec", _message({1: text("namespace")})),
    },
    ("authentication.k8s.io/v1", "SelfSubjectReview"): {1: _META},
    ("authentication.k8s.io/v1", "TokenRequest"): {1: _META, 2: Field("spec", _message(_TOKEN_REQUEST))},
    ("v1", "DeleteOptions"): {
        1: Field("gracePeriodSeconds", _number, keeps_zero=True),
        2: Field("preconditions", _message(_PRECONDITIONS)),
        3: Field("orphanDependents", _flag, keeps_zero=True),
        4: text("propagationPolicy"),
        5: texts("dryRun"),
    },
}

_TYPE_META: Message = {1: text("apiVersion"), 2: text("kind")}
_ENVELOPE: Message = {1: Field("type", _message(_TYPE_META)), 2: Field("raw", _bytes, keeps_zero=True)}


def decode(body: bytes) -> Object:
    """The object in the body. Raises NotReadable where it is damaged or of another kind than those above."""
    if not body.startswith(MAGIC):
        raise NotReadable("the body does not begin as protobuf of Kubernetes does")
    try:
        envelope = _message(_ENVELOPE)(body[len(MAGIC) :])
        told = envelope.get("type", {})
        version, kind = told.get("apiVersion", ""), told.get("kind", "")
        message = KINDS.get((version, kind)) or (KINDS[("v1", kind)] if kind == "DeleteOptions" else None)
        if message is None:
            raise NotReadable(f"{kind} of {version} is read as JSON only")
        return {"apiVersion": version, "kind": kind, **_message(message)(envelope.get("raw", b""))}
    except NotReadable:
        raise
    except (ValueError, OverflowError, OSError) as error:
        raise NotReadable(f"the protobuf body is damaged: {error}") from error
