"""What is said of dependencies, conditions and switches that are no good."""

from __future__ import annotations

import pytest

from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.validate import flow_problems
from jobflow.api.validate_parameters import unset_problems, unused_problems


def told(spec):
    return [str(problem) for problem in flow_problems(JobFlowSpec.model_validate(spec))]


def steps(**waits):
    """Steps with their dependsOn; a leaves the output n, and so does b."""
    named = {"a": {}, "b": {}} | waits
    outputs = [{"name": "n", "from": {"terminationMessage": {}}}]
    return [
        {"name": name} | ({"dependsOn": depends} if depends else {}) | ({"outputs": outputs} if name in "ab" else {})
        for name, depends in named.items()
    ]


def waits(**depends_on):
    return {"flows": steps(c=depends_on)}


C = "spec.flows[2].dependsOn"
WITH = "targetsWithStatus"


@pytest.mark.parametrize(
    ("said", "depends_on", "problems"),
    [
        ("any", {"targets": ["a", "b"], "strategy": "Any"}, []),
        ("a phase", {"targets": ["a"], WITH: [{"name": "b", "phase": "Failed"}]}, []),
        ("groups alone", {"orGroups": [{"targets": ["a"]}, {WITH: [{"name": "b", "phase": "Running"}]}]}, []),
        ("an expression", {"expression": "steps.a.outputs.n > 1 || steps.b.phase == 'Failed'"}, []),
        (
            "an unknown step with a phase",
            {WITH: [{"name": "zz", "phase": "Failed"}]},
            [f'{C}.targetsWithStatus[0].name: "zz" is not a step of this flow; the other steps are a, b'],
        ),
        (
            "unknown steps in a group",
            {"orGroups": [{"targets": ["a", "x"]}, {WITH: [{"name": "c", "phase": "Failed"}]}]},
            [
                f'{C}.orGroups[0].targets[1]: "x" is not a step of this flow; the other steps are a, b',
                f'{C}.orGroups[1].targetsWithStatus[0].name: step "c" depends on itself, so it would never start',
            ],
        ),
        (
            "an unknown step in an expression",
            {"expression": "steps['x-y'].phase == 'Failed'"},
            [f'{C}.expression: "x-y" is not a step of this flow; the other steps are a, b'],
        ),
        (
            "an expression about itself",
            {"expression": "steps.c.phase == 'Failed'"},
            [f'{C}.expression: step "c" depends on itself, so it would never start'],
        ),
        (
            "a strategy without targets",
            {"strategy": "Any", WITH: [{"name": "a", "phase": "Failed"}]},
            [f"{C}.strategy: there are no targets that it could count; add targets, or take strategy away"],
        ),
        (
            "waitFor without targets",
            {"waitFor": "Running", WITH: [{"name": "a", "phase": "Failed"}]},
            [f"{C}.waitFor: there are no targets that could run or complete; add targets, or take waitFor away"],
        ),
        (
            "one step twice",
            {WITH: [{"name": "a", "phase": "Failed"}, {"name": "a", "phase": "Skipped"}]},
            [f'{C}.targetsWithStatus[1].name: "a" is already at {C}.targetsWithStatus[0]; take one of them away'],
        ),
        (
            "what cannot be",
            {"targets": ["a"], WITH: [{"name": "a", "phase": "Failed"}]},
            [
                f'{C}.targetsWithStatus[0].phase: "a" is also among the targets, which have to end well, so that both '
                "can never hold; take it out of one of them, or set strategy: Any"
            ],
        ),
        ("what can be", {"targets": ["a", "b"], "strategy": "Any", WITH: [{"name": "a", "phase": "Failed"}]}, []),
        ("a skipped target beside another", {"targets": ["a", "b"], WITH: [{"name": "a", "phase": "Skipped"}]}, []),
        (
            "an empty group",
            {"targets": ["a"], "orGroups": [{"targets": ["b"]}, {}]},
            [f"{C}.orGroups[1]: it names no step, so that it would always hold; add targets, or take it away"],
        ),
        (
            "no group",
            {"targets": ["a"], "orGroups": []},
            [f"{C}.orGroups: there is no group in it; add one, or take it away"],
        ),
        (
            "an expression beside others",
            {
                "expression": "steps.a.phase == 'Failed'",
                "targets": ["b"],
                "strategy": "Any",
                "probe": {"tcpSocketList": [{"host": "db", "port": 1}]},
            },
            [
                f"{C}.{field}: an expression says all that the step waits for; say this in the expression, or take "
                "that away"
                for field in ("targets", "strategy", "probe")
            ],
        ),
        (
            "an expression that is none",
            {"expression": "steps.a.phase = 'Failed'"},
            [f"{C}.expression: at character 15: '=' has no meaning in an expression"],
        ),
        (
            "an expression that waits for nothing",
            {"expression": "context.name == 'x'"},
            [
                f"{C}.expression: it names no step, so that there is nothing to wait for; whether a step runs at all "
                "is said by `when`"
            ],
        ),
        (
            "an expression about what is not there",
            {"expression": "steps.a.outputs.m == params.x && context.phase == context.nam"},
            [
                f"{C}.expression: params.x: the flow has no parameter x",
                f"{C}.expression: steps['a'].outputs.m: step a has no output m; its outputs are n",
                f'{C}.expression: context.nam: the context has no nam; did you mean "name"?',
                f"{C}.expression: context.phase: how the flow ended is known to the steps of onExit alone",
            ],
        ),
        (
            "the task of any target",
            {
                "targets": ["a", "b"],
                "strategy": "Any",
                "probe": {"taskStatusList": [{"taskName": "w", "phase": "Failed"}]},
            },
            [
                f'{C}.strategy: task "w" is a task of a target\'s Job, and with strategy Any it is not known of which '
                "target; probe a host, or wait for all"
            ],
        ),
    ],
)
def test_dependencies(said, depends_on, problems):
    assert told(waits(**depends_on)) == problems


