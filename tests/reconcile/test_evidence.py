"""Do the probes of a step hold, now that its targets have got as far as it waits for?"""

from __future__ import annotations

from typing import Any

import pytest

from jobflow.api.probes import OfHost, PodAddress, PodList, PodPhase, PodsFound, Probe, Verdict
from jobflow.api.resources import Key
from jobflow.api.status import JobCondition, Reason, StepPhase, TaskState
from jobflow.reconcile.evidence import evidence
from jobflow.reconcile.flow import reconcile_flow
from jobflow.reconcile.gate import Broken, Closed, Never, Open
from jobflow.reconcile.observe import observe
from jobflow.testing.builders import child, flow

TCP = {"tcpSocket": {"taskName": "main", "port": 5432}}
HOST = {"httpGet": {"host": "model", "port": 8080, "path": "/health"}}
PS = child("ps", of="f")
GOOD = Verdict(True, "connect 10.0.0.1:5432 -> connected")
BAD = Verdict(False, "connect 10.0.0.1:5432 -> connection refused")
WORN_OUT = Verdict(False, "connect 10.0.0.1:5432 -> connection refused, 3 times, 10 s", failed=True)


def a_flow(probe: dict[str, Any], after: str = "ps", **more: Any):
    return flow("f").step("ps").step("train", after=after, probe=probe, **more)


def look(snapshot, step: str = "train"):
    graph = snapshot.flow.compiled.graph
    assert not snapshot.flow.compiled.problems
    return evidence(snapshot, graph.by_name[step], observe(snapshot, graph.steps))


def pod_question(snapshot, index: int = 0, **fields: Any) -> Probe:
    probes = snapshot.flow.compiled.graph.by_name["train"].probes
    pod = PS.pod(index, **fields)
    return Probe("default", PodAddress(pod.uid, pod.ip), probes.network[0].check, probes.timing)


class TestOfHost:
    def test_it_is_asked_and_waited_for(self):
        found = look(a_flow(HOST).snapshot(PS.completed().view()))
        (question,) = found.questions
        assert question.address == OfHost("model")
        assert question.told == "GET http://model:8080/health"
        assert found.gate == Closed(Reason.PROBE, "GET http://model:8080/health: no answer yet")

    def test_it_is_asked_as_often_as_the_step_says(self):
        (question,) = look(
            a_flow(HOST | {"periodSeconds": 7, "timeoutSeconds": 3}).snapshot(PS.completed().view())
        ).questions
        assert (question.timing.period, question.timing.timeout) == (7.0, 3.0)

    @pytest.mark.parametrize(
        ("said", "probe", "verdict", "gate"),
        [
            ("a good answer opens", HOST, GOOD, Open()),
            ("a bad one is told", HOST, BAD, Closed(Reason.PROBE_FAILING, BAD.message)),
            ("many bad ones are waited through", HOST, WORN_OUT, Closed(Reason.PROBE_FAILING, WORN_OUT.message)),
            (
                "unless the step is to fail for them",
                HOST | {"onProbeFailure": "Fail"},
                WORN_OUT,
                Broken(Reason.PROBE_FAILED, WORN_OUT.message),
            ),
            (
                "too few of them do not fail it",
                HOST | {"onProbeFailure": "Fail"},
                BAD,
                Closed(Reason.PROBE_FAILING, BAD.message),
            ),
        ],
    )
    def test_the_verdict_decides(self, said, probe, verdict, gate):
        asked = look(a_flow(probe).snapshot(PS.completed().view())).questions
        answers = dict.fromkeys(asked, verdict)
        found = look(a_flow(probe).snapshot(PS.completed().view(), answers=answers))
        assert found.gate == gate
        assert found.questions == asked, "it is asked on until the child exists"

    def test_it_needs_no_target(self):
        alone = flow("f").step("train", probe=HOST)
        assert len(look(alone.snapshot()).questions) == 1


