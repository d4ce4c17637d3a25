"""The ideal client: the least that moves the flows of `shape.py`, to find what the API server itself allows.

In: a kubeconfig. Out: each Job as soon as its targets are Completed, and one status write when the Jobs of a level
exist and one at the end: five creates and four status writes a flow; with policy delete five deletes more. It is no
controller: it knows the flow's shape, keeps no queue, no cache and no record, writes no Events and would not survive a
restart or a refusal. The statuses it writes have the fields and the size of real ones, since the server's work with
them is what is measured.

    python -m bench.ideal KUBECONFIG
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.shape import NAMESPACE, STEPS, flow_and_step, job_name, template_body
from bench.wire import Wire
from jobflow.api import names
from jobflow.api.metadata import ObjectMeta
from jobflow.api.resources import JOB_FLOW, VOLCANO_JOB
from jobflow.api.status import (
    FlowPhase,
    FlowState,
    FlowStatus,
    JobCondition,
    JobFlowStatus,
    JobStatus,
    Outcome,
    RunningHistory,
    StepPhase,
    TaskState,
)

_encode = msgspec.json.Encoder().encode


class _FlowSpec(msgspec.Struct, frozen=True):
    jobRetainPolicy: str = "retain"


class _Flow(msgspec.Struct, frozen=True):
    metadata: ObjectMeta
    spec: _FlowSpec = _FlowSpec()


class _FlowEvent(msgspec.Struct, frozen=True):
    type: str
    object: _Flow


class _JobState(msgspec.Struct, frozen=True):
    phase: str = ""


class _JobTold(msgspec.Struct, frozen=True):
    state: _JobState = _JobState()


class _Job(msgspec.Struct, frozen=True):
    metadata: ObjectMeta
    status: _JobTold = _JobTold()


class _JobEvent(msgspec.Struct, frozen=True):
    type: str
    object: _Job


class _Versioned(msgspec.Struct, frozen=True):
    metadata: ObjectMeta


_flow_event = msgspec.json.Decoder(_FlowEvent)
_job_event = msgspec.json.Decoder(_JobEvent)
_versioned = msgspec.json.Decoder(_Versioned)


@dataclass
class Going:
    """One flow under way."""

    meta: ObjectMeta
    retain: str
    version: str
    jobs: dict[str, str] = field(default_factory=dict)  # step -> UID
    done: dict[str, datetime] = field(default_factory=dict)  # step -> end
    started: set[str] = field(default_factory=set)
    created: dict[str, datetime] = field(default_factory=dict)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def due(self) -> list[str]:
        """Steps that may start and have not."""
        return [
            step
            for step, after in STEPS.items()
            if step not in self.started and all(name in self.done for name in after)
        ]


class Ideal:
    """Moves flows that are created while it runs."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._flows: dict[str, Going] = {}
        self._bodies = {step: template_body(step)["spec"] for step in STEPS}

    async def run(self) -> None:
        """Until cancelled. Raises what a request fails with."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_jobs(group))
            group.create_task(self._watch_flows(group))

    async def _watch_flows(self, group: asyncio.TaskGroup) -> None:
        async for line in self._wire.follow(JOB_FLOW.path(NAMESPACE)):
            event = _flow_event.decode(line)
            if event.type != "ADDED":
                continue
            meta = event.object.metadata
            going = Going(meta, event.object.spec.jobRetainPolicy, meta.resourceVersion)
            self._flows[meta.name] = going
            group.create_task(self._advance(going))

    async def _watch_jobs(self, group: asyncio.TaskGroup) -> None:
        async for line in self._wire.follow(VOLCANO_JOB.path(NAMESPACE)):
            event = _job_event.decode(line)
            owner = flow_and_step(event.object.metadata.name)
            if owner is None or event.object.status.state.phase != "Completed":
                continue
            going = self._flows.get(owner[0])
            if going is not None and owner[1] not in going.done:
                going.done[owner[1]] = datetime.now(UTC).replace(microsecond=0)
                group.create_task(self._advance(going))

    async def _advance(self, going: Going) -> None:
        due = going.due()
        going.started.update(due)
        if due:
            await asyncio.gather(*(self._create(going, step) for step in due))
            await self._tell(going)
        elif len(going.done) == len(STEPS):
            await self._tell(going)
            if going.retain == "delete":
                await asyncio.gather(*(self._delete(going, step) for step in STEPS))
            del self._flows[going.meta.name]

    async def _create(self, going: Going, step: str) -> None:
        body = _encode(_job(going.meta, step, self._bodies[step]))
        made = _versioned.decode(await self._wire.post(VOLCANO_JOB.path(NAMESPACE), body)).metadata
        going.jobs[step] = made.uid
        going.created[step] = made.creationTimestamp or datetime.now(UTC)

    async def _delete(self, going: Going, step: str) -> None:
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": going.jobs[step]}}
        await self._wire.delete(VOLCANO_JOB.path(NAMESPACE, job_name(going.meta.name, step)), _encode(options))

    async def _tell(self, going: Going) -> None:
        async with going.writing:  # a status carries the version of the one before
            identity = ObjectMeta(going.meta.name, NAMESPACE, going.meta.uid, going.version)
            body = {
                "apiVersion": JOB_FLOW.api_version,
                "kind": JOB_FLOW.kind,
                "metadata": identity,
                "status": _status(going),
            }
            answer = await self._wire.put(JOB_FLOW.path(NAMESPACE, going.meta.name, "status"), _encode(body))
            going.version = _versioned.decode(answer).metadata.resourceVersion


def _job(flow: ObjectMeta, step: str, spec: dict[str, Any]) -> dict[str, Any]:
    owners = {
        names.CREATED_BY_JOB_FLOW: names.owner_text(NAMESPACE, flow.name),
        names.CREATED_BY_JOB_TEMPLATE: names.owner_text(NAMESPACE, step),
    }
    reference = {"apiVersion": JOB_FLOW.api_version, "kind": JOB_FLOW.kind, "name": flow.name, "uid": flow.uid}
    return {
        "apiVersion": VOLCANO_JOB.api_version,
        "kind": VOLCANO_JOB.kind,
        "metadata": {
            "name": job_name(flow.name, step),
            "namespace": NAMESPACE,
            "labels": owners,
            "annotations": owners,
            "ownerReferences": [reference | {"controller": True, "blockOwnerDeletion": True}],
        },
        "spec": spec,
    }


def _status(going: Going) -> JobFlowStatus:
    """What a controller would tell, with as many fields."""
    name, ended = going.meta.name, len(going.done) == len(STEPS)
    done = tuple(job_name(name, step) for step in STEPS if step in going.done)
    live = tuple(job_name(name, step) for step in going.jobs if step not in going.done)
    return JobFlowStatus(
        pendingJobs=live,
        completedJobs=done,
        jobStatusList=tuple(_entry(going, step) for step in going.jobs),
        conditions={job_name(name, step): _condition(going, step) for step in going.jobs},
        state=FlowState(FlowPhase.SUCCEED if ended else FlowPhase.RUNNING),
        outcome=Outcome.SUCCEEDED if ended else None,
        observedGeneration=going.meta.generation,
        startTime=min(going.created.values()),
        completionTime=max(going.done.values()) if ended else None,
        progress=f"{len(done)}/{len(STEPS)}",
        flowStatuses=tuple(_record(going, step) for step in STEPS),
    )


def _entry(going: Going, step: str) -> JobStatus:
    state, end = ("Completed", going.done[step]) if step in going.done else ("Pending", None)
    histories = (RunningHistory(going.created[step], end, state),)
    return JobStatus(job_name(going.meta.name, step), state, going.created[step], end, 0, histories)


def _condition(going: Going, step: str) -> JobCondition:
    done = step in going.done
    counts = {"main": TaskState({"Succeeded": 1})} if done else {}
    return JobCondition("Completed" if done else "Pending", going.created[step], "1s" if done else None, counts)


def _record(going: Going, step: str) -> FlowStatus:
    if step not in going.jobs:
        return FlowStatus(step, StepPhase.WAITING)
    phase = StepPhase.SUCCEEDED if step in going.done else StepPhase.PENDING
    return FlowStatus(
        name=step,
        phase=phase,
        jobName=job_name(going.meta.name, step),
        jobUID=going.jobs[step],
        startTime=going.created[step],
        completionTime=going.done.get(step),
        podFailureRatio="0/1",
    )


async def _main(kubeconfig: Path) -> None:
    wire = Wire(kubeconfig)
    try:
        await Ideal(wire).run()
    finally:
        await wire.close()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
