"""Volcano: plays its Job controller over all Jobs of the namespace that is measured.

In: Jobs as a watch brings them. Out: patches of their statuses, as many a Job as the script says: two (Running,
Completed), or six, the last of them with its counts zeroed after the end, as Volcano's own. The patch that says
Completed is marked (`audit.END_MARK`), so that the API server's log tells when a dependency was fulfilled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from bench.audit import END_MARK
from bench.shape import LIVE, NAMESPACE, TASK
from bench.wire import Refused, Wire
from jobflow.api.resources import VOLCANO_JOB

GONE = 404
COUNTS = ("pending", "running", "succeeded", "failed", "terminating", "unknown")
PATCHES = (2, 6)

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Script:
    """How Jobs go: how many patches each, and how long it runs."""

    patches: int = 2
    seconds: float = 0.0


class _Meta(msgspec.Struct, frozen=True):
    name: str = ""
    creationTimestamp: datetime | None = None


class _Job(msgspec.Struct, frozen=True):
    metadata: _Meta = _Meta()


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: _Job


_event = msgspec.json.Decoder(_Event)


class Volcano:
    """Every Job runs and completes, but the first of a live flow, which runs until `complete`."""

    def __init__(self, wire: Wire, script: Script) -> None:
        self._wire = wire
        self._script = script
        self._walks: set[asyncio.Task[None]] = set()
        self._names: set[str] = set()
        self.running: dict[str, datetime] = {}  # held Jobs that run, and when they were created
        self.ended = 0
        self.removed = 0

    @property
    def born(self) -> int:
        """Jobs that exist or existed."""
        return len(self._names)

    async def run(self) -> None:
        """Play until cancelled. Raises what a patch fails with."""
        async with asyncio.TaskGroup() as walks:
            async for line in self._wire.follow(VOLCANO_JOB.path(NAMESPACE)):
                event = _event.decode(line)
                meta = event.object.metadata
                if event.type == "ADDED":
                    self._names.add(meta.name)
                    walks.create_task(self._walk(meta.name, meta.creationTimestamp or datetime.now(UTC)))
                elif event.type == "DELETED":
                    self.removed += 1

    async def complete(self, names: Iterable[str]) -> None:
        """End held Jobs."""
        await asyncio.gather(*(self._end(name, self.running.pop(name)) for name in names))

    async def _walk(self, name: str, created: datetime) -> None:
        try:
            if self._script.patches == max(PATCHES):
                await self._write(name, _status("Pending", "pending"))
            await self._write(name, _status("Running", "running"))
            if name.startswith(LIVE) and name.endswith("-a"):
                self.running[name] = created
                return
            if self._script.seconds:
                await asyncio.sleep(self._script.seconds)
            await self._end(name, created)
        except Refused as refused:
            if refused.status != GONE:  # the Job was deleted meanwhile
                raise

    async def _end(self, name: str, created: datetime) -> None:
        duration = {"runningDuration": f"{max(int((datetime.now(UTC) - created).total_seconds()), 0)}s"}
        if self._script.patches == max(PATCHES):
            await self._write(name, _status("Running", "succeeded"))
            await self._write(name, _status("Completing", "succeeded"))
        await self._write(name, _status("Completed", "succeeded") | duration, f"?{END_MARK}")
        self.ended += 1
        if self._script.patches == max(PATCHES):
            await self._write(name, _status("Completed", None) | duration)

    async def _write(self, name: str, status: dict[str, Any], query: str = "") -> None:
        path = VOLCANO_JOB.path(NAMESPACE, name, "status") + query
        await self._wire.patch(path, _encode({"status": status}))


def _status(phase: str, counted: str | None) -> dict[str, Any]:
    """A Job's status with its one pod counted, or with all counts zeroed, as Volcano leaves it."""
    counts = {key: int(key == counted) for key in COUNTS}
    tasks = {TASK: {"phase": {counted.capitalize(): 1}}} if counted else {}
    state = {"phase": phase, "lastTransitionTime": datetime.now(UTC).replace(microsecond=0)}
    return {"state": state, "minAvailable": 1, "taskStatusCount": tasks, **counts}
