"""A Volcano Job as it travels, and what its status means to a flow."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from jobflow.api.children import ChildPhase, Node, StatusList
from jobflow.kinds import vcjob
from jobflow.testing.builders import child

P, R, S, F, U = ChildPhase.PENDING, ChildPhase.RUNNING, ChildPhase.SUCCEEDED, ChildPhase.FAILED, ChildPhase.UNKNOWN
A = child("a", of="f")


def view(body):
    return vcjob.view(msgspec.json.decode(msgspec.json.encode(body), type=vcjob.Job))


def with_meta(**changes):
    body = A.body()
    body["metadata"] |= changes
    return view(body)


@pytest.mark.parametrize(
    ("state", "phase", "listed"),
    [
        ("", P, StatusList.PENDING),
        ("Pending", P, StatusList.PENDING),
        ("Running", R, StatusList.RUNNING),
        ("Restarting", R, StatusList.RUNNING),
        ("Completing", R, StatusList.RUNNING),
        ("Terminating", R, StatusList.TERMINATED),
        ("Aborting", R, StatusList.FAILED),
        ("Completed", S, StatusList.COMPLETED),
        ("Failed", F, StatusList.FAILED),
        ("Terminated", F, StatusList.TERMINATED),
        ("Aborted", F, StatusList.FAILED),
        ("SomethingNew", U, StatusList.UNKNOWN),
    ],
)
def test_what_each_phase_means(state, phase, listed):
    told = A.state(state).view()
    assert (told.phase, told.listed, told.phase.terminal) == (phase, listed, phase in (S, F))


def test_a_job_as_volcano_writes_it():
    status = {
        "state": {"phase": "Running", "reason": None, "lastTransitionTime": "2026-01-01T12:00:05Z"},
        "failed": 1,
        "retryCount": 2,
        "version": 3,
        "runningDuration": "1m5s",
        "taskStatusCount": {"worker": {"phase": {"Running": 2, "Failed": 1}}, "idle": {}},
        "controlledResources": {"plugin-svc": "svc"},
        "conditions": [{"status": "Pending", "lastTransitionTime": "2026-01-01T12:00:00Z"}],
    }
    spec = {"schedulerName": "volcano", "tasks": [{"name": "worker", "replicas": 3}, {"name": "idle"}]}
    told = view(A.body() | {"spec": spec, "status": status})
    assert (told.pods, told.failed_pods, told.restarts, told.running_duration) == (4, 1, 2, "1m5s")
    assert told.task_counts == {"worker": {"Running": 2, "Failed": 1}, "idle": {}}
    assert told.changed == datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "body"),
    [
        ("a zero time that Go writes as null", A.body() | {"status": {"state": {"lastTransitionTime": None}}}),
        ("counts that are null", A.body() | {"status": {"taskStatusCount": None}}),
        ("no status at all", {key: value for key, value in A.body().items() if key != "status"}),
        ("no spec at all", {key: value for key, value in A.body().items() if key != "spec"}),
    ],
)
def test_what_may_be_absent(said, body):
    assert view(body).phase is P


class TestWhoseItIs:
    def test_a_jobflows_by_its_controller_owner(self):
        assert (A.view().flow, A.view().flow_uid) == ("f", "flow-f")

    @pytest.mark.parametrize(
        ("said", "owners"),
        [
            ("nobody's", []),
            (
                "a JobFlow's that does not control it",
                [{"apiVersion": "flow.volcano.sh/v1alpha1", "kind": "JobFlow", "name": "f", "uid": "u"}],
            ),
            (
                "another kind's of the same name",
                [
                    {
                        "apiVersion": "batch.volcano.sh/v1alpha1",
                        "kind": "CronJob",
                        "name": "f",
                        "uid": "u",
                        "controller": True,
                    }
                ],
            ),
            (
                "a JobFlow's of another group",
                [{"apiVersion": "example.com/v1", "kind": "JobFlow", "name": "f", "uid": "u", "controller": True}],
            ),
        ],
    )
    def test_a_label_alone_makes_no_child(self, said, owners):
        told = with_meta(ownerReferences=owners)
        assert (told.flow, told.flow_uid) == ("", "")


STEP, ITEM, ATTEMPT = (f"jobflow.volcano.sh/{word}" for word in ("flow", "item", "attempt"))


@pytest.mark.parametrize(
    ("said", "annotations", "expect"),
    [
        ("upstream's controller made it", {}, None),
        ("a step", {STEP: "a"}, Node("a")),
        ("an item and an attempt", {STEP: "a", ITEM: "3", ATTEMPT: "2"}, Node("a", 3, 2)),
        ("numbers that somebody edited", {STEP: "a", ITEM: "x", ATTEMPT: "y"}, Node("a", None, 0)),
    ],
)
def test_which_node_it_is(said, annotations, expect):
    assert with_meta(annotations=annotations).node == expect


def test_the_template_is_the_whole_annotation_or_else_the_label():
    assert A.view().template == "default.a"
    assert with_meta(annotations={}).template == "default.a"
    assert with_meta(annotations={}, labels={}).template == ""
    assert with_meta(annotations={"jobflow.volcano.sh/cluster-template": "a"}, labels={}).template == ".a"


def test_our_own_time_to_live():
    assert (A.ttl(0).view().owned_ttl, A.view().owned_ttl) == (0, None)
    assert A.deleting().view().deleting
