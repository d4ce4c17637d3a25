"""Rules in CEL: how values look to them, and when the evaluator is needed at all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from jobflow.local.apiserver.schema.nodes import read
from jobflow.local.apiserver.schema.rule_functions import FUNCTIONS
from jobflow.local.apiserver.schema.rules import compiled, judge, problem


def verdict(schema, value, old=None, **rule):
    node = read({"type": "object", "properties": {"v": {**schema, "x-kubernetes-validations": [rule]}}})

    def whole(one):
        return {"metadata": {}, "v": one}

    found = judge(whole(value), None if old is None else whole(old), node)
    return [f"{error.path}: {error.message}" for error in found.errors], found.warnings


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
NAMED = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": {"type": "object", "required": ["name"], "properties": {"name": TEXT}},
}

AB, BA, AA = ([{"name": name} for name in names] for names in ("ab", "ba", "aa"))
FROZEN = {"rule": "self == oldSelf", "message": "frozen"}
WORDS = {"rule": "false", "message": "m", "messageExpression": "'no ' + self"}
NO_WORDS = {**WORDS, "messageExpression": "1/0"}
GROW = {"rule": "self > oldSelf", "reason": "FieldValueForbidden", "message": "grow"}
B = 'v: Invalid value: "b": '

ROWS = [
    ("holds", TEXT, "a", None, {"rule": "self == 'a'"}, []),
    ("breaks", TEXT, "b", None, {"rule": "self == 'a'"}, [f"{B}failed rule: self == 'a'"]),
    ("says why", TEXT, "b", None, {"rule": "false", "message": " not b "}, [f"{B}not b"]),
    ("builds its words", TEXT, "b", None, WORDS, [f"{B}no b"]),
    ("cannot build them", TEXT, "b", None, NO_WORDS, [f"{B}m"]),
    ("characters are counted, not bytes", TEXT, "äöü", None, {"rule": "self.size() == 3 && size(self) == 3"}, []),
    ("size inside quotes is left alone", TEXT, "size(", None, {"rule": "self == 'size('"}, []),
    ("frozen", TEXT, "b", "a", FROZEN, [f"{B}frozen"]),
    ("frozen, and new", TEXT, "b", None, FROZEN, []),
    ("frozen lists may be in another order", NAMED, BA, AB, FROZEN, []),
    ("frozen lists may not shrink", NAMED, AA, AB, FROZEN, ["v: Invalid value: frozen"]),
    ("a transition", NUMBER, 1, 2, GROW, ["v: Forbidden: grow"]),
    (
        "an error",
        NUMBER,
        0,
        None,
        {"rule": "1 / self > 0"},
        ['v: Invalid value: "integer": division by zero evaluating rule: 1 / self > 0'],
    ),
]


@pytest.mark.parametrize(
    ("schema", "value", "old", "rule", "told"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS]
)
def test_a_rule(schema, value, old, rule, told):
    assert verdict(schema, value, old, **rule) == (told, [])


def test_what_was_wrong_already_is_a_warning():
    errors, warnings = verdict(TEXT, "b", "b", rule="self == 'a'", message="not a")
    assert errors == []
    assert warnings == ['v: Invalid value: "b": not a']


@pytest.mark.parametrize("text", ["self.", "self ==", "(", "'open"])
def test_an_expression_that_cannot_be_compiled(text):
    assert problem(text).startswith("ERROR: <input>:1:")


def test_one_that_can():
    assert problem("self.all(x, x > 1)") == ""
    assert compiled("1 + 1").execute({}) == 2


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("split", ("a,b,c", ",", 2), ["a", "b,c"]),
        ("split", ("a,b", ",", 0), []),
        ("replace", ("aaa", "a", "b", 2), "bba"),
        ("lowerAscii", ("ÄB",), "Äb"),
        ("indexOf", ([1, 2], 3), -1),
        ("lastIndexOf", ([1, 2, 1], 1), 2),
        ("isQuantity", ("1Gi",), True),
        ("isQuantity", ("1 Gi",), False),
        ("compareTo", ({"quantity": "1000"}, {"quantity": "1024"}), -1),
        ("asInteger", ({"quantity": "2048"},), 2048),
        ("isIP", ("::1",), True),
        ("isIP", ("300.1.1.1",), False),
        ("isURL", ("nothing",), False),
        ("format", ("%s is %d%%, %.2f", ["a", 3, 1.5]), "a is 3%, 1.50"),
        ("max", ([1, 3, 2],), 3),
        ("isSorted", (["a", "b"],), True),
    ],
)
def test_a_function(name, arguments, expected):
    assert FUNCTIONS[name](*arguments) == expected


def test_a_substring_beyond_the_end_is_an_error():
    with pytest.raises(ValueError, match="index out of range"):
        FUNCTIONS["substring"]("abc", 2, 9)


def test_our_own_kinds_need_no_evaluator():
    """`jobflow run` starts without it: the one rule of JobFlow is that its steps never change."""
    code = (
        "import sys\n"
        "from jobflow.api.crd import product_crds\n"
        "from jobflow.local.apiserver.types import types_of_crd\n"
        "flow = types_of_crd(product_crds()[0])[0]\n"
        "assert flow.schema.root.judges\n"
        "old = {'metadata': {}, 'spec': {'flows': [{'name': 'a'}]}}\n"
        "new = {'metadata': {}, 'spec': {'flows': [{'name': 'b'}]}}\n"
        "assert flow.schema.judge(new, old).errors and not flow.schema.judge(old, old).errors\n"
        "print('cel' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
