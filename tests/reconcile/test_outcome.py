"""How a flow ends, by its policies, and when that is decided."""

from __future__ import annotations

import pytest

from jobflow.api.status import FlowStatus, Outcome, Reason, StepPhase
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.outcome import Decision, decide
from jobflow.testing.builders import flow

WAITING, PENDING, RUNNING = StepPhase.WAITING, StepPhase.PENDING, StepPhase.RUNNING
SUCCEEDED, FAILED, UNREACHABLE = StepPhase.SUCCEEDED, StepPhase.FAILED, StepPhase.UNREACHABLE
SKIPPED = StepPhase.SKIPPED

WHY = {
    FAILED: (Reason.JOB_FAILED, "its Job is Failed"),
    UNREACHABLE: (Reason.DEPENDENCY_FAILED, "cannot start"),
    SKIPPED: (Reason.WHEN_FALSE, "not this time"),
}
BY_PROBES = (Reason.PROBE_TARGET_GONE, "its target ended before it answered")

# a -> b, a -> c; x stands alone
F = flow("f").step("a").step("b", after="a").step("c", after="a").step("x")
ALL = {}
ANY = {"successPolicy": {"type": "Any"}}
CRITICAL_B = {"successPolicy": {"type": "Critical", "criticalFlows": ["b"]}}
FAST = {"failurePolicy": "FailFast"}
INDEPENDENT = {"failurePolicy": "RunIndependent"}


def decided(builder, *phases, why=None):
    frozen = builder.frozen()
    assert frozen.compiled.problems == ()
    graph = frozen.compiled.graph
    standings = {
        step.name: Standing(step, phase, *(why or WHY).get(phase, ("", "")), record=of_its_job(step.name, phase))
        for step, phase in zip(graph.steps, phases, strict=True)
    }
    return decide(frozen, graph, standings)


def of_its_job(name, phase):
    """What is told of a step that has started."""
    return FlowStatus(name, phase, jobName=f"f-{name}") if phase.live or phase in (SUCCEEDED, FAILED) else None


def ended(decision):
    return decision.outcome if decision else None


