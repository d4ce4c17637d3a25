"""JSON Schema -> structural schema, one construct after the other."""

from datetime import datetime

import msgspec
import pytest

from jobflow.api.structural import of_struct, structural

DEFINITIONS = {
    "Step": {"title": "Step", "type": "object", "description": "A step.", "properties": {"name": {"type": "string"}}},
    "Phase": {"title": "Phase", "enum": ["A", "B"], "description": "A phase."},
}


@pytest.mark.parametrize(
    ("what", "given", "expected"),
    [
        ("titles and examples go", {"title": "X", "type": "string", "examples": ["a"]}, {"type": "string"}),
        ("python's defaults go", {"type": "string", "default": ""}, {"type": "string"}),
        (
            "a default that upstream has stays",
            {"type": "integer", "default": 3, "x-crd-default": 3},
            {"type": "integer", "default": 3},
        ),
        ("a default of 0 too", {"type": "integer", "x-crd-default": 0}, {"type": "integer", "default": 0}),
        ("X or null is an optional X", {"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string"}),
        ("a constant is an enum of one", {"const": "x"}, {"type": "string", "enum": ["x"]}),
        (
            "a reference is put in place, and what is said beside it wins",
            {"$ref": "#/$defs/Phase", "description": "Where it stands."},
            {"description": "Where it stands.", "type": "string", "enum": ["A", "B"]},
        ),
        (
            "a reference or null too",
            {"anyOf": [{"$ref": "#/$defs/Phase"}, {"type": "null"}], "default": None},
            {"description": "A phase.", "type": "string", "enum": ["A", "B"]},
        ),
        (
            "lists and maps of references",
            {"type": "array", "items": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Step"}}},
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": {
                        "description": "A step.",
                        "type": "object",
                        "properties": {"name": {"type": "string"}},
                    },
                },
            },
        ),
        ("nothing is required: not said", {"type": "object", "required": []}, {"type": "object"}),
        ("any property: not said", {"type": "object", "additionalProperties": True}, {"type": "object"}),
        (
            "Kubernetes' own words stay",
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        ),
        (
            "an integer or a string stays as Kubernetes writes it",
            {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
            {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
        ),
        (
            "fields named as words of the schema are fields",
            {"type": "object", "properties": {"default": {"type": "string"}, "title": {"type": "string"}}},
            {"type": "object", "properties": {"default": {"type": "string"}, "title": {"type": "string"}}},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_constructs(what, given, expected):
    assert structural(given, DEFINITIONS) == expected


def test_a_field_of_two_types_is_refused():
    with pytest.raises(ValueError, match="one type for each field, this one has 2"):
        structural({"anyOf": [{"type": "integer"}, {"type": "string"}]}, {})


class Inner(msgspec.Struct):
    at: datetime | None = None


class Outer(msgspec.Struct):
    when: datetime
    text: str = ""
    one: Inner | None = None
    listed: list[Inner] = []
    mapped: dict[str, Inner] = {}
    times: dict[str, datetime] = {}


def test_times_are_found_wherever_a_struct_has_them():
    fields = of_struct(Outer)["properties"]
    time = {"type": "string", "format": "date-time"}
    assert fields["when"] == time
    assert fields["text"] == {"type": "string"}
    assert fields["one"]["properties"]["at"] == time
    assert fields["listed"]["items"]["properties"]["at"] == time
    assert fields["mapped"]["additionalProperties"]["properties"]["at"] == time
