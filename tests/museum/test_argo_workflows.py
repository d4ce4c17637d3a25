"""Bugs of Argo Workflows and Argo CD, which must not happen here.

Not at this stage: #7895 (names of items that collide: there are no loops) and #12543 (a retry of chosen nodes that
reset others: steps are tried again one by one, and none is chosen by hand).
"""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from jobflow.obs.address import Address
from jobflow.obs.health import serve
from jobflow.obs.metrics import Metrics
from jobflow.testing.builders import flow
from jobflow.testing.scenarios import STANDARD, scenario

CHAIN = STANDARD["chain"]


@pytest.mark.parametrize("kind", ["JobFlow", "Job"])
def test_13986_14833_16294_a_stale_view_after_a_restart_runs_nothing_twice(exhibit, creates, kind):
    """Argo's controller acted on an informer that was behind its own writes: pods of finished steps ran again."""
    chain = exhibit(CHAIN)
    for event in range(1, chain.undisturbed.reach.events[kind] + 1):
        assert creates(chain.with_faults(f"stale:{kind}:{event}")) == ["chain-a", "chain-b", "chain-c"]


def test_16294_a_finished_flow_whose_children_were_deleted_is_not_run_again_by_a_lagging_replica(exhibit, creates):
    """Three hours after its success a workflow got a pod again: the cache had gone back in time."""
    scene = exhibit(STANDARD["delete"])
    events = scene.undisturbed.reach.events["JobFlow"]
    for event in (events - 1, events):
        assert sorted(creates(scene.with_faults(f"stale:JobFlow:{event}"))) == ["delete-a", "delete-b", "delete-c"]


@pytest.mark.parametrize("phase", ["Pending", "Running", "Completed"])
def test_6526_a_flow_made_again_under_its_name_takes_nothing_from_the_old_one(exhibit, phase):
    """State was keyed by name: the new workflow was told the old one's results, or skipped."""
    chain = exhibit(CHAIN)
    history = chain.with_faults(f"recreate-flow:{chain.commit('Job', 'chain-a', phase).number}")
    owners = {
        (commit.after["metadata"]["ownerReferences"][0]["uid"], commit.name)
        for commit in history.of("Job")
        if commit.before is None
    }
    new = history.objects()["JobFlow", "default", "chain"]["metadata"]["uid"]
    assert {name for uid, name in owners if uid == new} == {"chain-a", "chain-b", "chain-c"}


def test_14904_a_large_fan_out_comes_to_its_end(exhibit, creates, final):
    """Beyond some dozens of parallel nodes a workflow stopped making progress, and said nothing."""
    leaves = [f"leaf-{number}" for number in range(60)]
    wide = flow("wide").step("root")
    for leaf in leaves:
        wide = wide.step(leaf, after="root")
    history = exhibit(scenario("wide", [wide.step("join", after=leaves)])).undisturbed
    assert final(history, "wide")["progress"] == "62/62"
    assert len(creates(history)) == 62


@pytest.mark.parametrize("name", sorted(STANDARD))
def test_13550_whatever_ended_has_an_end_time(exhibit, name):
    """Finished nodes without finishedAt: durations and time-outs were wrong. Volcano tells the duration late."""
    for (kind, _, _), body in exhibit(STANDARD[name]).undisturbed.objects().items():
        if kind == "JobFlow":
            status = body["status"]
            assert "completionTime" in status
            ended = [entry for entry in status["flowStatuses"] if entry["phase"] in ("Succeeded", "Failed")]
            assert all("completionTime" in entry for entry in ended)
            assert all("endTimestamp" in entry for entry in status["jobStatusList"])


@pytest.mark.parametrize("name", sorted(STANDARD))
def test_argo_cd_6541_no_status_is_ever_without_a_phase(exhibit, name):
    """An empty phase was read as healthy: the first status already has one."""
    statuses = [
        c.after["status"] for c in exhibit(STANDARD[name]).undisturbed.of("JobFlow") if c.subresource == "status"
    ]
    assert statuses
    assert all(status["state"]["phase"] for status in statuses)


async def test_14526_11051_a_controller_that_is_busy_or_has_no_api_server_is_alive():
    """The liveness probe asked whether work got done: under load, or without an API server, the pod was killed."""

    async def busy():
        while True:
            sum(range(10_000))
            await asyncio.sleep(0)

    missing = ["jobs.batch.volcano.sh: the API server does not answer"]
    async with serve(Address("127.0.0.1", 0), lambda: missing, Metrics()) as port, aiohttp.ClientSession() as session:
        work = [asyncio.create_task(busy()) for _ in range(8)]
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, f"{missing[0]}\n")
        for task in work:
            task.cancel()
