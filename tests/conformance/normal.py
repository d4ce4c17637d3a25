"""Normal forms: what two servers answer, without what must differ between any two servers.

In: a body, headers, or what kubectl printed. Out: the same with versions, UIDs, times, ages, generated names and tokens
replaced by words. Nothing else is touched: what still differs is a difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
PRINTED_TIME = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000")
AGE = re.compile(r"^(\d+[smhdy]){1,2}$")
VERSION_IN_TEXT = re.compile(
    r"(?i)(resource ?version(?: in precondition| in object meta)?:? |current: |Version in record \()\d+( \(\d+\))?"
)
GENERATED = re.compile(r"\b([a-z0-9-]+-)[bcdfghjklmnpqrstvwxz2456789]{5}\b")
ADDRESS = re.compile(r"127\.0\.0\.1:\d+")
HEADERS = ("content-type", "warning", "retry-after", "www-authenticate")

WORDS = {
    "token": "<token>",
    "uid": "<uid>",
    "resourceVersion": "<version>",
    "continue": "<continue>",
}


def body(value: Any, generated: bool = False) -> Any:
    """A JSON value in its normal form. `generated`: names in it may end in a suffix that the server drew."""
    match value:
        case {"kind": "Status", "status": "Failure"}:
            return _failure(value)
        case {"kind": "APIResourceList", "resources": list(resources)}:
            # Those of CRDs come in the order in which a Go map was walked.
            return {**value, "resources": sorted(resources, key=lambda resource: str(resource["name"]))}
        case dict():
            generated = generated or bool(value.get("generateName"))
            return {
                UID.sub("<uid>", key): WORDS[key]
                if key in WORDS and isinstance(below, str) and below
                else sorted(body(below), key=_owner)
                if key == "managedFields" and isinstance(below, list)
                else body(below, generated)
                for key, below in value.items()
            }
        case list():
            return [body(below, generated) for below in value]
        case str():
            return _text(value, generated)
    return value


def _owner(entry: Any) -> str:
    """Entries come in the order of their times, which are whole seconds."""
    return str([entry.get(name) for name in ("operation", "manager", "subresource", "apiVersion")])


def _failure(status: dict[str, Any]) -> dict[str, Any]:
    """Several causes come in the order of Go's maps, which is none."""
    told = {key: body(below) if isinstance(below, dict) else below for key, below in status.items()}
    causes = (told.get("details") or {}).get("causes")
    if causes:
        told["details"]["causes"] = sorted(causes, key=_place)
    message = _text(status.get("message", ""), False)
    start, bracket, rest = message.partition(" is invalid: [")
    if bracket and rest.endswith("]"):
        message = f"{start}{bracket}{', '.join(sorted(rest[:-1].split(', ')))}]"
    start, strict, rest = message.partition("strict decoding error: ")
    told["message"] = start + strict + ", ".join(sorted(rest.split(", "))) if strict else message
    return told


def _place(cause: dict[str, Any]) -> tuple[bool, str, str]:
    """By field; what is said of no field comes last."""
    field = cause.get("field", "")
    return field == "<nil>", field, cause.get("message", "")


def headers(given: dict[str, str]) -> dict[str, str]:
    """The headers that clients act on."""
    kept = {name: value for name, value in given.items() if name in HEADERS}
    if "content-type" in kept:
        kept["content-type"] = kept["content-type"].replace(" ", "").lower()
    return kept


def printed(text: str) -> str:
    """What kubectl printed: without the width of columns, which ages decide."""
    lines = []
    for line in text.splitlines():
        line = PRINTED_TIME.sub("<time>", TIME.sub("<time>", UID.sub("<uid>", line)))
        line = ADDRESS.sub("<address>", VERSION_IN_TEXT.sub(r"\1<version>", line))
        indent = line[: len(line) - len(line.lstrip())]
        words = ("<age>" if AGE.match(word) else word for word in line.split())
        line = re.sub(r"(Resource Version:|resourceVersion:) \"?\d+\"?", r"\1 <version>", " ".join(words))
        lines.append(indent + line)
    return "\n".join(lines)


def differences(embedded: Any, real: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(path, embedded, real) wherever two values differ; an absent value is `...`."""
    if isinstance(embedded, dict) and isinstance(real, dict):
        for key in sorted({*embedded, *real}):
            below = f"{path}.{key}" if path else key
            yield from differences(embedded.get(key, ...), real.get(key, ...), below)
    elif isinstance(embedded, list) and isinstance(real, list):
        for index in range(max(len(embedded), len(real))):
            pair = (one[index] if index < len(one) else ... for one in (embedded, real))
            yield from differences(*pair, f"{path}[{index}]")
    elif embedded != real or type(embedded) is not type(real):
        yield path, embedded, real


def _text(value: str, generated: bool) -> str:
    value = VERSION_IN_TEXT.sub(r"\1<version>", TIME.sub("<time>", UID.sub("<uid>", value)))
    if AGE.match(value) or value == "<invalid>":
        return "<age>"
    return GENERATED.sub(r"\1<generated>", value) if generated else value