class TestOfTask:
    def test_with_one_target_it_waits_for_it_to_run(self):
        snapshot = a_flow(TCP).snapshot(PS.pending().view())
        assert reconcile_flow(snapshot).questions == frozenset()
        assert look(a_flow(TCP).snapshot(PS.running().view(), pods=[PS.pod()])).questions

    def test_each_pod_that_runs_is_asked(self):
        ps = PS.running().pods(2)
        snapshot = a_flow(TCP).snapshot(ps.view(), pods=[ps.pod(0), ps.pod(1)])
        found = look(snapshot)
        assert found.questions == {pod_question(snapshot, 0), pod_question(snapshot, 1)}
        assert found.awaits == {Key("Pod", "default", "f-ps")}

    @pytest.mark.parametrize(
        ("said", "any_pod", "verdicts", "gate"),
        [
            ("all of two", False, [GOOD, GOOD], Open()),
            ("one of two", False, [GOOD, BAD], Closed(Reason.PROBE_FAILING, BAD.message)),
            ("any of two", True, [GOOD, BAD], Open()),
            ("any of two, none", True, [BAD, BAD], Closed(Reason.PROBE_FAILING, BAD.message)),
        ],
    )
    def test_all_pods_or_any(self, said, any_pod, verdicts, gate):
        probe = {"tcpSocket": {"taskName": "main", "port": 5432, "anyPod": any_pod}}
        ps = PS.running().pods(2)
        pods = [ps.pod(0), ps.pod(1)]
        snapshot = a_flow(probe).snapshot(ps.view(), pods=pods)
        answers = {pod_question(snapshot, index): verdict for index, verdict in enumerate(verdicts)}
        assert look(a_flow(probe).snapshot(ps.view(), pods=pods, answers=answers)).gate == gate

    def test_pods_that_do_not_run_yet_are_waited_for(self):
        ps = PS.running().pods(2)
        pods = [ps.pod(0), ps.pod(1, PodPhase.PENDING, ip="")]
        snapshot = a_flow(TCP).snapshot(ps.view(), pods=pods)
        found = look(a_flow(TCP).snapshot(ps.view(), pods=pods, answers={pod_question(snapshot): GOOD}))
        assert found.gate == Closed(Reason.PROBE, "1 of 2 pods of task main of Job f-ps run")

    def test_another_pod_at_the_same_address_is_asked_anew(self):
        ps = PS.running()
        snapshot = a_flow(TCP).snapshot(ps.view(), pods=[ps.pod()])
        answers = {pod_question(snapshot): GOOD}
        replaced = ps.pod(uid="another")
        assert isinstance(look(a_flow(TCP).snapshot(ps.view(), pods=[replaced], answers=answers)).gate, Closed)

    def test_a_pod_that_is_being_deleted_does_not_count(self):
        ps = PS.running()
        found = look(a_flow(TCP).snapshot(ps.view(), pods=[ps.pod(deleting=True)]))
        assert found.questions == set()

    def test_a_job_that_completed_before_it_held_is_gone(self):
        found = look(a_flow(TCP).snapshot(PS.completed().view()))
        said = "Job f-ps completed before the probe of its task main ever held"
        assert found.gate == Never(Reason.PROBE_TARGET_GONE, said)

    def test_a_job_that_completed_in_the_moment_it_held_is_not(self):
        ps = PS.completed()
        snapshot = a_flow(TCP).snapshot(ps.view(), pods=[ps.pod(0, PodPhase.SUCCEEDED)])
        found = look(
            a_flow(TCP).snapshot(
                ps.view(), pods=[ps.pod(0, PodPhase.SUCCEEDED)], answers={pod_question(snapshot): GOOD}
            )
        )
        assert found.gate == Open()

    def test_a_task_that_is_not_there_is_told_with_those_that_are(self):
        probe = {"tcpSocket": {"taskName": "mian", "port": 1}}
        found = look(a_flow(probe).snapshot(PS.running().view()))
        assert found.gate == Never(Reason.PROBE_TASK_UNKNOWN, 'there is no task "mian" in f-ps; the tasks are main')

    def test_pods_that_upstreams_controller_made_are_listed(self):
        ps = PS.by_upstream().running()
        found = look(a_flow(TCP).snapshot(ps.view()))
        assert found.questions == {PodList("default", "f-ps", "job-f-ps", 5)}
        answers = {PodList("default", "f-ps", "job-f-ps", 5): PodsFound((ps.pod(),))}
        found = look(a_flow(TCP).snapshot(ps.view(), answers=answers))
        assert len(found.questions) == 2

    def test_pods_that_may_not_be_listed_are_told(self):
        ps = PS.by_upstream().running()
        answers = {PodList("default", "f-ps", "job-f-ps", 5): PodsFound(problem="the pods cannot be listed: no")}
        found = look(a_flow(TCP).snapshot(ps.view(), answers=answers))
        assert found.gate == Closed(Reason.PROBE, "the pods cannot be listed: no")


