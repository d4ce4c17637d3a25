"""A simulated run: the same arguments give the same history, its stages are as told, and it says why it did not end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from random import Random

import pytest

from jobflow.api.resources import VOLCANO_JOB, Resource
from jobflow.api.status import Outcome
from jobflow.app import App
from jobflow.clock import Clock
from jobflow.config import Settings
from jobflow.kube.client import Client
from jobflow.testing.faults import parse_plan
from jobflow.testing.history import History, phase_of
from jobflow.testing.refusals import RealWorldTouched
from jobflow.testing.scenarios import STANDARD, Scenario
from jobflow.testing.volcano import FAILS, NEVER_ENDS, WALKS
from jobflow.testing.world import play

CHAIN = STANDARD["chain"]
BUSY_PLAN = "crash-after:4 cut:Job:6:silence answer:9:429:retry-after=2 lost-answer:12"

MINE = """
apiVersion: flow.volcano.sh/v1alpha1
kind: JobFlow
metadata: {name: mine}
spec:
  flows:
    - name: load
    - name: train
      dependsOn: {targets: [load]}
---
apiVersion: flow.volcano.sh/v1alpha1
kind: JobTemplate
metadata: {name: load}
spec: &job
  tasks:
    - name: main
      replicas: 1
      template: {spec: {containers: [{name: main, image: busybox}]}}
---
apiVersion: flow.volcano.sh/v1alpha1
kind: JobTemplate
metadata: {name: train}
spec:
  tasks:
    - name: main
      replicas: 1
      template: {spec: {containers: [{name: main, image: busybox}]}}