CYCLES = {
    "by a phase": ({WITH: [{"name": "d", "phase": "Failed"}]}, f"{C}.targetsWithStatus[0].name"),
    "by a group": ({"targets": ["a"], "orGroups": [{"targets": ["b", "d"]}]}, f"{C}.orGroups[0].targets[1]"),
    "by an expression": ({"expression": "steps.d.phase == 'Failed'"}, f"{C}.expression"),
}


@pytest.mark.parametrize("said", CYCLES)
def test_circles_of_every_kind_of_dependency(said):
    depends_on, path = CYCLES[said]
    (problem,) = told({"flows": steps(c=depends_on, d={"targets": ["c"]})})
    assert problem.startswith(f"{path}: these steps wait for each other, so none would ever start: c -> d -> c")


def test_a_failure_that_is_borne_is_a_good_end_and_a_failure():
    flows = steps(c={"targets": ["a"], WITH: [{"name": "a", "phase": "Failed"}]})
    flows[0]["continueOnFail"] = True
    assert told({"flows": flows}) == []


def test_steps_of_on_exit_wait_for_each_other_only():
    spec = waits(targets=["a"]) | {
        "onExit": [
            {"name": "x", "dependsOn": {WITH: [{"name": "a", "phase": "Failed"}]}},
            {
                "name": "y",
                "dependsOn": {"expression": "steps.x.phase == 'Failed'"},
                "when": [{"cel": "steps.a.exitCode > 0"}],
            },
        ]
    }
    (problem,) = told(spec)
    assert problem.startswith('spec.onExit[0].dependsOn.targetsWithStatus[0].name: "a" is a step of spec.flows, and')


def when(*conditions, after="a"):
    flows = steps(c={"targets": [after]})
    flows[2]["when"] = list(conditions)
    return {"flows": flows, "parameters": [{"name": "p", "value": 1}]}


W = "spec.flows[2].when[0]"


@pytest.mark.parametrize(
    ("said", "condition", "problems"),
    [
        ("an input", {"input": "$(params.p)", "operator": "In", "values": [1]}, []),
        ("an expression", {"cel": "params.p == 1 && steps.a.outputs.n > 1 && context.attempt == 0"}, []),
        ("nothing", {}, [f"{W}: a condition is either cel, or input with operator and values; add one"]),
        (
            "both",
            {"cel": "true", "values": [1]},
            [f"{W}.values: cel says the whole condition; take it away, or write another condition"],
        ),
        (
            "half a comparison",
            {"values": [1]},
            [
                f"{W}.input: a condition that compares has input, operator and values; add it",
                f"{W}.operator: a condition that compares has input, operator and values; add it",
            ],
        ),
        (
            "no values",
            {"input": "$(params.p)", "operator": "In", "values": []},
            [f"{W}.values: there is nothing to compare the input with; add a value"],
        ),
        (
            "null",
            {"input": "$(params.p)", "operator": "In", "values": [None]},
            [f"{W}.values: null is no value, and no input is ever null; take it away"],
        ),
        (
            "an unknown parameter",
            {"input": "$(params.pp)", "operator": "In", "values": ["$(params.qq)"]},
            [
                f'{W}.input: $(params.pp): the flow has no parameter pp; did you mean "p"?',
                f"{W}.values[0]: $(params.qq): the flow has no parameter qq; the flow's parameters are p",
            ],
        ),
        (
            "a step it does not wait for",
            {"input": "$(steps.b.outputs.n)", "operator": "In", "values": [1]},
            [f"{W}.input: $(steps.b.outputs.n): step c does not wait for b; add b to its dependsOn.targets"],
        ),
        (
            "a step it does not wait for, in an expression",
            {"cel": "steps.b.phase == 'Failed' && steps.c.phase == 'Running'"},
            [
                f"{W}.cel: steps['b']: step c does not wait for b; add b to its dependsOn.targets",
                f"{W}.cel: steps['c']: a step cannot use its own outputs",
            ],
        ),
        (
            "an output that no step has",
            {"input": "$(steps.a.outputs.m)", "operator": "In", "values": [1]},
            [f"{W}.input: $(steps.a.outputs.m): step a has no output m; its outputs are n"],
        ),
        (
            "no expression",
            {"cel": "steps.a.phase =="},
            [f"{W}.cel: at character 17: the expression ends where a value is expected"],
        ),
        (
            "how the flow ended",
            {"cel": "context.phase == 'Failed'"},
            [f"{W}.cel: context.phase: how the flow ended is known to the steps of onExit alone"],
        ),
    ],
)
def test_conditions(said, condition, problems):
    assert told(when(condition)) == problems