def counts(**phases: int) -> JobCondition:
    return JobCondition("Completed", taskStatusCount={"main": TaskState(phases)})


class TestTaskStatus:
    @pytest.mark.parametrize(
        ("said", "probe", "job", "gate"),
        [
            ("all have", {"status": "Completed"}, PS.running().pods(4, Succeeded=4), Open()),
            (
                "three of four have",
                {"status": "Completed"},
                PS.running().pods(4, Succeeded=3, Running=1),
                Closed(Reason.PROBE_FAILING, "3 of 4 pods of task main of Job f-ps are Succeeded"),
            ),
            (
                "none has",
                {"status": "Succeeded"},
                PS.running().pods(4, Running=4),
                Closed(Reason.PROBE, "0 of 4 pods of task main of Job f-ps are Succeeded"),
            ),
            ("three are enough", {"count": 3}, PS.running().pods(4, Succeeded=3, Running=1), Open()),
            ("they run", {"status": "Running"}, PS.running().pods(2, Running=2), Open()),
            (
                "they can run no more",
                {"status": "Running"},
                PS.completed().pods(2, Succeeded=2),
                Never(Reason.PROBE_TARGET_GONE, "Job f-ps completed, and its pods can no longer be Running"),
            ),
            ("counted at the end", {"status": "Completed"}, PS.completed().pods(4, Succeeded=4), Open()),
            (
                "too few at the end",
                {"status": "Completed"},
                PS.completed().pods(4, Succeeded=3, Failed=1),
                Never(
                    Reason.PROBE_NOT_MET,
                    "3 of 4 pods of task main of Job f-ps are Succeeded, and it has completed",
                ),
            ),
        ],
    )
    def test_the_jobs_own_counts_decide(self, said, probe, job, gate):
        one = (
            a_flow({"taskStatusCount": {"taskName": "main"} | probe}, waitFor="Running")
            if (probe.get("status") != "Running")
            else a_flow({"taskStatusCount": {"taskName": "main"} | probe})
        )
        assert look(one.snapshot(job.view())).gate == gate

    def test_volcanos_spelling_means_the_same(self):
        one = a_flow({"taskStatusList": [{"taskName": "main", "phase": "Succeeded"}]})
        assert look(one.snapshot(PS.completed().pods(2, Succeeded=2).view())).gate == Open()

    def test_counts_that_are_committed_stand_when_volcano_zeroes_its_own(self):
        done = PS.completed()
        record = done.record(StepPhase.SUCCEEDED)
        one = a_flow({"taskStatusCount": {"taskName": "main"}}).recorded(
            record, conditions={"f-ps": counts(Succeeded=1)}
        )
        assert look(one.snapshot(done.view())).gate == Open()
        assert look(one.snapshot()).gate == Open(), "nor does the Job have to exist"

    def test_counts_that_were_missed_are_made_up_for_by_the_pods_that_are_left(self):
        done = PS.completed()
        question = PodList("default", "f-ps", "job-f-ps", 5)
        one = a_flow({"taskStatusCount": {"taskName": "main"}}).recorded(
            done.record(StepPhase.SUCCEEDED), conditions={"f-ps": counts(Running=1)}
        )
        found = look(one.snapshot(done.view()))
        assert found.questions == {question}
        assert isinstance(found.gate, Closed)
        for pods, gate in (
            ((done.pod(0, PodPhase.SUCCEEDED),), Open),
            ((done.pod(0, PodPhase.FAILED),), Never),
            ((), Never),
        ):
            found = look(one.snapshot(done.view(), answers={question: PodsFound(pods)}))
            assert isinstance(found.gate, gate)
        assert found.gate.reason == Reason.COUNTS_LOST

    def test_each_of_several_targets_has_to_hold(self):
        both = (
            flow("f")
            .step("a")
            .step("b")
            .step("train", after=["a", "b"], probe={"taskStatusCount": {"taskName": "main"}})
        )
        a, b = child("a", of="f").completed(), child("b", of="f").completed()
        assert look(both.snapshot(a.pods(1, Succeeded=1).view(), b.pods(1, Succeeded=1).view())).gate == Open()
        found = look(both.snapshot(a.pods(1, Succeeded=1).view(), b.pods(1, Failed=1).view()))
        assert found.gate == Never(
            Reason.PROBE_NOT_MET, "0 of 1 pods of task main of Job f-b are Succeeded, and it has completed"
        )


