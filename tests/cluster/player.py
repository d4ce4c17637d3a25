"""The player: Volcano's Job controller, as far as a JobFlow can tell, as a process of its own.

In: a kubeconfig, Jobs as one watch brings them. Out: the status writes of Volcano's controller (Running, an end, and
the end once more with its counts zeroed), and a file with one line for each Job that began to run: its UID and its
name. By these lines "no step runs twice" is checked: who makes a second Job for a step, also after the first is gone,
leaves a second line.

It works while the API server does not: a write is tried until it is answered, a watch until it stands. It holds no Job
that the server does not have, so it may be frozen (SIGSTOP) to hold all Jobs where they are.

    python tests/cluster/player.py --kubeconfig FILE --starts FILE [--seconds LEAST MOST] [--fails STEP ...]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

from jobflow.api import names
from jobflow.api.metadata import ObjectMeta
from jobflow.api.resources import VOLCANO_JOB
from jobflow.clock import SystemClock
from jobflow.kube.client import Client
from jobflow.kube.codec import Codec
from jobflow.kube.errors import ApiError, Invalid, NotFound
from jobflow.kube.http import connect
from jobflow.kube.reflector import Reflector

RETRY_SECONDS = 0.2
IN_FLIGHT = 16  # it shares the server with those that are tested
PENDING_SECONDS = 0.02  # what a Job waits for its pods; a quick scheduler
ENDS = frozenset({"Completed", "Failed", "Aborted", "Terminated"})
COUNTS = {"Running": "running", "Completed": "succeeded", "Failed": "failed"}


class _State(msgspec.Struct):
    phase: str = ""


class _Status(msgspec.Struct):
    state: _State = msgspec.field(default_factory=_State)


class Job(msgspec.Struct):
    """The part of a Job that is looked at."""

    metadata: ObjectMeta
    status: _Status = msgspec.field(default_factory=_Status)


@dataclass
class Player:
    """A sink of Jobs: each new UID is walked through its phases once."""

    client: Client
    starts: TextIO
    seconds: tuple[float, float]
    fails: frozenset[str]
    random: random.Random = field(default_factory=lambda: random.Random(1))
    _walks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def replace(self, objects: Sequence[Job], resource_version: str) -> None:
        """All Jobs there are: walks of others end."""
        for uid in self._walks.keys() - {job.metadata.uid for job in objects}:
            self._walks.pop(uid).cancel()
        for job in objects:
            self.put(job)

    def put(self, job: Job) -> None:
        """A Job came, or changed."""
        meta = job.metadata
        if meta.uid not in self._walks and job.status.state.phase not in ENDS:
            walk = self._walks[meta.uid] = asyncio.create_task(self._walk(meta, job.status.state.phase), name=meta.name)
            walk.add_done_callback(_ended)

    def remove(self, job: Job) -> None:
        """A Job is gone."""
        if walk := self._walks.pop(job.metadata.uid, None):
            walk.cancel()

    async def _walk(self, meta: ObjectMeta, phase: str) -> None:
        try:
            if phase != "Running":
                await asyncio.sleep(PENDING_SECONDS)
                await self._write(meta, "Running")
                print(meta.uid, f"{meta.namespace}/{meta.name}", file=self.starts, flush=True)
            await asyncio.sleep(self.random.uniform(*self.seconds))
            step = meta.annotations.get(names.STEP_NAME) or meta.name
            end = "Failed" if step in self.fails else "Completed"
            await self._write(meta, end)
            await self._write(meta, end, counted=False)
        except NotFound:
            pass  # deleted meanwhile

    async def _write(self, meta: ObjectMeta, phase: str, *, counted: bool = True) -> None:
        """Write the status, for as long as it takes; a merge of the same again changes nothing."""
        now = datetime.now(UTC).replace(microsecond=0)
        zeros: dict[str, Any] = dict.fromkeys((*COUNTS.values(), "pending", "terminating", "unknown"), 0)
        status = {"state": {"phase": phase, "lastTransitionTime": now}, **zeros}
        if counted:
            status[COUNTS[phase]] = 1
        elif meta.creationTimestamp is not None:
            status["runningDuration"] = f"{max(int((now - meta.creationTimestamp).total_seconds()), 0)}s"
        body = {"metadata": {"uid": meta.uid}, "status": status}
        while True:
            try:
                await self.client.patch(VOLCANO_JOB, meta.namespace, meta.name, body, subresource="status")
                return
            except (NotFound, Invalid):
                raise
            except ApiError as error:
                print(f"{meta.name}: {phase}: {error}", file=sys.stderr, flush=True)
                if error.status == 409:
                    raise NotFound("another Job has the name") from error
                await asyncio.sleep(RETRY_SECONDS)


async def play(options: argparse.Namespace, starts: TextIO) -> None:
    """Play until killed."""
    transport = await connect(options.kubeconfig)
    client = Client(transport, SystemClock(), max_in_flight=IN_FLIGHT)
    player = Player(client, starts, tuple(options.seconds), frozenset(options.fails))
    await Reflector(client, SystemClock(), VOLCANO_JOB, Codec(Job, lambda job: job), player).run()


def _ended(walk: asyncio.Task[None]) -> None:
    """A bug of a walk ends the process, which the tests notice."""
    if not walk.cancelled() and (bug := walk.exception()):
        traceback.print_exception(bug)
        os._exit(1)


def main() -> None:
    """Read the flags and play."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--starts", required=True, help="a line for each Job that began to run is added to it")
    parser.add_argument("--seconds", type=float, nargs=2, default=(0.05, 0.1), help="how long Jobs run")
    parser.add_argument("--fails", nargs="*", default=(), help="steps whose Jobs fail")
    options = parser.parse_args()
    with open(options.starts, "a") as starts:
        asyncio.run(play(options, starts))


if __name__ == "__main__":
    main()