def test_a_step_may_speak_of_all_that_comes_before_it():
    flows = steps(
        c={"targets": ["a"]}, d={WITH: [{"name": "c", "phase": "Failed"}]}, e={"orGroups": [{"targets": ["d"]}]}
    )
    flows[4]["when"] = [{"cel": "steps.a.outputs.n > 1"}]
    flows[4]["arguments"] = [{"name": "x", "value": "$(steps.a.outputs.n)"}]
    assert told({"flows": flows}) == []


def switch(**fields):
    flows = steps(c={"targets": ["a"]}, d={"targets": ["a"]}, e={})
    written = {"input": "$(params.p)", "cases": [{"values": [1], "flows": ["c"]}], "default": ["d"]} | fields
    return {"flows": flows, "parameters": [{"name": "p", "value": 1}], "switch": [written], "onExit": [{"name": "x"}]}


S = "spec.switch[0]"


@pytest.mark.parametrize(
    ("said", "fields", "problems"),
    [
        ("by a parameter", {}, []),
        ("by an output", {"input": "$(steps.a.outputs.n)"}, []),
        ("without a default", {"default": None}, []),
        (
            "by nothing",
            {"input": "x"},
            [
                f"{S}.input: there is no placeholder in it, so that every run would take the same branch; write "
                "$(params.<name>) or $(steps.<step>.outputs.<output>)"
            ],
        ),
        ("by a placeholder that is not closed", {"input": "$(params.p"}, [f"{S}.input: $(params.p is not closed"]),
        (
            "by an output that comes too late",
            {"input": "$(steps.b.outputs.n)"},
            [
                f"{S}.input: $(steps.b.outputs.n): step {step} does not wait for b; add b to its dependsOn.targets"
                for step in "cd"
            ],
        ),
        (
            "unknown steps",
            {"cases": [{"values": [1], "flows": ["zz", "c", "c"]}], "default": ["x", "f"]},
            [
                f'{S}.cases[0].flows[0]: "zz" is not a step of this flow; the steps are a, b, c, d, e',
                f'{S}.cases[0].flows[2]: "c" is already in this list; take one of them away',
                f'{S}.default[0]: "x" is a step of onExit; give it a condition of its own with `when`',
                f'{S}.default[1]: "f" is not a step of this flow; the steps are a, b, c, d, e',
            ],
        ),
        (
            "one value in two cases",
            {"cases": [{"values": [1, 2], "flows": ["c"]}, {"values": ["2", None], "flows": ["e"]}]},
            [
                f"{S}.cases[1].values[0]: this value is already at {S}.cases[0].values[1], and one value chooses one "
                "case; take one of them away",
                f"{S}.cases[1].values[1]: null is no value; what no case names goes to the default",
            ],
        ),
        (
            "a step that always runs",
            {"default": ["c", "d"]},
            [
                f'{S}.default: "c" is in the default and in every case, so that it always runs; take it out of the '
                "switch"
            ],
        ),
    ],
)
def test_switches(said, fields, problems):
    found = told(switch(**fields))
    assert len(found) == len(problems)
    assert all(one.startswith(problem) for one, problem in zip(found, problems, strict=True)), found


@pytest.mark.parametrize(
    "spec",
    [
        when({"cel": "params.p == 1"}),
        when({"input": "$(params.p)", "operator": "In", "values": [1]}),
        when({"input": "$(context.name)", "operator": "In", "values": ["$(params.p)"]}),
        switch(),
        {"flows": steps(c={"expression": "params.p && steps.a.phase == 'Failed'"}), "parameters": [{"name": "p"}]},
        {"flows": [{"name": "a", "retry": {"limit": 1, "when": [{"cel": "params.p"}]}}], "parameters": [{"name": "p"}]},
    ],
)
def test_a_parameter_that_a_condition_names_is_used_and_has_to_have_a_value(spec):
    valueless = spec | {"parameters": [{"name": "p"}]}
    assert unused_problems(JobFlowSpec.model_validate(valueless)) == []
    assert [problem.path for problem in unset_problems(JobFlowSpec.model_validate(valueless))] == ["spec.parameters[0]"]
