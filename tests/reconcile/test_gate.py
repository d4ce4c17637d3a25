"""May a step start now, given where its targets stand?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobflow.api.dependencies import DependsOn, needs_of
from jobflow.api.probe_spec import probes_of
from jobflow.api.probes import WaitFor
from jobflow.api.status import FlowStatus, OutputStatus, Reason, StepPhase
from jobflow.reconcile.gate import Broken, Closed, Never, Open, Skip, by_groups, gate
from jobflow.reconcile.graph import Step
from jobflow.reconcile.observe import Standing
from jobflow.testing.builders import child

WAITING, PENDING, RUNNING = StepPhase.WAITING, StepPhase.PENDING, StepPhase.RUNNING
SUCCEEDED, FAILED, UNREACHABLE = StepPhase.SUCCEEDED, StepPhase.FAILED, StepPhase.UNREACHABLE


def WAIT(message):  # noqa: N802 - a row of the table reads as a sentence
    return Closed(Reason.DEPENDENCY, message)


def NEVER(message):  # noqa: N802
    return Never(Reason.DEPENDENCY_FAILED, message)


@pytest.mark.parametrize(
    ("said", "targets", "expect"),
    [
        ("no targets", {}, Open()),
        ("the only one succeeded", {"a": SUCCEEDED}, Open()),
        ("both succeeded", {"a": SUCCEEDED, "b": SUCCEEDED}, Open()),
        ("one has not started", {"a": WAITING}, WAIT("waits for a (Waiting)")),
        ("one is pending", {"a": PENDING}, WAIT("waits for a (Pending)")),
        ("one of two runs", {"a": SUCCEEDED, "b": RUNNING}, WAIT("waits for b (Running)")),
        ("the only one failed", {"a": FAILED}, NEVER("cannot start: a (Failed)")),
        ("one failed, one runs", {"a": RUNNING, "b": FAILED}, NEVER("cannot start: b (Failed)")),
        ("one can never start", {"a": SUCCEEDED, "b": UNREACHABLE}, NEVER("cannot start: b (Unreachable)")),
        (
            "as many as fit a line",
            dict.fromkeys("abc", RUNNING),
            WAIT("waits for a (Running), b (Running), c (Running)"),
        ),
        (
            "one more than fits",
            dict.fromkeys("abcd", RUNNING),
            WAIT("waits for a (Running), b (Running), c (Running) and 1 more"),
        ),
        (
            "many are waited for",
            dict.fromkeys("abcde", RUNNING),
            WAIT("waits for a (Running), b (Running), c (Running) and 2 more"),
        ),
    ],
)
def test_gate(said, targets, expect):
    standings = {name: Standing(Step(name, name), phase) for name, phase in targets.items()}
    assert gate(Step("s", "s", tuple(targets)), standings) == expect


@pytest.mark.parametrize("wait_for", WaitFor)
@pytest.mark.parametrize(
    ("said", "job", "expect"),
    [
        ("a Job that runs", child("a", of="f").running(), {WaitFor.RUNNING: Open()}),
        ("a Job that completed, while it is read", child("a", of="f").completed(), {WaitFor.RUNNING: Open()}),
        (
            "a Job that failed, while it is read",
            child("a", of="f").failed(),
            dict.fromkeys(WaitFor, WAIT("waits for a (its Job has failed)")),
        ),
    ],
)
def test_a_target_that_stands_at_running_for_what_its_job_is(said, job, expect, wait_for):
    target = Standing(Step("a", "a"), RUNNING, child=job.view())
    step = Step("s", "s", ("a",), wait_for=wait_for)
    assert gate(step, {"a": target}) == expect.get(wait_for, WAIT("waits for a (Running)"))


SKIPPED = StepPhase.SKIPPED


def SKIP(message):  # noqa: N802
    return Skip(Reason.TARGETS_SKIPPED, f"all that it waits for was skipped: {message}")


def stand(**phases):
    """Where steps stand; a step called `borne` may fail without harm."""
    return {name: Standing(Step(name, name, continue_on_fail=name == "borne"), phase) for name, phase in phases.items()}


def asked(depends_on, standings, **facts):
    """The gate of a step that waits for this."""
    waits = DependsOn.model_validate(depends_on)
    step = Step("s", "s", tuple(dict.fromkeys(waits.targets)), needs=needs_of(waits), **facts)
    return gate(step, standings)


@pytest.mark.parametrize(
    ("said", "standings", "expect"),
    [
        ("one of two was skipped", stand(a=SKIPPED, b=SUCCEEDED), Open()),
        ("one was skipped, one runs", stand(a=SKIPPED, b=RUNNING), WAIT("waits for b (Running)")),
        ("both were skipped", stand(a=SKIPPED, b=SKIPPED), SKIP("a (Skipped), b (Skipped)")),
        ("one was skipped, one failed", stand(a=SKIPPED, b=FAILED), NEVER("cannot start: b (Failed)")),
        ("a failure that is borne", stand(borne=FAILED), Open()),
        (
            "a failure that is borne, and one that is not",
            stand(borne=FAILED, b=FAILED),
            NEVER("cannot start: b (Failed)"),
        ),
        ("only a borne failure beside a skip", stand(borne=FAILED, b=SKIPPED), Open()),
    ],
)
def test_all_of_the_targets(said, standings, expect):
    assert gate(Step("s", "s", tuple(standings)), standings) == expect
    assert asked({"targets": list(standings), "strategy": "All"}, standings) == expect


@pytest.mark.parametrize(
    ("said", "standings", "expect"),
    [
        ("one succeeded, one runs", stand(a=SUCCEEDED, b=RUNNING), Open()),
        ("one succeeded, one failed", stand(a=FAILED, b=SUCCEEDED), Open()),
        ("one failed, one runs", stand(a=FAILED, b=RUNNING), WAIT("waits for any of b (Running)")),
        ("one was skipped, one waits", stand(a=SKIPPED, b=WAITING), WAIT("waits for any of b (Waiting)")),
        ("a failure that is borne", stand(borne=FAILED, b=RUNNING), Open()),
        ("both failed", stand(a=FAILED, b=FAILED), NEVER("cannot start: none succeeded of a (Failed), b (Failed)")),
        (
            "one failed, one was skipped",
            stand(a=FAILED, b=SKIPPED),
            NEVER("cannot start: none succeeded of a (Failed), b (Skipped)"),
        ),
        ("both were skipped", stand(a=SKIPPED, b=SKIPPED), SKIP("a (Skipped), b (Skipped)")),
    ],
)
def test_any_of_the_targets(said, standings, expect):
    assert asked({"targets": list(standings), "strategy": "Any"}, standings) == expect


def test_any_of_the_targets_that_is_to_run():
    any_runs = {"targets": ["a", "b"], "strategy": "Any", "waitFor": "Running"}
    waits = DependsOn.model_validate(any_runs)
    step = Step("s", "s", ("a", "b"), wait_for=WaitFor.RUNNING, needs=needs_of(waits))
    assert gate(step, stand(a=RUNNING, b=WAITING)) == Open()
    assert gate(step, stand(a=PENDING, b=WAITING)) == WAIT("waits for any of a (Pending), b (Waiting)")


LATER = "waits"
LOST = "lost"
IN_PHASE = {  # what a target in the phase of a row is for one that is waited for in the phase of a column
    #             Pending Running Succeeded Failed Skipped Unreachable
    WAITING: (LATER, LATER, LATER, LATER, LATER, LATER),
    PENDING: (Open, LATER, LATER, LATER, LATER, LATER),
    RUNNING: (Open, Open, LATER, LATER, LATER, LATER),
    SUCCEEDED: (LOST, Open, Open, LOST, LOST, LOST),
    FAILED: (LOST, LOST, LOST, Open, LOST, LOST),
    SKIPPED: (LOST, LOST, LOST, LOST, Open, LOST),
    UNREACHABLE: (LOST, LOST, LOST, LOST, LOST, Open),
}
WANTED = ("Pending", "Running", "Succeeded", "Failed", "Skipped", "Unreachable")


@pytest.mark.parametrize("is_in", IN_PHASE)
@pytest.mark.parametrize("wanted", WANTED)
def test_a_target_with_a_phase(is_in, wanted):
    found = asked({"targetsWithStatus": [{"name": "a", "phase": wanted}]}, stand(a=is_in))
    match IN_PHASE[is_in][WANTED.index(wanted)]:
        case "waits":
            assert found == WAIT(f"waits for a ({is_in}) to be {wanted}")
        case "lost":
            assert found == NEVER(f"cannot start: a ({is_in}) can no longer be {wanted}")
        case _:
            assert found == Open()


@pytest.mark.parametrize("ended", [child("a", of="f").completed(), child("a", of="f").failed()])
def test_pending_holds_of_whatever_had_a_job(ended):
    phase = SUCCEEDED if "completed" in str(ended.view().state).lower() else FAILED
    target = Standing(Step("a", "a"), phase, child=ended.view())
    assert asked({"targetsWithStatus": [{"name": "a", "phase": "Pending"}]}, {"a": target}) == Open()


def test_completed_is_succeeded():
    waits = {"targetsWithStatus": [{"name": "a", "phase": "Completed"}]}
    assert asked(waits, stand(a=SUCCEEDED)) == Open()
    assert asked(waits, stand(a=RUNNING)) == WAIT("waits for a (Running) to be Succeeded")


def test_a_failure_that_is_borne_is_a_failure_and_a_good_end():
    for phase in ("Failed", "Succeeded", "Running"):
        assert asked({"targetsWithStatus": [{"name": "borne", "phase": phase}]}, stand(borne=FAILED)) == Open()


def test_a_job_that_has_failed_and_is_being_read_does_not_run():
    target = Standing(Step("a", "a"), RUNNING, child=child("a", of="f").failed().view())
    found = asked({"targetsWithStatus": [{"name": "a", "phase": "Running"}]}, {"a": target})
    assert found == WAIT("waits for a (its Job has failed) to be Running")


A_OR_B = {"targets": ["a"], "orGroups": [{"targets": ["b"]}]}
ON_FAILURE = {"targets": ["a"], "targetsWithStatus": [{"name": "b", "phase": "Failed"}]}
ONLY_GROUPS = {"orGroups": [{"targets": ["a"]}, {"targetsWithStatus": [{"name": "b", "phase": "Running"}]}]}


@pytest.mark.parametrize(
    ("said", "depends_on", "standings", "expect"),
    [
        ("targets and a phase: both", ON_FAILURE, stand(a=SUCCEEDED, b=FAILED), Open()),
        ("only the phase", ON_FAILURE, stand(a=RUNNING, b=FAILED), WAIT("waits for a (Running)")),
        ("only the targets", ON_FAILURE, stand(a=SUCCEEDED, b=RUNNING), WAIT("waits for b (Running) to be Failed")),
        (
            "the phase is lost",
            ON_FAILURE,
            stand(a=RUNNING, b=SUCCEEDED),
            NEVER("cannot start: b (Succeeded) can no longer be Failed"),
        ),
        ("its own targets hold", A_OR_B, stand(a=SUCCEEDED, b=WAITING), Open()),
        ("a group holds", A_OR_B, stand(a=WAITING, b=SUCCEEDED), Open()),
        ("a group holds, and its own are lost", A_OR_B, stand(a=FAILED, b=SUCCEEDED), Open()),
        ("none yet", A_OR_B, stand(a=RUNNING, b=WAITING), WAIT("waits for a (Running); or for b (Waiting)")),
        ("one is lost", A_OR_B, stand(a=FAILED, b=WAITING), WAIT("waits for b (Waiting)")),
        ("all are lost", A_OR_B, stand(a=FAILED, b=FAILED), NEVER("cannot start: a (Failed)")),
        ("one is lost, one was skipped", A_OR_B, stand(a=SKIPPED, b=FAILED), NEVER("cannot start: b (Failed)")),
        ("all were skipped", A_OR_B, stand(a=SKIPPED, b=SKIPPED), SKIP("a (Skipped)")),
        (
            "nothing beside the groups counts for nothing",
            ONLY_GROUPS,
            stand(a=WAITING, b=WAITING),
            WAIT("waits for a (Waiting); or for b (Waiting) to be Running"),
        ),
        ("a group's phase holds", ONLY_GROUPS, stand(a=WAITING, b=RUNNING), Open()),
    ],
)
def test_groups(said, depends_on, standings, expect):
    assert asked(depends_on, standings) == expect


def test_a_probe_beside_groups_is_a_way_of_its_own():
    probe = {"probe": {"tcpSocketList": [{"host": "db", "port": 5432}]}}
    waits = DependsOn.model_validate({"orGroups": [{"targets": ["b"]}], **probe})
    step = Step("s", "s", needs=needs_of(waits), probes=probes_of(waits.probe))
    assert gate(step, stand(b=WAITING)) == Open(), "as far as the steps are concerned"
    assert by_groups(step, stand(b=WAITING)) == WAIT("waits for b (Waiting)")
    assert by_groups(step, stand(b=SUCCEEDED)) == Open()
    assert by_groups(Step("s", "s", ("b",)), stand(b=SUCCEEDED)) is None


def left(of, **values):
    """A step that has succeeded and left these outputs."""
    record = FlowStatus(
        name=of, phase=SUCCEEDED, outputs=tuple(OutputStatus(name, value) for name, value in values.items())
    )
    return {of: Standing(Step(of, of), SUCCEEDED, record=record)}


GOOD_LOSS = "steps.a.outputs.loss < 0.1"


@pytest.mark.parametrize(
    ("said", "expression", "standings", "expect"),
    [
        ("true at once", "steps.a.phase == 'Running'", stand(a=RUNNING), Open()),
        ("true while another runs", "steps.a.phase == 'Succeeded' || steps.b.phase == 'Succeeded'",
         stand(a=SUCCEEDED, b=RUNNING), Open()),
        ("false by now", "steps.a.phase == 'Failed'", stand(a=RUNNING),
         WAIT("waits until its expression holds, by now for a (Running)")),
        ("false for good", "steps.a.phase == 'Failed'", stand(a=SUCCEEDED),
         NEVER("cannot start: its expression does not hold, with a (Succeeded)")),
        ("an output that holds", GOOD_LOSS, left("a", loss=0.05), Open()),
        ("an output that does not", GOOD_LOSS, left("a", loss=0.5),
         NEVER("cannot start: its expression does not hold, with a (Succeeded)")),
        ("an output that is still to come", GOOD_LOSS, stand(a=RUNNING),
         WAIT("waits until its expression holds, by now for a (Running)")),
        ("an output that never came", GOOD_LOSS, stand(a=FAILED),
         Broken(Reason.EXPRESSION_ERROR, "dependsOn.expression cannot be evaluated: there is no loss")),
        ("an output that is asked for first", f"has(steps.a.outputs.loss) && {GOOD_LOSS}", stand(a=FAILED),
         NEVER("cannot start: its expression does not hold, with a (Failed)")),
        ("an error that another step may still heal", "steps.a.outputs.x > 'x' || steps.b.phase == 'Succeeded'",
         left("a", x=1) | stand(b=RUNNING), WAIT("waits until its expression holds, by now for b (Running)")),
        ("an error that another step has healed", "steps.a.outputs.x > 'x' || steps.b.phase == 'Succeeded'",
         left("a", x=1) | stand(b=SUCCEEDED), Open()),
        ("attempts and exit codes", "steps.a.exitCode == -1 && steps.a.attempt == 0", stand(a=FAILED), Open()),
        ("the exit code of a success", "steps.a.exitCode == 0", stand(a=SUCCEEDED), Open()),
        ("no exit code yet", "has(steps.a.exitCode)", stand(a=RUNNING),
         WAIT("waits until its expression holds, by now for a (Running)")),
    ],
)  # fmt: skip
def test_an_expression(said, expression, standings, expect):
    assert asked({"expression": expression}, standings) == expect


NAMES = "abcd"
SETTLED = (SUCCEEDED, FAILED, SKIPPED, UNREACHABLE)


@st.composite
def some_needs(draw):
    """Any dependsOn over four steps."""
    names = st.lists(st.sampled_from(NAMES), unique=True, max_size=4)
    strategies = st.sampled_from([None, "All", "Any"])
    statuses = st.lists(
        st.builds(lambda name, phase: {"name": name, "phase": phase}, st.sampled_from(NAMES), st.sampled_from(WANTED)),
        max_size=3,
    )

    def group():
        return {"targets": draw(names), "strategy": draw(strategies), "targetsWithStatus": draw(statuses)}

    if draw(st.integers(0, 4)) == 0:
        terms = draw(
            st.lists(
                st.builds(
                    lambda name, phase, sign: f"steps.{name}.phase {sign} '{phase}'",
                    st.sampled_from(NAMES),
                    st.sampled_from([str(phase) for phase in StepPhase]),
                    st.sampled_from(["==", "!="]),
                )
                | st.sampled_from(NAMES).map(lambda name: f"steps.{name}.outputs.x == 1"),
                min_size=1,
                max_size=4,
            )
        )
        return {"expression": draw(st.sampled_from([" && ", " || "])).join(terms)}
    return (
        group()
        | {"waitFor": draw(st.sampled_from([None, *WaitFor]))}
        | ({"orGroups": [group() for _ in range(draw(st.integers(1, 3)))]} if draw(st.booleans()) else {})
    )


def standings_of(phases, borne):
    return {
        name: Standing(Step(name, name, continue_on_fail=name in borne), phase)
        for name, phase in zip(NAMES, phases, strict=True)
    }


def step_with(depends_on):
    waits = DependsOn.model_validate(depends_on)
    targets = tuple(dict.fromkeys(waits.targets))
    return Step("s", "s", targets, wait_for=waits.wait_for or WaitFor.COMPLETED, needs=needs_of(waits))


PHASES = st.tuples(*[st.sampled_from(list(StepPhase))] * 4)
ENDS = st.tuples(*[st.sampled_from(SETTLED)] * 4)


@given(some_needs(), ENDS, st.sets(st.sampled_from(NAMES)))
def test_nothing_waits_for_what_can_no_longer_come(depends_on, phases, borne):
    found = gate(step_with(depends_on), standings_of(phases, borne))
    assert not isinstance(found, Closed), found


@given(some_needs(), PHASES, ENDS, st.data())
def test_what_is_lost_or_skipped_stays_so_whatever_comes(depends_on, before, after, data):
    """Only what has settled decides that: nothing that happens later could open the gate after all."""
    step, borne = step_with(depends_on), data.draw(st.sets(st.sampled_from(NAMES)))
    first = gate(step, standings_of(before, borne))
    then = tuple(one if one.settled else other for one, other in zip(before, after, strict=True))
    later = gate(step, standings_of(then, borne))
    if isinstance(first, Never | Skip | Broken):
        assert not isinstance(later, Open | Closed), (first, later)
