"""Which exit code came first, and whether a pod was taken away, by the pods of a Job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from jobflow.api.exits import ExitsFound, ExitsOf
from jobflow.kube.errors import ApiError, Forbidden, Unavailable
from jobflow.probe.exits import read_exits

QUESTION = ExitsOf("ns", "f-a", "uid-1")


@dataclass
class Pods:
    """A client that knows some pods, or raises."""

    items: list[dict[str, Any]] = field(default_factory=list)
    error: ApiError | None = None
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    async def list(self, resource, namespace, *, label_selector="", field_selector=""):
        self.asked.append((resource.plural, namespace, label_selector))
        if self.error:
            raise self.error
        yield msgspec.json.encode({"metadata": {"resourceVersion": "1"}, "items": self.items})


def pod(name: str, *codes: int | None, owner: str = "uid-1", at: int = 0, **status: Any) -> dict[str, Any]:
    """A pod whose containers ended with these codes, the first `at` seconds past the minute, or run (None)."""
    states = [
        {"running": {}}
        if code is None
        else {"terminated": {"exitCode": code, "finishedAt": f"2026-01-01T00:00:{at + n:02}Z"}}
        for n, code in enumerate(codes)
    ]
    return {
        "metadata": {
            "name": name,
            "ownerReferences": [{"apiVersion": "v1", "kind": "Job", "name": "f-a", "uid": owner, "controller": True}],
        },
        "status": {"containerStatuses": [{"name": f"c{n}", "state": s} for n, s in enumerate(states)], **status},
    }


def going(body: dict[str, Any]) -> dict[str, Any]:
    body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return body


def by_init(body: dict[str, Any]) -> dict[str, Any]:
    body["status"]["initContainerStatuses"] = body["status"].pop("containerStatuses")
    return body


DISRUPTED = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]}
WAS_NOT = {"conditions": [{"type": "DisruptionTarget", "status": "False"}, {"type": "Ready", "status": "True"}]}

ENDS = [
    # said, pods, what is found
    ("no pods", [], ExitsFound()),
    ("nothing has ended", [pod("p", None)], ExitsFound()),
    ("ended well", [pod("p", 0)], ExitsFound()),
    ("ended with an error", [pod("p", 3)], ExitsFound(3, by_itself=True)),
    ("the first of two that ended with an error", [pod("p", 137, at=9), pod("q", 3, at=5)], ExitsFound(3, True)),
    ("one that ended well is none of them", [pod("p", 0, at=1), pod("q", 3, at=5)], ExitsFound(3, True)),
    ("the second container", [pod("p", 0, 4)], ExitsFound(4, True)),
    ("an init container", [by_init(pod("p", 5))], ExitsFound(5, True)),
    ("at the same moment, by name", [pod("q", 2), pod("p", 1)], ExitsFound(1, True)),
    ("another Job's of that name", [pod("p", 3, owner="uid-0")], ExitsFound()),
    ("killed as it was deleted", [going(pod("p", 137))], ExitsFound(137)),
    (
        "failed, and its neighbour was deleted",
        [pod("p", 1, at=1), going(pod("q", 137, at=2))],
        ExitsFound(1, True),
    ),
    ("evicted", [pod("p", 137, reason="Evicted")], ExitsFound(137, evicted="p: Evicted")),
    ("on a node that is shut down", [pod("p", reason="Terminated")], ExitsFound(evicted="p: Terminated")),
    ("on a node that is lost", [pod("p", reason="NodeLost")], ExitsFound(evicted="p: NodeLost")),
    ("preempted by the kubelet", [pod("p", reason="Preempting")], ExitsFound(evicted="p: Preempting")),
    ("a target of disruption", [pod("p", 143, **DISRUPTED)], ExitsFound(143, evicted="p: PreemptionByScheduler")),
    ("was no target of disruption", [pod("p", 1, **WAS_NOT)], ExitsFound(1, True)),
]


@pytest.mark.parametrize(("said", "pods", "expect"), ENDS, ids=[row[0] for row in ENDS])
async def test_ends(said, pods, expect):
    client = Pods(pods)
    assert await read_exits(client, QUESTION) == expect
    assert client.asked == [("pods", "ns", "volcano.sh/job-name=f-a")]


async def test_what_may_not_be_read_is_the_last_word():
    assert await read_exits(Pods(error=Forbidden("pods is forbidden", status=403)), QUESTION) == ExitsFound()


async def test_what_cannot_be_read_now_is_not():
    found = await read_exits(Pods(error=Unavailable("try later", status=503)), QUESTION)
    assert found == ExitsFound(problem="the pods of Job f-a cannot be listed: try later")
