"""What the placeholders of one step stand for, and what is said where they stand for nothing."""

from __future__ import annotations

import pytest

from jobflow.api.placeholders import PlaceholderProblem, Reference, references, value_of
from jobflow.api.status import Reason
from jobflow.reconcile.scope import Scope

PARAMS = {"size": value_of(8), "model": value_of({"name": "m", "layers": [16, 32]})}
OF_FLOW = Scope(PARAMS, {"count": {"n": value_of(3, from_job=True)}}, {"name": value_of("f"), "step": value_of("a")})
OF_TEMPLATE = Scope(PARAMS, {}, {"name": value_of("f")}, of_template="JobTemplate a")


def reference(text: str) -> Reference:
    ((_, found),) = references(text)
    return found


@pytest.mark.parametrize(
    ("text", "tree", "written"),
    [
        ("$(params.size)", 8, "8"),
        ("$(params.model)", {"name": "m", "layers": [16, 32]}, '{"name":"m","layers":[16,32]}'),
        ("$(params.model.name)", "m", "m"),
        ("$(params.model.layers.1)", 32, "32"),
        ("$(context.step)", "a", "a"),
    ],
)
def test_what_is_known(text, tree, written):
    value = OF_FLOW.resolve(reference(text))
    assert (value.tree, value.text, value.from_job) == (tree, written, False)


def test_outputs_are_known_to_come_from_a_job():
    value = OF_FLOW.resolve(reference("$(steps.count.outputs.n)"))
    assert (value.tree, value.from_job) == (3, True)


def test_a_value_with_many_long_keys_is_told_in_few_words():
    scope = Scope({"m": value_of({f"{n:0250d}": n for n in range(3500)})})
    with pytest.raises(PlaceholderProblem) as raised:
        scope.resolve(reference("$(params.m.nope)"))
    zeros = "0" * 63
    shown = ", ".join([zeros] * 8)
    assert raised.value.message == f"$(params.m.nope): there is no field nope; the value has {shown} and 3492 more"


@pytest.mark.parametrize(
    ("said", "scope", "text", "reason", "message"),
    [
        (
            "a parameter that the flow does not have, with the one that is meant",
            OF_FLOW,
            "$(params.sise)",
            Reason.PARAMETER_NOT_FOUND,
            '$(params.sise): the flow has no parameter sise; did you mean "size"?',
        ),
        (
            "one that the template does not declare",
            OF_TEMPLATE,
            "$(params.sise)",
            Reason.PARAMETER_NOT_FOUND,
            '$(params.sise): JobTemplate a declares no parameter sise; did you mean "size"?',
        ),
        (
            "a template knows no steps",
            OF_TEMPLATE,
            "$(steps.count.outputs.n)",
            Reason.PARAMETER_INVALID,
            "$(steps.count.outputs.n) is not available here: a template knows nothing of the flow; "
            "pass it as an argument of the step",
        ),
        (
            "there are no loops",
            OF_FLOW,
            "$(loop.item)",
            Reason.PARAMETER_INVALID,
            "$(loop.item) is not available here",
        ),
        (
            "a fact that the context does not have",
            OF_FLOW,
            "$(context.pod)",
            Reason.PARAMETER_INVALID,
            "$(context.pod): the context has name, step",
        ),
        (
            "a field of a value that has none, which may be secret",
            OF_FLOW,
            "$(params.model.name.first)",
            Reason.PARAMETER_INVALID,
            "$(params.model.name.first): there is no field first; the value is a text",
        ),
        (
            "a field that the value does not have",
            OF_FLOW,
            "$(params.model.layers.7)",
            Reason.PARAMETER_INVALID,
            "$(params.model.layers.7): there is no field 7; the value is a list of 2",
        ),
    ],
)
def test_what_is_not_known_is_told(said, scope, text, reason, message):
    with pytest.raises(PlaceholderProblem) as raised:
        scope.resolve(reference(text))
    assert (raised.value.path, raised.value.reason, raised.value.message) == ((), reason, message)


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (None, "is null"),
        (True, "is true or false"),
        (1.5, "is a number"),
        ("hunter2", "is a text"),
        (["hunter2"], "is a list of 1"),
        ({}, "is empty"),
    ],
    ids=repr,
)
def test_a_value_without_such_a_field_is_told_by_its_kind(tree, said):
    with pytest.raises(PlaceholderProblem) as raised:
        Scope({"n": value_of(tree)}).resolve(reference("$(params.n.x)"))
    assert raised.value.message == f"$(params.n.x): there is no field x; the value {said}"
