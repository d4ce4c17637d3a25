"""Rules in CEL that might take long are refused, not asked."""

from __future__ import annotations

import time

import pytest

from jobflow.local.apiserver.schema.rule_costs import nesting, steps
from jobflow.local.apiserver.schema.structural import StructuralSchema


@pytest.mark.parametrize(
    ("rule", "loops"),
    [
        ("self == oldSelf", 0),
        ("self.size() > 1 && (self.a || self.b)", 0),
        ("self.all(x, x > 1)", 1),
        ("self.filter(x, x > 1).map(x, x + 1).size() < 9", 1),
        ("self.all(x, self.exists(y, y == x))", 2),
        ("self.all(x, (x.a.exists_one(y, y.map(z, z).size() > (1 + 2))))", 3),
        ("self.all (x, true) || self.exists(x, true)", 1),
        ("""self.matches('.all(.all(')""", 0),
        ("all(1)", 0),
    ],
)
def test_how_deep_loops_stand_in_one_another(rule, loops) -> None:
    assert nesting(rule) == loops


@pytest.mark.parametrize(
    ("loops", "value", "expected"),
    [(0, [1] * 10, 0), (1, [1] * 10, 10), (2, {"a": {"b": [1] * 10}, "c": [1]}, 100), (3, "text", 0), (2, {}, 0)],
)
def test_how_many_steps_they_take_at_most(loops, value, expected) -> None:
    assert steps(loops, value) == expected


def schema(*rules: str) -> StructuralSchema:
    numbers = {"type": "array", "items": {"type": "integer"}}
    numbers["x-kubernetes-validations"] = [{"rule": rule} for rule in rules]
    return StructuralSchema({"type": "object", "properties": {"numbers": numbers}})


def told(found: StructuralSchema, count: int) -> list[str]:
    return [error.message for error in found.judge({"metadata": {}, "numbers": list(range(count))}, None).errors]


TWICE = "self.all(x, self.exists(y, y == x))"


def test_a_rule_over_a_list_of_a_usual_size_is_asked() -> None:
    assert told(schema(TWICE, "self.size() > 0"), 300) == []


def test_one_that_might_take_long_is_refused_at_once_and_none_after_it_is_asked() -> None:
    started = time.monotonic()
    [message] = told(schema(TWICE, "self.size() < 0"), 20_000)
    stopped = "no further validation rules will be run due to call cost exceeds limit for rule"
    assert message == f'Invalid value: "array": {stopped}: {TWICE}'
    assert time.monotonic() - started < 5


def test_several_that_together_might_take_long_are_refused() -> None:
    messages = told(schema(*[f"{TWICE} && self.size() > {number}" for number in range(20)]), 1_000)
    assert messages == [
        'Invalid value: "array": validation failed due to running out of cost budget, no further validation rules will '
        "be run"
    ]
