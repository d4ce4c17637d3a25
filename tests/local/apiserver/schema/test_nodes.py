"""Reading schemas: what is structural and what is refused."""

import re

import pytest

from jobflow.local.apiserver.schema.nodes import read


def inside(schema):
    return {"type": "object", "properties": {"x": schema}}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({}, "s.properties[x].type: Required value: must not be empty for specified object fields"),
        ({"type": "text"}, 's.properties[x].type: Unsupported value: "text"'),
        ({"type": "array"}, "s.properties[x].items: Required value"),
        ({"type": "string", "$ref": "#/x"}, "s.properties[x].$ref: Forbidden"),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, "x-kubernetes-list-type: set"),
        (
            {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
            "s.properties[x].additionalProperties: Forbidden: mutual exclusive with properties",
        ),
        (
            {"type": "string", "anyOf": [{"default": "a"}]},
            "s.properties[x].anyOf[0].default: Forbidden: must be undefined to be structural",
        ),
        ({"type": "object", "not": {"type": "object"}}, "s.properties[x].not.type: Forbidden: must be empty"),
        (
            {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"},
            "s.properties[x].x-kubernetes-list-map-keys: Required value",
        ),
        (
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "bag"},
            's.properties[x].x-kubernetes-list-type: Unsupported value: "bag"',
        ),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"other": {"type": "string"}}},
            },
            'Invalid value: "name": entries must all be names of item properties',
        ),
        (
            {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}}},
            },
            "s.properties[x].items.properties[name].default: Required value",
        ),
        ({"type": "string", "pattern": "("}, "s.properties[x].pattern: Invalid value"),
    ],
)
def test_what_is_not_structural_is_refused_with_its_path(schema, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        read(inside(schema), "s")


@pytest.mark.parametrize(
    "schema",
    [
        {"x-kubernetes-int-or-string": True},
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"x-kubernetes-preserve-unknown-fields": True},
        {"type": "object", "additionalProperties": True},
        {"type": "object", "oneOf": [{"required": ["a"]}, {"properties": {"b": {"minimum": 1}}}]},
    ],
)
def test_what_is_structural_is_read(schema):
    assert read(inside(schema), "s").properties["x"] is not None


@pytest.mark.parametrize(
    ("schema", "plain"),
    [
        ({"type": "string"}, str),
        ({"type": "boolean", "nullable": True}, bool),
        ({"type": "integer"}, int),
        ({"type": "integer", "format": "int32"}, None),
        ({"type": "string", "enum": ["a"]}, None),
        ({"type": "string", "pattern": "a"}, None),
        ({"type": "integer", "anyOf": [{"minimum": 1}]}, None),
        ({"type": "number"}, None),
        ({"type": "object"}, None),
        ({"x-kubernetes-int-or-string": True}, None),
    ],
)
def test_a_value_of_which_nothing_can_be_wrong_is_known_by_its_python_type(schema, plain):
    assert read(inside(schema), "s").properties["x"].plain is plain
