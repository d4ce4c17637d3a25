"""Pods: the one phrase that says what is wrong with them."""

from __future__ import annotations

import json

import msgspec
import pytest

from jobflow.cli.pods import PodObject, PodView, pod_view, pods_phrase


def view(**status) -> PodView:
    owner = {
        "apiVersion": "batch.volcano.sh/v1alpha1",
        "kind": "Job",
        "name": "j",
        "uid": "job-uid",
        "controller": True,
    }
    body = {"metadata": {"name": "p", "uid": "u", "ownerReferences": [owner]}, "status": status}
    return pod_view(msgspec.json.decode(json.dumps(body), type=PodObject))


def container(**state) -> dict:
    return {"containerStatuses": [{"name": "c", "state": state}]}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, ""),
        (container(running={"startedAt": "2026-05-04T12:00:00Z"}), ""),
        (container(terminated={"exitCode": 0, "reason": "Completed"}), ""),
        (container(terminated={"exitCode": 3, "reason": "Error"}), "exit code 3"),
        (container(terminated={"exitCode": 137, "reason": "OOMKilled"}), "exit code 137 (OOMKilled)"),
        (container(terminated={"signal": 9}), "killed by signal 9"),
        (container(waiting={"reason": "ContainerCreating"}), ""),
        (container(waiting={"reason": "ErrImagePull", "message": "no"}), "ErrImagePull: no"),
        ({"phase": "Failed", "reason": "Evicted", "message": "disk"}, "Evicted: disk"),
        ({"initContainerStatuses": [{"state": {"terminated": {"exitCode": 1}}}]}, "exit code 1"),
    ],
)
def test_problem(status, expected):
    assert view(**status).problem == expected


def test_a_pod_belongs_to_its_controller():
    assert view(phase="Running").job_uid == "job-uid"


def pods(*phases: str) -> list[PodView]:
    return [msgspec.structs.replace(view(phase=phase), name=f"p{n}") for n, phase in enumerate(phases)]


@pytest.mark.parametrize(
    ("phases", "wanted", "expected"),
    [
        (("Running",), 1, ""),
        ((), 4, ""),
        (("Running", "Pending"), 4, "1 of 4 pods running"),
        (("Running", "Failed"), 2, "1 of 2 pods failed"),
        (("Succeeded", "Succeeded"), 2, ""),
    ],
)
def test_phrase(phases, wanted, expected):
    assert pods_phrase(pods(*phases), wanted) == expected