"""


def flow_of(history: History, name: str) -> dict[str, object]:
    return dict(history.objects()[("JobFlow", "default", name)])


@pytest.mark.parametrize("scenario", STANDARD.values(), ids=lambda scenario: scenario.name)
def test_each_standard_flow_ends_as_expected_and_leaves_nothing(scenario: Scenario) -> None:
    history = play(scenario)

    assert not history.never_ended
    assert not history.errors
    assert not history.leaks
    flows = {commit.name: commit.after for commit in history.of("JobFlow") if commit.after is not None}
    assert {name: body["status"]["outcome"] for name, body in flows.items()} == dict(scenario.expected)
    left = history.objects_at(history.commits[-1].revision)
    assert {kind for kind, _, _ in left} == {"JobTemplate", "Event"}, "Jobs go with their flows"


def test_a_run_goes_through_its_stages() -> None:
    history = play(CHAIN)

    assert history.ended_at is not None
    assert history.ended_at < history.quiet_from
    assert history.quiet_until == history.quiet_from + 3600
    assert [commit for commit in history.commits if history.quiet_from <= commit.at < history.quiet_until] == []
    deletes = [commit.who for commit in history.commits if commit.kind in ("JobFlow", "Job") and commit.after is None]
    assert deletes == ["user", "collector", "collector", "collector"]
    assert history.reconciles > 0


@pytest.mark.parametrize("plan", ["", BUSY_PLAN], ids=["undisturbed", "disturbed"])
def test_the_same_seed_and_plan_give_the_same_history_to_the_byte(plan: str) -> None:
    for seed in range(3):
        once, again = (play(CHAIN, parse_plan(plan), seed) for _ in range(2))
        assert once.timeline() == again.timeline()
        assert once == again


def test_other_seeds_give_other_histories_with_the_same_end() -> None:
    histories = [play(STANDARD["diamond"], seed=seed) for seed in range(5)]
    assert len({history.timeline().partition("\n")[2] for history in histories}) == 5
    assert {flow_of(history, "diamond")["status"]["state"]["phase"] for history in histories} == {"Succeed"}  # type: ignore[index]


def test_another_process_with_other_hashes_replays_the_same_history() -> None:
    command = [sys.executable, "-m", "jobflow.testing", "replay", "diamond", "--plan", BUSY_PLAN, "--seed", "7"]
    told = {
        subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=False).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
    assert play(STANDARD["diamond"], parse_plan(BUSY_PLAN), 7).timeline().encode() in told.pop()


def test_users_play_flows_of_their_own() -> None:
    scenario = Scenario.from_yaml("mine", MINE, walks={"train": FAILS}, expected={"mine": Outcome.FAILED})

    status = flow_of(play(scenario), "mine")["status"]

    assert status["failedJobs"] == ["mine-train"]  # type: ignore[index]
    assert status["outcome"] == "Failed"  # type: ignore[index]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"walks": {"trian": FAILS}}, "walks names trian; known are load, mine-load, mine-train, train"),
        ({"expected": {"yours": Outcome.FAILED}}, "expected names yours; known are mine"),
        ({"documents": "kind: Pod"}, "documents of kind Pod"),
        ({"documents": ""}, "has no JobFlow"),
    ],
    ids=["a walk of nobody", "an outcome of nobody", "a foreign document", "nothing"],
)
def test_a_scenario_that_makes_no_sense_is_refused(more: dict[str, object], told: str) -> None:
    arguments = {"name": "mine", "documents": MINE} | more
    with pytest.raises(ValueError, match=told):
        Scenario.from_yaml(**arguments)  # type: ignore[arg-type]


def test_a_scenario_that_never_ends_says_what_it_waits_for() -> None:
    scenario = Scenario.from_yaml("mine", MINE, walks={"train": NEVER_ENDS})

    history = play(scenario, virtual_limit=600)

    assert history.ended_at is None
    assert history.never_ended == "JobFlow default/mine: phase Running; load Succeeded, train Running"


@pytest.mark.parametrize(("name", "walk"), WALKS.items(), ids=list(WALKS))
def test_volcano_walks_through_the_phases_of_its_script(name: str, walk: object) -> None:
    scenario = Scenario.from_yaml("mine", MINE, walks={"load": WALKS[name]})

    history = play(scenario, virtual_limit=60)

    told = [commit for commit in history.of("Job") if commit.name == "mine-load" and commit.who == "volcano"]
    assert [phase_of(commit.after) for commit in told] == [stage.phase for stage in WALKS[name].stages]
    if name not in ("never-ends", "never-starts"):
        last = told[-1].after
        assert last is not None
        assert {last["status"][count] for count in ("running", "succeeded", "failed", "terminating")} == {0}
        assert not last["status"].get("taskStatusCount"), "Volcano zeroes its counts after the end"


class LeavesTheTtl(Client):
    """A controller's client that puts ttlSecondsAfterFinished back on the Jobs it creates."""

    async def create(self, resource: Resource, namespace: str | None, body: object) -> bytes:
        if resource == VOLCANO_JOB:
            assert isinstance(body, dict)
            body = {**body, "spec": {**body["spec"], "ttlSecondsAfterFinished": 30}}
        return await super().create(resource, namespace, body)


def test_volcano_deletes_a_finished_job_that_carries_a_ttl() -> None:
    def factory(client: Client, clock: Clock, random: Random) -> App:
        return App(LeavesTheTtl(client._transport, clock, random=client.random), clock, Settings(), random)

    history = play(Scenario.from_yaml("mine", MINE), app_factory=factory)

    load = [commit for commit in history.of("Job") if commit.name == "mine-load"]
    assert (load[-1].who, load[-1].after) == ("volcano", None)
    assert load[-1].at == load[-2].at + 30


def test_another_controller_can_be_played() -> None:
    built: list[App] = []

    def factory(client: Client, clock: Clock, random: Random) -> App:
        built.append(App(client, clock, Settings(workers=1), random))
        return built[-1]

    history = play(CHAIN, parse_plan("crash-after:4"), app_factory=factory)

    assert not history.never_ended
    assert len(built) == 3, "the first, the one after the crash, and an idle one to compare with"


def test_a_controller_that_reaches_for_the_machine_fails_by_name() -> None:
    class Sneaky(App):
        async def run(self, stop: asyncio.Event) -> None:
            await asyncio.open_connection("localhost", 6443)

    with pytest.raises(RealWorldTouched, match="create_connection"):
        play(CHAIN, app_factory=lambda client, clock, random: Sneaky(client, clock, Settings(), random))
