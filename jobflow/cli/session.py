"""Session: one `jobflow run`, from the start of the control plane to the last picture.

In: documents, a control plane that is not started, a Progress. Out: how it ended. Whoever awaits `run` may cancel it at
any moment: the control plane stops its processes on the way out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from jobflow.api.resources import JOB_FLOW, VOLCANO_JOB
from jobflow.cli.apply import Applied, apply
from jobflow.cli.documents import Documents
from jobflow.cli.following import Following
from jobflow.cli.looks import Span
from jobflow.cli.progress import Progress
from jobflow.cli.standstill import PATIENCE_SECONDS, Standstill
from jobflow.clock import Clock
from jobflow.kube.client import Client
from jobflow.kube.errors import NotFound
from jobflow.local.controlplane import ControlPlane

DRAWING_SECONDS = 0.1  # between two drawings: quick enough to feel immediate
TICK_SECONDS = 1.0  # durations are shown in seconds


class ControlPlaneDied(Exception):
    """A part of the control plane died of a bug; the cause says which."""


class Ending(Enum):
    """Why a session waits no more."""

    ENDED = "every flow and job has ended"
    TIMED_OUT = "the timeout came first"
    STOOD_STILL = "nothing that is left can start, or will ever"


@dataclass
class Result:
    """How a session ended: pictures, log files by namespace and pod, and the final objects by `flows` and `jobs`."""

    following: Following
    ending: Ending
    log_paths: Callable[[str, str], list[Path]]
    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass
class Session:
    """Runs documents on a control plane of its own. `timeout` is in seconds from when everything is applied."""

    plane: ControlPlane
    clock: Clock
    progress: Progress
    timeout: float | None = None
    patience: float = PATIENCE_SECONDS

    async def run(self, documents: Documents) -> Result:
        """Until all have ended, none can go on, or the timeout passed. Raises Refused, ControlPlaneDied."""
        async with self.plane:
            client = Client(self.plane.transport(), self.clock)
            applied = await self._unless_it_dies(apply(client, documents))
            self.progress.say([(Span(_earlier(one)),) for one in applied if one.ended])
            old = {one.target.uid for one in applied if one.ended}
            following = Following([one.target for one in applied])
            watching = asyncio.create_task(following.watch(client, self.clock), name="follow")
            try:
                self.progress.begin()
                ending = await self._unless_it_dies(self._show(following, old), watching)
            finally:
                watching.cancel()
                await asyncio.wait({watching})
            return Result(following, ending, self.plane.log_paths, await _final_objects(client, applied))

    async def _show(self, following: Following, old: set[str]) -> Ending:
        """Draw until there is no more to wait for. Of what is old nothing is news."""
        standstill = Standstill(self.patience)
        deadline = None if self.timeout is None else self.clock.monotonic() + self.timeout
        while True:
            changed = [change for change in following.take() if change[1].uid not in old]
            self.progress.show(following.pictures, changed)
            if following.finished:
                return Ending.ENDED
            if standstill.lasts(following.pictures, self.clock.monotonic()):
                return Ending.STOOD_STILL
            left = TICK_SECONDS if deadline is None else min(TICK_SECONDS, deadline - self.clock.monotonic())
            if left <= 0:
                return Ending.TIMED_OUT
            await self._change(following, left)
            await self.clock.sleep(min(DRAWING_SECONDS, left))

    async def _change(self, following: Following, seconds: float) -> None:
        tasks = {asyncio.create_task(following.wait()), asyncio.create_task(self.clock.sleep(seconds))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _unless_it_dies(self, work: Awaitable[Any], *beside: asyncio.Task[Any]) -> Any:
        """The result of `work`; a part that dies meanwhile ends it, since nothing would come of waiting."""
        main = asyncio.ensure_future(work)
        death = asyncio.create_task(self.plane.failed(), name="death of a part")
        try:
            await asyncio.wait({main, death, *beside}, return_when=asyncio.FIRST_COMPLETED)
            if main.done():
                return main.result()
            dead = death.result() if death.done() else next(task.exception() for task in beside if task.done())
            raise ControlPlaneDied(str(dead)) from dead
        finally:
            for task in (main, death):
                task.cancel()
            await asyncio.wait({main, death})


async def _final_objects(client: Client, applied: list[Applied]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {"flows": [], "jobs": []}
    for one in applied:
        part = {JOB_FLOW.kind: "flows", VOLCANO_JOB.kind: "jobs"}[one.target.kind]
        try:
            body = await client.get(one.resource, one.target.namespace, one.target.name)
        except NotFound:
            continue  # deleted meanwhile; the picture says so
        found[part].append(msgspec.json.decode(body))
    return found


def _earlier(one: Applied) -> str:
    return (
        f"{one.target.kind} {one.target.name} had ended in an earlier run and is not run again; "
        "to run it anew use another name, or another --data"
    )
