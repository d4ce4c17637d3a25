"""A value that is given as a text: on a command line, or in a ConfigMap."""

from __future__ import annotations

import pytest

from jobflow.api.parameter_values import ParameterProblem, read, same, scalar
from jobflow.api.parameters import TemplateParameter
from jobflow.api.placeholders import Value, value_of


def declared(value=None, enum=None):
    return TemplateParameter(name="n", value=value, enum=enum)


@pytest.mark.parametrize(
    ("said", "parameter", "text", "tree"),
    [
        ("a number where one is declared", declared(1), "8", 8),
        ("a fraction where a number is declared", declared(1), "0.5", 0.5),
        ("text where text is declared, whatever it looks like", declared("a"), "8", "8"),
        ("text where text is declared, true as well", declared("a"), "true", "true"),
        ("a boolean where one is declared", declared(False), "true", True),
        ("a list where one is declared", declared([]), '["a", 1]', ["a", 1]),
        ("a mapping where one is declared", declared({}), '{"a": 1}', {"a": 1}),
        ("what it reads as, where nothing is declared", declared(), "8", 8),
        ("a boolean, where nothing is declared", declared(), "true", True),
        ("a list, where nothing is declared", declared(), "[1]", [1]),
        ("a text, where it is no JSON", declared(), "yes", "yes"),
        ("a text, where a number has a leading zero", declared(), "010", "010"),
        ("a text, where it is null", declared(), "null", "null"),
        ("nothing", declared(), "", ""),
        ("a text that is half JSON", declared(), "[a", "[a"),
        ("lines", declared(), "a\nb\n", "a\nb\n"),
        ("a text, where a number is too large to be kept", declared(), str(2**63), str(2**63)),
        ("the largest number that is kept", declared(), str(2**63 - 1), 2**63 - 1),
        (
            "a text, where a number within is too large",
            declared(),
            f'{{"a": [{2**64 - 1}]}}',
            f'{{"a": [{2**64 - 1}]}}',
        ),
        ("a list of the smallest number that is kept", declared(), f"[{-(2**63)}]", [-(2**63)]),
        ("a text, where it is nested too deep", declared(), "[" * 40 + "]" * 40, "[" * 40 + "]" * 40),
        ("a text, where nobody could read it", declared(), "[" * 100_000, "[" * 100_000),
        ("a list, as deep as may be", declared(), "[[]]", [[]]),
        ("one of the allowed texts, though it reads as a number", declared(enum=["1.10", "1.11"]), "1.10", "1.10"),
        ("one of the allowed numbers", declared(enum=[2, 8]), "8", 8),
    ],
)
def test_it_is(said, parameter, text, tree):
    value = read(text, parameter)
    assert value.tree == tree
    assert type(value.tree) is type(tree)
    assert value.text == text


@pytest.mark.parametrize(
    ("parameter", "text", "said"),
    [
        (declared(1), "eight", "it is a number where it is declared, and the value given is a text"),
        (declared(1), "true", "it is a number where it is declared, and the value given is true or false"),
        (declared(True), "1", "it is true or false where it is declared, and the value given is a number"),
        (declared([1]), "1", "it is a list where it is declared, and the value given is a number, written as JSON"),
        (
            declared({}),
            "{a: 1}",
            "it is a mapping where it is declared, and the value given is a text, written as JSON",
        ),
        (declared(2, enum=[2, 8]), "9", "the value is none of the allowed ones: 2, 8"),
        (declared(enum=list(range(20))), "99", "the allowed ones: 0, 1, 2, 3, 4, 5, 6, 7 and 12 more"),
        (declared(), "x" * (256 * 1024 + 1), "the value has more than 256 KiB"),
        (declared("a"), "é" * (128 * 1024 + 1), "the value has more than 256 KiB"),
    ],
)
def test_it_is_refused(parameter, text, said):
    with pytest.raises(ParameterProblem) as told:
        read(text, parameter)
    assert said in str(told.value)
    assert len(str(told.value)) < 200, "a value is not repeated"


def test_how_it_is_written_is_kept_for_longer_texts():
    assert scalar("1.10") == Value(1.1, "1.10")
    assert scalar('{"a":  1}') == Value({"a": 1}, '{"a":  1}')
    assert value_of({"a": 1}).text == '{"a":1}'


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (1, True, False),
        (0, False, False),
        (8, 8.0, True),
        ("8", 8, False),
        ([1, True], [1, True], True),
        ([1], [True], False),
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": True}, False),
        ([], {}, False),
    ],
)
def test_values_are_equal_as_json_is(one, other, expected):
    assert same(one, other) is expected