S, X = Outcome.SUCCEEDED, Outcome.FAILED
ROWS = [
    # All, which is the default
    ("upstream 17: all completed", ALL, (SUCCEEDED, SUCCEEDED, SUCCEEDED, SUCCEEDED), S),
    ("upstream 20: some completed", ALL, (SUCCEEDED, RUNNING, WAITING, SUCCEEDED), None),
    ("upstream 18: one failed: at once", ALL, (SUCCEEDED, FAILED, RUNNING, RUNNING), X),
    ("one failed, others can never start", ALL, (FAILED, UNREACHABLE, UNREACHABLE, RUNNING), X),
    ("some were skipped", ALL, (SUCCEEDED, SUCCEEDED, SKIPPED, SUCCEEDED), S),
    ("all were skipped", ALL, (SKIPPED, SKIPPED, SKIPPED, SKIPPED), S),
    ("one waits for what did not come, and none failed", ALL, (SUCCEEDED, UNREACHABLE, SUCCEEDED, SUCCEEDED), S),
    ("the type is written", {"successPolicy": {"type": "All"}}, (SUCCEEDED, FAILED, RUNNING, RUNNING), X),
    ("a policy that says nothing is All", {"successPolicy": {}}, (SUCCEEDED, SUCCEEDED, SUCCEEDED, RUNNING), None),
    # what a failure does to the rest
    ("FailFast: at once", FAST, (SUCCEEDED, FAILED, RUNNING, RUNNING), X),
    ("FailFast: nothing is lost", FAST, (SUCCEEDED, SUCCEEDED, RUNNING, RUNNING), None),
    ("RunIndependent: the rest goes on", INDEPENDENT, (SUCCEEDED, FAILED, RUNNING, WAITING), None),
    ("RunIndependent: until all has ended", INDEPENDENT, (FAILED, UNREACHABLE, UNREACHABLE, SUCCEEDED), X),
    ("RunIndependent: nothing is lost", INDEPENDENT, (SUCCEEDED, SUCCEEDED, SUCCEEDED, SUCCEEDED), S),
    # Any: b, c and x are the steps that no other waits for
    ("one has succeeded: the rest goes on", ANY, (SUCCEEDED, SUCCEEDED, RUNNING, WAITING), None),
    ("one has succeeded, and all has ended", ANY, (SUCCEEDED, SUCCEEDED, FAILED, FAILED), S),
    ("one may still", ANY, (FAILED, UNREACHABLE, UNREACHABLE, RUNNING), None),
    ("none may any more", ANY, (FAILED, UNREACHABLE, UNREACHABLE, FAILED), X),
    ("that a was good is not enough", ANY, (SUCCEEDED, FAILED, FAILED, FAILED), X),
    ("one was skipped, the others failed", ANY, (SUCCEEDED, SKIPPED, FAILED, FAILED), X),
    ("all were skipped", ANY, (SUCCEEDED, SKIPPED, SKIPPED, SKIPPED), S),
    ("Any and FailFast: the first one is enough", ANY | FAST, (SUCCEEDED, SUCCEEDED, RUNNING, WAITING), S),
    ("Any and FailFast: one that failed ends nothing", ANY | FAST, (SUCCEEDED, FAILED, RUNNING, RUNNING), None),
    # Critical: b
    ("it has succeeded: the rest goes on", CRITICAL_B, (SUCCEEDED, SUCCEEDED, RUNNING, WAITING), None),
    ("it has succeeded, and all has ended", CRITICAL_B, (SUCCEEDED, SUCCEEDED, FAILED, FAILED), S),
    ("it has failed", CRITICAL_B, (SUCCEEDED, FAILED, RUNNING, RUNNING), X),
    ("another has failed", CRITICAL_B, (SUCCEEDED, RUNNING, FAILED, FAILED), None),
    ("it can never start", CRITICAL_B, (FAILED, UNREACHABLE, UNREACHABLE, RUNNING), X),
    ("it was skipped", CRITICAL_B, (SUCCEEDED, SKIPPED, FAILED, SUCCEEDED), S),
    ("Critical and FailFast: it is enough", CRITICAL_B | FAST, (SUCCEEDED, SUCCEEDED, RUNNING, WAITING), S),
    ("Critical and FailFast: another ends nothing", CRITICAL_B | FAST, (SUCCEEDED, RUNNING, FAILED, RUNNING), None),
    ("Critical and RunIndependent", CRITICAL_B | INDEPENDENT, (SUCCEEDED, FAILED, RUNNING, RUNNING), None),
    ("Critical and RunIndependent, at last", CRITICAL_B | INDEPENDENT, (SUCCEEDED, FAILED, SUCCEEDED, SUCCEEDED), X),
]  # fmt: skip


@pytest.mark.parametrize(("said", "policies", "phases", "expect"), ROWS, ids=[row[0] for row in ROWS])
def test_the_policies(said, policies, phases, expect):
    assert ended(decided(F.setting(**policies), *phases)) is expect


@pytest.mark.parametrize("policies", [ALL, ANY, FAST, INDEPENDENT, ANY | FAST], ids=str)
def test_a_flow_without_steps_succeeds_at_once(policies):
    assert ended(decided(flow("f").setting(**policies))) is S


@pytest.mark.parametrize(
    ("said", "policies", "phases", "message"),
    [
        ("the one that failed", ALL, (FAILED, UNREACHABLE, UNREACHABLE, RUNNING), "step a: its Job is Failed"),
        ("the critical one", CRITICAL_B, (FAILED, UNREACHABLE, UNREACHABLE, RUNNING), "critical step b: cannot start"),
        (
            "those that could have ended it",
            ANY,
            (FAILED, UNREACHABLE, UNREACHABLE, FAILED),
            "of the steps that no other waits for none has succeeded: b (Unreachable), c (Unreachable), x (Failed)",
        ),
    ],
)
def test_a_failure_names_its_steps(said, policies, phases, message):
    assert decided(F.setting(**policies), *phases) == Decision(X, Reason.STEP_FAILED, message)


def test_probes_that_can_no_longer_hold_are_a_loss_of_their_own():
    found = decided(F, SUCCEEDED, UNREACHABLE, RUNNING, RUNNING, why={UNREACHABLE: BY_PROBES})
    assert found == Decision(X, Reason.STEP_FAILED, f"step b: {BY_PROBES[1]}")


