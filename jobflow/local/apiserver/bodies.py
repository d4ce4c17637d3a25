"""Bodies: request bytes to parsed JSON, by content type.

In: a Request. Out: an object, a patch or delete options as parsed JSON. Protobuf, which Go clients use for built-in
kinds unless told otherwise, is refused with 415 and a word on what to do.
"""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from jobflow.kube.transport import APPLY_PATCH, JSON, Request
from jobflow.local.apiserver.statuses import MAX_BODY_BYTES, StatusError, bad_request, too_large, unsupported_media_type

YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
_PROTOBUF_MAGIC = b"k8s\x00"


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
    _refuse_protobuf(request, kind, f"{JSON}, {YAML}")
    if kind not in (JSON, YAML, "", "*/*"):
        raise unsupported_media_type(kind, f"{JSON}, {YAML}")
    value = parse(request.body, is_yaml=kind == YAML)
    if not isinstance(value, dict):
        raise bad_request("the object provided is unrecognized: the body must be a JSON object")
    return value


def read_patch(request: Request) -> Any:
    """The body of a patch, whatever its kind."""
    _refuse_protobuf(request, media_type(request), APPLY_PATCH)
    return parse(request.body, is_yaml=media_type(request) == APPLY_PATCH)


def read_options(request: Request) -> dict[str, Any]:
    """The DeleteOptions in the body of a delete; empty where there are none."""
    if not request.body.strip():
        return {}
    kind = media_type(request)
    _refuse_protobuf(request, kind, f"{JSON}, {YAML}")
    value = parse(request.body, is_yaml=kind == YAML)
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


def _refuse_protobuf(request: Request, kind: str, taken: str) -> None:
    if kind != PROTOBUF and not request.body.startswith(_PROTOBUF_MAGIC):
        return
    error = unsupported_media_type(PROTOBUF, taken)
    told = f"{error.message}; this development server reads no protobuf: send JSON (kubectl: use apply -f or create -f)"
    raise StatusError(error.code, error.reason, told)