class TestInTheFlow:
    def test_a_probe_that_fails_the_step_fails_the_flow(self):
        one = a_flow(HOST | {"onProbeFailure": "Fail"})
        snapshot = one.snapshot(PS.completed().view())
        plan = reconcile_flow(
            one.snapshot(PS.completed().view(), answers=dict.fromkeys(look(snapshot).questions, WORN_OUT))
        )
        assert plan.status.outcome == "Failed"
        assert plan.status.state.message == f"step train: {WORN_OUT.message}"
        assert plan.questions, "asked until the failure is committed"

    def test_a_probe_that_can_never_hold_fails_the_flow_too(self):
        plan = reconcile_flow(a_flow(TCP).snapshot(PS.completed().view()))
        train = plan.status.flowStatuses[1]
        assert (train.phase, train.reason) == (StepPhase.UNREACHABLE, Reason.PROBE_TARGET_GONE)
        assert plan.status.outcome == "Failed"
        assert plan.status.state.message.startswith("step train: Job f-ps completed before")

    def test_while_it_is_asked_the_flow_says_so(self):
        plan = reconcile_flow(a_flow(HOST).snapshot(PS.completed().view()))
        assert plan.status.state.reason == Reason.PROBE
        assert plan.status.state.message == "step train: GET http://model:8080/health: no answer yet"

    def test_the_first_bad_answer_and_the_good_one_are_events(self):
        one = a_flow(HOST)
        done = PS.completed().view()
        asked = reconcile_flow(one.snapshot(done))
        waiting = one.status(asked.status)
        bad = reconcile_flow(waiting.snapshot(done, answers=dict.fromkeys(asked.questions, BAD)))
        assert [(event.type, event.reason) for event in bad.events] == [("Warning", "ProbeFailing")]
        failing = one.status(bad.status)
        worse = reconcile_flow(failing.snapshot(done, answers=dict.fromkeys(asked.questions, WORN_OUT)))
        assert worse.events == ()
        train = child("train", of="f").pending().view()
        started = reconcile_flow(failing.snapshot(done, train))
        assert [(event.type, event.reason) for event in started.events] == [("Normal", "ProbeSucceeded")]
        assert started.questions == frozenset()

    def test_pods_that_are_asked_carry_the_label_the_watch_selects(self):
        plan = reconcile_flow(a_flow(TCP).snapshot())
        (create,) = plan.creates
        assert create.body["spec"]["tasks"][0]["template"]["metadata"]["labels"] == {
            "jobflow.volcano.sh/probed": "true"
        }

    def test_pods_that_are_not_asked_do_not(self):
        plan = reconcile_flow(a_flow(HOST).snapshot())
        (create,) = plan.creates
        assert "metadata" not in create.body["spec"]["tasks"][0]["template"]
