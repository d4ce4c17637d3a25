"""Placeholders: what is replaced, what stays byte for byte, and what is refused."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.api.placeholders import (
    MAX_INSERTED_CHARACTERS,
    PlaceholderProblem,
    Reference,
    Value,
    evaluated,
    references,
    substituted,
    value_of,
    whole,
)
from jobflow.api.places import place_of

VALUES = {
    "n": value_of(8),
    "half": value_of(0.5),
    "yes": value_of(True),
    "text": value_of("hi"),
    "list": value_of(["a", 1]),
    "map": value_of({"image": "x"}),
    "tag": Value(1.1, "1.10"),
    "sly": value_of("$(params.n)"),
    "out": Value("v", "v", from_job=True),
    "tree": value_of({"image": "x"}, from_job=True),
    "trees": value_of([{"image": "x"}], from_job=True),
}


def resolve(reference: Reference) -> Value:
    return VALUES[reference.name]


def at(*path, text):
    """A tree with one string at the path."""
    tree = text
    for part in reversed(path):
        tree = [tree] if isinstance(part, int) else {part: tree}
    return tree


def found(tree, *path):
    for part in path:
        tree = tree[part]
    return tree


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(params.n)", 8),
        ("$(params.yes)", True),
        ("$(params.list)", ["a", 1]),
        ("n=$(params.n)", "n=8"),
        ("$(params.n)$(params.n)", "88"),
        (" $(params.n)", " 8"),
        ("$(params.list)!", '["a",1]!'),
        ("app:$(params.tag)", "app:1.10"),
        ("$(params.sly)", "$(params.n)"),
        ("$$(params.n)", "$(params.n)"),
        ("a$$(params.n)b$(params.n)", "a$(params.n)b8"),
        ("$$$(params.n)", "$$(params.n)"),
        ("$$(steps.a.outputs.b)", "$(steps.a.outputs.b)"),
        ("$(VAR) $$(VAR) $(params) ${params.n} $ (params.n)", "$(VAR) $$(VAR) $(params) ${params.n} $ (params.n)"),
        ("$(date +%s) $(paramsx.n)", "$(date +%s) $(paramsx.n)"),
        ("$($(params.n))", "$(8)"),
    ],
)
def test_what_becomes_of_a_text(text, expected):
    assert substituted({"x": text}, resolve) == {"x": expected}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$(params.)", "is no placeholder; write $(params.<name>)"),
        ("$(params.a b)", "is no placeholder; write $(params.<name>)"),
        ("$(params.n", "is not closed"),
        ("$(steps.a)", "is no placeholder; write $(steps.<step>.outputs.<output>)"),
        ("$(steps.a.output.b)", "is no placeholder; write $(steps.<step>.outputs.<output>)"),
        ("$(loop.item.)", "is no placeholder; write $(loop.<name>)"),
    ],
)
def test_what_looks_like_one_and_is_none_is_told_with_the_way_to_write_the_text(text, said):
    with pytest.raises(PlaceholderProblem) as told:
        substituted(at("a", 0, "b", text=text), resolve)
    assert str(told.value) == f"a[0].b: {text} {said}. Where the text itself is meant, write ${text}"


def test_a_long_text_is_not_repeated_whole():
    with pytest.raises(PlaceholderProblem) as told:
        list(references(["$(params." + "x" * 10_000]))
    assert len(str(told.value)) < 300


def test_a_key_is_no_place_for_one():
    for ask in (lambda tree: substituted(tree, resolve), lambda tree: list(references(tree))):
        with pytest.raises(PlaceholderProblem, match="never for the name of a field"):
            ask({"labels": {"$(params.n)": "x"}})


@pytest.mark.parametrize(
    ("text", "root", "path"),
    [
        ("$(params.n)", "params", ("n",)),
        ("$(params.cfg.a.0)", "params", ("cfg", "a", "0")),
        ("$(steps.f.outputs.y)", "steps", ("f", "outputs", "y")),
        ("$(steps.a.b-c.outputs.y.z)", "steps", ("a.b-c", "outputs", "y", "z")),
        ("$(context.name)", "context", ("name",)),
        ("$(loop.item)", "loop", ("item",)),
    ],
)
def test_what_a_placeholder_refers_to(text, root, path):
    assert whole(text) == Reference(root, path, text)
    assert list(references({"x": ["-", f"a {text}"]})) == [(("x", 1), Reference(root, path, text))]


CONTAINER = ("tasks", 0, "template", "spec", "containers", 0)


@pytest.mark.parametrize(
    ("place", "text", "expected"),
    [
        (("minAvailable",), "$(params.n)", 8),
        (("tasks", 0, "replicas"), "$(params.n)", 8),
        ((*CONTAINER, "image"), "$(params.n)", "8"),
        ((*CONTAINER, "image"), "$(params.tag)", "1.10"),
        ((*CONTAINER, "command", 0), "$(params.yes)", "true"),
        ((*CONTAINER, "args", 0), "$(params.half)", "0.5"),
        ((*CONTAINER, "args", 0), "$(params.list)", '["a",1]'),
        ((*CONTAINER, "args"), "$(params.list)", ["a", 1]),
        ((*CONTAINER, "env", 0, "value"), "$(params.n)", "8"),
        ((*CONTAINER, "env", 0, "value"), "$(params.map)", '{"image":"x"}'),
        ((*CONTAINER, "ports", 0, "containerPort"), "$(params.n)", 8),
        ((*CONTAINER, "livenessProbe", "httpGet", "port"), "$(params.n)", 8),
        ((*CONTAINER, "resources", "limits", "cpu"), "$(params.n)", 8),
        ((*CONTAINER, "resources", "limits", "memory"), "$(params.n)Gi", "8Gi"),
        ((*CONTAINER, "tty"), "$(params.yes)", True),
        (("tasks", 0, "template", "metadata", "labels", "replicas"), "$(params.n)", "8"),
        (("tasks", 0, "template", "spec", "nodeSelector", "labels"), "$(params.n)", "8"),
        (("tasks", 0, "dependsOn", "name", 0), "$(params.n)", "8"),
        (("plugins", "svc", 0), "--port=$(params.n)", "--port=8"),
        (("plugins", "svc", 0), "$(params.n)", "8"),
        (("queue",), "$(params.n)", "8"),
        ((*CONTAINER, "somethingNew"), "$(params.n)", 8),
    ],
)
def test_a_value_is_of_the_kind_that_its_place_takes(place, text, expected):
    outcome = found(substituted(at(*place, text=text), resolve, place_of), *flattened(place))
    assert outcome == expected
    assert type(outcome) is type(expected)


def flattened(place):
    return [0 if isinstance(part, int) else part for part in place]


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        (("minAvailable",), "$(params.text)", "takes a number, and $(params.text) is a text"),
        (("minAvailable",), "$(params.yes)", "takes a number, and $(params.yes) is true or false"),
        (("minAvailable",), "1$(params.n)", "takes a number, and a placeholder within a longer text makes a text"),
        ((*CONTAINER, "tty"), "$(params.n)", "takes true or false, and $(params.n) is a number"),
        ((*CONTAINER, "image"), "$(params.list)", "takes text, and $(params.list) is a list"),
        ((*CONTAINER, "name"), "$(params.map)", "takes text, and $(params.map) is a mapping"),
        ((*CONTAINER, "command"), "$(params.text)", "takes a list, and $(params.text) is a text"),
        ((*CONTAINER, "env"), "$(params.map)", "takes a list, and $(params.map) is a mapping"),
        ((*CONTAINER[:-2], "initContainers"), "$(params.map)", "takes a list, and $(params.map) is a mapping"),
        (("tasks", 0, "template"), "$(params.list)", "takes a mapping, and $(params.list) is a list"),
        (("tasks", 0), "$(params.list)", "takes a mapping, and $(params.list) is a list"),
        ((*CONTAINER, "env"), "x$(params.list)", "takes a list, and a placeholder within a longer text makes a text"),
        ((*CONTAINER, "resources", "limits", "cpu"), "$(params.yes)", "takes an amount, and $(params.yes) is true"),
    ],
)
def test_a_value_of_another_kind_is_refused(place, text, said):
    with pytest.raises(PlaceholderProblem) as told:
        substituted(at(*place, text=text), resolve, place_of)
    assert said in str(told.value)


@pytest.mark.parametrize(
    "place",
    [
        (*CONTAINER, "image"),
        (*CONTAINER, "securityContext", "seLinuxOptions", "level"),
        ("tasks", 0, "template", "spec", "serviceAccountName"),
        ("tasks", 0, "template", "spec", "volumes", 0, "hostPath", "path"),
        ("tasks", 0, "template", "spec", "volumes", 0, "image", "reference"),
        ("tasks", 0, "template", "spec", "hostPID"),
        ("tasks", 0, "template", "spec", "hostIPC"),
        ("tasks", 0, "template", "spec", "hostNetwork"),
        ("tasks", 0, "template", "spec", "hostUsers"),
    ],
)
def test_what_came_out_of_a_job_decides_on_no(place):
    with pytest.raises(PlaceholderProblem, match="came out of a Job"):
        substituted(at(*place, text="$(params.out)"), resolve, place_of)


def test_what_came_out_of_a_job_decides_on_none_within_a_longer_text_either():
    with pytest.raises(PlaceholderProblem, match="may not decide on image"):
        substituted(at(*CONTAINER, "image", text="x$(params.out)"), resolve, place_of)


@pytest.mark.parametrize("name", ["labels", "annotations"])
def test_the_names_of_labels_and_annotations_are_users(name):
    place = ("tasks", 0, "template", "metadata", name, "image")
    assert found(substituted(at(*place, text="$(params.out)"), resolve, place_of), *flattened(place)) == "v"


@pytest.mark.parametrize("text", ["$(params.tree)", "is: $(params.tree)"])
def test_a_text_that_came_out_of_a_job_may_read_like_any_field(text):
    made = substituted(at(*CONTAINER, "env", 0, "value", text=text), resolve, place_of)
    assert found(made, *CONTAINER, "env", 0, "value") == text.replace("$(params.tree)", '{"image":"x"}')


def test_what_came_out_of_a_job_brings_no_such_field_along():
    with pytest.raises(PlaceholderProblem, match="may not decide on image"):
        substituted(at("tasks", 0, "template", "spec", "containers", text="$(params.trees)"), resolve, place_of)


@pytest.mark.parametrize(
    ("tree", "decided"),
    [
        ([{"name": "main", "$patch": "replace"}], r"\$patch"),
        ([{"$patch": "replace"}, {"name": "main"}], r"\$patch"),
        ([{"name": "main", "resources": {"limits": None}}], "limits, which null would take away"),
        ([{"name": "main", "resources": {"limits": {"image": None}}}], "image, which null would take away"),
    ],
)
def test_what_came_out_of_a_job_takes_nothing_of_the_template_away(tree, decided):
    with pytest.raises(PlaceholderProblem, match=f"may not decide on {decided}"):
        substituted(at(*CONTAINER[:-1], text="$(params.x)"), lambda reference: value_of(tree, from_job=True), place_of)
    assert substituted(at(*CONTAINER[:-1], text="$(params.x)"), lambda reference: value_of(tree), place_of)


def test_where_a_value_came_from_is_not_forgotten_on_the_way_through_another():
    assert evaluated("$(params.out)", resolve).from_job
    assert evaluated({"a": ["x $(params.out)"]}, resolve).from_job
    assert not evaluated({"a": ["x $(params.text)"]}, resolve).from_job


def test_the_spelling_of_a_value_is_not_lost_on_the_way_through_another():
    assert evaluated("$(params.tag)", resolve) == Value(1.1, "1.10")


def test_no_tree_grows_without_bound():
    large = value_of("x" * (MAX_INSERTED_CHARACTERS // 2))
    assert substituted(["$(params.a)"] * 2, lambda reference: large)
    with pytest.raises(PlaceholderProblem, match="would be put in"):
        substituted(["$(params.a)"] * 3, lambda reference: large)


PLAIN = st.text(alphabet=st.sampled_from("$()ab.{}\\ é")) | st.sampled_from(
    ["$(VAR)", "$$(VAR)", "$(params)", "$(param.x)", "$(PARAMS.x)", "$(contexts.a)", "$(step.a)", "$(loops.item)"]
)
TREES = st.recursive(
    PLAIN | st.integers() | st.booleans() | st.none(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(PLAIN, below, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["n", "half", "yes", "text", "list", "map", "sly"])


@given(TREES)
def test_what_holds_none_of_our_prefixes_stays_byte_for_byte(tree):
    assert substituted(tree, resolve, place_of) == tree


@given(NAMES)
def test_a_whole_value_keeps_its_type(name):
    outcome = substituted({"x": f"$(params.{name})"}, resolve)["x"]
    assert outcome == VALUES[name].tree
    assert type(outcome) is type(VALUES[name].tree)


@given(TREES, NAMES)
def test_what_is_given_is_not_touched(tree, name):
    whole_tree = {"plain": tree, "a": [f"$(params.{name})", f"x $(params.{name})"]}
    before, values = copy.deepcopy(whole_tree), copy.deepcopy(VALUES)
    made = substituted(whole_tree, resolve)
    made["a"].append("more")
    if isinstance(made["a"][0], list | dict):
        made["a"][0].clear()
    assert whole_tree == before
    assert values == VALUES


@given(st.lists(PLAIN, max_size=3), NAMES)
def test_an_escaped_text_comes_out_as_it_was_meant(around, name):
    text = f" $(params.{name})".join(["", *around])
    escaped = f" $$(params.{name})".join(["", *around])
    assert substituted([escaped], resolve) == [text]


@given(st.lists(PLAIN | NAMES.map(lambda name: f"$(params.{name})"), max_size=5))
def test_every_placeholder_is_found_that_is_replaced(parts):
    text = " ".join(parts)
    names = [part[len("$(params.") : -1] for part in parts if part.startswith("$(params.") and part.endswith(")")]
    assert [reference.name for _, reference in references(text)] == names
    asked: list[str] = []

    def noted(reference):
        asked.append(reference.name)
        return value_of("v")

    substituted(text, noted)
    assert asked == names


@given(NAMES)
def test_a_tree_of_values_is_json(name):
    json.dumps(substituted({"a": f"$(params.{name})", "b": f"-$(params.{name})"}, resolve))


@pytest.mark.parametrize(("number", "expected"), [(4.0, 4), (4, 4), (2.5, 2.5), (-0.0, 0)])
def test_a_whole_number_with_a_point_is_an_integer_where_a_number_goes(number, expected):
    tree = substituted({"minAvailable": "$(params.n)"}, lambda _: value_of(number), place_of)
    assert tree == {"minAvailable": expected}
    assert type(tree["minAvailable"]) is type(expected)
