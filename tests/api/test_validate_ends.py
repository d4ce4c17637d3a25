"""What is wrong with how a flow is to end, with the field and what to do about it."""

from __future__ import annotations

import pytest

from jobflow.api.ends import Ends, FailurePolicy, SuccessType, ends_of
from jobflow.api.jobflow import JobFlowSpec
from jobflow.api.validate import flow_problems
from jobflow.reconcile.graph import compile_flow, hash_of
from jobflow.testing.builders import flow

F = flow("f").step("a").step("b", after="a")


def told(builder):
    return [str(problem) for problem in flow_problems(JobFlowSpec.model_validate(builder.body()["spec"]))]


def policy(**fields):
    return F.setting(successPolicy=fields)


def on_exit(*steps):
    return F.setting(onExit=list(steps))


def after(name, *targets):
    return {"name": name, "dependsOn": {"targets": list(targets)}}


def placing(text, **more):
    return {"name": "x", "patch": {"metadata": {"annotations": {"k": text}}}, **more}


@pytest.mark.parametrize(
    "builder",
    [
        policy(),
        policy(type="All"),
        policy(type="Any"),
        policy(type="Any", criticalFlows=[]),
        policy(type="Critical", criticalFlows=["a", "b"]),
        F.setting(failurePolicy="FailFast"),
        F.setting(failurePolicy="RunIndependent"),
        on_exit(),
        on_exit({"name": "x"}, after("y", "x")),
        on_exit({"name": "x"}).policy("delete-always"),
        flow("f").setting(onExit=[{"name": "x"}]),
        on_exit(placing("$(context.phase): $(context.reason) of $(context.name)")),
    ],
)
def test_what_is_right(builder):
    assert told(builder) == []


