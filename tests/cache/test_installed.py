"""Which of our fields the installed CRDs keep."""

from __future__ import annotations

import pytest
from msgspec import structs

from jobflow.api.fields import words
from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE
from jobflow.api.status import FlowState, FlowStatus, JobFlowStatus, Reason, StepPhase
from jobflow.api.upstream import UPSTREAM, added, ours
from jobflow.cache.installed import Installed

NOTE = ("spec", "flows", "[]", "note")
SENT = JobFlowStatus(
    completedJobs=("f-a",),
    state=FlowState(None, Reason.STEP_FAILED, "step a"),
    specHash="abc",
    flowStatuses=(FlowStatus("a", StepPhase.RUNNING, recreations=1),),
)
PRUNED = JobFlowStatus(completedJobs=("f-a",))


@pytest.fixture
def told():
    return []


@pytest.fixture
def installed(told):
    installed = Installed()
    installed.declare(JOB_FLOW, {path for path in added(JOB_FLOW) if path[0] == "status"} | {NOTE})
    installed.listeners.append(lambda kind: told.append((kind.kind, len(installed.told(kind)))))
    return installed


def test_until_something_is_known_nothing_is_missing(installed, told):
    assert (installed.missing(JOB_FLOW), installed.told(JOB_FLOW), told) == (frozenset(), [], [])


def test_upstreams_schema_lacks_all_that_is_added(installed, told):
    installed.saw_schema(JOB_FLOW, UPSTREAM[JOB_FLOW])
    assert NOTE in installed.missing(JOB_FLOW)
    assert "spec.flows[].note" in installed.told(JOB_FLOW)
    assert "status.flowStatuses[].recreations" not in installed.told(JOB_FLOW), "only the outermost are told"
    assert installed.missing(JOB_TEMPLATE) == frozenset()
    installed.saw_schema(JOB_FLOW, UPSTREAM[JOB_FLOW])
    assert told == [("JobFlow", len(installed.told(JOB_FLOW)))], "the same again is no news"


def test_an_older_schema_of_ours_lacks_what_joined_since(installed, told):
    installed.saw_schema(JOB_FLOW, ours(JOB_FLOW))
    assert installed.told(JOB_FLOW) == ["spec.flows[].note"]
    installed.saw_schema(JOB_FLOW, {**ours(JOB_FLOW), "spec": {"flows": {"[]": {"name": {}, "note": {}}}}})
    assert told == [("JobFlow", 1), ("JobFlow", 0)]


@pytest.mark.parametrize(
    ("said", "sent", "stored", "lost"),
    [
        ("all came back", SENT, SENT, []),
        (
            "upstream's came back",
            SENT,
            PRUNED,
            ["status.flowStatuses", "status.specHash", "status.state.message", "status.state.reason"],
        ),
        (
            "an older CRD of ours",
            SENT,
            structs.replace(SENT, flowStatuses=(FlowStatus("a", StepPhase.RUNNING),)),
            ["status.flowStatuses[].recreations"],
        ),
        ("nothing of ours was sent", PRUNED, PRUNED, []),
        ("what is upstream's is not our business", SENT, structs.replace(SENT, completedJobs=()), []),
    ],
)
def test_what_was_lost_of_a_status(said, sent, stored, lost):
    found = Installed().saw_answer(JOB_FLOW, sent, stored)
    outer = {path for path in found if not any(path[:length] in found for length in range(1, len(path)))}
    assert sorted(words(path) for path in outer) == lost


def test_a_lost_field_of_the_status_means_that_those_of_the_spec_are_lost_too(installed):
    installed.saw_answer(JOB_FLOW, SENT, PRUNED)
    assert NOTE in installed.missing(JOB_FLOW)


def test_a_whole_answer_heals_and_an_empty_one_says_nothing(installed, told):
    installed.saw_answer(JOB_FLOW, SENT, PRUNED)
    installed.saw_answer(JOB_FLOW, PRUNED, PRUNED)
    assert installed.missing(JOB_FLOW)
    installed.saw_answer(JOB_FLOW, SENT, SENT)
    assert not installed.missing(JOB_FLOW)
    assert [count > 0 for _, count in told] == [True, False]


def test_where_the_crd_is_watched_answers_change_nothing(installed, told):
    installed.saw_schema(
        JOB_FLOW, {**ours(JOB_FLOW), "spec": UPSTREAM[JOB_FLOW]["spec"] | {"flows": {"[]": {"note": {}}}}}, "uid"
    )
    assert installed.saw_answer(JOB_FLOW, SENT, PRUNED)
    assert (installed.missing(JOB_FLOW), told, installed.mention(JOB_FLOW)) == (frozenset(), [], "")


def test_it_is_mentioned_once_where_no_crd_can_be_seen(installed):
    installed.saw_answer(JOB_FLOW, SENT, PRUNED)
    said = installed.mention(JOB_FLOW)
    assert "jobflows.flow.volcano.sh" in said
    assert "status.flowStatuses" in said
    assert "manifests/crds" in said
    assert installed.mention(JOB_FLOW) == ""
    installed.saw_answer(JOB_FLOW, SENT, SENT)
    installed.saw_answer(JOB_FLOW, SENT, PRUNED)
    assert installed.mention(JOB_FLOW) == said
