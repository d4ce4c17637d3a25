"""What an expression mentions, whether it holds, and what is said of one that is no good."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.api.cel_costs import MAX_COST, cost
from jobflow.api.cel_syntax import SyntaxProblem, parsed
from jobflow.api.expressions import (
    MAX_CHARACTERS,
    ExpressionError,
    ExpressionProblem,
    compile_expression,
)

FACTS = {
    "steps": {
        "a": {
            "phase": "Succeeded",
            "attempt": 1,
            "exitCode": 0,
            "reason": "",
            "outputs": {"n": 3, "t": "äö", "l": [1, 2]},
        },
        "my-step": {"phase": "Failed", "attempt": 0, "exitCode": 3, "reason": "JobFailed", "outputs": {}},
        "b.c": {"phase": "Running", "attempt": 0, "outputs": {}},
    },
    "params": {"yes": True, "many": list(range(2000)), "m": {"x": {"y": [7]}}},
    "context": {"name": "f"},
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("steps['a'].phase == 'Succeeded'", True),
        ("steps.a.phase == 'Succeeded' && steps['my-step'].phase == 'Failed'", True),
        ('steps["b.c"].phase in ["Pending", "Running"]', True),
        ("steps.a.outputs.n > 2", True),
        ("steps.a.outputs.n > 2.5", True),
        ("steps.a.outputs.n == 3.0", True),
        ("steps.a.outputs['n'] != 3", False),
        ("has(steps['my-step'].outputs.n)", False),
        ("has(steps['my-step'].outputs.n) && steps['my-step'].outputs.n > 1", False),
        ("!has(steps['b.c'].exitCode)", True),
        ("steps['my-step'].exitCode == 3 && steps['my-step'].reason == 'JobFailed'", True),
        ("steps.a.attempt + 1 == 2", True),
        ("params.yes", True),
        ("params.yes ? steps.a.outputs.n == 3 : false", True),
        ("params.m.x.y[0] == 7", True),
        ("params.m['x'].y == [7]", True),
        ("params.many.exists(x, x == 1999)", True),
        ("steps.a.outputs.l.all(x, params.m.x.y.exists(y, y > x))", True),
        ("steps.a.outputs.l.map(x, x * 2).filter(x, x > 2).size() == 1", True),
        ("size(steps.a.outputs.t) == 2", True),  # characters, and not bytes
        ("steps.a.outputs.t.size() == 2 && size('size(x)') == 7", True),
        ("steps.a.outputs.t.startsWith('ä') && steps.a.outputs.t.matches('^.ö$')", True),
        ("context.name == 'f'", True),
        ("int('12') == 12 && double(3) < 3.5 && string(7) == '7'", True),
        ("steps.a.outputs.nope == 1 || true", True),
        ("-1 < 0 && !false && 7 % 4 == 3 && 0x1F == 31 && 1u == 1", True),
        ("// a comment\n true", True),
        (r"r'\d' == '\\d'", True),
        ("'''it's''' == \"it's\"", True),
        ("{'k': 1}.k == 1 && 'k' in {'k': 1,}", True),
        ("null == null", True),
    ],
)
def test_whether_it_holds(text, holds):
    assert compile_expression(text).evaluate(FACTS) is holds


def test_what_it_mentions():
    found = compile_expression(
        "steps['a'].outputs.x.size() > params.n && ['steps.no'].exists(p, p == context.name && steps.b.phase == p)"
    )
    assert (found.steps, found.params, found.context) == ({"a", "b"}, {"n"}, {"name"})
    assert found.outputs == {("a", "x")}
    assert found.facts == {"outputs", "phase"}


def test_what_it_does_not_mention_is_not_looked_at():
    class Trap(dict):
        def __getitem__(self, key):
            assert key == "yes"
            return True

    assert compile_expression("params.yes").evaluate({"params": Trap(yes=True, secret="x")})


@pytest.mark.parametrize(
    ("said", "text", "position", "words"),
    [
        ("empty", "  ", 1, "the expression is empty"),
        ("too long", "'" + "x" * MAX_CHARACTERS + "' == ''", MAX_CHARACTERS, f"{MAX_CHARACTERS} are allowed"),
        ("cut off", "steps.a.phase ==", 17, "the expression ends where a value is expected"),
        ("one =", "steps.a.phase = 'x'", 15, "'=' has no meaning"),
        ("no operator between", "params.a params.b", 10, "found 'params' where the end, or an operator"),
        ("an open text", "params.a == 'x", 13, "this text is not closed"),
        ("an open bracket", "(params.a", 10, "the expression ends where ) is expected"),
        ("several lines", "params.a\n&& (params.b ]", 23, "found ']' where ) is expected"),
        ("no phase", "steps.a.phase == 'Faild'", 18, "'Faild' is no phase of a step; did you mean \"Failed\"?"),
        (
            "no phase, before it",
            "1 == 1 && ('Done' != steps['a'].phase)",
            12,
            "'Done' is no phase of a step; the phases are",
        ),
        ("no phase among others", "steps.a.phase in ['Failed', 'Completed']", 29, "'Completed' is no phase of a step"),
        ("a number for a truth", "steps['a'].attempt", 12, "this gives no true or false"),
        ("an unknown name", "foo == 1", 1, "foo is not known here; an expression sees steps, params, context"),
        ("nearly a known name", "param.x", 1, 'param is not known here; did you mean "params"?'),
        ("a dash", "steps.my-step.phase == 'x'", 1, "a name with - in it is written in brackets: steps['my-step']"),
        ("a step alone", "steps.a == 1", 1, "steps['a'] is used without phase, outputs, attempt, exitCode or reason"),
        ("an unknown fact", "steps.a.fase == 1", 1, "steps['a'] is used without phase"),
        ("all outputs", "size(steps.a.outputs) > 0", 6, "without the name of an output, written out"),
        ("all steps", "steps.exists(s, steps[s].phase == 'x')", 1, "steps is used without the name of what is meant"),
        ("a computed step", "steps[params.x].phase == 'x'", 1, "steps is used without the name of what is meant"),
        ("a computed parameter", "params[steps.a.phase]", 1, "params is used without the name of what is meant"),
        ("an unknown function", "min(1, 2) == 1", 1, "there is no function min"),
        ("an unknown method", "'a'.lower() == 'a'", 5, "there is no method lower"),
        ("too many arguments", "size(1, 2) == 1", 1, "size takes 1 argument, and there are 2"),
        ("has of no field", "has(params)", 1, "has(...) asks for a field"),
        ("a loop without a variable", "[1].all(1, true)", 5, "all takes the name of a variable"),
        ("a loop that hides the steps", "[1].all(steps, true)", 5, "call the variable otherwise"),
        ("loops", "[1].all(a, [1].all(b, [1].all(c, true)))", 27, "more than 2 loops within each other"),
        ("brackets", "(" * 40 + "true" + ")" * 40, 33, "more than 32 brackets within each other"),
        ("signs", "!" * 40 + "true", 1, "more than 32 signs in a row"),
        ("a number", "1 + 1", 3, "this gives no true or false"),
        ("a text", "'yes'", 1, "this gives no true or false"),
        ("a list", "[true]", 1, "this gives no true or false"),
        ("a mapped list", "[1].map(x, true)", 5, "this gives no true or false"),
        ("a choice of numbers", "true ? 1 : 2", 6, "this gives no true or false"),
        ("what only the evaluator refuses", "params.x == 99999999999999999999", 13, "invalid int literal"),
        ("a reserved word", "for == 1", 1, "found 'for' where a value is expected"),
        ("a message", "a.b{c: 1}", 4, "found '{' where the end"),
    ],
)
def test_what_is_no_expression_is_told_with_its_place(said, text, position, words):
    with pytest.raises(ExpressionProblem) as found:
        compile_expression(text)
    assert found.value.position == position
    assert words in found.value.message
    assert str(found.value) == f"at character {position}: {found.value.message}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("steps['my-step'].outputs.n == 1", "there is no n"),
        ("params.m[string(steps.a.outputs.n)] == 1", "there is no such key"),
        ("params.unset == 1", "there is no unset"),
        ("steps.a.outputs.n / 0 == 1", "a division by zero"),
        ("steps.a.outputs.l[7] == 1", "the list has no item of this index"),
        ("steps.a.outputs.n + 'x' == ''", "types that do not go together"),
        ("9223372036854775807 + steps.a.outputs.n > 0", "a number is too large"),
        ("int(steps.a.outputs.t) == 1", "int cannot take what it was given"),
        ("size(steps.a.outputs.n) == 1", "cannot take what it was given"),
        ("'a'.matches(steps.a.outputs.t + '(')", "matches cannot take what it was given"),
        ("steps.a.outputs.n", "it gives a number, where true or false is expected"),
        ("params.yes ? steps.a.outputs.t : steps.a.outputs.t", "it gives a text, where true or false is expected"),
        ("params.many.map(x, x + 1).size() > 1", "it would take too long"),
        ("params.many.all(x, params.many.exists(y, x == y))", "it would take too long"),
        ("['a']" + ".map(x, x + x)" * 60 + ".size() > 0", "it would take too long"),
        ("[params.many].map(x, x + x + x).size() > 0 && [1].map(x, params.many).all(x, x.map(y, x) != [])", "too long"),
    ],
)
def test_what_goes_wrong_is_told_without_values(text, words):
    with pytest.raises(ExpressionError) as found:
        compile_expression(text).evaluate(FACTS)
    assert words in str(found.value)
    assert "äö" not in str(found.value)


def test_a_long_list_may_be_looked_through_once():
    text = "params.many.exists(x, x == 'no')"
    assert cost(parsed(text), {"params": {"many": ["x" * 40] * 5000}}) < MAX_COST / 10


def test_the_steps_of_a_text_are_known_without_the_evaluator():
    code = (
        "import sys; from jobflow.api.expressions import steps_in; print(steps_in(sys.argv[1]), 'cel' in sys.modules)"
    )
    command = [sys.executable, "-c", code, "steps.b.phase == steps['a'].phase"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "['a', 'b'] False\n"


WORDS = st.sampled_from(
    [
        *("steps", "params", "context", ".a", ".b", "['a']", ".phase", ".outputs", ".x", "(", ")", "[", "]", "{", "}"),
        *(
            "==",
            "&&",
            "||",
            "!",
            "-",
            "+",
            "in",
            "?",
            ":",
            ",",
            "1",
            "2.5",
            "'t'",
            "true",
            "null",
            "size",
            ".map(x, x)",
        ),
        *(".all(x, x)", "has(", " ", "\n", "//", "'", '"', "\\", "ä", "🙂", "0x", "1u", "b'x'", "'''"),
    ]
)


def place_of_problem(read, text):
    """Where what is wrong shows; None of a text that is in order."""
    try:
        read(text)
    except ExpressionProblem as problem:
        return problem.position - 1
    except SyntaxProblem as problem:
        return problem.at
    return None


@given(st.lists(WORDS, max_size=12).map("".join))
def test_any_text_is_an_expression_or_a_problem_in_it(text):
    place = place_of_problem(compile_expression, text)
    if place is not None:
        assert 0 <= place <= len(text)
        return
    with suppress(ExpressionError):
        assert compile_expression(text).evaluate(FACTS) in (True, False)


@given(st.text(max_size=30))
def test_any_characters_are_read_or_refused(text):
    assert (place_of_problem(parsed, text) or 0) <= len(text)
