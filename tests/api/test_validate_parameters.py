"""Rules of parameters, arguments and placeholders: what is told, and where."""

from __future__ import annotations

import msgspec
import pytest

from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.validate import flow_problems
from jobflow.api.validate_arguments import (
    argument_problems,
    template_parameter_problems,
    template_parameters,
    undeclared_problems,
    unused_in_template,
)
from jobflow.api.validate_parameters import unset_problems, unused_problems
from jobflow.reconcile.graph import compile_flow, hash_of
from jobflow.testing.builders import flow

F = flow("f")
OUTPUT = [{"name": "y", "from": {"path": "status.succeeded"}}]
P = F.step("p").having(outputs=OUTPUT)


def spec(built):
    return JobFlowSpec.model_validate(built.body()["spec"])


def told(built):
    return [str(problem) for problem in flow_problems(spec(built))]


def patched(**fields):
    return F.step("a").having(patch={"spec": fields})


def nested(depth):
    return [nested(depth - 1)] if depth else []


GOOD = [
    ("a value as deep as may be", F.parameter("n", nested(32)).step("a").having(
        arguments=[{"name": "n", "value": nested(32)}])),
    ("no parameters at all", F.step("a")),
    ("a parameter in an argument", F.parameter("n", 1).step("a").having(
        arguments=[{"name": "x", "value": "$(params.n)"}])),
    ("a field of a parameter", patched(queue="$(params.n.queue)").parameter("n", {"queue": "q"})),
    ("the context", patched(queue="$(context.namespace)")),
    ("a shell's own", patched(tasks=[{"name": "$(NAME) $$(NAME) $(date)"}])),
    ("an escaped one", patched(queue="$$(params.x)")),
    ("an output of a target", P.step("a", after="p").having(
        patch={"spec": {"queue": "$(steps.p.outputs.y)"}})),
    ("an output of a target's target", P.step("q", after="p").step("a", after="q").having(
        patch={"spec": {"queue": "$(steps.p.outputs.y)"}})),
    ("a placeholder for text in Volcano's spelling", F.parameter("n", "q").step("a").having(
        patch={"jobSpec": {"queue": "$(params.n)"}})),
]  # fmt: skip


@pytest.mark.parametrize(("said", "built"), GOOD, ids=[row[0] for row in GOOD])
def test_a_good_flow(said, built):
    assert told(built) == []