class TestContinueOnFail:
    GOES_ON = flow("f").step("a").having(continueOnFail=True).step("b", after="a")

    @pytest.mark.parametrize(
        ("said", "policies", "phases", "expect"),
        [
            ("the rest goes on", ALL, (FAILED, RUNNING), None),
            ("and decides", ALL, (FAILED, SUCCEEDED), S),
            ("also badly", ALL, (FAILED, FAILED), X),
            ("it ends nothing", FAST, (FAILED, RUNNING), None),
        ],
    )
    def test_its_failure_is_as_good_as_its_success(self, said, policies, phases, expect):
        assert ended(decided(self.GOES_ON.setting(**policies), *phases)) is expect

    def test_also_where_it_is_the_last(self):
        alone = flow("f").step("a").having(continueOnFail=True)
        assert ended(decided(alone, FAILED)) is S
        assert ended(decided(alone.setting(**ANY), FAILED)) is S


class TestOnExit:
    WITH = F.setting(onExit=[{"name": "cleanup"}, {"name": "tell", "dependsOn": {"targets": ["cleanup"]}}])

    @pytest.mark.parametrize("theirs", [(WAITING, WAITING), (FAILED, UNREACHABLE), (RUNNING, WAITING)])
    def test_its_steps_have_no_say(self, theirs):
        good = (SUCCEEDED, SUCCEEDED, SUCCEEDED, SUCCEEDED)
        for policies in (ALL, ANY, CRITICAL_B, FAST, INDEPENDENT):
            assert ended(decided(self.WITH.setting(**policies), *good, *theirs)) is S

    def test_one_is_no_step_that_could_end_a_flow_well(self):
        lost = (FAILED, UNREACHABLE, UNREACHABLE, FAILED)
        assert ended(decided(self.WITH.setting(**ANY), *lost, SUCCEEDED, SUCCEEDED)) is X


def test_what_is_committed_stands_with_its_reason():
    told = {"outcome": X, "outcomeReason": "DeadlineExceeded", "outcomeMessage": "too late"}
    builder = TestOnExit.WITH.recorded(**told)
    good = (SUCCEEDED,) * 6
    assert decided(builder, *good) == Decision(X, "DeadlineExceeded", "too late")
    assert ended(decided(F.recorded(outcome=S), FAILED, FAILED, FAILED, FAILED)) is S


def on_failure_of(name):
    return {"targetsWithStatus": [{"name": name, "phase": "Failed"}]}


def waiting(phase):
    return flow("f").step("a").step("b", targetsWithStatus=[{"name": "a", "phase": phase}])


RESCUED = flow("f").step("a").step("rescue", **on_failure_of("a"))
EITHER = flow("f").step("a").step("b").step("join", after=["a", "b"], strategy="Any")
GROUPS = flow("f").step("a").step("b").step("c", after="a", orGroups=[{"targets": ["b"]}])
SAID = flow("f").step("a").step("b", expression="steps['a'].phase == 'Failed'")
BOTH = flow("f").step("a").step("after", after="a").step("rescue", **on_failure_of("a"))
BEGUN = flow("f").step("a").step("b").step("join", after=["a", "b"], strategy="Any", waitFor="Running")
FOLLOWED = flow("f").step("a").step("b", after="a", waitFor="Running")