PROBLEMS = {
    "Critical without critical steps": (
        policy(type="Critical"),
        "spec.successPolicy: with type Critical the steps that have to succeed are named here; name at least one",
    ),
    "Critical with none": (
        policy(type="Critical", criticalFlows=[]),
        "spec.successPolicy.criticalFlows: with type Critical the steps that have to succeed are named here; name at "
        "least one",
    ),
    "Any with critical steps": (
        policy(type="Any", criticalFlows=["a"]),
        "spec.successPolicy.criticalFlows: with type Any no step is critical; set type: Critical, or take "
        "criticalFlows away",
    ),
    "critical steps without a type": (
        policy(criticalFlows=["a"]),
        "spec.successPolicy.criticalFlows: with type All no step is critical; set type: Critical, or take "
        "criticalFlows away",
    ),
    "a critical step that is none": (
        policy(type="Critical", criticalFlows=["a", "bb"]),
        'spec.successPolicy.criticalFlows[1]: "bb" is not a step of this flow; did you mean "b"?',
    ),
    "a critical step named twice": (
        policy(type="Critical", criticalFlows=["a", "b", "a"]),
        'spec.successPolicy.criticalFlows[2]: "a" is already named at spec.successPolicy.criticalFlows[0]; take one of '
        "them away",
    ),
    "a critical step of onExit": (
        policy(type="Critical", criticalFlows=["x"]).setting(onExit=[{"name": "x"}]),
        'spec.successPolicy.criticalFlows[0]: "x" is a step of onExit, which has no say in how the flow ends; name a '
        "step of spec.flows",
    ),
    "a critical step whose failure is as good": (
        policy(type="Critical", criticalFlows=["b"]).having(continueOnFail=True),
        'spec.successPolicy.criticalFlows[0]: the failure of "b" counts as success (spec.flows[1].continueOnFail), so '
        "it cannot be critical; take one of them away",
    ),
    "a name in both lists": (
        on_exit({"name": "a"}),
        'spec.onExit[0].name: step "a" is already defined at spec.flows[0]; give each step a name of its own',
    ),
    "a name twice in onExit": (
        on_exit({"name": "x"}, {"name": "x"}),
        'spec.onExit[1].name: step "x" is already defined at spec.onExit[0]; give each step a name of its own',
    ),
    "a name that is none": (
        on_exit({"name": "X"}),
        'spec.onExit[0].name: "X" cannot be part of a Kubernetes name; use lower-case letters, digits, "-" and ".", '
        "and begin and end each part between dots with a letter or digit",
    ),
    "onExit waits for a step of the flow": (
        on_exit(after("x", "a")),
        'spec.onExit[0].dependsOn.targets[0]: "a" is a step of spec.flows, and the steps of onExit start when all of '
        "those have ended; take it away; $(context.phase) tells how the flow ended",
    ),
    "a step of the flow waits for onExit": (
        F.step("c", after=["a", "x"]).setting(onExit=[{"name": "x"}]),
        'spec.flows[2].dependsOn.targets[1]: "x" is a step of onExit, which runs when the flow has ended; so this step '
        "would never start",
    ),
    "onExit waits for nobody": (
        on_exit({"name": "clean"}, after("y", "cleen")),
        'spec.onExit[1].dependsOn.targets[0]: "cleen" is not a step of this flow; did you mean "clean"?',
    ),
    "onExit waits for itself": (
        on_exit(after("x", "x")),
        'spec.onExit[0].dependsOn.targets[0]: step "x" depends on itself, so it would never start',
    ),
    "a circle in onExit": (
        on_exit(after("x", "y"), after("y", "x")),
        "spec.onExit[0].dependsOn.targets[0]: these steps wait for each other, so none would ever start: x -> y -> x "
        "(each waits for the next); take one of these dependencies away",
    ),
    "the end is asked for before it is there": (
        F.having(patch={"metadata": {"annotations": {"k": "$(context.phase)"}}}),
        "spec.flows[1].patch.metadata.annotations.k: $(context.phase): how the flow ended is known to the steps of "
        "onExit alone; give it to a template as an argument there",
    ),
    "the context of onExit has no such thing": (
        on_exit(placing("$(context.phrase)")),
        'spec.onExit[0].patch.metadata.annotations.k: $(context.phrase): the context has no phrase; did you mean '
        '"phase"?',
    ),
    "onExit uses a parameter that is none": (
        on_exit(placing("$(params.n)")),
        "spec.onExit[0].patch.metadata.annotations.k: $(params.n): the flow has no parameter n",
    ),
    "onExit uses what its own step does not wait for": (
        on_exit(
            {"name": "y", "outputs": [{"name": "o", "from": {"terminationMessage": {}}}]},
            placing("$(steps.y.outputs.o)"),
        ),
        "spec.onExit[1].patch.metadata.annotations.k: $(steps.y.outputs.o): step x does not wait for y; add y to its "
        "dependsOn.targets",
    ),
    "a step of the flow uses what onExit leaves": (
        F.having(patch={"metadata": {"annotations": {"k": "$(steps.x.outputs.o)"}}}).setting(
            onExit=[{"name": "x", "outputs": [{"name": "o", "from": {"terminationMessage": {}}}]}]
        ),
        "spec.flows[1].patch.metadata.annotations.k: $(steps.x.outputs.o): x is a step of onExit, which runs when the "
        "flow has ended",
    ),
    "a patch of onExit that is none": (
        on_exit({"name": "x", "patch": {"spec": {}, "jobSpec": {}}}),
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("builder", "message"), PROBLEMS.values(), ids=PROBLEMS)
def test_what_is_wrong(builder, message):
    found = told(builder)
    assert len(found) == 1
    if message is None:
        assert found[0].startswith("spec.onExit[0].patch")
    else:
        assert found == [message]


def test_onexit_may_use_what_any_step_of_the_flow_has_left():
    left = [{"name": "o", "from": {"terminationMessage": {}}}]
    assert told(F.having(outputs=left).setting(onExit=[placing("$(steps.b.outputs.o)")])) == []


@pytest.mark.parametrize(
    ("said", "fields", "expect"),
    [
        ("nothing is said", {}, Ends()),
        ("an empty policy", {"successPolicy": {}}, Ends()),
        ("All", {"successPolicy": {"type": "All"}}, Ends()),
        ("Any", {"successPolicy": {"type": "Any"}}, Ends(SuccessType.ANY)),
        (
            "Critical",
            {"successPolicy": {"type": "Critical", "criticalFlows": ["a"]}},
            Ends(SuccessType.CRITICAL, frozenset({"a"})),
        ),
        ("FailFast", {"failurePolicy": "FailFast"}, Ends(failure=FailurePolicy.FAIL_FAST)),
        ("RunIndependent", {"failurePolicy": "RunIndependent"}, Ends(failure=FailurePolicy.RUN_INDEPENDENT)),
    ],
)
def test_what_the_policies_mean(said, fields, expect):
    spec = JobFlowSpec.model_validate({"flows": [{"name": "a"}], **fields})
    assert ends_of(spec.success_policy, spec.failure_policy) == expect


class TestWhatIsFrozen:
    def hash(self, builder):
        return builder.frozen().compiled.spec_hash

    def test_steps_of_onexit_are(self):
        hashes = [
            self.hash(F),
            self.hash(on_exit({"name": "x"})),
            self.hash(on_exit({"name": "y"})),
            self.hash(on_exit({"name": "x"}, {"name": "y"})),
            self.hash(on_exit({"name": "x"}, after("y", "x"))),
            self.hash(F.step("x")),
        ]
        assert len(set(hashes)) == len(hashes)
        assert self.hash(on_exit({"name": "x"}, {"name": "y"})) == self.hash(on_exit({"name": "y"}, {"name": "x"}))

    def test_policies_are_not(self):
        freely = F.setting(successPolicy={"type": "Any"}, failurePolicy="FailFast").policy("delete-always")
        assert self.hash(freely) == self.hash(F)

    def test_a_flow_that_says_nothing_new_has_the_hash_it_had(self):
        spec = JobFlowSpec.model_validate(F.body()["spec"])
        assert hash_of(spec.flows) == hash_of(spec.flows, (), ()) == self.hash(F)


def test_a_flow_that_slipped_in_runs_nothing():
    compiled = compile_flow("f", b'{"flows": [{"name": "a"}], "successPolicy": {"type": "Critical"}}')
    assert compiled.graph.steps == ()
    assert [problem.path for problem in compiled.problems] == ["spec.successPolicy"]
