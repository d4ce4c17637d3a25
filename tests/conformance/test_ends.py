"""Ends of flows on both control planes: what runs at the end, what is frozen, what is refused."""

from __future__ import annotations

import pytest
from conformance.volcano import playing

from jobflow.api.resources import JOB_FLOW
from jobflow.kube.errors import Invalid
from jobflow.testing.builders import flow

pytestmark = pytest.mark.asyncio(loop_scope="session")

ON_EXIT = [
    {"name": "clean"},
    {
        "name": "tell",
        "dependsOn": {"targets": ["clean"]},
        "patch": {"metadata": {"annotations": {"ended": "$(context.phase) $(context.reason)"}}},
    },
]
F = flow("f").step("a").step("b", after="a").setting(onExit=ON_EXIT)


@pytest.mark.parametrize(
    ("fails", "born", "phase", "ended"),
    [
        (set(), ["f-a", "f-b", "f-clean", "f-tell"], "Succeed", "Succeeded "),
        ({"a"}, ["f-a", "f-clean", "f-tell"], "Failed", "Failed StepFailed"),
    ],
    ids=["success", "failure"],
)
async def test_onexit_runs_at_the_end_and_is_told_how_it_came(world, fails, born, phase, ended):
    await world.templates("a", "b", "clean", "tell")
    async with playing(world.client, world.namespace, fails=fails, held={"clean"}) as volcano, world.controller():
        await world.create(JOB_FLOW, F.body())
        status = await world.until("f", lambda told: told.get("runningJobs") == ["f-clean"])
        assert (status["state"]["phase"], status["state"]["reason"]) == ("Running", "Finalizing")
        assert status["outcome"] == {"Succeed": "Succeeded"}.get(phase, phase)
        volcano.held.clear()
        status = await world.phase("f", phase)
        assert volcano.born == born
        await world.until("f", lambda told: "completionTime" in told)
        await world.is_quiet("f")
    assert (await world.jobs())["f-tell"]["metadata"]["annotations"]["ended"] == ended


async def test_a_controller_that_takes_over_at_the_end_runs_nothing_twice(world):
    await world.templates("a", "b", "clean", "tell")
    async with playing(world.client, world.namespace, fails={"a"}, held={"clean", "tell"}) as volcano:
        await world.create(JOB_FLOW, F.body())
        async with world.controller():
            await world.until("f", lambda told: told.get("runningJobs") == ["f-clean"])
        volcano.held.discard("clean")
        async with world.controller():
            await world.until("f", lambda told: told.get("runningJobs") == ["f-tell"])
        volcano.held.clear()
        async with world.controller():
            await world.phase("f", "Failed")
        assert volcano.born == ["f-a", "f-clean", "f-tell"]


async def test_delete_always_takes_the_jobs_of_a_failed_flow_when_onexit_has_ended(world):
    await world.templates("a", "b", "clean", "tell")
    async with playing(world.client, world.namespace, fails={"a"}), world.controller():
        await world.create(JOB_FLOW, F.policy("delete-always").body())
        await world.phase("f", "Failed")
        await world.eventually(lambda: _is_empty(world))
        status = await world.until("f", lambda told: "completionTime" in told)
        await world.is_quiet("f")
    assert [entry["phase"] for entry in status["flowStatuses"]] == ["Failed", "Unreachable", "Succeeded", "Succeeded"]


async def _is_empty(world) -> bool:
    return not await world.jobs()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"failurePolicy": "FailSlow"}, r"spec\.failurePolicy"),
        ({"failurePolicy": {"type": "FailFast"}}, r"spec\.failurePolicy"),
        ({"successPolicy": {"type": "Most"}}, r"spec\.successPolicy\.type"),
        ({"successPolicy": {"criticalFlows": "a"}}, r"spec\.successPolicy\.criticalFlows"),
        ({"onExit": [{}]}, r"spec\.onExit\[0\]\.name"),
        ({"onExit": [{"name": "x"}, {"name": "x"}]}, r"spec\.onExit\[1\]"),
        ({"jobRetainPolicy": "burn"}, r"spec\.jobRetainPolicy"),
    ],
    ids=str,
)
async def test_what_is_refused(world, fields, path):
    with pytest.raises(Invalid, match=path):
        await world.create(JOB_FLOW, flow("f").step("a").setting(**fields).body())


async def test_steps_of_onexit_are_frozen_and_policies_are_not(world):
    await world.create(JOB_FLOW, F.body())
    with pytest.raises(Invalid, match="frozen from its creation"):
        await world.client.patch(JOB_FLOW, world.namespace, "f", {"spec": {"onExit": ON_EXIT[:1]}})
    later = {"failurePolicy": "RunIndependent", "successPolicy": {"type": "Any"}, "jobRetainPolicy": "delete-always"}
    await world.client.patch(JOB_FLOW, world.namespace, "f", {"spec": later})
    assert {name: (await world.flow("f"))["spec"][name] for name in later} == later
