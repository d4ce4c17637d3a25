"""Rig: one control plane, one contender, the load beside it; what each kind of measurement is made with.

In: a plane, a contender, a load. Out: flows created and waited for, the contender's usage and its writes. The
contender is given one flow to warm up with before anything is measured, which also shows that it works at all.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from signal import Signals

from bench.audit import Audit, Write
from bench.contenders import Contender
from bench.errors import BenchError
from bench.flows import Flows
from bench.plane import USER, Plane, Program, start_program
from bench.processes import Usage, usage
from bench.shape import LIVE
from bench.volcano import Script, Volcano
from bench.wire import Wire

WARM_UP_SECONDS = 90.0
LOOK_SECONDS = 0.25
TELL_SECONDS = 5.0
QUIET_SECONDS = 5.0  # longer than anything a controller of ours waits for company but counts of pods
LOG_LINES = 8

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Load:
    """What is done to each contender."""

    retain: str = "retain"
    script: Script = field(default_factory=Script)
    limit_seconds: float = 300.0


@dataclass
class Rig:
    """To be used inside `rig()`."""

    plane: Plane
    contender: Contender
    load: Load
    tell: Tell
    wire: Wire
    audit: Audit
    flows: Flows
    volcano: Volcano
    program: Program | None = None
    deadline: float = field(default=float("inf"))

    def start(self) -> None:
        """Start the contender."""
        command = self.contender.started_with(self.plane.contender)
        log = self.plane.directory / f"{self.contender.name.replace('/', '_')}.log"
        self.program = start_program(self.contender.name, command, log)

    def stop(self, *, at_once: bool = False) -> None:
        """End the contender in order, or by SIGKILL."""
        if self.program is not None:
            if at_once:
                self.program.process.send_signal(Signals.SIGKILL)
            self.program.stop()
            with suppress(ProcessLookupError):  # what a wrapper left behind; it leads a group of its own
                os.killpg(self.program.process.pid, Signals.SIGKILL)
            self.program = None

    def usage(self) -> Usage:
        """What the contender has used."""
        assert self.program is not None, "not started"
        return usage(self.program.process.pid)

    def servers(self) -> float:
        """CPU seconds of etcd and kube-apiserver."""
        return sum(usage(pid).cpu_seconds for pid in self.plane.pids.values())

    def writes(self) -> list[Write]:
        """All writes so far, the load's too."""
        self.audit.read()
        return self.audit.writes

    def own_writes(self, since: int = 0) -> list[Write]:
        """The contender's, after the first `since` of all."""
        return [write for write in self.writes()[since:] if write.user == USER]

    async def warm_up(self) -> None:
        """One flow from its start to its end."""
        self.deadline = time.monotonic() + WARM_UP_SECONDS
        await self.flows.create(["warm"])
        await self.until(lambda: "warm" in self.flows.ended, "the first flow to end")
        await self.quiet()
        self.deadline = time.monotonic() + self.load.limit_seconds

    async def fill(self, count: int) -> None:
        """Flows up to `count` that live: their first Job runs and goes on running."""
        missing = range(len(self.volcano.running), count)
        await self.flows.create([f"{LIVE}{number}" for number in missing])
        await self.until(lambda: len(self.volcano.running) >= count, f"{count} live flows", self._live)
        await self.quiet()

    async def ended(self, names: Sequence[str]) -> float:
        """Wait until all these flows have succeeded (and with policy delete have no Jobs); when the last did."""
        wanted = set(names)
        await self.until(lambda: wanted <= self.flows.ended.keys(), f"{len(names)} flows to end", self._done)
        last = max(self.flows.ended[name] for name in names)
        if self.load.retain == "delete":
            kept = len(self.volcano.running)
            await self.until(lambda: self.volcano.born - self.volcano.removed <= kept, "Jobs to be deleted", self._done)
            last = time.monotonic()
        return last

    async def quiet(self, seconds: float = QUIET_SECONDS) -> float:
        """Wait until the contender has written nothing for a while; returns when that began."""
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < seconds:
            count = len(self.own_writes())
            if count != seen:
                seen, since = count, time.monotonic()
            self.check("it to come to rest")
            await asyncio.sleep(LOOK_SECONDS)
        return since

    async def until(self, holds: Callable[[], bool], what: str, progress: Callable[[], str] = lambda: "") -> None:
        """Wait, and tell how it goes. Raises BenchError after the deadline, or where the contender ends."""
        told = time.monotonic()
        while not holds():
            self.check(what, progress())
            if time.monotonic() - told >= TELL_SECONDS:
                told = time.monotonic()
                self.tell(f"  {self.contender.name}: waiting for {what}: {progress()}")
            await asyncio.sleep(LOOK_SECONDS / 5)

    def check(self, what: str, progress: str = "") -> None:
        """Raise BenchError where waiting on makes no sense."""
        if self.program is not None and self.program.process.poll() is not None:
            raise BenchError(f"{self.contender.name} ended while waiting for {what}: {self._said()}")
        if time.monotonic() > self.deadline:
            raise BenchError(f"{self.contender.name}: no longer waiting for {what} ({progress}): {self._said()}")

    def _said(self) -> str:
        if self.program is None:
            return "it is not running"
        lines = self.program.log.read_text(errors="replace").splitlines()
        return "\n".join(["the end of its log:", *lines[-LOG_LINES:]])

    def _done(self) -> str:
        return f"{len(self.flows.ended)} flows ended, {self.volcano.ended} of {self.volcano.born} Jobs"

    def _live(self) -> str:
        return f"{len(self.volcano.running)} live"


@asynccontextmanager
async def rig(plane: Plane, contender: Contender, load: Load, tell: Tell) -> AsyncIterator[Rig]:
    """The load's watches stand and the contender runs, warmed up. All of it is ended with the block."""
    wire = Wire(plane.admin)
    flows, volcano = Flows(wire, load.retain), Volcano(wire, load.script)
    made = Rig(plane, contender, load, tell, wire, Audit(plane.audit_log), flows, volcano)
    try:
        async with asyncio.TaskGroup() as group:
            playing = [group.create_task(flows.run()), group.create_task(volcano.run())]
            try:
                made.start()
                await made.warm_up()
                yield made
            finally:
                for task in playing:
                    task.cancel()
    except BaseExceptionGroup as errors:
        raise first_error(errors) from None
    finally:
        made.stop()
        await wire.close()


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong, out of groups within groups; what a user can act on before anything else."""
    leaves: list[BaseException] = []
    open_groups: list[BaseException] = [errors]
    for error in open_groups:  # grows while it is walked
        if isinstance(error, BaseExceptionGroup):
            open_groups += error.exceptions
        else:
            leaves.append(error)
    return next((error for error in leaves if isinstance(error, BenchError)), leaves[0])
