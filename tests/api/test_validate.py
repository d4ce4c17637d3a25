"""Rules of a flow that span fields: for each kind of mistake, where it is told and in which words."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.validate import Problem, flow_problems, job_name_problems, name_problems

unhurried = settings(deadline=None)  # timings belong to the benchmarks


def flow(**waits_for):
    """`flow(a="", b="a", c="a b")`: each step and what it waits for."""
    return steps(*waits_for.items())


def steps(*named):
    return JobFlowSpec.model_validate(
        {"flows": [{"name": name, "dependsOn": {"targets": targets.split()}} for name, targets in named]}
    )


def told(spec, name=""):
    return [str(problem) for problem in flow_problems(spec, name)]


@pytest.mark.parametrize(
    "spec",
    [
        flow(),
        flow(a=""),
        flow(a="", b="a", c="a b", d="b", e="c d"),
        flow(root1="", root2="", level1a="root1", level1b="root2", level2="level1a level1b", final="level2"),
        flow(c="b", b="a", a=""),
        flow(a="", b="a a"),
        steps(("data.prep-1", ""), ("x" * 253, "data.prep-1")),
    ],
    ids=["empty", "one step", "diamond", "two roots", "any order", "target twice", "dots and long names"],
)
def test_a_directed_acyclic_graph_has_no_problems(spec):
    assert told(spec, "train") == []


def test_steps_without_depends_on_or_with_an_empty_one_are_fine():
    spec = {"flows": [{"name": "a"}, {"name": "b", "dependsOn": {}}, {"name": "c", "dependsOn": {"targets": []}}]}
    assert told(JobFlowSpec.model_validate(spec)) == []


def test_a_step_name_given_twice_names_both_positions():
    assert told(steps(("a", ""), ("b", "a"), ("a", "b"))) == [
        'spec.flows[2].name: step "a" is already defined at spec.flows[0]; give each step a name of its own',
        "spec.flows[2].dependsOn.targets[0]: these steps wait for each other, so none would ever start: "
        "a -> b -> a (each waits for the next); take one of these dependencies away",
    ]


def test_each_further_use_of_a_name_is_told():
    problems = flow_problems(steps(("a", ""), ("a", ""), ("a", "")))
    assert [problem.path for problem in problems] == ["spec.flows[1].name", "spec.flows[2].name"]


def test_a_misspelt_target_gets_the_step_that_was_meant():
    assert told(flow(prep="", train="prpe")) == [
        'spec.flows[1].dependsOn.targets[0]: "prpe" is not a step of this flow; did you mean "prep"?'
    ]


def test_a_target_like_no_step_gets_the_steps_there_are():
    assert told(flow(prep="", clean="", train="prep zzz")) == [
        'spec.flows[2].dependsOn.targets[1]: "zzz" is not a step of this flow; the other steps are prep, clean'
    ]


def test_only_the_first_steps_of_a_long_flow_are_listed():
    spec = steps(*[(f"step-{index}", "") for index in range(20)], ("last", "zzz"))
    assert told(spec) == [
        'spec.flows[20].dependsOn.targets[0]: "zzz" is not a step of this flow; the other steps are step-0, step-1, '
        "step-2, step-3, step-4, step-5, step-6, step-7 and 12 more"
    ]


def test_an_unknown_target_in_a_flow_of_one_step_suggests_nothing():
    assert told(flow(a="zzz")) == ['spec.flows[0].dependsOn.targets[0]: "zzz" is not a step of this flow']


def test_a_step_that_depends_on_itself_is_told_once_and_not_as_a_cycle():
    assert told(flow(a="", b="a b")) == [
        'spec.flows[1].dependsOn.targets[1]: step "b" depends on itself, so it would never start'
    ]


def test_a_cycle_is_spelled_out_from_its_first_step():
    assert told(flow(start="", a="start b", b="c", c="a")) == [
        "spec.flows[1].dependsOn.targets[1]: these steps wait for each other, so none would ever start: "
        "a -> b -> c -> a (each waits for the next); take one of these dependencies away"
    ]


@pytest.mark.parametrize(
    ("what", "spec", "circles"),
    [
        ("two that wait for each other", flow(a="b", b="a", c="a b"), ["a -> b -> a"]),
        ("the shorter way round is shown", flow(a="b d", b="c", c="a", d="a"), ["a -> d -> a"]),
        ("two knots are two problems", flow(a="b", b="a", x="y", y="x"), ["a -> b -> a", "x -> y -> x"]),
        ("steps behind a knot are not in it", flow(z="y", y="x", x="y"), ["y -> x -> y"]),
        ("a knot of two rings is told once", flow(a="b c", b="a", c="a"), ["a -> b -> a"]),
        ("upstream's 1 to 3", flow(a="b", b="a c", c=""), ["a -> b -> a"]),
        ("upstream's 5 to 3", flow(a="b c d", b="c e", c="e", d="c e", e="e c"), ["c -> e -> c"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_cycles(what, spec, circles):
    cycles = [problem.message for problem in flow_problems(spec) if " -> " in problem.message]
    assert [message.split(": ")[1].split(" (")[0] for message in cycles] == circles


@unhurried
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40))
def test_a_cycle_is_found_exactly_where_steps_cannot_be_put_in_order(edges):
    waits_for = {str(node): {str(b) for a, b in edges if a == node and b != node} for node in range(13)}
    spec = steps(*[(name, " ".join(sorted(targets))) for name, targets in waits_for.items()])
    remaining = dict(waits_for)
    while ready := [name for name, targets in remaining.items() if not targets & remaining.keys()]:
        for name in ready:
            del remaining[name]
    problems = flow_problems(spec)
    assert bool(problems) == bool(remaining)
    for problem in problems:
        circle = problem.message.split(": ")[1].split(" (")[0].split(" -> ")
        assert circle[0] == circle[-1]
        assert all(after in waits_for[before] for before, after in pairwise(circle))
        assert len(set(circle)) == len(circle) - 1


@pytest.mark.parametrize("name", ["Train", "train_1", "-a", "a-", "a..b", "a b", "ä", "a/b", "a\n"])
def test_a_step_name_that_cannot_be_part_of_a_kubernetes_name(name):
    assert flow_problems(JobFlowSpec.model_validate({"flows": [{"name": name}]})) == [
        Problem(
            "spec.flows[0].name",
            f'"{name}" cannot be part of a Kubernetes name; use lower-case letters, digits, "-" and ".", '
            "and begin and end each part between dots with a letter or digit",
        )
    ]


def test_a_step_name_of_254_characters():
    assert told(steps(("x" * 254, ""))) == [
        "spec.flows[0].name: the name has 254 characters; it also names a JobTemplate, which may have 253"
    ]


def test_a_flow_name_of_254_characters():
    assert told(flow(a=""), "x" * 253) == []
    assert told(flow(a=""), "x" * 254) == ["metadata.name: the name has 254 characters; Kubernetes allows 253"]


def test_a_flow_name_that_kubernetes_would_refuse():
    assert told(flow(a=""), "My_Flow") == [
        'metadata.name: "My_Flow" cannot be the name of an object; use lower-case letters, digits, "-" and ".", '
        "and begin and end each part between dots with a letter or digit"
    ]


def test_all_problems_of_a_flow_are_told_at_once():
    spec = steps(("a", "zzz"), ("a", ""), ("b", "b"), ("C", ""))
    assert [problem.path for problem in flow_problems(spec, "x" * 300)] == [
        "metadata.name",
        "spec.flows[1].name",
        "spec.flows[3].name",
        "spec.flows[0].dependsOn.targets[0]",
        "spec.flows[2].dependsOn.targets[0]",
    ]


@pytest.mark.parametrize("shape", ["chain", "circle", "dense"])
def test_a_thousand_steps_are_checked_without_deep_recursion_and_in_linear_time(shape):
    count = 1000
    waits_for = {
        "chain": lambda index: f"s{index - 1}" if index else "",
        "circle": lambda index: f"s{(index - 1) % count}",
        "dense": lambda index: " ".join(f"s{target}" for target in range(max(0, index - 20), index)),
    }[shape]
    spec = steps(*[(f"s{index}", waits_for(index)) for index in range(count)])
    began = time.process_time()
    problems = flow_problems(spec, "big")
    assert time.process_time() - began < 1  # a quadratic check takes far longer; a linear one some milliseconds
    assert len(problems) == (shape == "circle")


@pytest.mark.parametrize(
    ("what", "flow_name", "step", "template"),
    [
        ("short", "train", "prep", {"tasks": [{"name": "worker", "replicas": 100}]}),
        ("cut to fit", "f" * 253, "s" * 253, {"tasks": [{"name": "worker", "replicas": 100}]}),
        ("no tasks yet", "train", "prep", {}),
        ("a Service of a good name", "train", "prep", {"plugins": {"svc": []}, "tasks": []}),
        ("a digit first, without a Service", "1x", "prep", {"plugins": {"env": []}}),
        ("tasks of a wrong type are the schema's to tell", "a", "b", {"tasks": {"name": "x"}}),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_names_that_fit(what, flow_name, step, template):
    assert name_problems(flow_name, step, template) == []


def test_a_task_name_that_leaves_no_room_for_the_child():
    template = {"tasks": [{"name": "t" * 55, "replicas": 1000}]}
    assert name_problems("train", "prep", template, "spec.flows[0].name") == [
        Problem(
            "spec.flows[0].name",
            f'the pods of step "prep" cannot be named: task "{"t" * 55}" and its index leave no room in the 63 '
            "characters of a pod name; shorten the task's name",
        )
    ]


@pytest.mark.parametrize("plugin", ["svc", "mpi", "pytorch", "tensorflow", "ray"])
@pytest.mark.parametrize(("flow_name", "child"), [("1x", "1x-prep"), ("a.b", "a.b-prep")])
def test_a_name_that_no_service_can_have(plugin, flow_name, child):
    assert name_problems(flow_name, "prep", {"plugins": {plugin: []}}) == [
        Problem(
            "metadata.name",
            f'plugin "{plugin}" makes a Service named as the Job, "{child}", and a Service\'s name begins with a '
            "letter and has no dots; rename the flow or the step",
        )
    ]


def test_a_job_of_the_users_own_is_not_cut_and_must_fit_with_its_pods():
    spec = {"tasks": [{"name": "worker", "replicas": 11}]}
    assert job_name_problems("j" * 53, spec) == []
    assert job_name_problems("j" * 54, spec) == [
        Problem("metadata.name", "with a task's name and index the name has 64 characters; a pod may have 63")
    ]


def test_a_job_of_the_users_own_that_no_service_can_be_named_after():
    assert job_name_problems("1x", {"plugins": {"svc": []}}) == [
        Problem(
            "metadata.name",
            'plugin "svc" makes a Service named as the Job, "1x", and a Service\'s name begins with a letter and has '
            "no dots; rename the Job",
        )
    ]
