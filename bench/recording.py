"""Recording: the watch lines of many flows from their start to their end, as an API server would have sent them.

In: how many flows, how many patches Volcano makes of a Job. Out: lines, in the order of a burst: all flows come, then
their first Jobs, and so on. They are what the engine's own plans lead to: each plan is carried out in memory, and
Volcano plays along. Objects carry what real ones do, managedFields above all, the largest part of a Job.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import Any

import msgspec

from bench.pipeline import Kind, Line, Pipeline
from bench.shape import STEPS, TASK, flow_body, template_body
from jobflow.api.resources import JOB_FLOW, VOLCANO_JOB
from jobflow.reconcile.plan import CreateChild
from jobflow.reconcile.snapshot import Flow

Body = dict[str, Any]
START = datetime(2026, 1, 1, tzinfo=UTC)
TWO = (("Running", "running"), ("Completed", "succeeded"))
MANAGERS = {  # of an object's spec, and of its status
    "JobFlow": ("kubectl", "jobflow"),
    "JobTemplate": ("kubectl", "jobflow"),
    "Job": ("jobflow", "vc-controller-manager"),
}
SIX = (
    ("Pending", "pending"),
    ("Running", "running"),
    ("Running", "succeeded"),
    ("Completing", "succeeded"),
    ("Completed", "succeeded"),
    ("Completed", ""),
)

_encode = msgspec.json.Encoder().encode


class World:
    """The objects, and the lines that told of them. It is the pipeline's `Carry`."""

    def __init__(self, patches: int) -> None:
        self._script = SIX if patches == len(SIX) else TWO
        self._version = 1000
        self._objects: dict[str, Body] = {}
        self._coming: deque[Line] = deque()
        self._waiting: deque[tuple[str, int]] = deque()  # Jobs, and their next phase
        self.lines: list[Line] = []

    async def record(self, flows: int) -> list[Line]:
        """Every line from the first flow to the end of the last."""
        pipeline = Pipeline(self)
        for step in STEPS:
            self._announce("ADDED", Kind.TEMPLATE, self._stored(template_body(step)))
        for number in range(flows):
            self._announce("ADDED", Kind.FLOW, self._stored(flow_body(f"flow-{number}", "retain")))
        while self._coming or self._waiting:
            while self._coming:
                line = self._coming.popleft()
                self.lines.append(line)
                await pipeline.feed(line)
            if self._waiting:
                self._go_on(*self._waiting.popleft())
        pipeline.close()
        return self.lines

    def created(self, flow: Flow, wanted: CreateChild) -> str:
        """A Job is created; its UID."""
        body = self._stored(dict(wanted.body))
        self._announce("ADDED", Kind.JOB, body)
        self._waiting.append((wanted.name, 0))
        return str(body["metadata"]["uid"])

    def written(self, flow: Flow, status: object) -> str:
        """A flow's status is written; its new version."""
        body = self._objects[f"{JOB_FLOW.kind}/{flow.name}"]
        body["status"] = msgspec.json.decode(_encode(status))
        return self._changed(Kind.FLOW, body)

    def _go_on(self, job: str, at: int) -> None:
        phase, counted = self._script[at]
        body = self._objects[f"{VOLCANO_JOB.kind}/{job}"]
        tasks = {TASK: {"phase": {counted.capitalize(): 1}}} if counted else {}
        state = {"phase": phase, "lastTransitionTime": START}
        duration = {"runningDuration": "0s"} if phase == "Completed" else {}
        counts = {key: int(key == counted) for key in ("pending", "running", "succeeded", "failed", "terminating")}
        body["status"] = {"state": state, "minAvailable": 1, "taskStatusCount": tasks, **counts, **duration}
        self._changed(Kind.JOB, body)
        if at + 1 < len(self._script):
            self._waiting.append((job, at + 1))

    def _stored(self, body: Body) -> Body:
        self._version += 1
        meta = body["metadata"] | {
            "uid": f"5f8c1c4e-0000-4000-8000-{self._version:012d}",
            "resourceVersion": str(self._version),
            "generation": 1,
            "creationTimestamp": START,
        }
        stored = body | {"metadata": meta}
        meta["managedFields"] = _managed_fields(stored)
        self._objects[f"{body['kind']}/{meta['name']}"] = stored
        return stored

    def _changed(self, kind: Kind, body: Body) -> str:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        body["metadata"]["managedFields"] = _managed_fields(body)
        self._announce("MODIFIED", kind, body)
        return str(self._version)

    def _announce(self, what: str, kind: Kind, body: Body) -> None:
        self._coming.append(Line(kind, _encode({"type": what, "object": body})))


def _managed_fields(body: Body) -> list[Body]:
    """As the API server keeps them: one entry for who made the object, one for who writes its status."""
    makes, tells = MANAGERS[body["kind"]]
    spec = {key: body[key] for key in ("spec",) if key in body}
    meta = {
        key: value for key, value in body["metadata"].items() if key in ("labels", "annotations", "ownerReferences")
    }
    entries = [_entry(body, makes, spec | {"metadata": meta}, "")]
    if "status" in body:
        entries.append(_entry(body, tells, {"status": body["status"]}, "status"))
    return entries


def _entry(body: Body, manager: str, fields: Body, subresource: str) -> Body:
    entry = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": body["apiVersion"],
        "time": START,
        "fieldsType": "FieldsV1",
        "fieldsV1": _fields(fields),
    }
    return entry | ({"subresource": subresource} if subresource else {})


def _fields(value: Any) -> Body:
    """FieldsV1 of a value; lists of custom resources are mostly atomic."""
    if not isinstance(value, dict):
        return {}
    return {f"f:{key}": _fields(inner) for key, inner in value.items()}