PATCH = "spec.flows[0].patch.spec"
BAD = [
    (
        "declared twice",
        F.parameter("n", 1).parameter("n", 2).step("a"),
        "spec.parameters[1].name: parameter n is already declared at spec.parameters[0]",
    ),
    (
        "a default that is not allowed",
        F.parameter("n", 3, enum=[2, 8]).step("a"),
        "spec.parameters[0].value: the value is none of the allowed ones: 2, 8",
    ),
    (
        "true is not 1",
        F.parameter("n", True, enum=[1]).step("a"),
        "spec.parameters[0].value: the value is none of the allowed ones: 1",
    ),
    (
        "allowed values of several kinds",
        F.parameter("n", 1, enum=[1, "a"]).step("a"),
        "spec.parameters[0].enum: the values are of several kinds: a number, a text",
    ),
    (
        "a value that refers to another",
        F.parameter("m", 1).parameter("n", "x$(params.m)").step("a"),
        "spec.parameters[1].value: $(params.m) is not replaced here: a parameter's value is what it is",
    ),
    (
        "a value that refers to itself",
        F.parameter("n", ["$(params.n)"]).step("a"),
        "spec.parameters[0].value: $(params.n) is not replaced here",
    ),
    (
        "an unknown parameter",
        patched(queue="$(params.queu)").parameter("queue", "q"),
        f'{PATCH}.queue: $(params.queu): the flow has no parameter queu; did you mean "queue"?',
    ),
    (
        "a parameter where there are none",
        patched(queue="$(params.queue)"),
        f"{PATCH}.queue: $(params.queue): the flow has no parameter queue",
    ),
    (
        "an unknown fact",
        patched(queue="$(context.nam)"),
        f'{PATCH}.queue: $(context.nam): the context has no nam; did you mean "name"?',
    ),
    (
        "a field of a fact",
        patched(queue="$(context.name.x)"),
        f"{PATCH}.queue: $(context.name.x): the context has no name.x",
    ),
    (
        "a loop",
        patched(queue="$(loop.item)"),
        f"{PATCH}.queue: $(loop.item): a step is not repeated here",
    ),
    (
        "no placeholder",
        patched(queue="$(params.a b)"),
        f"{PATCH}.queue: $(params.a b) is no placeholder; write $(params.<name>). Where the text itself is meant, "
        "write $$(params.a b)",
    ),
    (
        "a placeholder for a key",
        patched(**{"$(params.n)": 1}),
        f'{PATCH}: "$(params.n)": a placeholder stands for a value, never for the name of a field',
    ),
    (
        "an output of a step that is not waited for",
        P.step("a").having(patch={"spec": {"queue": "$(steps.p.outputs.y)"}}),
        "spec.flows[1].patch.spec.queue: $(steps.p.outputs.y): step a does not wait for p; add p to its "
        "dependsOn.targets",
    ),
    (
        "its own output",
        F.step("a").having(outputs=OUTPUT, patch={"spec": {"queue": "$(steps.a.outputs.y)"}}),
        f"{PATCH}.queue: $(steps.a.outputs.y): a step cannot use its own outputs",
    ),
    (
        "an output of no step",
        F.step("prep").step("a", after="prep").having(arguments=[{"name": "n", "value": ["$(steps.perp.outputs.y)"]}]),
        'spec.flows[1].arguments[0].value[0]: $(steps.perp.outputs.y): "perp" is not a step of this flow; did you mean '
        '"prep"?',
    ),
    (
        "the same argument twice",
        F.step("a").having(arguments=[{"name": "n", "value": 1}, {"name": "n", "value": 2}]),
        "spec.flows[0].arguments[1].name: argument n is already given at spec.flows[0].arguments[0]",
    ),
    (
        "no value for an argument",
        F.step("a").having(arguments=[{"name": "n", "value": None}]),
        "spec.flows[0].arguments[0].value: null is no value; leave the argument out to use the default",
    ),
    (
        "a number's place in Volcano's spelling",
        F.parameter("n", 1).step("a").having(patch={"jobSpec": {"minAvailable": "$(params.n)"}}),
        "spec.flows[0].patch.jobSpec.minAvailable: $(params.n): this field takes a number, in jobSpec as in every Job, "
        "and a placeholder is a text; set the field in the step's patch.spec, where any type may stand",
    ),
    (
        "parameters in a patch",
        patched(parameters=[]),
        f"{PATCH}.parameters: no Job has parameters; give values to those of the template with the step's arguments",
    ),
    (
        "a value that is nested too deep",
        F.parameter("n", nested(40)).step("a"),
        "spec.parameters[0]: the value is nested more than 32 deep",
    ),
    (
        "an argument that is nested too deep",
        F.step("a").having(arguments=[{"name": "n", "value": nested(40)}]),
        "spec.flows[0].arguments[0].value: the value is nested more than 32 deep",
    ),
    (
        "a megabyte of parameters",
        F.parameter("n", "x" * 1_000_000).step("a"),
        "spec.parameters: the parameters have 976 KiB; 256 KiB are allowed",
    ),
    (
        "a megabyte of arguments",
        F.step("a").having(arguments=[{"name": "n", "value": ["x" * 1000] * 1000}]),
        "spec.flows[0].arguments: the arguments have 979 KiB; 256 KiB are allowed",
    ),
    (
        "a megabyte of a patch",
        patched(queue="x" * 1_000_000),
        f"{PATCH}: the patch has 976 KiB; 256 KiB are allowed",
    ),
    (
        "a label of ours",
        F.parameter("n", "x")
        .step("a")
        .having(patch={"metadata": {"labels": {"jobflow.volcano.sh/flow": "$(params.n)"}}}),
        "spec.flows[0].patch.metadata.labels[jobflow.volcano.sh/flow]: jobflow.volcano.sh/flow belongs to the",
    ),
]


@pytest.mark.parametrize(("said", "built", "expected"), BAD, ids=[row[0] for row in BAD])
def test_a_bad_flow(said, built, expected):
    problems = told(built)
    assert len(problems) == 1, problems
    assert problems[0].startswith(expected)


def test_a_long_label_that_is_a_placeholder_is_judged_when_it_has_its_value():
    name = "n" * 63
    built = F.parameter(name, "x").step("a").having(patch={"metadata": {"labels": {"size": f"$(params.{name})"}}})
    assert told(built) == []


def test_a_parameter_that_is_used_needs_a_value():
    built = patched(queue="$(params.n)").parameter("n").parameter("m")
    assert [str(problem) for problem in unset_problems(spec(built))] == [
        "spec.parameters[0]: parameter n has no value; write value or valueFrom, or give one with -p n=..."
    ]
    body = compile_flow("f", msgspec.json.encode(built.body()["spec"]))
    assert [problem.path for problem in body.problems] == ["spec.parameters[0]"]


def test_a_parameter_that_nothing_uses_is_noticed():
    built = patched(queue="$$(params.m) $(params.n)").parameter("n", 1).parameter("m", 1)
    assert [problem.path for problem in unused_problems(spec(built))] == ["spec.parameters[1].name"]


