"""Validation: what is wrong, in the words of kube-apiserver."""

import pytest

from jobflow.local.apiserver.schema.structural import StructuralSchema


def messages(field_schema, value, **root):
    schema = StructuralSchema(
        {
            "type": "object",
            "properties": {"spec": {"type": "object", "properties": {"x": field_schema}, **root}},
        }
    )
    return [str(error) for error in schema.validate({"metadata": {"any": 1}, "spec": {"x": value}})]


KEYED = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "minLength": 1}}},
}


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ({"type": "integer"}, 3, None),
        ({"type": "integer"}, 3.0, None),
        ({"type": "integer"}, "3", 'spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"'),
        ({"type": "integer"}, 3.5, 'spec.x: Invalid value: "number": spec.x in body must be of type integer: "number"'),
        (
            {"type": "integer"},
            True,
            'spec.x: Invalid value: "boolean": spec.x in body must be of type integer: "boolean"',
        ),
        ({"type": "string"}, None, 'spec.x: Invalid value: "null": spec.x in body must be of type string: "null"'),
        ({"type": "string", "nullable": True}, None, None),
        ({"type": "object"}, [], 'spec.x: Invalid value: "array": spec.x in body must be of type object: "array"'),
        (
            {"type": "integer", "minimum": 0},
            -5,
            "spec.x: Invalid value: -5: spec.x in body should be greater than or equal to 0",
        ),
        (
            {"type": "integer", "maximum": 5},
            6,
            "spec.x: Invalid value: 6: spec.x in body should be less than or equal to 5",
        ),
        (
            {"type": "number", "minimum": 0, "exclusiveMinimum": True},
            0,
            "spec.x: Invalid value: 0: spec.x in body should be greater than 0",
        ),
        (
            {"type": "number", "maximum": 1, "exclusiveMaximum": True},
            1,
            "spec.x: Invalid value: 1: spec.x in body should be less than 1",
        ),
        ({"type": "integer", "multipleOf": 5}, 7, "spec.x: Invalid value: 7: spec.x in body should be a multiple of 5"),
        ({"type": "number", "multipleOf": 0.1}, 0.3, None),
        (
            {"type": "integer", "format": "int32"},
            2**31,
            'spec.x: Invalid value: 2147483648: spec.x in body must be of type int32: "2147483648"',
        ),
        (
            {"type": "string", "format": "date-time"},
            "soon",
            'spec.x: Invalid value: "soon": spec.x in body must be of type date-time: "soon"',
        ),
        (
            {"type": "string", "minLength": 1},
            "",
            'spec.x: Invalid value: "": spec.x in body should be at least 1 chars long',
        ),
        ({"type": "string", "maxLength": 3}, "abcd", "spec.x: Too long: may not be more than 3 bytes"),
        (
            {"type": "string", "pattern": "^[a-z]+$"},
            "A",
            "spec.x: Invalid value: \"A\": spec.x in body should match '^[a-z]+$'",
        ),
        (
            {"type": "string", "enum": ["retain", "delete"]},
            "x",
            'spec.x: Unsupported value: "x": supported values: "retain", "delete"',
        ),
        ({"type": "integer", "enum": [1, 2]}, 3, 'spec.x: Unsupported value: 3: supported values: "1", "2"'),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            [],
            "spec.x: Invalid value: 0: spec.x in body should have at least 1 items",
        ),
        (
            {"type": "array", "items": {"type": "string"}, "maxItems": 1},
            ["a", "b"],
            "spec.x: Too many: 2: must have at most 1 item",
        ),
        (
            {"type": "array", "items": {"type": "string"}},
            ["a", 5],
            'spec.x[1]: Invalid value: "integer": spec.x[1] in body must be of type string: "integer"',
        ),
        (
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            ["a", "b", "a"],
            'spec.x[2]: Duplicate value: "a"',
        ),
        (KEYED, [{"name": "a"}, {"name": "a"}], 'spec.x[1]: Duplicate value: {"name":"a"}'),
        (KEYED, [{}], "spec.x[0].name: Required value"),
        (KEYED, [{"name": "a"}, {"name": "b"}], None),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"k": "v"},
            'spec.x.k: Invalid value: "string": spec.x.k in body must be of type integer: "string"',
        ),
        (
            {"type": "object", "additionalProperties": True, "minProperties": 1},
            {},
            "spec.x: Invalid value: 0: spec.x in body should have at least 1 properties",
        ),
        (
            {"type": "object", "additionalProperties": True, "maxProperties": 1},
            {"a": 1, "b": 2},
            "spec.x: Too many: 2: must have at most 1 item",
        ),
        ({"x-kubernetes-int-or-string": True}, "50%", None),
        ({"x-kubernetes-int-or-string": True}, 5, None),
        (
            {"x-kubernetes-int-or-string": True},
            1.5,
            'spec.x: Invalid value: "number": spec.x in body must be of type integer,string: "number"',
        ),
        ({"x-kubernetes-preserve-unknown-fields": True}, {"any": ["thing"]}, None),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
            {"apiVersion": "v1"},
            "spec.x.kind: Required value",
        ),
        (
            {"type": "integer", "anyOf": [{"maximum": 1}, {"minimum": 5}]},
            3,
            'spec.x: Invalid value: "": "spec.x" must validate at least one schema (anyOf)',
        ),
        (
            {"type": "integer", "oneOf": [{"maximum": 5}, {"minimum": 1}]},
            3,
            'spec.x: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). '
            "Found 2 valid alternatives",
        ),
        (
            {"type": "integer", "oneOf": [{"maximum": 1}, {"minimum": 5}]},
            3,
            'spec.x: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found none valid',
        ),
        (
            {"type": "integer", "not": {"enum": [3]}},
            3,
            'spec.x: Invalid value: "": "spec.x" must not validate the schema (not)',
        ),
        (
            {"type": "integer", "allOf": [{"minimum": 5}, {"maximum": 9}]},
            3,
            "spec.x: Invalid value: 3: spec.x in body should be greater than or equal to 5",
        ),
    ],
)
def test_a_value_is_fine_or_told_to_be_wrong(schema, value, told):
    assert messages(schema, value) == ([told] if told else [])


def test_all_errors_are_told_with_reasons_for_programs():
    schema = StructuralSchema(
        {
            "type": "object",
            "required": ["spec"],
            "properties": {
                "spec": {
                    "type": "object",
                    "required": ["a", "b"],
                    "properties": {
                        "a": {"type": "string"},
                        "b": {"type": "string"},
                        "c": {"type": "string", "enum": ["x"]},
                        "d": {"type": "string"},
                        "e": {"type": "integer", "minimum": 1},
                    },
                }
            },
        }
    )
    found = schema.validate({"spec": {"b": "", "c": "y", "d": 1, "e": 0}})
    assert [(error.path, error.reason) for error in found] == [
        ("spec.a", "FieldValueRequired"),
        ("spec.c", "FieldValueNotSupported"),
        ("spec.d", "FieldValueTypeInvalid"),
        ("spec.e", "FieldValueInvalid"),
    ]
    assert [str(error) for error in schema.validate({})] == ["spec: Required value"]
