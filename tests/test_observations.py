"""Observations: what the watches tell of how flows fare, and that a real run fills the metrics."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from jobflow.api.children import ChildPhase
from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE
from jobflow.api.status import AttemptStatus, FlowPhase, FlowState, FlowStatus, JobFlowStatus, StepPhase
from jobflow.app import App
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.kube.measured import MeasuredTransport
from jobflow.local.controlplane import ControlPlane, LocalSettings
from jobflow.obs.measures import Measures
from jobflow.obs.metrics import Metrics
from jobflow.observations import Observations
from jobflow.reconcile.flow import reconcile_flow
from jobflow.testing.builders import child, flow, template
from jobflow.testing.clock import EPOCH, FixedClock, VirtualClock

F = flow("f").step("a").step("b").step("c", after=("a", "b"))
A, B, C = (child(step, of="f") for step in "abc")


class Told(Measures):
    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.ends: list[tuple[str, str]] = []

    def dependency_seen(self, seconds: float) -> None:
        self.latencies.append(seconds)

    def flow_ended(self, namespace: str, phase: str) -> None:
        self.ends.append((namespace, phase))


class World:
    """Observations, and what they are told; each turn takes a second."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.told = Told()
        self.observations = Observations(self.clock, self.told)

    def child(self, before, after) -> None:
        self.clock.advance(1)
        self.observations.child_changed(before and before.view(), after and after.view())

    def plan(self, *children) -> None:
        self.clock.advance(1)
        snapshot = F.snapshot(*(found.view() for found in children))
        self.observations.planned(snapshot.flow, reconcile_flow(snapshot))


@pytest.fixture
def world() -> World:
    return World()


def ended(found):
    return found.completed()


def test_from_the_end_of_the_last_target_to_the_sight_of_the_child(world):
    world.child(A, ended(A))
    world.child(B, ended(B))
    world.plan(ended(A), ended(B))
    world.child(None, C)
    assert world.told.latencies == [2.0]


def test_a_create_that_was_refused_at_first_counts_from_the_same_end(world):
    world.child(A, ended(A))
    world.child(B, ended(B))
    for _ in range(5):
        world.plan(ended(A), ended(B))
    world.child(None, C)
    assert world.told.latencies == [6.0]


def test_a_step_that_is_tried_again_waited_for_its_own_attempt_and_not_for_its_targets(world):
    between = FlowStatus("c", StepPhase.WAITING, attempt=1, attempts=(AttemptStatus(0, "f-c"),))
    done = [found.record(StepPhase.SUCCEEDED) for found in (A, B)]
    world.child(A, ended(A))
    world.child(B, ended(B))
    snapshot = F.recorded(*done, between).snapshot(ended(A).view(), ended(B).view())
    plan = reconcile_flow(snapshot)
    assert [create.name for create in plan.creates] == ["f-c-r1"]
    world.observations.planned(snapshot.flow, plan)
    world.child(None, C.tried(1))
    assert world.told.latencies == []


def test_steps_without_targets_have_no_latency(world):
    world.plan()
    world.child(None, A)
    assert world.told.latencies == []


def test_an_end_that_nobody_saw_gives_no_sample(world):
    world.child(None, ended(A))  # in the first list
    world.child(B, ended(B))
    world.plan(ended(A), ended(B))
    world.child(None, C)
    assert world.told.latencies == []


def test_flows_that_end_are_counted_once(world):
    running, done = (
        F.status(JobFlowStatus(state=FlowState(phase))) for phase in (FlowPhase.RUNNING, FlowPhase.SUCCEED)
    )
    for before, after in ((None, running), (running, done), (done, done), (None, done), (done, None)):
        world.observations.flow_changed(before and before.view(), after and after.view())
    assert world.told.ends == [("default", "Succeed")]


@pytest.mark.parametrize("how", ["gone", "finished"])
def test_nothing_is_kept_of_a_flow_that_has_ended(world, how):
    world.child(A, ended(A))
    world.child(B, ended(B))
    world.plan(ended(A), ended(B))
    assert len(world.observations) > 0
    view = F.view()
    finished = replace(view, status=JobFlowStatus(completionTime=EPOCH))
    world.observations.flow_changed(view, None if how == "gone" else finished)
    assert len(world.observations) == 0


def test_nothing_is_kept_of_children_that_outlived_their_flow(world):
    world.child(A, ended(A))
    world.child(ended(A), None)
    assert len(world.observations) == 0
    assert ended(A).view().phase is ChildPhase.SUCCEEDED


@pytest.mark.looptime
async def test_a_run_fills_the_metrics(tmp_path: Path) -> None:
    clock, metrics, stop = VirtualClock(), Metrics(), asyncio.Event()
    async with ControlPlane(LocalSettings(scratch=tmp_path, runtime="simulate", controller=False), clock) as plane:
        user = Client(plane.transport(), clock)
        for step in "abc":
            await user.create(JOB_TEMPLATE, "default", _written(template(step).task("main").body()))
        client = Client(MeasuredTransport(plane.transport(), clock, metrics), clock)
        app = App(client, clock, Settings(), Random(1), measures=metrics)
        metrics.read_from(app.readings)
        assert app.unready()
        running = asyncio.create_task(app.run(stop))
        for number in range(3):
            await user.create(JOB_FLOW, "default", _written(F.body()) | {"metadata": {"name": f"f{number}"}})
        await asyncio.sleep(60)

        found = _samples(metrics)
        assert found["jobflow_flows{phase=Succeed}"] == 3
        assert found["volcano_jobflow_succeed_phase_count{jobflow_namespace=default}"] == 3
        assert found["jobflow_dependency_latency_seconds_count"] == 3
        assert found["jobflow_api_requests_total{code=201,resource=jobs.batch.volcano.sh,verb=create}"] == 9
        assert found["jobflow_cache_objects{resource=jobs.batch.volcano.sh}"] == 9
        assert found["jobflow_watch_starts_total{code=200,resource=jobs.batch.volcano.sh}"] == 1
        assert found["jobflow_reconcile_seconds_count{kind=JobFlow,result=done}"] > 0
        assert found["jobflow_queue_wait_seconds_count"] > 0
        assert (found["jobflow_leading"], found["jobflow_synced"]) == (1, 1)
        assert found["jobflow_queue_keys{state=ready}"] == found["jobflow_queue_keys{state=held}"] == 0
        stop.set()
        await running
        assert _samples(metrics)["jobflow_leading"] == 0


def _written(body):
    return {key: body[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": body["metadata"]["name"]}}


def _samples(metrics: Metrics) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found