class TestTheHashOfWhatIsFrozen:
    def of(self, built):
        parsed = spec(built)
        return hash_of(parsed.flows, parsed.parameters or ())

    def test_is_what_it_was_where_nothing_new_is_used(self):
        assert self.of(F.step("a").step("b", after="a")) == hash_of(spec(F.step("a").step("b", after="a")).flows)
        assert self.of(F.step("a").step("b", after="a")) == "a71cccf295b9268c"

    def test_knows_parameters_and_arguments(self):
        plain = F.step("a")
        others = [
            F.parameter("n", 1).step("a"),
            F.parameter("n", 2).step("a"),
            F.parameter("n", "1").step("a"),
            F.parameter("m", 1).step("a"),
            F.parameter("n", valueFrom={"configMapKeyRef": {"name": "m", "key": "k"}}).step("a"),
            plain.having(arguments=[{"name": "n", "value": 1}]),
            plain.having(arguments=[{"name": "n", "value": 2}]),
        ]
        assert len({self.of(built) for built in (plain, *others)}) == len(others) + 1

    def test_knows_no_order_and_no_description(self):
        one = F.parameter("n", 1).parameter("m", 2).step("a")
        other = F.parameter("m", 2, description="x").parameter("n", 1).step("a")
        assert self.of(one) == self.of(other)


def container(**fields):
    return {"tasks": [{"name": "t", "template": {"spec": {"containers": [{"name": "c", **fields}]}}}]}


IN = "spec.tasks[0].template.spec.containers[0]"
TEMPLATES = [
    ("none declared: nothing is looked at", {**container(image="$(params.x) $(params.a b)")}, []),
    ("a known one", {"parameters": [{"name": "x"}], **container(image="$(params.x)")}, []),
    (
        "an unknown one",
        {"parameters": [{"name": "tag"}], **container(image="$(params.tga)")},
        [f'{IN}.image: $(params.tga): it declares no parameter tga; did you mean "tag"?'],
    ),
    (
        "an output",
        {"parameters": [{"name": "x"}], **container(args=["$(steps.a.outputs.b)"])},
        [
            f"{IN}.args[0]: $(steps.a.outputs.b): a template knows nothing of the flow; declare a parameter and pass "
            "it as an argument of the step"
        ],
    ),
    (
        "a number's place",
        {"parameters": [{"name": "n", "value": 1}], "minAvailable": "$(params.n)", **container(image="i")},
        [
            "spec.minAvailable: $(params.n): this field takes a number, in a JobTemplate as in every Job, and a "
            "placeholder is a text; set the field in the step's patch.spec, where any type may stand"
        ],
    ),
    (
        "an amount's place",
        {"parameters": [{"name": "n"}], **container(resources={"limits": {"cpu": "$(params.n)"}})},
        [f"{IN}.resources.limits.cpu: $(params.n): this field takes an amount"],
    ),
    (
        "a list's place",
        {"parameters": [{"name": "n"}], **container(args="$(params.n)")},
        [f"{IN}.args: $(params.n): this field takes a list, in"],
    ),
    (
        "a recursive default",
        {"parameters": [{"name": "n", "value": "$(params.n)"}], **container(image="i")},
        ["spec.parameters[0].value: $(params.n) is not replaced here"],
    ),
    (
        "a name that is none",
        {"parameters": [{"name": "a b"}], **container(image="i")},
        ["spec.parameters[0].name: String should match pattern"],
    ),
]


@pytest.mark.parametrize(("said", "template", "expected"), TEMPLATES, ids=[row[0] for row in TEMPLATES])
def test_a_template(said, template, expected):
    problems = [str(problem) for problem in template_parameter_problems(template)]
    assert len(problems) == len(expected), problems
    for problem, beginning in zip(problems, expected, strict=True):
        assert problem.startswith(beginning)


def test_our_placeholders_in_a_template_without_parameters_are_noticed():
    told = [
        str(problem) for problem in undeclared_problems(container(args=["$(params.x)", "$(VAR)", "$(context.name)"]))
    ]
    assert told == [
        f"{IN}.args[{index}]: {text} stays as it is, because the template declares no parameters; declare "
        "spec.parameters to use it"
        for index, text in ((0, "$(params.x)"), (2, "$(context.name)"))
    ]
    assert undeclared_problems({"parameters": [{"name": "x"}], **container(args=["$(params.x)"])}) == []


def test_a_parameter_that_a_template_does_not_use_is_noticed():
    template = {"parameters": [{"name": "x"}, {"name": "y"}], **container(args=["$(params.x)", "$$(params.y)"])}
    assert [problem.path for problem in unused_in_template(template)] == ["spec.parameters[1].name"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"x": 1}, []),
        ({"x": 1, "y": 2}, []),
        ({}, ["arguments: T needs a value for its parameter x; give it as an argument of the step"]),
        ({"x": 1, "yy": 2}, ['arguments[yy]: T has no parameter yy; did you mean "y"?']),
    ],
)
def test_arguments_against_a_template(given, expected):
    declared = {
        one.name: one for one in template_parameters({"parameters": [{"name": "x"}, {"name": "y", "value": 1}]})
    }
    assert [str(problem) for problem in argument_problems(given, declared, "T", "arguments")] == expected
