"""What built-in kinds are completed with beyond the defaults that a schema can tell.

In: an object as it arrives, of any shape, for validation comes later. Out: the same object, in place, with
what follows from its own fields: a Secret's text as data, a port's target, a container's requests from its
limits.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

from jobflow.local.apiserver.schema.structural import StructuralSchema
from jobflow.local.apiserver.schema.words import Schema

Object = dict[str, Any]
Completion = Callable[[Object], None]


class CompletedSchema(StructuralSchema):
    """A schema whose defaulting also fills in what follows from other fields."""

    def __init__(self, schema: Schema, path: str, complete: Completion) -> None:
        super().__init__(schema, path)
        self._complete = complete

    def default(self, obj: Object, *, keep_nulls: bool = False) -> None:
        """Fill in defaults, and then what follows from the fields that are there."""
        super().default(obj, keep_nulls=keep_nulls)
        self._complete(obj)


def complete_secret(obj: Object) -> None:
    """`stringData` is for writing only: it wins over `data`, and is stored as base64 in it."""
    texts = obj.get("stringData")
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        return  # validation will say what is wrong
    held = obj.get("data")
    if texts and (held is None or isinstance(held, dict)):
        obj["data"] = {**(held or {}), **{key: b64encode(text.encode()).decode() for key, text in texts.items()}}
    del obj["stringData"]


def complete_service(obj: Object) -> None:
    """A port leads to the port of the same number, unless told otherwise."""
    spec = _object(obj.get("spec"))
    if spec.get("type") != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
        for port in _objects(spec.get("ports")):
            if "port" in port:
                port.setdefault("targetPort", port["port"])


def complete_pod(obj: Object) -> None:
    """Containers ask for what they are limited to, and their images are pulled by the rule of their tags."""
    spec = _object(obj.get("spec"))
    for name in ("containers", "initContainers"):
        for container in _objects(spec.get(name)):
            if isinstance(container.get("image"), str):
                container.setdefault("imagePullPolicy", pull_policy(container["image"]))
            resources = _object(container.get("resources"))
            if limits := _object(resources.get("limits")):
                resources["requests"] = {**limits, **_object(resources.get("requests"))}


def pull_policy(image: str) -> str:
    """Always for the tag `latest`, which is also what no tag means; a digest or another tag is pulled once."""
    last = image.rpartition("/")[2]
    if "@" in last:
        return "IfNotPresent"
    tag = last.partition(":")[2] or "latest"
    return "Always" if tag == "latest" else "IfNotPresent"


def _object(value: Any) -> Object:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> Iterator[Object]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def complete_event(obj: Object) -> None:
    """What Go writes of an event even where it is empty."""
    if "involvedObject" in obj:
        for name in ("firstTimestamp", "lastTimestamp", "eventTime"):
            obj.setdefault(name, None)
        for name in ("reportingComponent", "reportingInstance"):
            obj.setdefault(name, "")
        obj.setdefault("source", {})


def complete_hooks(obj: Object) -> None:
    """A hook that is about no request says nothing of rules."""
    for hook in _objects(obj.get("webhooks")):
        if hook.get("rules") == []:
            del hook["rules"]


COMPLETIONS: dict[str, Completion] = {
    "Event": complete_event,
    "MutatingWebhookConfiguration": complete_hooks,
    "Pod": complete_pod,
    "Secret": complete_secret,
    "Service": complete_service,
    "ValidatingWebhookConfiguration": complete_hooks,
}
