"""The controller without a network: what is recorded is what happens, and is replayed as it was."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from bench.decode import Decoding, Noted, decode
from bench.pipeline import Kind, Line
from bench.report import Report
from bench.shape import STEPS

FLOWS = 3


def recorded(patches: int) -> list[Line]:
    return asyncio.run(Noted(patches).record(FLOWS))


def objects(lines: list[Line], kind: Kind) -> dict[str, list[dict[str, Any]]]:
    """What the lines of one kind told of each object, in their order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        if line.kind is kind:
            body = msgspec.json.decode(line.data)["object"]
            found.setdefault(body["metadata"]["name"], []).append(body)
    return found


@pytest.mark.parametrize("patches", [2, 6])
def test_every_recorded_flow_runs_all_its_steps_and_succeeds(patches) -> None:
    lines = recorded(patches)
    flows = objects(lines, Kind.FLOW)
    assert len(flows) == FLOWS
    for told in flows.values():
        assert told[-1]["status"]["state"]["phase"] == "Succeed"
        assert told[-1]["status"]["progress"] == f"{len(STEPS)}/{len(STEPS)}"
    jobs = objects(lines, Kind.JOB)
    assert len(jobs) == FLOWS * len(STEPS)
    assert {len(told) for told in jobs.values()} == {1 + patches}


def test_six_patches_end_with_counts_zeroed() -> None:
    for told in objects(recorded(6), Kind.JOB).values():
        assert told[-1]["status"]["state"]["phase"] == "Completed"
        assert told[-1]["status"]["succeeded"] == 0
        assert told[-2]["status"]["succeeded"] == 1


def test_a_dependency_is_created_only_after_its_targets_completed() -> None:
    ended: set[str] = set()
    for line in recorded(2):
        if line.kind is not Kind.JOB:
            continue
        body = msgspec.json.decode(line.data)["object"]
        name, phase = body["metadata"]["name"], body.get("status", {}).get("state", {}).get("phase")
        flow, _, step = name.rpartition("-")
        if phase is None:
            assert {f"{flow}-{target}" for target in STEPS[step]} <= ended, name
        elif phase == "Completed":
            ended.add(name)


def test_a_replay_is_measured_each_round() -> None:
    report, told = Report("test"), []
    decode(report, Decoding(FLOWS, 2, 2, profile=True), told.append)
    rounds = report.rounds["jobflow"]
    assert len(rounds) == 2
    for figures in rounds:
        assert figures["Job events/s/core"] > 0
        assert figures["passes per Job event"] >= 1
    assert any("jobflow/reconcile/" in line for line in told), "the profile does not show the engine"
