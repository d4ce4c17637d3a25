"""Many flows over the same templates at once: each sees only its own Jobs, and then it is quiet.

The whole control plane runs in this process, in virtual time, with simulated pods.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobflow.api.resources import JOB_FLOW, JOB_TEMPLATE, VOLCANO_JOB
from jobflow.kube.client import Client
from jobflow.local.controlplane import ControlPlane, LocalSettings
from jobflow.testing.builders import flow, template
from jobflow.testing.clock import VirtualClock

FLOWS = 200
STEPS = {"a": (), "b": ("a",), "c": ("a",), "d": ("a",), "e": ("b", "c", "d")}
NAMESPACE = "default"
LEVELS = 3


async def listed(client: Client, resource: Any) -> list[dict[str, Any]]:
    return [item async for page in client.list(resource, NAMESPACE) for item in msgspec.json.decode(page)["items"]]


async def finished(client: Client, virtual_seconds: float) -> list[dict[str, Any]]:
    """All flows, once each has its completionTime."""
    async with asyncio.timeout(virtual_seconds):
        while True:
            flows = await listed(client, JOB_FLOW)
            if all("completionTime" in found.get("status", {}) for found in flows):
                return flows
            await asyncio.sleep(1)


def written(body: dict[str, Any]) -> dict[str, Any]:
    """An object as its user writes it: without what the server adds."""
    return {key: body[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": body["metadata"]["name"]}}


def diamond(name: str) -> dict[str, Any]:
    built = flow(name)
    for step, targets in STEPS.items():
        built = built.step(step, after=targets)
    return written(built.body())


@pytest.mark.looptime
async def test_two_hundred_flows_share_five_templates_and_leave_it_quiet(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with ControlPlane(LocalSettings(scratch=tmp_path, runtime="simulate"), clock) as plane:
        client = Client(plane.transport(), clock)
        for step in STEPS:
            await client.create(JOB_TEMPLATE, NAMESPACE, written(template(step).task("main").body()))
        for number in range(FLOWS):
            await client.create(JOB_FLOW, NAMESPACE, diamond(f"flow-{number}"))

        flows = await finished(client, virtual_seconds=600)

        assert len(flows) == FLOWS
        for found in flows:
            name, status = found["metadata"]["name"], found["status"]
            own = [f"{name}-{step}" for step in STEPS]
            assert status["state"]["phase"] == "Succeed"
            assert status["completedJobs"] == own
            assert [entry["name"] for entry in status["jobStatusList"]] == own
            assert sorted(status["conditions"]) == sorted(own)
            assert [step["jobName"] for step in status["flowStatuses"]] == own
        jobs = await listed(client, VOLCANO_JOB)
        assert len(jobs) == FLOWS * len(STEPS)
        await asyncio.sleep(30)  # templates' statuses, and the runtime's last words
        before = plane.server.revision
        await asyncio.sleep(10)
        assert plane.server.revision == before, "something is written at rest"


@pytest.mark.looptime
async def test_a_flow_costs_few_writes(tmp_path: Path) -> None:
    """Creates and status writes, for steps of equal length: at most three a step and two more."""
    clock = VirtualClock()
    async with ControlPlane(LocalSettings(scratch=tmp_path, runtime="simulate"), clock) as plane:
        client = Client(plane.transport(), clock)
        for step in STEPS:
            await client.create(JOB_TEMPLATE, NAMESPACE, written(template(step).task("main").body()))
        writes: list[str] = []
        plane.server.after_commit = lambda request, _: writes.append(f"{request.method} {request.path}")
        await client.create(JOB_FLOW, NAMESPACE, diamond("one"))
        await finished(client, virtual_seconds=60)
        await asyncio.sleep(10)

        creates = [write for write in writes if write.startswith("POST") and write.endswith("/jobs")]
        statuses = [write for write in writes if write.endswith("/jobflows/one/status")]
        events = [write for write in writes if write.startswith("POST") and write.endswith("/events")]
        assert len(creates) == len(STEPS)
        assert len(creates) + len(statuses) <= 3 * len(STEPS) + 2
        assert len(events) <= LEVELS + 2
