"""A step whose gate is open becomes a child, or says what keeps it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from jobflow.api.children import Node
from jobflow.api.resources import Key
from jobflow.api.status import Reason, StepPhase
from jobflow.reconcile.child import Draft, child_basis, child_body, child_spec
from jobflow.reconcile.graph import Step
from jobflow.reconcile.observe import Standing
from jobflow.reconcile.snapshot import Refusal
from jobflow.reconcile.start import Held, Impossible, Ready, start
from jobflow.testing.builders import child, flow, template
from jobflow.testing.clock import EPOCH

F = flow("f").step("a")
T = template("a").task("main")
NEW = Standing(Step("a", "a"), StepPhase.WAITING)
BASIS = child_basis(F.frozen(), T.view())


def refusal(final=False, after=30.0, basis=BASIS):
    return {"f-a": Refusal(Reason.CHILD_REJECTED, "quota", final, EPOCH + timedelta(seconds=after), basis)}


def test_a_first_child_is_created_without_another_look():
    match start(F.snapshot(), NEW):
        case Ready(create):
            assert (create.node, create.name, create.verify) == (Node("a"), "f-a", False)
            assert create.reason == "it waits for nothing"
        case other:
            pytest.fail(str(other))


def test_the_child_is_made_of_the_template_under_its_own_name():
    match start(F.snapshot(), NEW):
        case Ready(create):
            spec = child_spec(F.frozen(), NEW.step, Node("a"), T.view())
            assert create.body == child_body(F.frozen(), NEW.step, Draft(Node("a"), "f-a", spec), T.view())
            assert create.basis == BASIS
        case other:
            pytest.fail(str(other))


def test_a_second_child_is_of_the_committed_attempt():
    record = msgspec.structs.replace(child("a", of="f").record(StepPhase.RUNNING), attempt=2)
    match start(F.snapshot(), Standing(NEW.step, StepPhase.WAITING, record=record)):
        case Ready(create):
            assert create.node == Node("a", None, 2)
        case other:
            pytest.fail(str(other))


def test_what_can_never_be_accepted_is_told_in_the_servers_words():
    never = start(F.snapshot(refusals=refusal(final=True)), NEW)
    assert never == Impossible(Reason.CHILD_REJECTED, "quota")


def test_the_reason_names_the_targets_that_opened_the_gate():
    after = flow("f").step("a", after=["x", "y"]).step("x").step("y")
    match start(after.snapshot(), Standing(Step("a", "a", ("x", "y")), StepPhase.WAITING)):
        case Ready(create):
            assert create.reason == "x, y succeeded"
        case other:
            pytest.fail(str(other))


def test_a_second_child_needs_a_live_look_and_keeps_the_committed_name():
    record = child("a", of="f").named("f-cut-12345678").record(StepPhase.RUNNING)
    match start(F.snapshot(), Standing(NEW.step, StepPhase.WAITING, record=record)):
        case Ready(create):
            assert (create.name, create.verify) == ("f-cut-12345678", True)
            assert create.reason == "its unfinished Job f-cut-12345678 was deleted"
        case other:
            pytest.fail(str(other))


def test_a_missing_template_holds_the_step_until_it_appears():
    held = start(F.snapshot(templates=[]), NEW)
    assert isinstance(held, Held)
    assert (held.reason, held.retry_at) == (Reason.TEMPLATE_NOT_FOUND, None)
    assert held.awaits == Key("JobTemplate", "default", "a")


def test_a_template_that_may_not_be_read_is_not_said_to_be_missing():
    unseen = replace(F.snapshot(templates=[]), templates_unseen="forbidden: no rights")
    held = start(unseen, NEW)
    assert isinstance(held, Held)
    assert (held.reason, held.retry_at) == (Reason.TEMPLATE_UNREADABLE, None)
    assert held.message == "JobTemplate a cannot be read (forbidden: no rights); the step starts when it can"
    assert held.awaits == Key("JobTemplate", "default", "a")
    assert isinstance(start(replace(F.snapshot(), templates_unseen="forbidden: no rights"), NEW), Ready), "one is known"


def test_a_template_that_is_read_in_part_is_not_used():
    lost = msgspec.structs.replace(T.view(), lost=("spec.parameters",))
    match start(F.snapshot(templates=[lost]), NEW):
        case Held(reason, message, _, awaits):
            assert reason is Reason.CRD_OUTDATED
            assert message == (
                "JobTemplate a is read without spec.parameters, which the installed CRD lacks; "
                "the step starts when jobflow's CRDs are applied again"
            )
            assert awaits == Key("JobTemplate", "default", "a")
        case other:
            pytest.fail(str(other))


def test_a_name_that_no_cut_makes_fit_is_impossible():
    long = template("a").task("t" * 60).view()
    said = "no name for the Job of f-a leaves room for its pods within 63 characters: shorten the task names of "
    assert start(F.snapshot(templates=[long]), NEW) == Impossible(Reason.NAME_TOO_LONG, f"{said}JobTemplate a")


HELD, READY, IMPOSSIBLE = Held, Ready, Impossible


@pytest.mark.parametrize(
    ("said", "refusals", "templates", "expect"),
    [
        ("not yet due", refusal(), [T], HELD),
        ("due", refusal(after=0), [T], READY),
        ("long due", refusal(after=-5), [T], READY),
        ("not yet due, but the template was edited", refusal(), [T.at("11", generation=2)], READY),
        ("never to be accepted", refusal(final=True, after=-5), [T], IMPOSSIBLE),
        ("of another child", {"f-b": refusal()["f-a"]}, [T], READY),
    ],
)
def test_after_a_refusal(said, refusals, templates, expect):
    snapshot = F.snapshot(refusals=refusals, templates=[t.view() for t in templates])
    assert isinstance(start(snapshot, NEW), expect)


def test_an_edit_of_the_flow_is_worth_another_try():
    edited = F.at("101", generation=2).snapshot(refusals=refusal())
    assert isinstance(start(edited, NEW), Ready)


def test_a_held_refusal_tells_the_servers_words_and_when():
    held = start(F.snapshot(refusals=refusal()), NEW)
    assert held == Held(
        Reason.CHILD_REJECTED, "quota", EPOCH + timedelta(seconds=30), Key("JobTemplate", "default", "a")
    )
