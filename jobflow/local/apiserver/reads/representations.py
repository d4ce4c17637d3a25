"""Representations: one object, a list or an event in the form that `Accept` asks for.

In: stored bytes and the Accept header. Out: response bytes as plain JSON, as a Table (kubectl get) or as
PartialObjectMetadata. Plain JSON never parses what is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import msgspec

from jobflow.kube.transport import JSON
from jobflow.local.apiserver.reads.convert import convert
from jobflow.local.apiserver.reads.table import partial_list, partial_object, table
from jobflow.local.apiserver.statuses import not_acceptable
from jobflow.local.apiserver.storage.store import Stored
from jobflow.local.apiserver.types import ServedType

_META_GROUP = "meta.k8s.io"
_ANY = frozenset((JSON, "*/*", "application/*"))
_OPAQUE = frozenset(("text/plain", "text/*"))  # logs; whoever takes them for an object gets JSON


class Form(Enum):
    """What kind of document an answer is."""

    OBJECT = "object"
    TABLE = "Table"
    PARTIAL = "PartialObjectMetadata"


def negotiate(accept: str) -> Form:
    """The first form in the Accept header that is served. Raises 406 where there is none."""
    for entry in accept.split(",") if accept.strip() else [JSON]:
        media, *parameters = (part.strip() for part in entry.split(";"))
        options = dict(parameter.partition("=")[::2] for parameter in parameters)
        if media.lower() not in _ANY | _OPAQUE:
            continue
        wanted = options.get("as")
        if wanted is None:
            return Form.OBJECT
        if options.get("g") != _META_GROUP or options.get("v") != "v1":
            continue
        if wanted == "Table":
            return Form.TABLE
        if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList"):
            return Form.PARTIAL
    raise not_acceptable(JSON)


@dataclass(frozen=True)
class View:
    """How a client wants to see objects of one kind."""

    served: ServedType
    form: Form
    include_object: str
    now: Callable[[], datetime]

    def one(self, data: bytes) -> bytes:
        """An object as the whole body of an answer, or as an event's object."""
        match self.form:
            case Form.OBJECT:
                return data
            case Form.TABLE:
                obj = msgspec.json.decode(data)
                meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
                return msgspec.json.encode(self._table([obj], meta))
            case Form.PARTIAL:
                return msgspec.json.encode(partial_object(msgspec.json.decode(data)))

    def stored(self, obj: Stored) -> bytes:
        """The stored object's bytes in the version of this view; they are the stored ones wherever they can be."""
        if obj.api_version == self.served.resource.api_version:
            return obj.data
        return msgspec.json.encode(convert(msgspec.json.decode(obj.data), self.served))

    def many(self, datas: Sequence[bytes], meta: dict[str, Any]) -> bytes:
        """A list of objects."""
        match self.form:
            case Form.OBJECT:
                kind, version = self.served.list_kind, self.served.resource.api_version
                if self.served.custom:  # what Go makes of lists of custom objects has it always
                    meta = {"continue": "", **meta}
            case Form.TABLE:
                return msgspec.json.encode(self._table([msgspec.json.decode(data) for data in datas], meta))
            case Form.PARTIAL:
                return msgspec.json.encode(partial_list([msgspec.json.decode(data) for data in datas], meta))
        head = msgspec.json.encode({"kind": kind, "apiVersion": version, "metadata": meta})
        items = datas if self.served.custom else [self._untyped(data) for data in datas]
        return b'%s,"items":[%s]}\n' % (head[:-1], b",".join(items))

    def _untyped(self, data: bytes) -> bytes:
        """An item of a list of a built-in kind says nothing of its kind: the list does."""
        resource = self.served.resource
        head = msgspec.json.encode({"apiVersion": resource.api_version, "kind": resource.kind})[:-1] + b","
        return b"{" + data[len(head) :] if data.startswith(head) else data

    def _table(self, objects: list[dict[str, Any]], meta: dict[str, Any]) -> dict[str, Any]:
        return table(self.served, objects, meta, self.now(), self.include_object)
