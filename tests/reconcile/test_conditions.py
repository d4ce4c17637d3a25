"""Does a step run, or is it skipped? And what comes of that for the steps after it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from jobflow.api.config_keys import ConfigFound
from jobflow.api.outputs import OutputsFound, Said
from jobflow.api.status import FlowPhase, FlowStatus, Outcome, OutputStatus, Reason, StepPhase
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import child, flow

SKIPPED, SUCCEEDED, FAILED, WAITING = StepPhase.SKIPPED, StepPhase.SUCCEEDED, StepPhase.FAILED, StepPhase.WAITING
UNREACHABLE = StepPhase.UNREACHABLE


def done(name, phase=SUCCEEDED, **outputs):
    """What is committed of a step that has ended."""
    job = {} if phase in (SKIPPED, UNREACHABLE) else {"jobName": f"f-{name}", "jobUID": f"job-f-{name}"}
    left = tuple(OutputStatus(of, value) for of, value in outputs.items())
    return FlowStatus(name=name, phase=phase, outputs=left, **job)


def conditional(*when, parameters=None):
    """`a` leaves outputs, `b` waits for it and has conditions."""
    built = flow("f").step("a").having(outputs=[{"name": "n", "from": {"terminationMessage": {}}}])
    for name, value in (parameters or {}).items():
        built = built.parameter(name, value)
    return built.step("b", after="a").having(when=list(when))


def after(built, *records, **world):
    """The records of the steps once the flow was looked at, and the names of the children that are made."""
    snapshot = built.recorded(*records).snapshot(**world)
    plan = reconcile_flow(snapshot)
    status = plan.status or snapshot.flow.committed
    return {entry.name: entry for entry in status.flowStatuses}, [create.name for create in plan.creates]


def of_input(value, operator="In", *values):
    return {"input": value, "operator": operator, "values": list(values)}


PARAMS = {"size": "large", "count": 8, "tag": "1.10", "on": True, "other": "large"}


@pytest.mark.parametrize(
    ("said", "condition", "runs"),
    [
        ("a parameter is one of them", of_input("$(params.size)", "In", "small", "large"), True),
        ("a parameter is none of them", of_input("$(params.size)", "In", "small"), False),
        ("not one of them", of_input("$(params.size)", "NotIn", "small"), True),
        ("not none of them", of_input("$(params.size)", "NotIn", "small", "large"), False),
        ("a number", of_input("$(params.count)", "In", 8), True),
        ("a number, written as a text", of_input("$(params.count)", "In", "8"), True),
        ("a number with a fraction of nothing", of_input("$(params.count)", "In", 8.0), True),
        ("another number", of_input("$(params.count)", "In", 80), False),
        ("a text that is another number's", of_input("$(params.tag)", "In", "1.1"), False),
        ("true", of_input("$(params.on)", "In", True), True),
        ("true is not 1", of_input("$(params.on)", "In", 1), False),
        ("within a text", of_input("$(params.size)-$(params.count)", "In", "large-8"), True),
        ("a value that is a parameter", of_input("$(params.size)", "In", "$(params.other)"), True),
        ("an output", of_input("$(steps.a.outputs.n)", "In", 3), True),
        ("the context", of_input("$(context.name)", "In", "f"), True),
        ("an expression that holds", {"cel": "steps.a.outputs.n == 3 && params.count > 7"}, True),
        ("an expression that does not", {"cel": "steps.a.phase != 'Succeeded'"}, False),
        ("an expression about the context", {"cel": "context.step == 'b' && context.name == 'f'"}, True),
    ],
)
def test_one_condition(said, condition, runs):
    records, made = after(conditional(condition, parameters=PARAMS), done("a", n=3))
    assert made == (["f-b"] if runs else [])
    assert records["b"].phase is (WAITING if runs else SKIPPED)
    assert records["b"].reason == (Reason.CREATING if runs else Reason.WHEN_FALSE)


def test_all_conditions_have_to_hold_and_the_first_that_does_not_is_told():
    small, many = of_input("$(params.size)", "In", "small"), {"cel": "params.count >\n  100"}
    for when, told in (
        ((of_input("$(params.on)", "In", True), small, many), "$(params.size) In [small]"),
        ((many, small), "params.count > 100"),
    ):
        records, made = after(conditional(*when, parameters=PARAMS), done("a"))
        assert (records["b"].phase, made) == (SKIPPED, [])
        assert records["b"].message == f"skipped: its condition does not hold: {told}"


def test_values_of_parameters_and_outputs_are_not_told_those_of_the_context_are():
    for condition, told in (
        (of_input("$(params.size)", "In", "x"), "its condition does not hold: $(params.size) In [x]"),
        (of_input("$(steps.a.outputs.n)", "In", "x"), "its condition does not hold: $(steps.a.outputs.n) In [x]"),
        (of_input("$(context.name)", "In", "x"), "$(context.name) In [x], where the input is f"),
    ):
        records, _ = after(conditional(condition, parameters={"size": "hush"}), done("a", n="hush"))
        assert records["b"].message.endswith(told)


@pytest.mark.parametrize(
    ("said", "condition", "words"),
    [
        ("an output that was not left", of_input("$(steps.a.outputs.n)", "In", 1), "step a left no output n"),
        ("an output of an expression", {"cel": "steps.a.outputs.n > 1"}, "there is no n"),
        ("types that do not go together", {"cel": "params.size > 1"}, "types that do not go together"),
        ("no true or false", {"cel": "params.size"}, "gives a text, where true or false is expected"),
    ],
)
def test_a_condition_that_cannot_be_evaluated_fails_the_step(said, condition, words):
    records, made = after(conditional(condition, parameters=PARAMS), done("a"))
    assert (records["b"].phase, records["b"].reason, made) == (FAILED, Reason.EXPRESSION_ERROR, [])
    assert words in records["b"].message
    assert "large" not in records["b"].message


def test_it_is_not_asked_before_what_the_step_waits_for_has_come():
    never = {"cel": "false"}
    records, made = after(conditional(never))
    assert (records["b"].phase, made) == (WAITING, ["f-a"])
    records, _ = after(conditional(never), done("a"))
    assert records["b"].phase is SKIPPED


def test_a_parameter_of_a_configmap_is_read_first():
    source = {"valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
    built = flow("f").parameter("p", **source).step("b").having(when=[of_input("$(params.p)", "In", "yes")])
    plan = reconcile_flow(built.snapshot())
    (asked,) = plan.questions
    assert plan.status.flowStatuses[0].message == "ConfigMap c is being read for parameter p"
    for value, phase in (("yes", WAITING), ("no", SKIPPED)):
        records, _ = after(built, answers={asked: ConfigFound((("k", value),))})
        assert records["b"].phase is phase
    cel = flow("f").parameter("p", **source).step("b").having(when=[{"cel": "params.p == 'no'"}])
    assert reconcile_flow(cel.snapshot()).questions == {asked}


def test_a_child_that_exists_is_never_judged_again():
    built = conditional({"cel": "steps.a.outputs.n == 3"})
    runs = child("b", of="f").running().view()
    snapshot = built.recorded(done("a", n=4)).snapshot(runs)
    (_, b) = reconcile_flow(snapshot).status.flowStatuses
    assert b.phase is StepPhase.RUNNING
    gone = replace(done("b"), phase=StepPhase.RUNNING)
    records, made = after(built, done("a", n=4), gone)
    assert made == ["f-b"], "it was deleted by somebody, and is made again"
    assert records["b"].phase is WAITING


def test_a_skip_that_is_committed_stands():
    records, made = after(conditional({"cel": "true"}), done("a"), done("b", SKIPPED))
    assert (records["b"].phase, made) == (SKIPPED, [])


class TestWhatComesAfter:
    BRANCHES = (
        flow("f")
        .step("a")
        .step("yes", after="a")
        .having(when=[{"cel": "true"}])
        .step("no", after="a")
        .having(when=[{"cel": "false"}])
        .step("then", after="no")
        .step("join", after=["yes", "then"])
    )

    def test_a_branch_is_skipped_in_one_pass(self):
        records, made = after(self.BRANCHES, done("a"))
        assert made == ["f-yes"]
        assert [records[name].phase for name in ("no", "then", "join")] == [SKIPPED, SKIPPED, WAITING]
        assert records["then"].reason == Reason.TARGETS_SKIPPED

    def test_the_branches_join(self):
        ended = (done("a"), done("yes"), done("no", SKIPPED), done("then", SKIPPED))
        _, made = after(self.BRANCHES, *ended)
        assert made == ["f-join"]
        plan = reconcile_flow(self.BRANCHES.recorded(*ended, done("join")).snapshot())
        assert (plan.status.outcome, plan.status.progress) == (Outcome.SUCCEEDED, "5/5")

    def test_nothing_starts_after_a_skip_before_that_is_committed(self):
        """A ConfigMap may say otherwise after a crash; then both branches would have run."""
        built = flow("f").step("a").having(when=[{"cel": "false"}]).step("b").step("join", after=["a", "b"])
        records, made = after(built, done("b"))
        assert (records["a"].phase, records["join"].phase, made) == (SKIPPED, WAITING, [])
        assert records["join"].message == "waits until it is written down what became of a"
        assert after(built, done("a", SKIPPED), done("b"))[1] == ["f-join"]

    def test_a_flow_in_which_all_is_skipped_succeeds(self):
        built = flow("f").step("a").having(when=[{"cel": "false"}]).step("b", after="a")
        status = reconcile_flow(built.snapshot()).status
        assert (status.state.phase, status.outcome, status.progress) == (FlowPhase.SUCCEED, Outcome.SUCCEEDED, "2/2")
        assert status.completionTime is not None

    def test_a_skipped_step_is_no_failure_of_who_waits_for_its_failure(self):
        built = flow("f").step("a").having(when=[{"cel": "false"}])
        built = built.step("b", targetsWithStatus=[{"name": "a", "phase": "Failed"}])
        built = built.step("c", targetsWithStatus=[{"name": "a", "phase": "Skipped"}])
        records, made = after(built, done("a", SKIPPED))
        assert (records["b"].phase, made) == (UNREACHABLE, ["f-c"])


class TestSwitch:
    BUILT = (
        flow("f")
        .parameter("kind", "x")
        .step("one")
        .step("two")
        .step("both")
        .step("rest")
        .setting(
            switch=[
                {
                    "input": "$(params.kind)",
                    "cases": [{"values": ["x"], "flows": ["one", "both"]}, {"values": ["y", "z"], "flows": ["two"]}],
                    "default": ["rest", "both"],
                }
            ]
        )
    )

    @pytest.mark.parametrize(
        ("value", "run"),
        [("x", ["one", "both"]), ("y", ["two"]), ("z", ["two"]), ("w", ["both", "rest"]), (1, ["both", "rest"])],
    )
    def test_the_steps_of_one_branch_run(self, value, run):
        built = self.BUILT
        _, made = after(type(built)(**{**vars(built), "declared": ({"name": "kind", "value": value},)}))
        assert made == [f"f-{name}" for name in run]

    def test_a_step_of_a_switch_knows_where_it_is(self):
        plan = reconcile_flow(self.BUILT.snapshot())
        container = plan.creates[0].body["spec"]["tasks"][0]["template"]["spec"]["containers"][0]
        assert {"name": "JOBFLOW_STEP", "value": "one"} in container["env"]

    def test_a_switch_is_frozen_from_the_flows_creation(self):
        committed = reconcile_flow(self.BUILT.snapshot()).status
        edited = type(self.BUILT)(**{**vars(self.BUILT), "control": {}})
        status = reconcile_flow(edited.status(committed).at("101", 2).snapshot()).status
        assert (status.state.phase, status.state.reason) == (FlowPhase.FAILED, Reason.INVALID_SPEC)


class TestProbes:
    PROBE = {"tcpSocketList": [{"host": "db", "port": 5432}]}  # noqa: RUF012

    def test_conditions_are_asked_first(self):
        built = flow("f").step("a", probe=self.PROBE).having(when=[{"cel": "false"}])
        plan = reconcile_flow(built.snapshot())
        assert plan.status.flowStatuses[0].phase is SKIPPED
        assert not plan.questions, "nobody is probed for a step that is skipped"

    def test_an_or_group_that_holds_needs_no_probe(self):
        built = flow("f").step("a").step("b", probe=self.PROBE, orGroups=[{"targets": ["a"]}])
        records, made = after(built)
        assert (made, records["b"].reason) == (["f-a"], Reason.PROBE)
        assert after(built, done("a"))[1] == ["f-b"]

    def test_a_probe_may_hold_when_the_groups_are_lost(self):
        built = flow("f").step("a").step("b", probe=self.PROBE, orGroups=[{"targets": ["a"]}])
        records, made = after(built, done("a", FAILED))
        assert (records["b"].phase, records["b"].reason, made) == (WAITING, Reason.PROBE, [])


class TestExpressions:
    @pytest.mark.parametrize("how", ["dependsOn", "when"])
    def test_nothing_starts_by_outputs_that_are_not_committed(self, how):
        """Read again after a crash they may be others, or gone with the pod."""
        cel = "steps.a.outputs.n == 3"
        built = flow("f").step("a").having(outputs=[{"name": "n", "from": {"terminationMessage": {}}}])
        if how == "dependsOn":
            built = built.step("b", expression=cel)
        else:
            built = built.step("b", after="a").having(when=[{"cel": cel}])
        ended = child("a", of="f").completed().view()
        (asked,) = reconcile_flow(built.snapshot(ended)).questions
        plan = reconcile_flow(built.snapshot(ended, answers={asked: OutputsFound((Said("3"),))}))
        a, b = plan.status.flowStatuses
        assert (a.phase, a.outputs[0].value) == (SUCCEEDED, 3)
        assert (b.message, plan.creates) == ("waits until it is written down what became of a", ())
        assert after(built, a)[1] == ["f-b"]

    def test_a_step_that_waits_for_a_failure_handles_it(self):
        built = flow("f").step("a").step("b", expression="steps.a.phase == 'Failed'")
        _, made = after(built, done("a", FAILED))
        assert made == ["f-b"]
        status = reconcile_flow(built.recorded(done("a", FAILED), done("b")).snapshot()).status
        assert status.outcome is Outcome.SUCCEEDED

    def test_an_expression_with_parameters_still_holds_when_its_step_has_run(self):
        built = flow("f").parameter("mend", True).step("a")
        built = built.step("b", expression="params.mend && steps.a.phase == 'Failed'")
        status = reconcile_flow(built.recorded(done("a", FAILED), done("b")).snapshot()).status
        assert status.outcome is Outcome.SUCCEEDED

    def test_that_it_can_no_longer_hold_is_no_failure(self):
        built = flow("f").step("a").step("b", expression="steps.a.phase == 'Failed'")
        status = reconcile_flow(built.recorded(done("a")).snapshot()).status
        assert status.flowStatuses[1].phase is UNREACHABLE
        assert status.outcome is Outcome.SUCCEEDED

    def test_nothing_starts_by_a_skip_that_is_not_committed(self):
        built = flow("f").step("a").having(when=[{"cel": "false"}]).step("b", expression="steps.a.phase == 'Skipped'")
        records, made = after(built)
        assert (records["a"].phase, records["b"].phase, made) == (SKIPPED, WAITING, [])
        assert after(built, done("a", SKIPPED))[1] == ["f-b"]


def test_the_next_steps_are_told_also_where_any_will_do():
    built = flow("f").step("a").step("b").step("c", after=["a", "b"], strategy="Any").step("d", after=["c"])
    status = reconcile_flow(built.snapshot(child("a", of="f").running().view())).status
    assert status.nextFlows == ("c",)