HANDLED = [
    # A step that waits for the failure
    ("it may start", RESCUED, (FAILED, WAITING), None),
    ("it has started", RESCUED, (FAILED, RUNNING), None),
    ("it has succeeded: the failure is forgiven", RESCUED, (FAILED, SUCCEEDED), S),
    ("it has failed itself", RESCUED, (FAILED, FAILED), X),
    ("it was skipped by a condition: nobody was there", RESCUED, (FAILED, SKIPPED), X),
    ("there was no failure, and it can never start", RESCUED, (SUCCEEDED, UNREACHABLE), S),
    ("others that needed it can never start", BOTH, (FAILED, UNREACHABLE, SUCCEEDED), S),
    ("others that needed it can never start, and it goes on", BOTH, (FAILED, UNREACHABLE, RUNNING), None),
    # one of several would do
    ("the other may still succeed", EITHER, (FAILED, RUNNING, WAITING), None),
    ("the other has failed as well", EITHER, (FAILED, FAILED, UNREACHABLE), X),
    ("the other was enough", EITHER, (FAILED, SUCCEEDED, SUCCEEDED), S),
    ("it had started when the second one failed", EITHER, (SUCCEEDED, FAILED, RUNNING), None),
    ("another group may still hold", GROUPS, (FAILED, RUNNING, WAITING), None),
    ("another group holds", GROUPS, (FAILED, SUCCEEDED, SUCCEEDED), S),
    ("no group holds", GROUPS, (FAILED, FAILED, UNREACHABLE), X),
    # an expression
    ("it can still hold", SAID, (FAILED, WAITING), None),
    ("it held", SAID, (FAILED, SUCCEEDED), S),
    ("it can no longer hold, and nothing failed", SAID, (SUCCEEDED, UNREACHABLE), S),
    # who waits for it to run is not there for its failure
    ("it was to run", FOLLOWED, (FAILED, RUNNING), X),
    ("it was to be created", waiting("Pending"), (FAILED, RUNNING), X),
    ("it was to be created, and that did", waiting("Pending"), (FAILED, SUCCEEDED), X),
    ("it was to run, by its status", waiting("Running"), (FAILED, RUNNING), X),
    ("it began beside the one that has failed, and the other does not run", BEGUN, (FAILED, PENDING, RUNNING), X),
    ("it has not begun, and the other may still run", BEGUN, (FAILED, PENDING, WAITING), None),
    ("it began, and the other runs", BEGUN, (FAILED, RUNNING, RUNNING), None),
]


@pytest.mark.parametrize(("said", "builder", "phases", "expect"), HANDLED, ids=[row[0] for row in HANDLED])
def test_a_failure_that_another_step_is_there_for(said, builder, phases, expect):
    assert ended(decided(builder, *phases)) is expect


CRITICAL_A = {"successPolicy": {"type": "Critical", "criticalFlows": ["a"]}}


class TestHandledAnd:
    @pytest.mark.parametrize(
        ("said", "policies", "phases", "expect"),
        [
            ("FailFast: it is not lost", FAST, (FAILED, RUNNING), None),
            ("Critical: the rescue may yet fail", CRITICAL_A, (FAILED, RUNNING), None),
            ("Critical: it was rescued", CRITICAL_A, (FAILED, SUCCEEDED), S),
            ("Critical: nobody rescued it", CRITICAL_A, (FAILED, SKIPPED), X),
            ("Critical and FailFast: not before it is rescued", CRITICAL_A | FAST, (FAILED, RUNNING), None),
            ("Any: the rescue is what nobody waits for", ANY, (FAILED, SUCCEEDED), S),
        ],
    )
    def test_the_policies(self, said, policies, phases, expect):
        assert ended(decided(RESCUED.setting(**policies), *phases)) is expect

    def test_a_loss_to_probes_is_borne_as_a_failure_is(self):
        why = {UNREACHABLE: BY_PROBES, SUCCEEDED: ("", "")}
        assert ended(decided(EITHER, UNREACHABLE, SUCCEEDED, SUCCEEDED, why=why)) is S

    def test_a_step_that_is_deleted_and_made_again_still_does_what_it_was_there_for(self):
        frozen = RESCUED.frozen()
        graph = frozen.compiled.graph
        a, rescue = graph.steps
        standings = {
            "a": Standing(a, FAILED),
            "rescue": Standing(rescue, WAITING, record=of_its_job("rescue", RUNNING)),
        }
        assert decide(frozen, graph, standings) is None

    def test_a_step_that_is_deleted_and_made_again_is_there_for_nothing_new(self):
        frozen = BEGUN.frozen()
        graph = frozen.compiled.graph
        a, b, join = graph.steps
        standings = {"a": Standing(a, FAILED), "b": Standing(b, PENDING)}
        standings["join"] = Standing(join, WAITING, record=of_its_job("join", RUNNING))
        assert ended(decide(frozen, graph, standings)) is X
