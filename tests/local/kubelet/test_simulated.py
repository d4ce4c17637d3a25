"""Simulated pods: what annotations say happens, by the clock, the same way each time."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from jobflow.local.kubelet.containers import PodPhase
from jobflow.local.kubelet.simulated import BadAnnotation, SimulatedRuntime, script_of

pytestmark = pytest.mark.looptime

PREFIX = "simulate.jobflow.volcano.sh/"


class LoopClock:
    def now(self):
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self):
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds):
        await asyncio.sleep(max(0.0, seconds))


@pytest.fixture
def simulated(pod, container):
    def build(name="p", restart="Never", **annotations):
        given = {PREFIX + key.replace("_", "-"): value for key, value in annotations.items()}
        return pod(container(), name=name, restart=restart, annotations=given)

    return build


@pytest.fixture
async def stage(running_node):
    async with running_node(SimulatedRuntime(LoopClock(), seed=7)) as node:
        await asyncio.sleep(0)
        yield node


async def test_a_pod_runs_as_long_as_it_says(stage, simulated):
    stage.start(simulated(duration="1h30m"))
    await asyncio.sleep(5399)
    assert [state.phase for state in stage.told["p"]] == [PodPhase.RUNNING]
    await asyncio.sleep(2)
    state = stage.told["p"][-1]
    assert state.phase is PodPhase.SUCCEEDED
    assert state.finished_at - state.started_at == timedelta(minutes=90)


async def test_a_short_pod_ends_before_a_long_one_that_was_first(stage, simulated):
    stage.start(simulated("long", duration="1h"))
    await asyncio.sleep(1)
    stage.start(simulated("short", duration="1s"))
    await asyncio.sleep(2)
    assert stage.told["short"][-1].phase is PodPhase.SUCCEEDED
    assert stage.told["long"][-1].phase is PodPhase.RUNNING


async def test_it_runs_a_tenth_of_a_second_unless_it_says(stage, simulated):
    stage.start(simulated())
    await asyncio.sleep(0.2)
    state = stage.told["p"][-1]
    assert state.finished_at - state.started_at == timedelta(milliseconds=100)


async def test_its_exit_code_is_what_it_says(stage, simulated):
    stage.start(simulated(exit_code="3"))
    await asyncio.sleep(1)
    state = stage.told["p"][-1]
    assert (state.phase, state.containers[0].now.exit_code) == (PodPhase.FAILED, 3)


async def test_its_last_words_are_what_it_says(stage, simulated):
    stage.start(simulated(termination_message='{"rows": 3}'))
    await asyncio.sleep(1)
    assert stage.told["p"][-1].containers[0].now.message == '{"rows": 3}'
    with pytest.raises(BadAnnotation, match="is not a text of at most 4096 bytes"):
        script_of(simulated(termination_message="x" * 4097))


async def test_restarts_back_off_from_one_second_to_thirty(stage, simulated):
    stage.start(simulated(restart="OnFailure", exit_code="1", duration="1s"))
    await asyncio.sleep(1 + 1 + 1 + 2 + 1 + 4 + 1 + 0.5)
    assert stage.told["p"][-1].containers[0].restarts == 3
    await asyncio.sleep(3600)
    assert stage.told["p"][-1].containers[0].restarts == pytest.approx(3600 / 31, abs=5)


async def test_a_stopped_pod_ends_at_once(stage, simulated):
    p = simulated(duration="100h")
    stage.start(p)
    stage.runtime.stop(p, 30)
    assert stage.told["p"][-1].containers[0].now.exit_code == 137


async def test_a_pod_past_its_deadline_has_failed(stage, pod, container):
    p = pod(container(), annotations={PREFIX + "duration": "100h"}, active_deadline_seconds=60)
    stage.start(p)
    await asyncio.sleep(61)
    state = stage.told["p"][-1]
    assert (state.phase, state.reason) == (PodPhase.FAILED, "DeadlineExceeded")
    assert state.finished_at - state.started_at == timedelta(minutes=1)


class TestFailureRate:
    async def outcome(self, running_node, pods, seed):
        async with running_node(SimulatedRuntime(LoopClock(), seed=seed)) as node:
            await asyncio.sleep(0)
            for pod in pods:
                node.start(pod)
            await asyncio.sleep(1)
            return [node.told[pod.name][-1].phase is PodPhase.FAILED for pod in pods]

    async def test_so_many_fail_and_the_same_ones_each_time(self, running_node, simulated):
        pods = [simulated(f"p{number}", failure_rate="0.3") for number in range(500)]
        first = await self.outcome(running_node, pods, seed=1)
        assert await self.outcome(running_node, pods, seed=1) == first
        assert await self.outcome(running_node, pods, seed=2) != first
        assert sum(first) == pytest.approx(150, abs=40)

    @pytest.mark.parametrize(("rate", "failed"), [("0", False), ("1", True)])
    async def test_never_and_always(self, running_node, simulated, rate, failed):
        assert await self.outcome(running_node, [simulated(failure_rate=rate)], seed=1) == [failed]


@pytest.mark.parametrize(
    ("annotation", "value", "wanted"),
    [
        ("duration", "soon", "a Go duration such as 1m30s"),
        ("duration", "-1s", "a Go duration such as 1m30s"),
        ("exit_code", "256", "an integer from 0 to 255"),
        ("exit_code", "x", "an integer from 0 to 255"),
        ("failure_rate", "1.1", "a number from 0 to 1"),
        ("failure_rate", "nan", "a number from 0 to 1"),
    ],
)
def test_a_bad_value_is_named(simulated, annotation, value, wanted):
    name = PREFIX + annotation.replace("_", "-")
    with pytest.raises(BadAnnotation) as told:
        script_of(simulated(**{annotation: value}))
    assert str(told.value) == f'annotation {name}: "{value}" is not {wanted}'
