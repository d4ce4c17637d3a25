"""Names as they stand on objects: what fits stays as it is, what does not is cut the same way every time."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobflow.api.names import (
    HASH_CHARACTERS,
    MAX_LABEL_CHARACTERS,
    NameTooLong,
    child_name,
    cut_to_fit,
    label_value,
    owner_text,
    pod_suffix_length,
    short_hash,
)

unhurried = settings(deadline=None)  # timings belong to the benchmarks

LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?){0,3}", fullmatch=True)
items = st.none() | st.integers(0, 10_000)
attempts = st.integers(0, 20)
suffixes = st.integers(0, 40)


@pytest.mark.parametrize(
    ("node", "name"),
    [
        (("jobFlowA", "jobTemplateA", None, 0), "jobFlowA-jobTemplateA"),
        (("train", "prep", None, 0), "train-prep"),
        (("train", "prep", 0, 0), "train-prep-0"),
        (("train", "prep", 12, 0), "train-prep-12"),
        (("train", "prep", None, 2), "train-prep-r2"),
        (("train", "prep", 12, 2), "train-prep-12-r2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_child_is_named_after_flow_step_item_and_attempt(node, name):
    assert child_name(*node) == name


def test_the_owner_is_written_as_upstream_writes_it():
    assert owner_text("default", "flow") == "default.flow"


def test_a_name_of_63_characters_stays_and_one_of_64_is_cut():
    flow = "f" * 58
    assert child_name(flow, "step", None, 0) == f"{flow}-step"
    assert len(f"{flow}-step") == 63
    longer = child_name(flow, "steps", None, 0)
    assert longer == f"{(flow + '-steps')[:54]}-{short_hash(flow + '-steps')}"
    assert len(longer) == 63


def test_names_of_253_characters_are_cut():
    name = child_name("f" * 253, "s" * 253, 99, 9, 20)
    assert len(name) == MAX_LABEL_CHARACTERS - 20
    assert OBJECT_NAME.fullmatch(name)


def test_a_cut_never_leaves_a_dot_or_dash_before_the_hash():
    name = cut_to_fit("aaaa" + "-" * 20 + "b" * 20, 20)
    assert name == f"aaaa-{short_hash('aaaa' + '-' * 20 + 'b' * 20)}"


@pytest.mark.parametrize("limit", [1, 8, 9])
def test_a_name_that_no_cut_makes_fit_is_refused(limit):
    with pytest.raises(NameTooLong, match=f"cannot be cut to {limit} characters"):
        cut_to_fit("a" * 64, limit)


def test_the_shortest_cut_keeps_one_character():
    assert len(cut_to_fit("a" * 64, HASH_CHARACTERS + 2)) == HASH_CHARACTERS + 2


@pytest.mark.parametrize(
    ("tasks", "replicas", "longest"),
    [
        ([], [], ""),
        (["main"], [1], "-main-0"),
        (["main"], [0], "-main-0"),
        (["main"], [11], "-main-10"),
        (["a", "worker"], [1000, 10], "-worker-9"),
        (["ab", "abc"], [1000, 10], "-ab-999"),
    ],
)
def test_the_suffix_is_that_of_the_longest_pod_name(tasks, replicas, longest):
    assert pod_suffix_length(tasks, replicas) == len(longest)


@unhurried
@given(names, names, items, attempts, suffixes)
def test_the_child_and_its_pods_fit(flow, step, item, attempt, suffix):
    name = child_name(flow, step, item, attempt, suffix)
    assert len(name) + suffix <= MAX_LABEL_CHARACTERS
    assert OBJECT_NAME.fullmatch(name)


@unhurried
@given(names, names, items, attempts, suffixes)
def test_the_same_node_always_has_the_same_name(flow, step, item, attempt, suffix):
    assert child_name(flow, step, item, attempt, suffix) == child_name(flow, step, item, attempt, suffix)


@unhurried
@given(names, st.sets(st.tuples(names, items, attempts), min_size=2, max_size=20), suffixes)
def test_nodes_of_one_flow_whose_whole_names_differ_have_different_names(flow, nodes, suffix):
    whole = {child_name(flow, step, item, attempt, -10_000) for step, item, attempt in nodes}
    cut = {child_name(flow, step, item, attempt, suffix) for step, item, attempt in nodes}
    assert len(cut) == len(whole)


@unhurried
@given(names, names)
def test_a_label_value_is_valid_and_whole_where_it_fits(namespace, name):
    text = owner_text(namespace, name)
    value = label_value(text)
    assert LABEL_VALUE.fullmatch(value)
    assert len(value) <= MAX_LABEL_CHARACTERS
    assert (value == text) == (len(text) <= MAX_LABEL_CHARACTERS)


@unhurried
@given(st.sets(names.map(lambda name: name + "x" * 63), min_size=2, max_size=10))
def test_label_values_that_were_cut_stay_apart(texts):
    assert len({label_value(text) for text in texts}) == len(texts)
