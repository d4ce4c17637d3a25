"""Bodies: request bytes to parsed JSON, by content type.

In: a Request. Out: an object, a patch or delete options as parsed JSON. kubectl's typed verbs (`create namespace`,
`auth can-i`) send protobuf, which is read for the kinds that they make; of others it is refused with 415.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from jobflow.kube.transport import APPLY_PATCH, JSON, Request
from jobflow.local.apiserver.statuses import MAX_BODY_BYTES, StatusError, bad_request, too_large, unsupported_media_type
from jobflow.local.apiserver.wire import protobuf

YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as Kubernetes reads it: a date stays a string."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag != "tag:yaml.org,2002:timestamp"]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def media_type(request: Request) -> str:
    """The content type without parameters, lower case."""
    return request.content_type.split(";", 1)[0].strip().lower()


def read_object(request: Request) -> dict[str, Any]:
    """The body of a create or a replace."""
    kind = media_type(request)
    if _is_protobuf(request):
        return _read_protobuf(request)
    if kind not in (JSON, YAML, "", "*/*"):
        raise unsupported_media_type(f"{JSON}, {YAML}, {PROTOBUF}")
    value = parse(request.body, is_yaml=kind == YAML)
    if not isinstance(value, dict):
        raise bad_request("the object provided is unrecognized: the body must be a JSON object")
    return value


def fields_twice(request: Request) -> list[str]:
    """The paths of fields that are there twice in the JSON of a create or replace; the last of each counts."""
    body = request.body.strip()
    if request.method not in ("POST", "PUT") or _is_protobuf(request) or not body.startswith(b"{"):
        return []
    try:
        value = msgspec.json.decode(body)
        if len(msgspec.json.encode(value)) == len(body):
            return []  # nothing was lost in reading it: the usual case, told apart at a tenth of the price
        return list(_twice(json.loads(body, object_pairs_hook=_Pairs), ""))
    except (ValueError, RecursionError):
        return []  # whoever reads it in earnest tells


class _Pairs(dict[str, Any]):
    """An object, and which of its fields came more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs)
        self.twice = [name for name, count in counts.items() if count > 1]


def _twice(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        yield from (f"{path}{name}" for name in value.twice)
        for name, below in value.items():
            yield from _twice(below, f"{path}{name}.")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _twice(item, f"{path.removesuffix('.')}[{index}].")


def read_patch(request: Request) -> Any:
    """The body of a patch, whatever its kind."""
    if _is_protobuf(request):
        raise unsupported_media_type(APPLY_PATCH)
    return parse(request.body, is_yaml=media_type(request) == APPLY_PATCH)


def read_options(request: Request) -> dict[str, Any]:
    """The DeleteOptions in the body of a delete; empty where there are none."""
    if not request.body.strip():
        return {}
    if _is_protobuf(request):
        return _read_protobuf(request)
    value = parse(request.body, is_yaml=media_type(request) == YAML)
    if not isinstance(value, dict):
        raise bad_request("the body of a delete must be a DeleteOptions object")
    return value


def parse(body: bytes, *, is_yaml: bool) -> Any:
    """JSON, or YAML (of which JSON is the usual case and much faster to read)."""
    if len(body) > MAX_BODY_BYTES:
        raise too_large(len(body), MAX_BODY_BYTES)
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if not is_yaml:
            raise bad_request(f"the object provided is unrecognized: couldn't read JSON: {error}") from error
    try:
        return yaml.load(body, Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the object provided is unrecognized: couldn't read YAML: {error}") from error


def _is_protobuf(request: Request) -> bool:
    return media_type(request) == PROTOBUF or request.body.startswith(protobuf.MAGIC)


def _read_protobuf(request: Request) -> dict[str, Any]:
    if len(request.body) > MAX_BODY_BYTES:
        raise too_large(len(request.body), MAX_BODY_BYTES)
    try:
        return protobuf.decode(request.body)
    except protobuf.NotReadable as error:
        refusal = unsupported_media_type(f"{JSON}, {YAML}")
        told = f"{refusal.message}: {error}; send JSON (kubectl: use apply -f or create -f)"
        raise StatusError(refusal.code, refusal.reason, told) from error
