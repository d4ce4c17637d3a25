"""Fields: whether an object's fields are known and of the right type, without asking an API server.

In: one Document and the structural schema of its kind. Out: Findings in a user's words: an unknown field is a
warning with the field that was probably meant, a wrong type says what YAML made of the text. The judgement is
that of the embedded API server's schema code, so that lint and the server cannot disagree.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jobflow.api.problems import suggestion
from jobflow.api.resources import SECRET
from jobflow.cli.documents import Document, Finding, Severity

Schema = Mapping[str, Any]

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "a boolean (true or false)",
    "null": "empty",
    "integer,string": "a whole number or a string",
    "date-time": "a time such as 2024-01-31T12:00:00Z",
}
YAML_TRUTHS = {"true": "on, yes and y", "false": "off, no and n"}  # YAML 1.1, which kubectl reads
_WRONG_TYPE = re.compile(r'must be of type (\S+): "(.*)"$', re.DOTALL)
_NOT_SUPPORTED = re.compile(r"Unsupported value: (.*): supported values: (.*)$", re.DOTALL)
_INVALID = re.compile(r"Invalid value: (.*): \S+ in body (.*)$", re.DOTALL)
_SELF = "object"  # metadata is judged as the field of an object around it: at the root, it is left to the server


class Fields:
    """What is known of one kind's fields; read once, asked for each document of the kind."""

    def __init__(self, schema: Schema) -> None:
        from jobflow.local.apiserver.schema.object_meta import OBJECT_META
        from jobflow.local.apiserver.schema.structural import StructuralSchema

        self._schema = schema
        self._structural = StructuralSchema(dict(schema))
        self._metadata: Schema = {"type": "object", "properties": {_SELF: dict(OBJECT_META)}}
        self._structural_metadata = StructuralSchema(dict(self._metadata))

    def findings(self, document: Document) -> Iterator[Finding]:
        """Unknown fields, wrong types, limits and missing fields of an object outside its metadata."""
        judged = copy.deepcopy({name: value for name, value in document.data.items() if name != "metadata"})
        for path in self._structural.prune(judged):
            yield _unknown_field(document, path, _known_beside(self._schema, path))
        self._structural.default(judged)
        for error in self._structural.validate(judged):
            yield document.finding(Severity.ERROR, error.path, _in_users_words(document, error.path, error.message))

    def metadata_findings(self, document: Document) -> Iterator[Finding]:
        """The same for the metadata, which every kind has."""
        judged = {_SELF: copy.deepcopy(document.data["metadata"])}
        for path in self._structural_metadata.prune(judged):
            yield _unknown_field(document, _in_metadata(path), _known_beside(self._metadata, path))
        self._structural_metadata.default(judged)
        for error in self._structural_metadata.validate(judged):
            path = _in_metadata(error.path)
            yield document.finding(Severity.ERROR, path, _in_users_words(document, path, error.message))


def _in_metadata(path: str) -> str:
    return "metadata" + path.removeprefix(_SELF)


def _unknown_field(document: Document, path: str, known: list[str]) -> Finding:
    name = path.rpartition(".")[2]
    message = f'there is no field "{name}" here, so it would be dropped{suggestion(name, known)}'
    if name in YAML_TRUTHS:
        message += f"; YAML reads {YAML_TRUTHS[name]} without quotes as {name}"
    return document.finding(Severity.WARNING, path, message)


def _known_beside(schema: Schema, path: str) -> list[str]:
    """The fields that the schema has where the unknown one stands."""
    for part in re.findall(r"\[\d+\]|[^.\[\]]+", path)[:-1]:
        if part.startswith("["):
            schema = schema.get("items", {})
        else:
            schema = schema.get("properties", {}).get(part) or schema.get("additionalProperties") or {}
    return list(schema.get("properties", {}))


def _in_users_words(document: Document, path: str, message: str) -> str:
    if message == "Required value":
        return "this field is required"
    if wrong := _WRONG_TYPE.search(message):
        secret = document.data.get("kind") == SECRET.kind  # what is in a secret is not repeated
        return _wrong_type(None if secret else document.text(path), *wrong.groups())
    if unsupported := _NOT_SUPPORTED.search(message):
        value, supported = unsupported.groups()
        words = [word.strip('"') for word in supported.split(", ")]
        near = suggestion(value.strip('"'), words)
        return f"{value} is not one of {', '.join(words)}{near}"
    if invalid := _INVALID.search(message):
        return " ".join(invalid.groups())
    if message.startswith("Duplicate value: "):
        return f"{message.removeprefix('Duplicate value: ')} is in this list twice"
    return message


def _wrong_type(text: str | None, wanted: str, found: str) -> str:
    """`on` where a string was meant: say what YAML read, and how to write the string."""
    is_, wants = _TYPES.get(found, found), _TYPES.get(wanted, wanted)
    if wanted == "string" and found in ("boolean", "integer", "number") and text is not None:
        return f'must be {wants}, and YAML reads {text} as {is_}; write "{text}", in quotes'
    hint = "; put it in quotes" if wanted == "string" and found in ("boolean", "integer", "number") else ""
    return f"must be {wants}, and is {is_}{hint}"
