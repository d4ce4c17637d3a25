"""What holds of every merge, whatever is merged: beside the rows of test_merge.py, with all keys and directives.

A step of a flow is merged again and again, from a template that is in the cache and a patch that is compiled once:
neither may change by it, and the outcome may depend on nothing else.
"""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.api.merge import MERGE_KEYS, OPTIONAL, MergeProblem, merge_spec
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import cluster_template, flow, template

Tree = dict[str, Any]
WORDS = st.sampled_from(["x", "y"])
DELETE, REPLACE = {"$patch": "delete"}, {"$patch": "replace"}


def named(key: str, names: str, **optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Tree]:
    """Items told apart by one key."""
    return st.fixed_dictionaries({key: st.sampled_from(list(names))}, optional=optional)


def several(items: st.SearchStrategy[Tree], *keys: str) -> st.SearchStrategy[list[Tree]]:
    """At most three of them, no two the same."""
    return st.lists(items, max_size=3, unique_by=lambda item: tuple(item.get(key, OPTIONAL.get(key)) for key in keys))


PORTS = st.fixed_dictionaries(
    {"containerPort": st.integers(1, 2)}, optional={"protocol": st.sampled_from(["TCP", "UDP"]), "name": WORDS}
)
TOLERATIONS = st.fixed_dictionaries(
    {"key": st.sampled_from("ab")}, optional={"effect": st.sampled_from(["NoSchedule", ""]), "operator": WORDS}
)
MAPPING = st.dictionaries(st.sampled_from("ab"), WORDS, max_size=2)
CONTAINER = named(
    "name",
    "ms",
    image=WORDS,
    command=st.lists(WORDS, max_size=2),
    env=several(named("name", "ABC", value=WORDS), "name"),
    ports=several(PORTS, "containerPort", "protocol"),
    volumeMounts=several(named("mountPath", "pq", name=WORDS), "mountPath"),
    resources=st.fixed_dictionaries({}, optional={"limits": st.dictionaries(st.sampled_from("cm"), st.integers(1, 3))}),
)
POD = st.fixed_dictionaries(
    {"containers": several(CONTAINER, "name")},
    optional={
        "volumes": several(named("name", "vw", emptyDir=st.just({})), "name"),
        "tolerations": several(TOLERATIONS, "key", "effect"),
        "nodeSelector": MAPPING,
        "hostAliases": several(named("ip", "12", hostnames=st.lists(WORDS, max_size=2)), "ip"),
    },
)
TASK = named("name", "tu", replicas=st.integers(0, 3), template=st.fixed_dictionaries({"spec": POD}))
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "minAvailable": st.integers(0, 3),
        "queue": WORDS,
        "plugins": st.dictionaries(st.sampled_from("se"), st.lists(WORDS, max_size=1), max_size=2),
        "tasks": several(TASK, "name"),
        "volumes": several(named("mountPath", "pq", volumeClaimName=WORDS), "mountPath"),
    },
)


def places(tree: Any, at: str = "") -> list[tuple[str, Any, Any]]:
    """(where, container, key) of everything in a tree; `where` without indexes, as MERGE_KEYS has it."""
    found: list[tuple[str, Any, Any]] = []
    if isinstance(tree, dict):
        for key, below in tree.items():
            path = f"{at}.{key}" if at else key
            found += [(path, tree, key), *places(below, path)]
    if isinstance(tree, list):
        for index, below in enumerate(tree):
            found += [(at, tree, index), *places(below, at)]
    return found


@st.composite
def directed(draw: st.DrawFn) -> Tree:
    """A patch with nulls and directives in it, wherever they may stand."""
    patch: Tree = draw(SPECS)
    for where, container, key in draw(st.permutations(places(patch))):
        if draw(st.integers(0, 4)):
            continue
        keys = MERGE_KEYS.get(where)
        if isinstance(container, list) and keys is not None and isinstance(container[key], dict):
            kept = {name: value for name, value in container[key].items() if name in keys}
            container[key] = kept | DELETE
        elif isinstance(container, dict) and not any(key in all_keys for all_keys in MERGE_KEYS.values()):
            value = container[key]
            if isinstance(value, list) and MERGE_KEYS.get(where) is not None:
                container[key] = [REPLACE.copy(), *value]
            elif isinstance(value, dict) and draw(st.booleans()):
                container[key] = {**REPLACE, **value}
            elif where != "tasks":
                container[key] = None
    return patch


