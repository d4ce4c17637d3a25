"""Inserted text means itself where the kubelet expands text, and stays as it is everywhere else."""

from __future__ import annotations

import copy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobflow.api.placeholders import Value, evaluated, substituted, value_of
from jobflow.api.places import place_of
from jobflow.api.trees import Unknown
from jobflow.local.kubelet.environment import expand

KNOWN = {"DB_PASSWORD": "secret", "A": "$(B)", "B": "b", "": "nothing", "a b": "spaced"}
TEXTS = st.text(alphabet=st.sampled_from("$()AB_ a")) | st.sampled_from(["$(DB_PASSWORD)", "$$(A)", "a$$b", "$(", "$"])


def container(kind="containers", **fields):
    return {"tasks": [{"name": "t", "template": {"spec": {kind: [{"name": "c", **fields}]}}}]}


def inserted(tree, value, **more):
    return substituted(tree, lambda reference: value_of(value, **more), place_of)


EXPANDED = {
    "a variable": lambda text: container(env=[{"name": "X", "value": text}]),
    "a word of the command": lambda text: container(command=["run", text]),
    "an argument": lambda text: container(args=[text]),
    "a place below a volume": lambda text: container(volumeMounts=[{"mountPath": "/m", "subPathExpr": text}]),
    **{
        f"a word of a {probe}": lambda text, probe=probe: container(**{probe: {"exec": {"command": ["test", text]}}})
        for probe in ("livenessProbe", "readinessProbe", "startupProbe")
    },
    "an init container's variable": lambda text: container("initContainers", env=[{"name": "X", "value": text}]),
}
WHOLE = {
    "a list of variables": (lambda text: container(env=text), lambda text: [{"name": "X", "value": text}]),
    "a command": (lambda text: container(command=text), lambda text: ["run", text]),
    "all arguments": (lambda text: container(args=text), lambda text: [text]),
    "a probe": (
        lambda text: container(livenessProbe=text),
        lambda text: {"exec": {"command": ["test", text]}},
    ),
    "the command of a probe": (
        lambda text: container(readinessProbe={"exec": {"command": text}}),
        lambda text: ["test", text],
    ),
    "mounts": (
        lambda text: container(volumeMounts=text),
        lambda text: [{"mountPath": "/m", "subPathExpr": text}],
    ),
    "containers": (
        lambda text: {"tasks": [{"template": {"spec": {"containers": text}}}]},
        lambda text: [{"name": "c", "args": [text]}],
    ),
    "a task": (lambda text: {"tasks": [text]}, lambda text: container(command=[text])["tasks"][0]),
}
PLAIN = {
    "an image": lambda text: container(image=text),
    "a directory": lambda text: container(workingDir=text),
    "the name of a variable": lambda text: container(env=[{"name": text, "value": "x"}]),
    "a field that is not known": lambda text: container(somethingNew={"command": [text]}),
    "a directory below a volume, as it is": lambda text: container(volumeMounts=[{"mountPath": "/m", "subPath": text}]),
    "the path that a probe asks": lambda text: container(livenessProbe={"httpGet": {"path": text}}),
    "a command of a field that is not known": lambda text: container(someProbe={"exec": {"command": [text]}}),
    "a hook": lambda text: container(lifecycle={"postStart": {"exec": {"command": ["sh", text]}}}),
    "a label": lambda text: {"tasks": [{"template": {"metadata": {"labels": {"command": text}}}}]},
    "a plugin's argument": lambda text: {"plugins": {"ssh": [text]}},
}


def seen(tree):
    """What the kubelet makes of every text of the tree."""
    if isinstance(tree, dict):
        return {name: seen(below) for name, below in tree.items()}
    return [seen(below) for below in tree] if isinstance(tree, list) else expand(tree, KNOWN)


@pytest.mark.parametrize("around", EXPANDED.values(), ids=EXPANDED)
@given(text=TEXTS)
@example(text="$(DB_PASSWORD) and a$$b")
def test_the_kubelet_gives_every_text_back(around, text):
    whole = inserted(around("$(params.x)"), text)
    assert seen(whole) == around(text)


@pytest.mark.parametrize("around", EXPANDED.values(), ids=EXPANDED)
@given(text=TEXTS, after=st.sampled_from(["", "(B)", "$", "$(B)", "$$(B)", " $"]), before=st.sampled_from(["", "$(B)"]))
def test_within_a_longer_text_what_the_template_says_keeps_its_meaning(around, text, before, after):
    made = inserted(around(f"{before}$(params.x){after}"), text)
    assert seen(made) == around(expand(before, KNOWN) + text + expand(after, KNOWN))


@pytest.mark.parametrize(("around", "value"), WHOLE.values(), ids=WHOLE)
@given(text=TEXTS)
@example(text="$(DB_PASSWORD) and a$$b")
def test_so_it_does_in_lists_and_mappings(around, value, text):
    given_value = value(text)
    before = copy.deepcopy(given_value)
    assert seen(inserted(around("$(params.x)"), given_value)) == around(value(text))
    assert given_value == before


@given(text=TEXTS)
def test_a_list_that_becomes_json_is_json_for_the_program(text):
    made = inserted(EXPANDED["a variable"]("$(params.x)"), [text])
    assert seen(made) == EXPANDED["a variable"](value_of([text]).text)


@pytest.mark.parametrize("around", PLAIN.values(), ids=PLAIN)
def test_where_nothing_is_expanded_a_text_stays_as_it_is(around):
    assert inserted(around("$(params.x)"), "$(A) a$$b") == around("$(A) a$$b")


def test_a_value_that_passes_through_an_argument_is_written_so_once():
    argument = evaluated("cost $(params.x)", lambda reference: value_of("$5 $(B)"))
    made = substituted(EXPANDED["an argument"]("$(params.y)"), lambda reference: argument, place_of)
    assert made == EXPANDED["an argument"]("cost $$5 $$(B)")


@pytest.mark.parametrize("text", ["$(steps.a.outputs.n)", "n=$(steps.a.outputs.n)"])
def test_a_placeholder_that_stays_stays_readable(text):
    value = Value(Unknown("$(steps.a.outputs.n)"), "$(steps.a.outputs.n)", from_job=True, guess=True)
    tree = EXPANDED["a variable"](text)
    assert substituted(tree, lambda reference: value, place_of) == tree


@given(text=TEXTS)
def test_what_a_template_writes_itself_is_not_touched(text):
    tree = EXPANDED["a variable"](text)
    assert substituted(tree, lambda reference: value_of("x"), place_of) == tree
