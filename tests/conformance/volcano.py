"""A tiny Volcano: walks the Jobs of one namespace through their phases, as its Job controller writes them.

In: Jobs as a watch brings them, and which steps fail or are held. Out: patches of Job statuses, the last one written
twice with its counts zeroed, as Volcano does. It works over any Transport, so it plays on both control planes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from jobflow.api import names
from jobflow.api.metadata import ObjectMeta
from jobflow.api.resources import VOLCANO_JOB
from jobflow.clock import SystemClock
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.errors import NotFound
from jobflow.kube.reflector import Reflector, Selection

STAGE_SECONDS = 0.05  # between two status writes of a Job
COUNTS = {"Pending": "pending", "Running": "running", "Completed": "succeeded", "Failed": "failed"}


class Job(msgspec.Struct):
    """The part of a Job that is looked at."""

    metadata: ObjectMeta


@dataclass
class Volcano:
    """`fails` are steps whose Jobs end Failed; `held` are steps whose Jobs run until they are taken out of it."""

    client: Client
    namespace: str
    fails: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    born: list[str] = field(default_factory=list)  # names of Jobs in the order they came
    ended: dict[str, str] = field(default_factory=dict)  # the phase each Job ended in
    _walks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def replace(self, objects: list[ObjectMeta], resource_version: str) -> None:
        """The Jobs there are."""
        for meta in objects:
            self.put(meta)

    def put(self, meta: ObjectMeta) -> None:
        """A Job came, or changed."""
        if meta.uid not in self._walks:
            self.born.append(meta.name)
            self._walks[meta.uid] = asyncio.create_task(self._walk(meta), name=f"volcano: {meta.name}")

    def remove(self, meta: ObjectMeta) -> None:
        """A Job is gone."""
        if walk := self._walks.get(meta.uid):
            walk.cancel()

    async def _walk(self, meta: ObjectMeta) -> None:
        step = meta.annotations.get(names.STEP_NAME) or meta.name
        with suppress(NotFound):
            await self._write(meta, "Pending")
            await self._write(meta, "Running")
            while step in self.held:
                await asyncio.sleep(STAGE_SECONDS)
            end = "Failed" if step in self.fails else "Completed"
            await self._write(meta, end)
            self.ended[meta.name] = end
            await self._write(meta, end, counted=False)

    async def _write(self, meta: ObjectMeta, phase: str, *, counted: bool = True) -> None:
        await asyncio.sleep(STAGE_SECONDS)
        now = datetime.now(UTC).replace(microsecond=0)
        zeros: dict[str, Any] = dict.fromkeys((*COUNTS.values(), "terminating", "unknown"), 0)
        status = {"state": {"phase": phase, "lastTransitionTime": now}, **zeros}
        if counted:
            status[COUNTS[phase]] = 1
        elif meta.creationTimestamp is not None:
            status["runningDuration"] = f"{max(int((now - meta.creationTimestamp).total_seconds()), 0)}s"
        await self.client.patch(VOLCANO_JOB, self.namespace, meta.name, {"status": status}, subresource="status")

    async def stop(self) -> None:
        """End all walks; raises what one of them died of."""
        for walk in self._walks.values():
            walk.cancel()
        for result in await asyncio.gather(*self._walks.values(), return_exceptions=True):
            if isinstance(result, Exception):
                raise result


@asynccontextmanager
async def playing(client: Client, namespace: str, **script: set[str]) -> AsyncIterator[Volcano]:
    """A Volcano that plays until the block ends."""
    volcano = Volcano(client, namespace, **script)
    codec = Codec(Job, lambda job: job.metadata)
    reflector = Reflector(client, SystemClock(), VOLCANO_JOB, codec, volcano, Selection(namespace))
    watching = asyncio.create_task(reflector.run(), name="volcano")
    try:
        yield volcano
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await volcano.stop()