def fingerprint(tree: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(tree)).hexdigest()


@given(SPECS, directed())
def test_twice_is_as_good_as_once(base, patch):
    once = merge_spec(base, patch)
    assert merge_spec(once, patch) == once


@given(SPECS, directed())
def test_neither_side_is_touched(base, patch):
    before = fingerprint(base), fingerprint(patch)
    merge_spec(base, patch)
    assert (fingerprint(base), fingerprint(patch)) == before


@given(SPECS, directed())
def test_what_comes_of_it_is_changed_without_changing_the_patch(base, patch):
    """A compiled patch is used for every attempt, while the variables of the step are put into the Job in place."""
    before = fingerprint(patch)
    for _, container, key in places(merge_spec(copy.deepcopy(base), patch)):
        container[key] = "changed"
    assert fingerprint(patch) == before


@given(SPECS, directed())
def test_no_directive_and_no_null_is_left_of_it(base, patch):
    merged = merge_spec(base, patch)
    assert [(where, key) for where, container, key in places(merged) if key == "$patch" or container[key] is None] == []


@given(SPECS)
def test_an_empty_patch_changes_nothing_and_an_empty_base_takes_all(spec):
    assert merge_spec(spec, {}) == spec
    assert merge_spec({}, spec) == spec
    assert merge_spec(spec, copy.deepcopy(spec)) == spec


@given(SPECS, SPECS, SPECS)
def test_patches_that_only_add_and_change_may_be_merged_first(base, first, second):
    """As in Kubernetes, where it is not so of nulls and directives: those are used up by the first merge."""
    assert merge_spec(merge_spec(base, first), second) == merge_spec(base, merge_spec(first, second))


@given(SPECS, SPECS, SPECS)
def test_patches_of_different_fields_may_come_in_either_order(base, first, second):
    first = {key: value for key, value in first.items() if key not in second}
    assert merge_spec(merge_spec(base, first), second) == merge_spec(merge_spec(base, second), first)


@given(SPECS, directed())
def test_what_the_patch_does_not_name_stays_in_its_place(base, patch):
    merged = merge_spec(base, patch)
    assert {key: merged[key] for key in base.keys() - patch.keys()} == {
        key: base[key] for key in base.keys() - patch.keys()
    }
    if "tasks" in patch and REPLACE not in (patch["tasks"] or [REPLACE]):
        said = {task["name"] for task in patch["tasks"]}
        left = [task for task in base.get("tasks", []) if task["name"] not in said]
        assert [task for task in merged["tasks"] if task["name"] not in said] == left


@pytest.mark.parametrize("name", [{"a": "b"}, ["a"], None], ids=["a mapping", "a list", "nothing"])
def test_a_key_that_tells_nothing_apart_is_refused_with_its_place(name):
    base = {"tasks": [{"name": "t", "replicas": 1}, {"name": "u"}]}
    with pytest.raises(MergeProblem, match=r"tasks\[0\]: name must say which item is meant"):
        merge_spec(base, {"tasks": [{"name": name, "replicas": 2}]})


@pytest.mark.parametrize("built", [template("a"), cluster_template("a")], ids=["JobTemplate", "ClusterJobTemplate"])
@given(base=SPECS, patch=SPECS)
def test_the_template_in_the_cache_and_the_compiled_patch_are_as_they_were(built, base, patch):
    view = built.having(**base).task("t").view()
    reference = {} if view.namespace else {"templateRef": {"name": "a", "kind": "ClusterJobTemplate"}}
    snapshot = flow("f").step("a").having(patch={"spec": patch}, **reference).snapshot(templates=[view])
    (step,) = snapshot.flow.compiled.graph.steps
    before = hash(view.spec), fingerprint(view), fingerprint(step.patch.partial)
    first, second = reconcile_flow(snapshot), reconcile_flow(snapshot)
    assert first == second
    for create in first.creates:
        for _, container, key in places(create.body["spec"]):
            container[key] = "changed"
    assert reconcile_flow(snapshot) == second, "made of the same again"
    assert (hash(view.spec), fingerprint(view), fingerprint(step.patch.partial)) == before
